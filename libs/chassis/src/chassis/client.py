"""Reads from another process of Cairn over HTTP, on behalf of a caller, in the current trace."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx
import orjson
from contracts.outcomes import FieldProblem, Problem
from opentelemetry.trace import SpanKind

from chassis import names
from chassis.errors import CairnError, Unavailable
from chassis.problems import STATUS, to_error
from chassis.telemetry import current_trace, span
from chassis.tokens import Caller, Tokens

_KINDS = {status: kind for kind, status in STATUS.items()}
TOKEN_TTL_SECONDS = 120


class ServiceClient:
    """The door of one service. Every call is signed for its caller."""

    def __init__(self, base_url: str, *, http: httpx.AsyncClient, tokens: Tokens) -> None:
        self._base_url = base_url.rstrip("/")
        self._http = http
        self._tokens = tokens

    async def get(self, path: str, caller: Caller, params: Mapping[str, str | int] | None = None) -> Any:
        """The JSON answer. Raises the error that the service's problem stands for, or `Unavailable`."""
        return await self._json("GET", path, caller, params=params)

    async def post(self, path: str, caller: Caller, body: Any) -> Any:
        """Like `get`, for questions that need a body."""
        return await self._json("POST", path, caller, content=orjson.dumps(body))

    @asynccontextmanager
    async def stream(
        self,
        path: str,
        caller: Caller,
        *,
        method: str = "GET",
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str],
        expected: frozenset[int] = frozenset(),
    ) -> AsyncIterator[httpx.Response]:
        """An answer whose body is read as it comes. Texts of `headers` stand for bytes (Latin-1), as servers read them.

        Raises like `get` for any status of 400 or more, but for those in `expected`.
        """
        sent = httpx.Headers({**self._headers(caller), **headers}, encoding="latin-1")
        request = self._http.build_request(method, f"{self._base_url}{path}", params=params, headers=sent)
        try:
            response = await self._http.send(request, stream=True)
        except httpx.TransportError as error:
            raise self._unavailable(error) from error
        try:
            if response.status_code >= 400 and response.status_code not in expected:
                await response.aread()
                raise _error_of(response)
            yield response
        finally:
            await response.aclose()

    async def _json(self, method: str, path: str, caller: Caller, **parts: Any) -> Any:
        url = urlsplit(self._base_url)
        attributes: dict[str, Any] = {names.HTTP_METHOD: method, names.SERVER_ADDRESS: url.hostname or ""}
        with span(method, kind=SpanKind.CLIENT, attributes=attributes) as current:
            headers = {**self._headers(caller), "content-type": "application/json"}
            try:
                response = await self._http.request(method, f"{self._base_url}{path}", headers=headers, **parts)
            except httpx.TransportError as error:
                raise self._unavailable(error) from error
            current.set_attribute(names.HTTP_STATUS, response.status_code)
            if response.status_code >= 300:
                raise _error_of(response)
            return orjson.loads(response.content) if response.content else None

    def _headers(self, caller: Caller) -> dict[str, str]:
        trace = current_trace().model_dump(exclude_none=True)
        return {**trace, "authorization": f"Bearer {self._tokens.sign(caller, ttl_seconds=TOKEN_TTL_SECONDS)}"}

    def _unavailable(self, error: httpx.TransportError) -> CairnError:
        host = urlsplit(self._base_url).netloc
        return Unavailable("service_unavailable", f"The service at {host} does not answer ({type(error).__name__}).")


def _error_of(response: httpx.Response) -> CairnError:
    kind = _KINDS.get(response.status_code, "failed")
    if not response.content and kind not in ("failed", "unavailable"):
        return to_error(Problem(code=kind, kind=kind, detail=f"A service answered with {response.status_code}."))
    try:
        body = orjson.loads(response.content)
        problem = Problem(
            code=body["code"],
            kind=kind,
            detail=body["detail"],
            fields=tuple(FieldProblem.model_validate(f) for f in body.get("fields", [])),
        )
    except (ValueError, KeyError, TypeError):
        return Unavailable("service_failed", f"A service answered with status {response.status_code}.")
    return to_error(problem)


@asynccontextmanager
async def open_http() -> AsyncIterator[httpx.AsyncClient]:
    """One pool of connections for all services."""
    limits = httpx.Limits(max_connections=256, max_keepalive_connections=64, keepalive_expiry=60)
    async with httpx.AsyncClient(timeout=httpx.Timeout(30, connect=5), limits=limits, trust_env=False) as client:
        yield client
