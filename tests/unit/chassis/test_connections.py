"""What clients may keep the HTTP server waiting for, over real connections."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio
from chassis.http.connection_limits import ConnectionLimits
from chassis.http.server import build_internal_api
from chassis.runtime.process import build_server
from fastapi import FastAPI, Request, Response
from fastapi.responses import StreamingResponse
from gateway.api import build_api
from gateway.http.dependencies import Services

from tests.support.waiting import eventually_async

QUICK = ConnectionLimits(head_seconds=0.15, body_seconds=0.15, grace_seconds=0.05)
GET = b"GET /small HTTP/1.1\r\nHost: x\r\n\r\n"
LIMIT = 100_000


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    def problem(self) -> str:
        assert self.headers["content-type"] == "application/problem+json"
        told: dict[str, Any] = json.loads(self.body)
        assert told["status"] == self.status
        return str(told["code"])


def service() -> FastAPI:
    app = build_internal_api("test", checks={})
    app.state.seen = []
    app.state.go = asyncio.Event()

    @app.get("/small")
    async def small() -> Response:
        return Response(b"small")

    @app.post("/sum")
    async def total(request: Request) -> int:
        return len(await request.body())

    @app.post("/careless")
    async def careless() -> str:
        return "whatever"

    @app.get("/slow")
    async def slow() -> StreamingResponse:
        async def pieces() -> AsyncIterator[bytes]:
            yield b"begun "
            await app.state.go.wait()
            yield b"ended"

        return StreamingResponse(pieces())

    return app


@asynccontextmanager
async def serving(app: FastAPI, limits: ConnectionLimits | None = None) -> AsyncIterator[int]:
    server = build_server(app, host="127.0.0.1", port=0, limits=limits)
    running = asyncio.create_task(server.serve())
    await eventually_async(lambda: server.started, 10)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        app.state.go.set()
        server.should_exit = True
        await running


@pytest_asyncio.fixture
async def port() -> AsyncIterator[int]:
    async with serving(service()) as found:
        yield found


@pytest_asyncio.fixture
async def quick_port() -> AsyncIterator[int]:
    """Of a server that does not wait for long."""
    async with serving(service(), QUICK) as found:
        yield found


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def answer(reader: asyncio.StreamReader) -> Answer:
    """The next answer, which tells its length."""
    head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)).decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
    body = await asyncio.wait_for(reader.readexactly(int(headers["content-length"])), 10)
    return Answer(int(head[0].split()[1]), headers, body)


async def ask(port: int, request: bytes) -> Answer:
    async with connected(port) as (reader, writer):
        writer.write(request)
        return await answer(reader)


async def ended(reader: asyncio.StreamReader, *, seconds: float = 10) -> bytes:
    """What comes until the server closes the connection."""
    try:
        return await asyncio.wait_for(reader.read(), seconds)
    except ConnectionError:
        return b""


@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        (b"no such thing\r\n\r\n", 400, "request_malformed"),
        (b"GET /small\xff HTTP/1.1\r\n\r\n", 400, "request_malformed"),
        (b"GET http://x HTTP/1.1\r\n\r\n", 400, "request_malformed"),
        (b"CONNECT x:80 HTTP/1.1\r\n\r\n", 400, "request_malformed"),
        (b"GET /small HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400, "request_malformed"),
        (b"POST /sum HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nno number\r\n", 400, "request_malformed"),
        (b"GET /small?q=" + b"x" * 40_000 + b" HTTP/1.1\r\n\r\n", 414, "address_too_long"),
        (b"GET /small?q=" + b"x" * 400_000 + b" HTTP/1.1\r\n\r\n", 414, "address_too_long"),
        (b"GET /small HTTP/1.1\r\nX: " + b"x" * 70_000 + b"\r\n\r\n", 431, "headers_too_large"),
        (b"GET /small HTTP/1.1\r\nX: " + b"x" * 700_000, 431, "headers_too_large"),
        (b"GET /small HTTP/1.1\r\n" + b"X: x\r\n" * 40_000 + b"\r\n", 431, "headers_too_large"),
    ],
)
async def test_request_that_cannot_be_read_is_a_problem(port: int, request_: bytes, status: int, code: str) -> None:
    async with connected(port) as (reader, writer):
        writer.write(request_)
        told = await answer(reader)
        assert (told.status, told.problem()) == (status, code)
        assert told.headers["connection"] == "close"
        assert told.headers["cache-control"] == "no-store"
        assert await ended(reader) == b""


@pytest.mark.parametrize("sent", [b"GET /small HTT", b"GET /small HTTP/1.1\r\nX: y\r\n", b"POST /sum HTTP/1.1\r\nX"])
async def test_half_a_head_is_not_waited_for(quick_port: int, sent: bytes) -> None:
    async with connected(quick_port) as (reader, writer):
        writer.write(sent)
        assert (await answer(reader)).problem() == "request_timeout"
        assert await ended(reader) == b""


@pytest.mark.parametrize("sent", [b"", b"\r\n"])
@pytest.mark.parametrize("after", ["nothing", "an answer"])
async def test_silent_connection_is_closed(quick_port: int, sent: bytes, after: str) -> None:
    async with connected(quick_port) as (reader, writer):
        if after == "an answer":
            writer.write(GET)
            assert (await answer(reader)).body == b"small"
        writer.write(sent or b"\r\n" if after == "an answer" else sent)
        assert await ended(reader) == b""


async def test_bytes_now_and_then_do_not_keep_a_head_open(quick_port: int) -> None:
    async with connected(quick_port) as (reader, writer):
        answering = asyncio.create_task(answer(reader))
        writer.write(b"GET /small HTTP/1.1\r\n")
        while not answering.done():
            writer.write(b"X: y\r\n")
            await asyncio.wait([answering], timeout=0.05)
        assert (await answering).status == 408


@pytest.mark.parametrize("framing", [b"Content-Length: 10\r\n\r\nhalf", b"Transfer-Encoding: chunked\r\n\r\n5\r\nhal"])
async def test_half_a_body_is_not_waited_for(quick_port: int, framing: bytes) -> None:
    async with connected(quick_port) as (reader, writer):
        writer.write(b"POST /sum HTTP/1.1\r\nHost: x\r\n" + framing)
        assert (await answer(reader)).problem() == "request_timeout"
        assert await ended(reader) == b""


async def test_answer_under_way_is_not_cut_by_the_next_request() -> None:
    app = service()
    async with serving(app, QUICK) as port, connected(port) as (reader, writer):
        writer.write(GET.replace(b"small", b"slow") + b"POST /sum HTTP/1.1\r\nContent-Length: 9\r\n\r\nhalf")
        await asyncio.wait_for(reader.readuntil(b"begun \r\n"), 10)
        # Longer than the next request may take: it is not this client's fault that it is not read.
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 3 * QUICK.head_seconds)
        app.state.go.set()
        await asyncio.wait_for(reader.readuntil(b"0\r\n\r\n"), 10)
        assert (await answer(reader)).problem() == "request_timeout"


async def test_requests_in_one_piece_are_answered_in_order(port: int) -> None:
    async with connected(port) as (reader, writer):
        writer.write(GET + b"POST /sum HTTP/1.1\r\nContent-Length: 4\r\n\r\nfour" + GET)
        assert [(await answer(reader)).body for _ in range(3)] == [b"small", b"4", b"small"]


async def test_trailer_is_no_header(port: int) -> None:
    request = b"POST /sum HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfour\r\n0\r\nX: y\r\n\r\n"
    assert (await ask(port, request)).body == b"4"


async def test_body_that_nobody_reads_ends_the_connection(port: int) -> None:
    async with connected(port) as (reader, writer):
        writer.write(b"POST /careless HTTP/1.1\r\nContent-Length: 100000000\r\n\r\nbegun")
        told = await answer(reader)
        assert (told.status, told.headers["connection"]) == (200, "close")
        assert await ended(reader) == b""


FRAMINGS = [b"Content-Length: 536870912", b"Transfer-Encoding: chunked"]


@asynccontextmanager
async def uploading(framing: bytes) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter, bytes]]:
    """A connection to the gateway whose request has begun, and a piece of its body."""
    app = build_api(Services(), {}, max_body_bytes=LIMIT)
    app.state.go = asyncio.Event()
    piece = b"x" * 50_000
    async with serving(app) as port, connected(port) as (reader, writer):
        writer.write(b"POST /api/v1/auth/login/apikey HTTP/1.1\r\n" + framing + b"\r\n\r\n")
        yield reader, writer, piece if b"Length" in framing else b"%x\r\n%b\r\n" % (len(piece), piece)


@pytest.mark.parametrize("framing", FRAMINGS)
async def test_body_that_is_too_large_is_not_taken(framing: bytes) -> None:
    sent = 0

    async def send(writer: asyncio.StreamWriter, piece: bytes) -> None:
        nonlocal sent
        while True:
            writer.write(piece)
            sent += len(piece)
            await asyncio.wait_for(writer.drain(), 10)

    async with uploading(framing) as (_, writer, piece):
        with pytest.raises(ConnectionError):
            await send(writer, piece)
    assert sent < 4 * ConnectionLimits().linger_bytes


@pytest.mark.parametrize("framing", FRAMINGS)
async def test_sender_of_a_body_that_is_too_large_is_told(framing: bytes) -> None:
    async with uploading(framing) as (reader, writer, piece):
        writer.write(piece * 3)
        told = await answer(reader)
        assert (told.status, told.problem(), told.headers["connection"]) == (413, "body_too_large", "close")


async def test_client_that_asks_first_is_not_told_to_send_what_is_too_large() -> None:
    app = build_api(Services(), {}, max_body_bytes=LIMIT)
    app.state.go = asyncio.Event()
    head = b"POST /api/v1/auth/login/apikey HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 999999999\r\n\r\n"
    async with serving(app) as port:
        assert (await ask(port, head)).status == 413


@pytest.mark.parametrize("waiting", [b"", GET, b"GET /sm", b"POST /sum HTTP/1.1\r\nContent-Length: 4\r\n\r\nha"])
async def test_connection_that_waits_for_its_client_makes_room(waiting: bytes) -> None:
    limits = ConnectionLimits(connections=2)
    async with (
        serving(service(), limits) as port,
        connected(port) as (reader, writer),
        connected(port) as (busy, busy_writer),
    ):
        busy_writer.write(GET.replace(b"small", b"slow"))
        await asyncio.wait_for(busy.readuntil(b"begun "), 10)
        writer.write(waiting)
        if waiting == GET:
            await answer(reader)
        assert (await ask(port, GET)).body == b"small"
        assert await ended(reader) == b""
        assert not busy.at_eof()


async def test_without_room_a_connection_is_refused_in_words() -> None:
    async with serving(service(), ConnectionLimits(connections=1)) as port, connected(port) as (reader, writer):
        writer.write(GET.replace(b"small", b"slow"))
        await asyncio.wait_for(reader.readuntil(b"begun "), 10)
        async with connected(port) as (other, _):
            told = await answer(other)
        assert (told.status, told.problem()) == (503, "connections_exhausted")
        assert told.headers["retry-after"] == "1"


@pytest.mark.parametrize("path", [b"/small", b"/nothing", b"/health/live", b"/errors"])
async def test_every_answer_is_not_kept_and_is_what_it_says(port: int, path: bytes) -> None:
    told = await ask(port, GET.replace(b"/small", path))
    assert told.headers["cache-control"] == "no-store"
    assert told.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", [b"/small%2f", b"/%2Fsmall", b"/%2f"])
async def test_escaped_slash_leads_nowhere(port: int, path: bytes) -> None:
    told = await ask(port, GET.replace(b"/small", path))
    assert (told.status, told.problem()) == (404, "route_not_found")


async def test_upgrade_is_passed_over(port: int) -> None:
    head = b"GET /small HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n"
    assert (await ask(port, head)).body == b"small"
