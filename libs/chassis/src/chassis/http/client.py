"""Reads from another process of Cairn over HTTP, on behalf of a caller, in the current trace."""

import logging
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from urllib.parse import urlencode, urlsplit

import orjson
from contracts.errors import CairnError
from contracts.messages.outcomes import FieldProblem, Problem
from opentelemetry.trace import SpanKind

from chassis.errors import Unavailable
from chassis.http.problems import STATUS, to_error
from chassis.http.tokens import Caller, Tokens
from chassis.http.transport import Answer, Http, HttpError
from chassis.runtime.deadlines import deadline_headers
from chassis.telemetry import semantic_conventions as semconv
from chassis.telemetry.tracing import current_trace, span

log = logging.getLogger(__name__)
_KINDS = {status: kind for kind, status in STATUS.items()}
# A token that is sent has 60 s left at least, twice as long as any request may take (`RequestLimits.longest`).
TOKEN_TTL_SECONDS = 120
_SIGNED_MOST = 1000
NOTHING: Mapping[str, str] = {}
Parameters = Mapping[str, str | int | Sequence[str]]
"""Those of a query; one with several values is given once for each."""


class ServiceClient:
    """Calls the internal API of one service. Every call is signed for its caller."""

    def __init__(self, base_url: str, *, http: Http, tokens: Tokens) -> None:
        self._base_url = base_url.rstrip("/")
        self._host = urlsplit(self._base_url)
        self._http = http
        self._tokens = tokens
        self._signed: OrderedDict[Caller, tuple[float, str]] = OrderedDict()

    async def get(self, path: str, caller: Caller, params: Parameters | None = None) -> Any:
        """The JSON answer. Raises the error that the service's problem stands for, or `Unavailable`."""
        answer = await self.get_raw(path, caller, params)
        return orjson.loads(answer) if answer else None

    async def get_raw(self, path: str, caller: Caller, params: Parameters | None = None) -> bytes:
        """Like `get`, the JSON as it came, for answers that are only handed on."""
        return await self._ask("GET", f"{path}?{urlencode(params, doseq=True)}" if params else path, caller)

    async def post(self, path: str, caller: Caller, body: Any) -> Any:
        """Like `get`, for questions that need a body. It may arrive twice."""
        answer = await self._ask("POST", path, caller, content=orjson.dumps(body))
        return orjson.loads(answer) if answer else None

    @asynccontextmanager
    async def stream(
        self,
        path: str,
        caller: Caller,
        *,
        method: str = "GET",
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] = NOTHING,
        content: bytes = b"",
        expected: frozenset[int] = frozenset(),
    ) -> AsyncIterator[Answer]:
        """An answer whose body is read as it comes. Texts of `headers` stand for bytes (Latin-1), as servers read them.

        Raises like `get` for any status of 400 or more, but for those in `expected`.
        """
        url = f"{self._base_url}{path}?{urlencode(params)}" if params else f"{self._base_url}{path}"
        sent = {**self._headers(caller), **headers}
        async with AsyncExitStack() as opened:
            try:
                stream = self._http.stream(method, url, headers=sent, content=content)
                answer = await opened.enter_async_context(stream)
            except HttpError as error:
                raise self._unavailable(error) from error
            # Inside the context: the problem is in the body, which is still to be read.
            if answer.status_code >= 400 and answer.status_code not in expected:
                raise await self._refusal(answer)
            yield answer

    async def _ask(self, method: str, path: str, caller: Caller, *, content: bytes = b"") -> bytes:
        attributes: dict[str, Any] = {
            semconv.HTTP_METHOD: method,
            semconv.SERVER_ADDRESS: self._host.hostname or "",
        }
        with span(method, kind=SpanKind.CLIENT, attributes=attributes) as current:
            headers = {**self._headers(caller), "content-type": "application/json"}
            try:
                async with self._http.stream(
                    method, f"{self._base_url}{path}", headers=headers, content=content
                ) as answer:
                    body = await answer.aread()
            except HttpError as error:
                raise self._unavailable(error) from error
            current.set_attribute(semconv.HTTP_STATUS, answer.status_code)
            if answer.status_code >= 300:
                raise _error_of(answer.status_code, body)
            return body

    def _headers(self, caller: Caller) -> dict[str, str]:
        trace = current_trace().model_dump(exclude_none=True)
        return {**trace, **deadline_headers(), "authorization": f"Bearer {self._token(caller)}"}

    def _token(self, caller: Caller) -> str:
        """A token with half of its life left at least."""
        now = time.monotonic()
        until, token = self._signed.get(caller, (0.0, ""))
        if until < now:
            token = self._tokens.sign(caller, ttl_seconds=TOKEN_TTL_SECONDS)
            self._signed[caller] = (now + TOKEN_TTL_SECONDS / 2, token)
            if len(self._signed) > _SIGNED_MOST:
                self._signed.popitem(last=False)
        return token

    async def _refusal(self, answer: Answer) -> CairnError:
        try:
            return _error_of(answer.status_code, await answer.aread())
        except HttpError as error:
            return self._unavailable(error)

    def _unavailable(self, error: HttpError) -> CairnError:
        """The error for the client, without the address of the service, which is in the log."""
        log.warning("service does not answer", extra={"address": self._host.netloc, "reason": type(error).__name__})
        return Unavailable("service_unavailable", "A part of Cairn that is needed for this does not answer.")


def _error_of(status: int, content: bytes) -> CairnError:
    kind = _KINDS.get(status, "failed")
    # The answer to a HEAD has no body: its status alone says what is wrong.
    if not content and kind not in ("failed", "unavailable"):
        return to_error(Problem(code=kind, kind=kind, detail=f"A part of Cairn answered with {status}."))
    try:
        body = orjson.loads(content)
        problem = Problem(
            code=body["code"],
            kind=kind,
            detail=body["detail"],
            fields=tuple(FieldProblem.model_validate(f) for f in body.get("fields", [])),
        )
    # No problem of Cairn's: something else may answer at this address, such as a proxy in between.
    except (ValueError, KeyError, TypeError):
        return Unavailable("service_failed", f"A part of Cairn answered with status {status}.")
    return to_error(problem)


@asynccontextmanager
async def open_http() -> AsyncIterator[Http]:
    """One pool of connections for all services."""
    http = Http()
    try:
        yield http
    finally:
        await http.close()
