"""Bytes that are sent while they are read."""

from collections.abc import AsyncIterator
from typing import Protocol
from urllib.parse import quote

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from connector.stores.open_stores import OpenStores


class Readable(Protocol):
    """Something opened that can be read once."""

    def read(self, stores: OpenStores) -> AsyncIterator[bytes]:
        """Its bytes."""
        ...

    async def close(self) -> None:
        """Give back what it holds."""
        ...


class Streamed(StreamingResponse):
    """Streams what was opened and closes it, whatever happens on the way."""

    def __init__(self, opened: Readable, stores: OpenStores, *, status: int, headers: dict[str, str]) -> None:
        super().__init__(opened.read(stores), status, headers)
        self._opened = opened

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See `StreamingResponse`."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._opened.close()


def attachment(name: str) -> str:
    """`Content-Disposition` of a download. Source: RFC 6266; `filename` for those who do not read `filename*`."""
    plain = "".join(c if " " <= c <= "~" and c not in '"\\%' else "_" for c in name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
