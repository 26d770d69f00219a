"""Signed requests to a bucket, with the patience that servers ask for."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from datetime import UTC, datetime
from urllib.request import getproxies, proxy_bypass

import aiohttp
from yarl import URL

from integrations.s3.address import S3Address, tls_context
from integrations.s3.responses import read_error
from integrations.s3.signing import UnsignedRequest, object_path, query_string, signed_headers

TRIES = 5
PAUSE_SECONDS = 0.2
# More than the 16 objects that a copy reads at once, so that none of them waits for a connection.
_CONNECTIONS = 32
# After these a server may answer otherwise the next time; any other status would only come again.
_LATER = frozenset({429, 500, 502, 503, 504})
_ERROR_BYTES_MAX = 64 << 10


class NoAnswer(Exception):
    """The server did not answer, not to the end, or asked to be left alone for a while: worth another try."""

    def __init__(self, words: str) -> None:
        super().__init__(words)
        self.words = words


class Answer:
    """A response whose headers are there. Reading it raises `NoAnswer` when it breaks off."""

    def __init__(self, response: aiohttp.ClientResponse, code: str) -> None:
        self._response = response
        self.status = response.status
        self.headers = response.headers
        self.code = code
        """What an error document says; empty for any other."""

    async def chunks(self, size: int) -> AsyncIterator[bytes]:
        """The body as it was sent."""
        async for chunk in self._response.content.iter_chunked(size):
            yield chunk

    async def body(self) -> bytes:
        """The whole body."""
        return await self._response.read()


class Requests:
    """Asks one bucket."""

    def __init__(self, address: S3Address, session: aiohttp.ClientSession, *, pause_seconds: float) -> None:
        self._address = address
        self._session = session
        self._pause_seconds = pause_seconds
        self._host = address.bucket_url.partition("://")[2]
        self._proxy = None if proxy_bypass(address.host) else getproxies().get(address.scheme)

    def get(
        self, key: str, *, query: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
    ) -> AbstractAsyncContextManager[Answer]:
        """The answer to a GET of an object, or with an empty key of the bucket. Raises `NoAnswer`."""
        return self.send("GET", key, query=query, headers=headers)

    @asynccontextmanager
    async def send(
        self,
        method: str,
        key: str,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> AsyncIterator[Answer]:
        """The answer to a request about an object, or with an empty key about the bucket. Raises `NoAnswer`."""
        path, asked = object_path(self._address, key), query_string(query or {})
        # As it stands: `..` and `//` are parts of keys.
        url = URL(f"{self._address.scheme}://{self._host}{path}{f'?{asked}' if asked else ''}", encoded=True)
        given = headers or {}
        request = UnsignedRequest(
            method=method,
            host=self._host,
            path=path,
            query=asked,
            headers={name: value for name, value in given.items() if name.startswith("x-amz-")},
            body=body,
        )
        # `identity`: a server that compresses an object would send another length than it lists.
        sent = {**given, **signed_headers(self._address, request, now=datetime.now(UTC)), "accept-encoding": "identity"}
        with _no_answer():
            # No redirects: the signature of this request is not valid for another host.
            async with self._session.request(
                method, url, headers=sent, proxy=self._proxy, allow_redirects=False, data=body or None
            ) as response:
                yield await _answer(response)

    async def pause(self, number: int) -> None:
        """Before another try: longer each time, and not at the same time as others."""
        await asyncio.sleep(self._pause_seconds * 2**number * random.uniform(0.5, 1.0))


@asynccontextmanager
async def open_requests(address: S3Address, *, pause_seconds: float = PAUSE_SECONDS) -> AsyncIterator[Requests]:
    """Connections are kept until the context is left; `pause_seconds` is the first pause before another try."""
    tls = tls_context(address) if address.scheme == "https" else True
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=tls, limit=_CONNECTIONS),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        # No total: an object of any size may take as long as it needs, while bytes keep coming.
        timeout=aiohttp.ClientTimeout(total=None, connect=30, sock_connect=5, sock_read=60),
    )
    async with session:
        yield Requests(address, session, pause_seconds=pause_seconds)


@contextmanager
def _no_answer() -> Iterator[None]:
    try:
        yield
    except TimeoutError:
        raise NoAnswer("the server does not answer in time") from None
    except aiohttp.ClientConnectorError as error:
        raise NoAnswer(f"the server cannot be reached ({(error.strerror or 'no connection').lower()})") from None
    except aiohttp.ClientError:
        raise NoAnswer("the server breaks off its answer") from None


async def _answer(response: aiohttp.ClientResponse) -> Answer:
    if response.status in (200, 204, 206):
        return Answer(response, "")
    code = read_error(await response.content.read(_ERROR_BYTES_MAX))
    if response.status in _LATER:
        raise NoAnswer(f"the server answers {' '.join(filter(None, (str(response.status), code)))}")
    return Answer(response, code)
