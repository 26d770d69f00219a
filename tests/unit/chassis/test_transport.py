"""Answers are whole or break off; connections are kept where they can be."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import pytest
from chassis.http.transport import Answer, BrokenOff, Garbled, Http, HttpError, NotReached, TimedOut

PLAIN = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"
CLOSING = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 5\r\n\r\nhello"
NOT_MODIFIED = b"HTTP/1.1 304 Not Modified\r\netag: x\r\n\r\n"
SILENCE_SECONDS = 0.1
HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n"


@dataclass
class Server:
    """Answers each request with the next of some answers; `b""` closes, what ends in `...` breaks off."""

    answers: list[bytes]
    url: str = ""
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self.connections += 1
        try:
            while True:
                self.requests.append(await reader.readuntil(b"\r\n\r\n"))
                answer = self.answers.pop(0)
                writer.write(answer.removesuffix(b"..."))
                await writer.drain()
                if not answer or answer.endswith(b"..."):
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            self.gone.set()
        finally:
            writer.close()


@asynccontextmanager
async def serving(*answers: bytes) -> AsyncIterator[Server]:
    """A server on a port of its own."""
    server = Server(list(answers))
    async with await asyncio.start_server(server.talk, "127.0.0.1", 0) as listener:
        port = listener.sockets[0].getsockname()[1]
        server.url = f"http://127.0.0.1:{port}/x?y=1"
        yield server


async def ask(http: Http, url: str, method: str = "GET", **parts: bytes) -> tuple[int, bytes]:
    async with http.stream(method, url, headers={"a": "\xe9"}, **parts) as answer:
        return answer.status_code, await answer.aread()


@pytest.fixture
def http() -> Http:
    return Http(silence_seconds=5)


async def test_one_connection_serves_requests_one_after_the_other(http: Http) -> None:
    async with serving(PLAIN, CHUNKED, HEAD, NOT_MODIFIED, PLAIN) as server:
        assert await ask(http, server.url) == (200, b"hello")
        assert await ask(http, server.url) == (200, b"hello")
        assert await ask(http, server.url, "HEAD") == (200, b"")
        assert await ask(http, server.url) == (304, b"")
        assert await ask(http, server.url, "POST", content=b"\r\n\r\n") == (200, b"hello")
        assert server.connections == 1
        await http.close()
    assert server.requests[0].lower().startswith(b"get /x?y=1 http/1.1\r\nhost: 127.0.0.1:")
    assert b"\r\na: ?\r\n" in server.requests[0]
    assert b"content-length: 4" in server.requests[4].lower()


@pytest.mark.parametrize(
    "answers", [(CLOSING, PLAIN), (PLAIN + b"...", PLAIN), (PLAIN, b"", PLAIN), (PLAIN + PLAIN, PLAIN)]
)
async def test_a_connection_that_is_of_no_more_use_is_replaced(http: Http, answers: tuple[bytes, ...]) -> None:
    async with serving(*answers) as server:
        for _ in range(2):
            assert await ask(http, server.url) == (200, b"hello")
        assert server.connections == 2
        await http.close()


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"", BrokenOff),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nhello...", BrokenOff),
        (CHUNKED[:-5] + b"...", BrokenOff),
        (b"HTTP/1.1 200 OK\r\n...", BrokenOff),
        (b"220 smtp ready\r\n\r\n", Garbled),
    ],
)
async def test_what_is_no_whole_answer_is_an_error(http: Http, answer: bytes, error: type[HttpError]) -> None:
    async with serving(answer, answer) as server:
        with pytest.raises(error):
            await ask(http, server.url)
        assert server.connections <= 2
        await http.close()


async def test_silence_ends(http: Http) -> None:
    async with serving(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nhello") as server:
        with pytest.raises(TimedOut):
            await ask(Http(silence_seconds=0.01), server.url)
        await server.gone.wait()


@pytest.mark.parametrize("size", [300 << 10, 540 << 10, 600 << 10, 700 << 10])
async def test_a_kept_connection_may_be_silent(size: int) -> None:
    """Also after an answer whose end waited in the buffer, and however long."""
    http = Http(silence_seconds=SILENCE_SECONDS)
    large = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size
    async with serving(large + bytes(size), PLAIN) as server:
        async with http.stream("GET", server.url, headers={}) as answer:
            for _ in range(200):
                await asyncio.sleep(0)
            assert await answer.aread() == bytes(size)
        await asyncio.sleep(2 * SILENCE_SECONDS)
        assert await ask(http, server.url) == (200, b"hello")
        await http.close()


async def test_nobody_there() -> None:
    async with serving() as server:
        url = server.url
    with pytest.raises(NotReached):
        await ask(Http(), url)


async def test_a_stream_that_is_left_closes_its_connection(http: Http) -> None:
    async with serving(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello") as server:
        async with http.stream("GET", server.url, headers={}) as answer:
            assert await anext(answer.aiter_raw()) == b"hello"
        await asyncio.wait_for(server.gone.wait(), 5)


async def test_one_that_is_cancelled_closes_its_connection(http: Http) -> None:
    async with serving(b"HTTP/1.1 200 OK\r\n") as server:
        asking = asyncio.create_task(ask(http, server.url))
        while not server.requests:
            await asyncio.sleep(0)
        asking.cancel()
        await asyncio.wait_for(server.gone.wait(), 5)


async def test_streams_do_not_wait_for_each_other(http: Http) -> None:
    begun = b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello"
    async with serving(*[begun] * 20, PLAIN) as server:
        async with contexts([lambda: http.stream("GET", server.url, headers={}) for _ in range(20)]):
            assert await ask(http, server.url) == (200, b"hello")
        await http.close()


async def test_a_slow_reader_slows_the_sender(http: Http) -> None:
    size = 32 << 20
    sent = 0

    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size)
        for _ in range(size >> 16):
            writer.write(bytes(1 << 16))
            await writer.drain()
            sent += 1 << 16
        writer.close()

    async with await asyncio.start_server(pour, "127.0.0.1", 0) as listener:
        url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/"
        async with http.stream("GET", url, headers={}) as answer:
            body = answer.aiter_raw()
            read = len(await anext(body))
            for _ in range(2000):
                await asyncio.sleep(0)
            assert sent < size
            async for piece in body:
                read += len(piece)
    assert read == size


@pytest.mark.parametrize(
    ("url", "header"), [("/a b", ""), ("/a\0", ""), ("/", "a\r\nb: c"), ("/", "a\nb"), ("/", "\0")]
)
async def test_nothing_is_smuggled_into_a_request(http: Http, url: str, header: str) -> None:
    with pytest.raises(ValueError, match="must not"):
        async with http.stream("GET", f"http://127.0.0.1:1{url}", headers={"x": header}):
            pass


@asynccontextmanager
async def contexts(opening: list[Callable[[], AbstractAsyncContextManager[Answer]]]) -> AsyncIterator[None]:
    """All of them open at once."""
    async with AsyncExitStack() as stack:
        for open_one in opening:
            await stack.enter_async_context(open_one())
        yield


async def test_a_kept_connection_that_was_closed_is_replaced_for_questions_with_a_body_too(http: Http) -> None:
    async with serving(PLAIN, b"", PLAIN) as server:
        for _ in range(2):
            assert await ask(http, server.url, "POST", content=b"?") == (200, b"hello")
        await http.close()
