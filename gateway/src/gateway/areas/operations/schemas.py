"""Operations."""

from contracts.messages.catalog import ChangeResource, RegisterResource, RemoveResource

from gateway.areas.operations.handles import handle_of
from gateway.areas.operations.service import Operation
from gateway.http.answers import OperationView, problem_view

_ABOUT_RESOURCES = (RegisterResource, ChangeResource, RemoveResource)


def operation_view(operation: Operation) -> OperationView:
    """How an operation stands."""
    end, handle = operation.end, handle_of(operation.command)
    status = "running" if end is None else "failed" if end.problem else "succeeded"
    return OperationView(
        id=handle,
        # Clients that created a resource read `urn_id`, whichever answer they got.
        urn_id=handle if isinstance(operation.command, _ABOUT_RESOURCES) else None,
        operation_id=operation.id,
        status=status,
        result={"id": handle, **end.result} if end and end.result is not None else None,
        problem=problem_view(end.problem if end else None),
    )
