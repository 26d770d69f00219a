"""A request has one deadline, in every process that works for it; it is extended only while all parts answer."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import pytest
from chassis.errors import Unavailable
from chassis.http.client import ServiceClient
from chassis.http.request_middleware import RequestMiddleware
from chassis.http.server import build_internal_api
from chassis.http.tokens import Caller, Tokens
from chassis.http.transport import Http
from chassis.runtime.deadlines import (
    HEADER,
    Deadline,
    RequestLimits,
    at_most,
    current_deadline,
    deadline_headers,
    deadline_of,
    under,
)
from chassis.runtime.health import Check, Readiness
from contracts.values import OrganizationId
from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse

READ, WRITE, LONGEST, LOOK = 0.3, 0.5, 1.2, 0.2
SHORT = RequestLimits(read=READ, write=WRITE, longest=LONGEST, answer=0.05, look=LOOK)
TOKENS = Tokens(b"k" * 32, audience="cairn-internal")
CALLER = Caller(organization_id=OrganizationId("org"), account_id="acc")


async def passing() -> None:
    return


async def silent() -> None:
    await asyncio.Event().wait()


def build(*checks: Check, limits: RequestLimits = SHORT) -> RequestMiddleware:
    app = build_internal_api("test", checks={})
    add_routes(app)
    return RequestMiddleware(
        app, Readiness({str(n): check for n, check in enumerate(checks)}, patience_seconds=LOOK / 2), limits
    )


def add_routes(app: FastAPI) -> None:
    @app.api_route("/never", methods=["GET", "POST"])
    async def never() -> None:
        await silent()

    @app.get("/slow")
    async def slow() -> str:
        async with at_most(60):
            await asyncio.sleep(READ * 2)
        return "done"

    @app.get("/late")
    async def late() -> StreamingResponse:
        async def content() -> AsyncIterator[bytes]:
            yield b"begun"
            async with at_most(60):
                await asyncio.sleep(READ * 2)
            yield b" and ended"

        return StreamingResponse(content())

    @app.post("/body")
    async def body(request: Request) -> str:
        return (await request.body()).decode()

    @app.get("/left")
    async def left(request: Request) -> float:
        return int(request.headers[HEADER]) / 1000


async def slowly() -> AsyncIterator[bytes]:
    yield b"{"
    await asyncio.sleep(WRITE * 1.5)
    yield b"}"


async def ask(
    edge: RequestMiddleware, path: str, *, method: str = "GET", left: str | None = None
) -> tuple[httpx.Response, float]:
    transport, began = httpx.ASGITransport(edge), time.monotonic()  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        answer = await client.request(method, path, headers={HEADER: left} if left else {})
    return answer, time.monotonic() - began


@pytest.mark.parametrize(("method", "seconds"), [("GET", READ), ("POST", WRITE)])
async def test_a_request_that_waits_for_a_silent_part_is_refused_at_its_deadline(method: str, seconds: float) -> None:
    limits = replace(SHORT, longest=30)
    answer, took = await ask(build(passing, silent, limits=limits), "/never", method=method)
    assert (answer.status_code, answer.json()["code"]) == (503, "not_answered_in_time")
    assert int(answer.headers["retry-after"]) >= 1
    assert seconds * 0.9 < took < limits.longest
    assert ("Idempotency-Key" in answer.json()["detail"]) == (method == "POST")


async def test_a_request_that_needs_longer_goes_on_while_all_parts_answer() -> None:
    answer, _ = await ask(build(passing), "/slow")
    assert (answer.status_code, answer.json()) == (200, "done")


async def test_nothing_goes_on_for_ever() -> None:
    answer, took = await ask(build(passing), "/never")
    assert answer.status_code == 503
    assert took > LONGEST * 0.9


async def test_an_answer_that_has_begun_has_no_deadline() -> None:
    answer, _ = await ask(build(silent), "/late")
    assert answer.text == "begun and ended"


@pytest.mark.parametrize(("left", "longest"), [("100", READ), ("999999", LONGEST), ("", LONGEST), ("-5", LONGEST)])
async def test_whoever_asks_may_shorten_a_deadline_and_never_lengthen_it(left: str, longest: float) -> None:
    answer, took = await ask(build(silent), "/never", left=left)
    assert answer.status_code == 503
    assert took < longest


async def test_a_request_that_comes_slowly_has_its_time_from_when_it_is_there() -> None:
    transport = httpx.ASGITransport(build(silent))  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        assert (await client.post("/body", content=slowly())).text == '"{}"'


def begun(method: str, limits: RequestLimits = SHORT) -> Deadline:
    deadline = deadline_of(method, {}, limits)
    deadline.begin()
    return deadline


async def test_the_next_process_is_told_what_is_left() -> None:
    transport = httpx.ASGITransport(build(passing))  # type: ignore[arg-type]
    with under(begun("POST")):
        told = deadline_headers()
    async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=told) as client:
        assert 0 < (await client.get("/left")).json() <= WRITE
    assert deadline_headers() == {}


async def test_a_service_that_accepts_and_never_answers_is_given_up_before_the_deadline() -> None:
    # A busy machine may be late by all of `answer`.
    limits = replace(SHORT, read=3, answer=2, longest=30)

    async def accept(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        hung.append(writer)

    hung: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    http = Http()
    client = ServiceClient(f"http://{host}:{port}", http=http, tokens=TOKENS)
    deadline, began = begun("GET", limits), time.monotonic()
    with under(deadline), pytest.raises(Unavailable):
        await client.get("/", CALLER)
    assert time.monotonic() - began < limits.longest
    assert asyncio.get_running_loop().time() < deadline.end
    await http.close()
    for writer in hung:
        writer.close()
    server.close()


async def test_work_that_outlives_its_request_has_no_deadline() -> None:
    with under(begun("GET")):
        assert current_deadline() is not None
        with under(None):
            assert current_deadline() is None


async def test_readiness_waits_for_no_check_and_asks_each_once_at_a_time() -> None:
    asked = 0

    async def counted() -> None:
        nonlocal asked
        asked += 1
        await silent()

    async def refusing() -> None:
        raise Unavailable("x", "The loop has failed.")

    ready = Readiness({"counted": counted, "good": passing, "refusing": refusing}, patience_seconds=LOOK / 2)
    answers = await asyncio.gather(*(ready.failed() for _ in range(5)))
    assert answers == [{"counted": "does not answer", "refusing": "The loop has failed."}] * 5
    assert asked == 1
