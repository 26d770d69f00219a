"""A client of HTTP/1.1 for calls between Cairn's processes: connections that are kept, answers that are streamed.

It speaks what our own servers speak: bodies with a length or in chunks. No redirects, no cookies, no compression, and
nothing is read from the environment.
"""

import asyncio
import re
import ssl
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import cast
from urllib.parse import urlsplit

import httptools

CONNECT_SECONDS = 5
SILENCE_SECONDS = 30
KEPT_SECONDS = 60
KEPT_MOST = 64
BUFFERED_MOST_BYTES = 1 << 20
_ENDS_LINE = re.compile("[\r\n\0]")
Place = tuple[bool, str, int]
"""Whether it is TLS, host, port."""


class HttpError(Exception):
    """The other side did not answer, or not to the end."""


class NotReached(HttpError):
    """No connection could be made."""


class TimedOut(HttpError):
    """Nothing came for too long."""


class BrokenOff(HttpError):
    """The connection ended before the answer did."""


class Garbled(HttpError):
    """What came is not HTTP."""


class Answer:
    """An answer whose body is read as it comes. Names of headers are in lower case, texts of headers are Latin-1."""

    def __init__(self, status_code: int, headers: Mapping[str, str], body: AsyncIterator[bytes]) -> None:
        self.status_code = status_code
        self.headers = headers
        self._body = body

    def aiter_raw(self) -> AsyncIterator[bytes]:
        """The body, piece by piece, as it comes. Raises `HttpError` when it breaks off."""
        return self._body

    async def aread(self) -> bytes:
        """The whole body, or what is left of it. Raises `HttpError` when it breaks off."""
        return b"".join([piece async for piece in self._body])


class Http:
    """Sends requests. As many as are asked for at once have a connection each, so none waits for another's stream."""

    def __init__(self, *, silence_seconds: float = SILENCE_SECONDS) -> None:
        self._silence_seconds = silence_seconds
        self._idle: dict[Place, deque[_Connection]] = {}
        self._tls: ssl.SSLContext | None = None

    @asynccontextmanager
    async def stream(
        self, method: str, url: str, *, headers: Mapping[str, str], content: bytes = b""
    ) -> AsyncIterator[Answer]:
        """An answer. Left before its end, its connection is closed at once. Texts of `headers` stand for Latin-1.

        Raises `HttpError`. A connection that was kept and turns out to be closed is replaced once by a fresh one: what
        is sent must be harmless when it arrives twice.
        """
        place, request = _request(method, url, headers, content)
        connection = await self._begun(place, request, method)
        try:
            yield Answer(connection.status_code, connection.headers, connection.body())
        finally:
            self._keep(place, connection)

    async def _begun(self, place: Place, request: bytes, method: str) -> "_Connection":
        if kept := self._kept(place):
            try:
                return await self._asked(kept, request, method)
            except BrokenOff:
                if kept.heard:
                    raise
        return await self._asked(await self._connect(place), request, method)

    async def _asked(self, connection: "_Connection", request: bytes, method: str) -> "_Connection":
        try:
            await connection.ask(request, bodiless=method == "HEAD")
        except BaseException:
            connection.close()
            raise
        return connection

    async def _connect(self, place: Place) -> "_Connection":
        tls, host, port = place
        if tls and self._tls is None:
            self._tls = ssl.create_default_context()
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                _, connection = await loop.create_connection(
                    lambda: _Connection(self._silence_seconds), host, port, ssl=self._tls if tls else None
                )
        except (OSError, TimeoutError) as error:
            raise NotReached(host) from error
        return connection

    def _kept(self, place: Place) -> "_Connection | None":
        idle, now = self._idle.get(place), asyncio.get_running_loop().time()
        while idle:
            connection = idle.pop()
            if connection.open and now - connection.idle_since < KEPT_SECONDS:
                return connection
            connection.close()
        return None

    def _keep(self, place: Place, connection: "_Connection") -> None:
        idle = self._idle.setdefault(place, deque())
        if not connection.reusable:
            connection.close()
            return
        connection.idle_since = asyncio.get_running_loop().time()
        idle.append(connection)
        if len(idle) > KEPT_MOST:
            idle.popleft().close()

    def close(self) -> None:
        """Close the connections that are kept."""
        for idle in self._idle.values():
            while idle:
                idle.pop().close()


