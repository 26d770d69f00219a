"""What happens to a request before a route sees it: its path is normalized, its body bounded and read as JSON."""

import re

import orjson
from chassis.http.problem_responses import problem_response
from chassis.texts import is_storable
from contracts.errors import Invalid
from contracts.messages.outcomes import Problem
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.http.docs_page import PATH as DOCS

_WITH_BODY = frozenset({"POST", "PUT", "PATCH", "DELETE"})
# No client writes these in an address as they are, and no database keeps a NUL.
_ODD_QUERY = re.compile(rb"%00|[\x00-\x20\x7f]")
_FAULT = "cairn.body_fault"
_READ_BY_ROUTES = re.compile(r"/api/v1/inventories/[^/]+/resources/bulk")
"""Paths whose bodies are files, which may be large: the route reads one once it knows who sends it."""


def no_route() -> Problem:
    """The problem of a path that leads nowhere: whoever came here by hand learns where the routes are listed."""
    detail = f"There is no such route. All routes are listed at {DOCS}."
    return Problem(code="route_not_found", kind="not_found", detail=detail)


class RequestMiddleware:
    """ASGI layer inside the application.

    `//api/v1/x` and `/api/v1/x/` are `/api/v1/x`. A body is JSON whatever its Content-Type says, but for those that are
    files. One that is too large
    or malformed becomes an empty one with a fault, which `check_body` raises: who may not
    come in does not learn of it.
    """

    def __init__(self, app: ASGIApp, *, max_body_bytes: int) -> None:
        self._app = app
        self._max = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request through, or answer it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        _normalize_path(scope)
        problem = _head_problem(scope)
        if problem is None and scope["method"] in _WITH_BODY and not _READ_BY_ROUTES.fullmatch(scope["path"]):
            try:
                receive = _replay(await self._body(scope, receive), receive)
            except ClientDisconnect:
                problem = Problem(code="body_incomplete", detail="The request body ended before it was complete.")
        if problem is None:
            await self._app(scope, receive, send)
        else:
            await problem_response(problem, instance=scope["path"])(scope, receive, send)

    async def _body(self, scope: Scope, receive: Receive) -> bytes:
        # What says itself that it is too large is not read at all.
        body = None if _length(scope) > self._max else await self._read(receive)
        scope[_FAULT] = self._fault_of(body)
        _call_it_json(scope)
        return b"" if scope[_FAULT] or body is None else body

    async def _read(self, receive: Receive) -> bytes | None:
        """The whole body; None when it is too large. Raises `ClientDisconnect` when it breaks off."""
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            body += message.get("body", b"")
            if len(body) > self._max:
                return None
            if not message.get("more_body", False):
                return bytes(body)

    def _fault_of(self, body: bytes | None) -> Exception | None:
        if body is None:
            # Returned, not raised: FastAPI reads the body before it asks who is there.
            return HTTPException(413, f"A request body must not exceed {self._max} bytes.")
        try:
            if body.strip():
                orjson.loads(body)
        except ValueError:
            return Invalid("json_invalid", "The request body is not valid JSON.")
        return None


def _length(scope: Scope) -> int:
    """How long the body is said to be; 0 when nothing is said, or nonsense."""
    declared = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
    return int(declared) if declared.isdigit() else 0


def check_body(request: Request) -> None:
    """Raise what is wrong with the body of a request, if anything is."""
    if fault := request.scope.get(_FAULT):
        raise fault


def _normalize_path(scope: Scope) -> None:
    path = "/" + scope["path"].strip("/")
    if path != scope["path"]:
        # Not redirected: clients lose the body of a redirected POST.
        scope["path"], scope["raw_path"] = path, path.encode()


def _head_problem(scope: Scope) -> Problem | None:
    if not is_storable(scope["path"]):
        return no_route()
    if _ODD_QUERY.search(scope["query_string"]):
        return Problem(code="request_invalid", kind="invalid", detail="The query string holds what it must not.")
    if any(b"\x00" in value for _, value in scope["headers"]):
        return Problem(code="request_invalid", kind="invalid", detail="A header holds a NUL character.")
    return None


def _call_it_json(scope: Scope) -> None:
    # Many clients send JSON as text or as a form; FastAPI reads a body as JSON only under its own name.
    others = [(k, v) for k, v in scope["headers"] if k != b"content-type"]
    scope["headers"] = [*others, (b"content-type", b"application/json")]


def _replay(body: bytes, receive: Receive) -> Receive:
    sent = False

    async def again() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        # Clients send blank bodies as JSON; for FastAPI only an empty one is none.
        return {"type": "http.request", "body": body.strip(), "more_body": False}

    return again
