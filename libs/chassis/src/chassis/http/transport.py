"""HTTP between Cairn's processes: connections that are kept, answers that are streamed. The client is aiohttp."""

import re
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager

import aiohttp
from yarl import URL

from chassis.runtime.deadlines import at_most

CONNECT_SECONDS = 5
SILENCE_SECONDS = 30
KEPT_SECONDS = 60
BUFFERED_BYTES = 1 << 18
_ENDS_PART = re.compile("[\r\n\0 ]")
_ENDS_LINE = re.compile("[\r\n\0]")
# aiohttp repeats these by itself when a connection that was kept turns out to be closed.
_REPEATED_BY_CLIENT = ("GET", "HEAD")
_ADDED_BY_CLIENT = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")


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
    """Sends requests. As many as are asked for at once have a connection each, so none waits for another's stream.

    An answer may be silent for `silence_seconds`, and never past the deadline of the request that is being answered.
    """

    def __init__(self, *, silence_seconds: float = SILENCE_SECONDS) -> None:
        self._silence_seconds = silence_seconds
        self._session: aiohttp.ClientSession | None = None

    @asynccontextmanager
    async def stream(
        self, method: str, url: str, *, headers: Mapping[str, str], content: bytes = b""
    ) -> AsyncIterator[Answer]:
        """An answer. Left before its end, its connection is closed at once.

        Raises `HttpError`. A connection that was kept and turns out to be closed is replaced once by a fresh one: what
        is sent must be harmless when it arrives twice. Of header texts only ASCII is sent, `?` for anything else.
        """
        response = await self._response(method, url, headers=headers, content=content)
        try:
            yield Answer(response.status, _headers(response), self._body(response))
        finally:
            if response.content.at_eof():
                response.release()
            else:
                response.close()

    async def close(self) -> None:
        """Close the connections that are kept."""
        if self._session is not None:
            await self._session.close()

    async def _response(
        self, method: str, url: str, *, headers: Mapping[str, str], content: bytes
    ) -> aiohttp.ClientResponse:
        # An address that is said to be encoded is sent as it is: a line break in it would begin a header of its own.
        if _ENDS_PART.search(url) or any(map(_ENDS_LINE.search, headers.values())):
            raise ValueError("an address or a header holds what it must not")
        sent = {name: text.encode("ascii", "replace").decode() for name, text in headers.items()}
        address, data = URL(url, encoded=True), content or (None if method in _REPEATED_BY_CLIENT else b"")
        with _translated():
            async with at_most(self._silence_seconds):
                try:
                    return await self._opened().request(method, address, headers=sent, data=data, allow_redirects=False)
                except aiohttp.ServerDisconnectedError:
                    if method in _REPEATED_BY_CLIENT:
                        raise
                    return await self._opened().request(method, address, headers=sent, data=data, allow_redirects=False)

    async def _body(self, response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
        """Silence is measured here: aiohttp's `sock_read` may go on after an answer whose end waited in the buffer, and
        the connection that was kept fails whoever is given it next."""
        while True:
            with _translated():
                async with at_most(self._silence_seconds):
                    piece = await response.content.readany()
            if not piece:
                return
            yield piece

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                # aiohttp's own limit of 100 connections would let a request wait for the end of somebody's download.
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEPT_SECONDS),
                timeout=aiohttp.ClientTimeout(sock_connect=CONNECT_SECONDS),
                # No cookie that one caller got may go with the request of another.
                cookie_jar=aiohttp.DummyCookieJar(),
                # Bodies are handed on as they come, with the header that says how they are packed.
                auto_decompress=False,
                skip_auto_headers=_ADDED_BY_CLIENT,
                read_bufsize=BUFFERED_BYTES,
            )
        return self._session


def _headers(response: aiohttp.ClientResponse) -> dict[str, str]:
    return {name.decode("latin-1").lower(): text.decode("latin-1") for name, text in response.raw_headers}


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
        raise NotReached from error
    except TimeoutError as error:
        raise TimedOut from error
    except aiohttp.ClientResponseError as error:
        raise Garbled from error
    except (aiohttp.ClientError, OSError) as error:
        raise BrokenOff from error