def _request(method: str, url: str, headers: Mapping[str, str], content: bytes) -> tuple[Place, bytes]:
    parts = urlsplit(url)
    tls = parts.scheme == "https"
    place = tls, parts.hostname or "", parts.port or (443 if tls else 80)
    target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    lines = [f"{method} {target} HTTP/1.1", f"host: {parts.netloc}", *(f"{k}: {v}" for k, v in headers.items())]
    if content or method not in ("GET", "HEAD"):
        lines.append(f"content-length: {len(content)}")
    if " " in target or any(_ENDS_LINE.search(line) for line in lines):
        raise ValueError("an address or a header holds what it must not")
    return place, "\r\n".join([*lines, "", ""]).encode("latin-1") + content


class _Connection(asyncio.Protocol):
    """One connection, with one request under way at most. The methods named `on_...` are what the parser calls."""

    def __init__(self, silence_seconds: float) -> None:
        self._silence_seconds = silence_seconds
        self._transport: asyncio.Transport | None = None
        self._error: HttpError | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._parser: httptools.HttpResponseParser | None = None
        self._pieces: deque[bytes] = deque()
        self._buffered = 0
        self._paused = self._bodiless = self._begun = self._whole = self._kept_alive = False
        self.heard = False
        self.status_code = 0
        self.headers: dict[str, str] = {}
        self.idle_since = 0.0

    @property
    def open(self) -> bool:
        """Whether the other side has not closed it."""
        return self._error is None

    @property
    def reusable(self) -> bool:
        """Whether the answer was read to its end and another may follow."""
        return self.open and self._whole and self._kept_alive and not self._pieces

    async def ask(self, request: bytes, *, bodiless: bool) -> None:
        """Send a request and wait for the head of its answer."""
        if self._error or self._transport is None:
            raise self._error or BrokenOff
        self._parser = self._parser or httptools.HttpResponseParser(self)
        self._begun = self._whole = self._kept_alive = self.heard = False
        self._bodiless, self.headers = bodiless, {}
        self._transport.write(request)
        while not self._begun:
            await self._wait()

    async def body(self) -> AsyncIterator[bytes]:
        """What has come of the body, as long as more comes."""
        while True:
            if self._pieces:
                pieces, self._pieces, self._buffered = self._pieces, deque(), 0
                self._resume()
                yield pieces[0] if len(pieces) == 1 else b"".join(pieces)
            elif self._whole:
                return
            else:
                await self._wait()

    def close(self) -> None:
        """Close it at once."""
        self._error = self._error or BrokenOff()
        if self._transport is not None:
            self._transport.abort()

    async def _wait(self) -> None:
        if self._error:
            raise self._error
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(self._silence_seconds):
                await self._waiter
        except TimeoutError:
            raise TimedOut from None
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _resume(self) -> None:
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        if self._parser is None or self._whole:
            self.close()
            return
        self.heard = True
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._error = Garbled()
            self.close()
        if self._buffered > BUFFERED_MOST_BYTES and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - how it ended does not matter
        """See `asyncio.Protocol`."""
        self._error = self._error or BrokenOff()
        self._parser = None
        self._wake()

    def on_message_begin(self) -> None:
        """An answer begins."""
        if self._whole:
            raise Garbled

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header."""
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """The head is whole."""
        if self._parser is None:
            return
        self.status_code = self._parser.get_status_code()
        self._begun = True
        if self._bodiless:
            self._whole, self._kept_alive = True, self.headers.get("connection", "").lower() != "close"
            self._parser = None  # it waits for a body that a HEAD does not have

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        self._pieces.append(body)
        self._buffered += len(body)

    def on_message_complete(self) -> None:
        """The answer is whole."""
        if self._parser is not None:
            self._whole, self._kept_alive = True, self._parser.should_keep_alive()
