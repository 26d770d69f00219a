"""Answers with 202 and an operation where the outcome of a command does not come in time."""

from collections.abc import Iterator
from contextlib import contextmanager

from chassis.errors import Unavailable
from chassis.messaging.command_client import StillRunning
from chassis.runtime.deadlines import LATE, current_deadline
from contracts.errors import CairnError
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from gateway.areas.operations.schemas import operation_view
from gateway.areas.operations.service import Operation, Operations
from gateway.audit_log.endings import Unsettled
from gateway.http.dependencies import services_of


def install_operations(app: FastAPI) -> None:
    """Answer with 202 and an operation where the outcome of a command does not come in time.

    So too where a command was carried out and what it changed cannot be read now. Problems must be installed before.
    """
    problem_of = app.exception_handlers[CairnError]

    async def later(request: Request, error: Exception) -> Response:
        try:
            left, operations = _left(error), (await services_of(request))[Operations]
            with _settling(left):
                return _accepted(await operations.begin(left.command, taken=left.taken))
        except CairnError as refused:
            return await problem_of(request, refused)  # type: ignore[misc,no-any-return]

    app.add_exception_handler(StillRunning, later)
    app.add_exception_handler(Unavailable, later)


@contextmanager
def _settling(left: StillRunning) -> Iterator[None]:
    """Have the audit log say whether a command is kept, where it has an entry of the change."""
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
    # The command was carried out and reading back failed: an error would have the client do it again.
    deadline = current_deadline()
    if deadline is None or deadline.accepted is None:
        raise error
    return StillRunning(deadline.accepted, taken=True)


def _accepted(operation: Operation) -> Response:
    content = operation_view(operation).model_dump(mode="json")
    return JSONResponse(content, 202, headers={"Location": f"/api/v1/operations/{operation.id}"})
