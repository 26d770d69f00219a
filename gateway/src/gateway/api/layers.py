"""What happens to a request before a route sees it: its path is tidied, its body bounded and read as JSON."""

import re

import orjson
from chassis.texts import is_storable
from chassis.web import problem_response
from contracts.outcomes import Problem
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_WITH_BODY = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_ODD_QUERY = re.compile(rb"%00|[\x00-\x20\x7f]")
_MAYBE_NUL = b"\\u0000"


class Door:
    """ASGI layer inside the application.

    `//api/v1/x` and `/api/v1/x/` are `/api/v1/x`. A body is JSON whatever its Content-Type says; one that is too
    large, malformed, or holds what no database keeps is answered here.
    """

    def __init__(self, app: ASGIApp, *, max_body_bytes: int) -> None:
        self._app = app
        self._max = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request through, or answer it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        _tidy(scope)
        problem = _path_problem(scope)
        if problem is None and scope["method"] in _WITH_BODY:
            body = await self._read(receive)
            problem = self._body_problem(body)
            if problem is None and body is not None:
                _call_it_json(scope)
                receive = _replay(body, receive)
        if problem is None:
            await self._app(scope, receive, send)
            return
        status = 413 if problem.code == "body_too_large" else None
        await problem_response(problem, instance=scope["path"], status=status)(scope, receive, send)

    async def _read(self, receive: Receive) -> bytes | None:
        """The whole body; None when it is too large."""
        body = bytearray()
        while True:
            message = await receive()
            body += message.get("body", b"")
            if len(body) > self._max:
                return None
            if not message.get("more_body", False):
                return bytes(body)

    def _body_problem(self, body: bytes | None) -> Problem | None:
        if body is None:
            return Problem(code="body_too_large", detail=f"A request body must not exceed {self._max} bytes.")
        try:
            parsed = orjson.loads(body) if body.strip() else None
        except ValueError:
            return Problem(code="json_invalid", detail="The request body is not valid JSON.")
        if _MAYBE_NUL in body and not _is_storable(parsed):
            return Problem(code="request_invalid", detail="A text in the request body holds a NUL character.")
        return None


def _tidy(scope: Scope) -> None:
    path = "/" + scope["path"].strip("/")
    if path != scope["path"]:
        scope["path"], scope["raw_path"] = path, path.encode()


def _path_problem(scope: Scope) -> Problem | None:
    if not is_storable(scope["path"]):
        return Problem(code="route_not_found", kind="not_found", detail="Nothing is here.")
    if _ODD_QUERY.search(scope["query_string"]):
        return Problem(code="request_invalid", detail="The query string holds characters that it must not.")
    return None


def _is_storable(value: object) -> bool:
    if isinstance(value, dict):
        return all(is_storable(k) and _is_storable(v) for k, v in value.items())
    if isinstance(value, list):
        return all(map(_is_storable, value))
    return not isinstance(value, str) or is_storable(value)


def _call_it_json(scope: Scope) -> None:
    others = [(k, v) for k, v in scope["headers"] if k != b"content-type"]
    scope["headers"] = [*others, (b"content-type", b"application/json")]


def _replay(body: bytes, receive: Receive) -> Receive:
    sent = False

    async def again() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body.strip(), "more_body": False}

    return again
