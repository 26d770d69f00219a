"""The answer of the live stream: server-sent events to one client, for as long as it stays."""

import asyncio
from collections.abc import Callable
from typing import cast

from chassis.http.connections import WRITES, Writes
from chassis.runtime.supervision import begin
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gateway.areas.stream.listener import Listener

_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    # nginx would keep events back until its buffer is full.
    (b"x-accel-buffering", b"no"),
]
WRITE_BYTES = 8 * 1024
"""What is kept of an answer for a client whose connection takes no more."""


class EventStream(Response):
    """Source: the WHATWG HTML standard, server-sent events."""

    media_type = "text/event-stream"

    def __init__(self, listener: Listener, *, leave: Callable[[Listener], None], stall_seconds: float) -> None:
        super().__init__()
        self._listener = listener
        self._leave = leave
        self._stall_seconds = stall_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send events until the client goes, the listener ends or the process stops."""
        writes = cast("Writes | None", (scope.get("extensions") or {}).get(WRITES))
        if writes is not None:
            writes.keep(WRITE_BYTES)
        leaving = begin("watch of a listener", self._watch(receive))
        try:
            await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
            await self._send_all(send, writes)
        finally:
            leaving.cancel()
            self._leave(self._listener)

    async def _send_all(self, send: Send, writes: Writes | None) -> None:
        pieces = self._listener.pieces()
        try:
            async for piece in pieces:
                async with asyncio.timeout(self._stall_seconds):
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
        except TimeoutError:
            # It takes nothing at all, so that it cannot be told either.
            if writes is None:
                raise
            writes.drop()
            return
        finally:
            await pieces.aclose()
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _watch(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._listener.is_gone = True
        self._listener.news.set()
