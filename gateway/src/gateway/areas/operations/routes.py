"""Operations: requests that were not finished in time."""

from typing import Annotated

from fastapi import APIRouter

from gateway.access.rights import Right
from gateway.areas.operations.schemas import operation_view
from gateway.areas.operations.service import Operations
from gateway.http.answers import OperationView
from gateway.http.dependencies import Who, provided
from gateway.http.openapi import problems

router = APIRouter(prefix="/api/v1", tags=["operations"])
Service = Annotated[Operations, provided(Operations)]


@router.get("/operations/{operation_id}", summary="Poll an operation", responses=problems(404))
async def read_operation(operation_id: str, operations: Service, who: Who) -> OperationView:
    """Waits a moment for the end. `result` is what came of the request, `problem` why it was refused."""
    who.require(Right.READ)
    return operation_view(await operations.poll(who, operation_id))
