"""What every HTTP door has: problem details, health, traces, and callers that must say who they are."""

import logging
import math
import re
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from typing import Any, TypeAlias

from contracts.errors import CairnError, Invalid, Throttled, Unauthorized
from contracts.messages.outcomes import Problem
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.telemetry import TelemetryConfig
from opentelemetry import metrics, trace
from opentelemetry.trace import SpanKind, Status, StatusCode
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chassis.http.problems import STATUS, to_problem, unexpected
from chassis.http.tokens import Caller, Tokens
from chassis.persistence.mongo import PyMongoError, Unavailable
from chassis.runtime.deadlines import LATE, READS, deadline_of, under
from chassis.runtime.health import Check, Clock, Extensions, Readiness
from chassis.telemetry import semantic_conventions as semconv
from chassis.telemetry.tracing import TraceContext, span

log = logging.getLogger(__name__)
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
FILE_REFUSALS = {
    412: Problem(code="precondition_failed", detail="The file is not the one that the request expects."),
    416: Problem(code="range_not_satisfiable", detail="The range asked for lies outside the file."),
}
"""Why a file, or a part of it, is not sent; told by whoever reads it and by whoever passes it on."""
HINTS = {401: {"WWW-Authenticate": "Bearer"}, 503: {"Retry-After": "1"}}
_CODES = {400: "request_invalid", 404: "route_not_found", 405: "method_not_allowed", 413: "body_too_large"}
FIXED_HEADERS = ((b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"))
"""Of every answer: it may hold a badge or a secret, and is what it says it is."""
CLOSE = (b"connection", b"close")
_FIXED_NAMES = frozenset(name for name, _ in FIXED_HEADERS)
_ESCAPED_SLASH = re.compile(b"%2f", re.IGNORECASE)
_NOWHERE = Problem(code="route_not_found", kind="not_found", detail="Nothing is here.")
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
UNTRACED: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False}
"""FastAPI's own telemetry stays off: `Edge` has the server span and the duration."""


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


def _validation_problem(error: RequestValidationError) -> CairnError:
    fields = {".".join(str(p) for p in e["loc"][1:]) or str(e["loc"][0]): str(e["msg"]) for e in error.errors()}
    if any(e["type"] == "json_invalid" for e in error.errors()):
        return Invalid("json_invalid", "The request body is not valid JSON.")
    return Invalid("request_invalid", "The request does not have the form it should: " + _listed(fields), fields=fields)


def _listed(fields: Mapping[str, str]) -> str:
    return "; ".join(f"{name}: {detail}" for name, detail in fields.items())


def methods_by_path(app: FastAPI) -> dict[str, str]:
    """The methods of all routes with a path, as `Allow` tells them; the framework tells only those of one route."""
    found: dict[str, set[str]] = {}
    for route in _flat(app.router.routes):
        found.setdefault(getattr(route, "path", ""), set()).update(getattr(route, "methods", None) or ())
    return {path: ", ".join(method for method in _METHODS if method in methods) for path, methods in found.items()}


def _flat(routes: Iterable[Any]) -> Iterator[Any]:
    for route in routes:
        included = getattr(route, "original_router", None)
        yield from _flat(included.routes) if included else (route,)


def method_not_allowed(path: str, allowed: str) -> JSONResponse:
    """What is answered where other methods than that of the request are."""
    problem = Problem(code=_CODES[405], detail="Method Not Allowed")
    response = problem_response(problem, instance=path, status=405)
    response.headers["Allow"] = allowed
    return response


Translate: TypeAlias = Callable[[Any], CairnError]
_NOTHING: Mapping[type[Exception], Translate] = {}


def install_problems(app: FastAPI, translated: Mapping[type[Exception], Translate] = _NOTHING) -> None:
    """Answer every error with a problem; of unforeseen ones nothing is told, and the log has the place."""

    async def known(request: Request, error: Exception) -> JSONResponse:
        if (foreign := next((each for each in translated if isinstance(error, each)), None)) is not None:
            error = translated[foreign](error)
        if isinstance(error, RequestValidationError):
            error = _validation_problem(error)
        if isinstance(error, HTTPException):
            if error.status_code == 405:
                # A route whose more general path fits too is another resource.
                return method_not_allowed(request.url.path, methods_by_path(request.app)[request.scope["route"].path])
            problem = Problem(code=_CODES.get(error.status_code, "http_error"), detail=str(error.detail))
            return problem_response(problem, instance=request.url.path, status=error.status_code)
        if isinstance(error, PyMongoError):
            error = Unavailable("database_unavailable", "The database does not answer.")
        problem = to_problem(error) if isinstance(error, CairnError) else unexpected()
        response = problem_response(problem, instance=request.url.path)
        if isinstance(error, Throttled):
            response.headers["Retry-After"] = str(math.ceil(error.retry_after_seconds))
        return response

    for kind in (*translated, CairnError, RequestValidationError, HTTPException, PyMongoError, Exception):
        app.add_exception_handler(kind, known)


_LATE = "A part of Cairn does not answer at the moment. Try again later."
_LATE_WRITE = f"{_LATE} What was sent may still be carried out; with the same Idempotency-Key it is not done twice."


class Edge:
    """Outermost ASGI layer: a server span, a duration and a deadline for each request, a problem for whatever escapes.

    The deadline counts from when the request is there, and is extended only while everything is ready. Every answer
    gets `FIXED_HEADERS`. After one that does not want the rest of the request's body the connection ends. A path with
    an escaped slash leads nowhere: unescaped, it would lead elsewhere.
    """

    def __init__(self, app: ASGIApp, readiness: Readiness | None = None) -> None:
        self._app = app
        self._extensions = Extensions(readiness) if readiness is not None else None
        self._duration = metrics.get_meter("cairn").create_histogram(semconv.METRIC_HTTP_DURATION, "s")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request through."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        receive, send = _finished(scope, receive, send)
        if scope["path"].startswith("/health"):
            await self._app(scope, receive, send)
        elif _ESCAPED_SLASH.search(scope.get("raw_path") or b""):
            await problem_response(_NOWHERE, instance=scope["path"])(scope, receive, send)
        else:
            await self._observed(scope, receive, send)

    async def _observed(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {k.decode("latin-1"): v.decode("latin-1") for k, v in scope["headers"]}
        parent = TraceContext(traceparent=headers.get("traceparent"), tracestate=headers.get("tracestate"))
        status, started, began = 500, False, time.monotonic()
        deadline = deadline_of(scope["method"], headers)
        clock = Clock(deadline, self._extensions)

        async def read() -> Message:
            message = await receive()
            if not message.get("more_body", False):
                clock.start()
            return message

        async def watch(message: Message) -> None:
            nonlocal status, started
            if message["type"] == "http.response.start":
                status, started = message["status"], True
                clock.stop()
            await send(message)

        if scope["method"] in READS or not _has_body(scope):
            clock.start()

        attributes: dict[str, Any] = {
            semconv.HTTP_METHOD: scope["method"],
            semconv.URL_PATH: scope["path"],
        }
        with span(scope["method"], kind=SpanKind.SERVER, parent=parent, attributes=attributes) as current:
            try:
                with under(deadline):
                    async with deadline.cutting():
                        await self._app(scope, read, watch)
            except Exception as error:
                if not deadline.was_cut:
                    log.exception("request failed", extra={"path": scope["path"]})
                current.set_attribute(semconv.ERROR_TYPE, type(error).__name__)
                if started and status != 500:
                    raise
                if not started:
                    problem = _late(scope["method"]) if deadline.was_cut else unexpected()
                    await problem_response(problem, instance=scope["path"])(scope, receive, watch)
            finally:
                clock.stop()
            self._describe(current, scope, status)
        self._duration.record(time.monotonic() - began, self._facts(scope, status))

    def _facts(self, scope: Scope, status: int) -> dict[str, str | int]:
        facts: dict[str, str | int] = {
            semconv.HTTP_METHOD: scope["method"],
            semconv.HTTP_STATUS: status,
        }
        if route := getattr(scope.get("route"), "path", None):
            facts[semconv.HTTP_ROUTE] = route
        if status >= 500:
            facts[semconv.ERROR_TYPE] = str(status)
        return facts

    def _describe(self, current: trace.Span, scope: Scope, status: int) -> None:
        route = getattr(scope.get("route"), "path", None)
        if route:
            current.update_name(f"{scope['method']} {route}")
            current.set_attribute(semconv.HTTP_ROUTE, route)
        current.set_attribute(semconv.HTTP_STATUS, status)
        if status >= 500:
            current.set_status(Status(StatusCode.ERROR))


def _has_body(scope: Scope) -> bool:
    return any(n == b"transfer-encoding" or (n == b"content-length" and v != b"0") for n, v in scope["headers"])


def _finished(scope: Scope, receive: Receive, send: Send) -> tuple[Receive, Send]:
    """The two channels of a request, such that the answer gets what every answer has."""
    unread = _has_body(scope)

    async def read() -> Message:
        nonlocal unread
        message = await receive()
        unread = unread and message.get("more_body", False)
        return message

    async def finish(message: Message) -> None:
        if message["type"] == "http.response.start":
            told = [(name, value) for name, value in message.get("headers", ()) if name.lower() not in _FIXED_NAMES]
            message = {**message, "headers": [*told, *FIXED_HEADERS, *([CLOSE] if unread else ())]}
        await send(message)

    return read, finish


def _late(method: str) -> Problem:
    detail = _LATE if method in READS else _LATE_WRITE
    return Problem(code=LATE, kind="unavailable", detail=detail)


def install_health(app: FastAPI, checks: Mapping[str, Check], *, public: bool = False) -> None:
    """`/health/live` answers while the process runs; `/health/ready` when every check passes, else 503 and why.

    In public only the names of what failed are told. Both answer within 2 s.
    """
    app.state.readiness, app.state.tells_reasons = Readiness(checks), not public

    @app.api_route("/health/live", methods=["GET", "HEAD"], include_in_schema=False)
    async def live() -> dict[str, str]:
        return {"status": "ok"}

    @app.api_route("/health/ready", methods=["GET", "HEAD"], include_in_schema=False)
    async def ready(request: Request) -> JSONResponse:
        return await readiness_of(request)


async def readiness_of(request: Request) -> JSONResponse:
    """200 when all checks of an application pass, else 503 with those that failed, each with its reason."""
    failed = await request.app.state.readiness.failed()
    if not request.app.state.tells_reasons:
        failed = dict.fromkeys(failed, "not ready")
    status = 503 if failed else 200
    body = {"status": "failed" if failed else "ok", "failed": failed}
    return JSONResponse(body, status, headers=HINTS.get(status))


def build_internal_api(
    title: str, *, checks: Mapping[str, Check], translated: Mapping[type[Exception], Translate] = _NOTHING
) -> FastAPI:
    """An API for other processes of Cairn: problems and health installed, no documentation pages.

    Errors of the `translated` types are answered as the errors of Cairn that they amount to.
    """
    app = FastAPI(
        title=title, docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False, telemetry=UNTRACED
    )
    install_problems(app, translated)
    install_health(app, checks)
    return app


def bearer(request: Request) -> str:
    """The bearer token of a request. Raises `Unauthorized` without one."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthorized("token_missing", "This call needs an Authorization header with a bearer token.")
    return token.strip()


def caller_reader(tokens: Tokens) -> Callable[[Request], Awaitable[Caller]]:
    """What a route depends on to know its caller: `read = caller_reader(tokens)`, `Annotated[Caller, Depends(read)]`.

    Raises `Unauthorized` when the request carries no token, or none that can be trusted.
    """

    async def caller(request: Request) -> Caller:
        return tokens.read(bearer(request))

    return caller
