"""Errors as problems, for clients and the logs of jobs. Status codes are here and nowhere else."""

from contracts.errors import (
    CairnError,
    Conflict,
    Forbidden,
    InternalError,
    Invalid,
    NotFound,
    PermanentError,
    PreconditionFailed,
    TemporaryError,
    Unauthorized,
)
from contracts.messages.outcomes import FieldProblem, Problem

STATUS = {
    "invalid": 400,
    "unauthorized": 401,
    "forbidden": 403,
    "not_found": 404,
    "conflict": 409,
    "precondition_failed": 412,
    "failed": 422,
    "throttled": 429,
    "internal": 500,
    "unavailable": 503,
}

_ERRORS: dict[str, type[PermanentError]] = {
    "invalid": Invalid,
    "unauthorized": Unauthorized,
    "forbidden": Forbidden,
    "not_found": NotFound,
    "conflict": Conflict,
    "precondition_failed": PreconditionFailed,
}


def to_problem(error: CairnError) -> Problem:
    """The problem an error amounts to."""
    fields = tuple(FieldProblem(field=name, detail=detail) for name, detail in error.fields.items())
    return Problem(code=error.code, kind=error.kind, detail=error.detail, fields=fields)


def to_error(problem: Problem) -> CairnError:
    """The error a problem from another process stands for."""
    if problem.kind == "unavailable":
        return TemporaryError(problem.code, problem.detail)
    if problem.kind == "internal":
        return InternalError(problem.code, problem.detail)
    kind = _ERRORS.get(problem.kind, PermanentError)
    return kind(problem.code, problem.detail, fields={f.field: f.detail for f in problem.fields})


def unexpected() -> Problem:
    """The problem for an unexpected error, without its text, which may hold anything."""
    return Problem(
        code="internal_error", kind="internal", detail="Something went wrong inside Cairn; its log has more."
    )
