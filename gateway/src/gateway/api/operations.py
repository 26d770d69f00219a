"""Operations: requests that were not finished in time."""

from chassis.outcomes import StillRunning
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import JSONResponse

from gateway.api.documents import problems
from gateway.api.gate import Opened, Right, Who, gate_of
from gateway.api.views.jobs import OperationView, operation_view

router = APIRouter(prefix="/api/v1", tags=["operations"])


@router.get("/operations/{operation_id}", summary="Poll an operation", responses=problems(404))
async def read_operation(operation_id: str, gate: Opened, who: Who) -> OperationView:
    """Waits a moment for the end. `result` is what came of the request, `problem` why it was refused."""
    who.require(Right.READ)
    return operation_view(await gate.operations.poll(who, operation_id))


def install_operations(app: FastAPI) -> None:
    """Answer a request whose outcome does not come in time with 202 and the operation it has become."""

    async def later(request: Request, error: Exception) -> Response:
        if not isinstance(error, StillRunning):
            raise error
        operation = await (await gate_of(request)).operations.begin(error.command)
        content = operation_view(operation).model_dump(mode="json")
        return JSONResponse(content, 202, headers={"Location": f"/api/v1/operations/{operation.id}"})

    app.add_exception_handler(StillRunning, later)
