"""Problems as answers: what every failure looks like to a client, and the headers that every answer has."""

from typing import Any

from contracts.messages.outcomes import Problem
from fastapi.responses import JSONResponse

from chassis.http.problems import STATUS

PROBLEM_JSON = "application/problem+json"

TITLES = {
    400: "Bad request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not found",
    405: "Method not allowed",
    408: "Request timeout",
    409: "Conflict",
    412: "Precondition failed",
    413: "Too large",
    414: "Address too long",
    416: "Range not satisfiable",
    422: "Not possible",
    429: "Too many requests",
    431: "Headers too large",
    500: "Internal error",
    503: "Unavailable",
}
FILE_PROBLEMS = {
    412: Problem(code="precondition_failed", detail="The file is not the one that the request expects."),
    416: Problem(code="range_not_satisfiable", detail="The range asked for lies outside the file."),
}
"""Why a file, or a part of it, is not sent: the same answers of the worker that reads it and of the gateway."""
HINTS = {401: {"WWW-Authenticate": "Bearer"}, 503: {"Retry-After": "1"}}
FIXED_HEADERS = ((b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"))
"""Of every answer: it may hold a badge or a secret, and is what it says it is."""
CLOSE = (b"connection", b"close")


def problem_response(problem: Problem, *, instance: str, status: int | None = None) -> JSONResponse:
    """A problem as RFC 9457 asks: type, title, status, detail, instance, and our code and fields."""
    status = status or STATUS.get(problem.kind, 500)
    body: dict[str, Any] = {
        "type": f"urn:cairn:problem:{problem.code}",
        "title": TITLES.get(status, "Error"),
        "status": status,
        "detail": problem.detail,
        "instance": instance,
        "code": problem.code,
    }
    if problem.fields:
        body["fields"] = [f.model_dump() for f in problem.fields]
    return JSONResponse(body, status, media_type=PROBLEM_JSON, headers=HINTS.get(status))
