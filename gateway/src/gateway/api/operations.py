"""Operations: requests that were not finished in time."""

from collections.abc import Iterator
from contextlib import contextmanager

from chassis.errors import Unavailable
from chassis.messaging.command_client import StillRunning
from chassis.runtime.deadlines import LATE, current_deadline
from contracts.errors import CairnError
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import JSONResponse

from gateway.api.documents import problems
from gateway.api.gate import Opened, Right, Who, gate_of
from gateway.api.views.jobs import OperationView, operation_view
from gateway.usecases.audit_endings import Unsettled
from gateway.usecases.operations import Operation

router = APIRouter(prefix="/api/v1", tags=["operations"])


@router.get("/operations/{operation_id}", summary="Poll an operation", responses=problems(404))
async def read_operation(operation_id: str, gate: Opened, who: Who) -> OperationView:
    """Waits a moment for the end. `result` is what came of the request, `problem` why it was refused."""
    who.require(Right.READ)
    return operation_view(await gate.operations.poll(who, operation_id))


def install_operations(app: FastAPI) -> None:
    """Answer with 202 and an operation where the outcome of a command does not come in time.

    So too where a command was carried out and what it changed cannot be read now. Problems must be installed before.
    """
    problem_of = app.exception_handlers[CairnError]

    async def later(request: Request, error: Exception) -> Response:
        try:
            left, gate = _left(error), await gate_of(request)
            with _settling(left):
                return _accepted(await gate.operations.begin(left.command, taken=left.taken))
        except CairnError as refused:
            return await problem_of(request, refused)  # type: ignore[misc,no-any-return]

    app.add_exception_handler(StillRunning, later)
    app.add_exception_handler(Unavailable, later)


@contextmanager
def _settling(left: StillRunning) -> Iterator[None]:
    """Have the audit log tell whether a command is kept, where the log tells of it."""
    try:
        yield
    except BaseException as error:
        if isinstance(left, Unsettled):
            left.settle(code=error.code if isinstance(error, CairnError) else LATE)
        raise
    if isinstance(left, Unsettled):
        left.settle()


def _left(error: Exception) -> StillRunning:
    """What is left to wait for. Raises the error itself when nothing is."""
    if isinstance(error, StillRunning):
        return error
    deadline = current_deadline()
    if deadline is None or deadline.accepted is None:
        raise error
    return StillRunning(deadline.accepted, taken=True)


def _accepted(operation: Operation) -> Response:
    content = operation_view(operation).model_dump(mode="json")
    return JSONResponse(content, 202, headers={"Location": f"/api/v1/operations/{operation.id}"})
