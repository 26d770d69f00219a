"""The outermost middleware of every HTTP server: trace, duration and deadline of a request, headers of all answers."""

import logging
import re
import time
from collections.abc import Callable
from typing import Any

from contracts.messages.outcomes import Problem
from opentelemetry import metrics, trace
from opentelemetry.trace import SpanKind, Status, StatusCode
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chassis.http.problem_responses import CLOSE, FIXED_HEADERS, problem_response
from chassis.http.problems import unexpected
from chassis.runtime.deadlines import LATE, LIMITS, READS, RequestLimits, deadline_of, under
from chassis.runtime.health import DeadlineExtensions, Readiness, RequestTimer
from chassis.telemetry import semantic_conventions as semconv
from chassis.telemetry.tracing import TraceContext, span

log = logging.getLogger(__name__)
_FIXED_NAMES = frozenset(name for name, _ in FIXED_HEADERS)
_ESCAPED_SLASH = re.compile(b"%2f", re.IGNORECASE)
_NOWHERE = Problem(code="route_not_found", kind="not_found", detail="Nothing is here.")
_LATE = "A part of Cairn does not answer at the moment. Try again later."
_LATE_WRITE = f"{_LATE} What was sent may still be carried out; with the same Idempotency-Key it is not done twice."


class RequestMiddleware:
    """Outermost ASGI layer: a server span, a duration and a deadline for each request, a problem for whatever escapes.

    The deadline counts from when the request is there, and is extended only while everything is ready. Every answer
    gets `FIXED_HEADERS`. After one that does not want the rest of the request's body the connection ends. A path with
    an escaped slash leads nowhere, but for those that `takes_slashes` is true of: unescaped, it would lead elsewhere.
    """

    def __init__(
        self,
        app: ASGIApp,
        readiness: Readiness | None = None,
        limits: RequestLimits = LIMITS,
        takes_slashes: Callable[[bytes], bool] = lambda _: False,
    ) -> None:
        self._app = app
        self._takes_slashes = takes_slashes
        self._limits = limits
        self._extensions = DeadlineExtensions(readiness, look_seconds=limits.look) if readiness is not None else None
        self._duration = metrics.get_meter("cairn").create_histogram(semconv.METRIC_HTTP_DURATION, "s")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request through."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        receive, send = _finished(scope, receive, send)
        # Probes come every few seconds and would fill traces and histograms; their checks have a time limit of their
        # own.
        if scope["path"].startswith("/health"):
            await self._app(scope, receive, send)
        elif _ESCAPED_SLASH.search(raw := scope.get("raw_path") or b"") and not self._takes_slashes(raw):
            await problem_response(_NOWHERE, instance=scope["path"])(scope, receive, send)
        else:
            await self._observed(scope, receive, send)

    async def _observed(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {k.decode("latin-1"): v.decode("latin-1") for k, v in scope["headers"]}
        parent = TraceContext(traceparent=headers.get("traceparent"), tracestate=headers.get("tracestate"))
        status, started, began = 500, False, time.monotonic()
        deadline = deadline_of(scope["method"], headers, self._limits)
        timer = RequestTimer(deadline, self._extensions)

        async def read() -> Message:
            message = await receive()
            if not message.get("more_body", False):
                timer.start()
            return message

        async def watch(message: Message) -> None:
            nonlocal status, started
            if message["type"] == "http.response.start":
                status, started = message["status"], True
                timer.stop()
            await send(message)

        if scope["method"] in READS or not _has_body(scope):
            timer.start()

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
                # Where a 500 has begun, it is the framework's whole answer to this error, which it raises again
                # afterwards.
                if started and status != 500:
                    raise
                if not started:
                    problem = _late(scope["method"]) if deadline.was_cut else unexpected()
                    await problem_response(problem, instance=scope["path"])(scope, receive, watch)
            finally:
                timer.stop()
            self._describe(current, scope, status)
        self._duration.record(time.monotonic() - began, self._facts(scope, status))

    def _facts(self, scope: Scope, status: int) -> dict[str, str | int]:
        facts: dict[str, str | int] = {
            semconv.HTTP_METHOD: scope["method"],
            semconv.HTTP_STATUS: status,
        }
        # The route, not the path: with ids in it, each path would be a time series of its own.
        if route := getattr(scope.get("route"), "path", None):
            facts[semconv.HTTP_ROUTE] = route
        if status >= 500:
            facts[semconv.ERROR_TYPE] = str(status)
        return facts

    def _describe(self, current: trace.Span, scope: Scope, status: int) -> None:
        # The route is known only now: the framework puts it into the scope when it has found it.
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
            own = [(name, value) for name, value in message.get("headers", ()) if name.lower() not in _FIXED_NAMES]
            message = {**message, "headers": [*own, *FIXED_HEADERS, *([CLOSE] if unread else ())]}
        await send(message)

    return read, finish


def _late(method: str) -> Problem:
    detail = _LATE if method in READS else _LATE_WRITE
    return Problem(code=LATE, kind="unavailable", detail=detail)
