"""Every error of an HTTP door is a problem, and an unforeseen one tells nothing of itself."""

import json
import logging
from collections.abc import AsyncIterator
from typing import Annotated, Any

import httpx
import pytest
import pytest_asyncio
from chassis.errors import Unavailable
from chassis.http.error_handlers import method_not_allowed
from chassis.http.problem_responses import PROBLEM_JSON
from chassis.http.request_middleware import RequestMiddleware
from chassis.http.server import build_internal_api, caller_reader
from chassis.http.texts_in_paths import takes_slashes
from chassis.http.tokens import Caller, Tokens
from chassis.telemetry.logs import JsonFormatter
from contracts.errors import Conflict, Forbidden, Invalid, NotFound, PermanentError, TemporaryError
from contracts.values import OrganizationId
from fastapi import Depends, Query
from fastapi.responses import StreamingResponse
from pydantic import BaseModel
from pymongo.errors import ServerSelectionTimeoutError

TOKENS = Tokens(b"k" * 32, audience="cairn-internal")
CALLER = Caller(organization_id=OrganizationId("org"), account_id="acc")
ERRORS: dict[str, tuple[Exception, int]] = {
    "invalid": (Invalid("field_wrong", "No.", fields={"fields.root": "must be absolute"}), 400),
    "forbidden": (Forbidden("not_yours", "No."), 403),
    "missing": (NotFound("thing_not_found", "No."), 404),
    "conflict": (Conflict("thing_there", "No."), 409),
    "impossible": (PermanentError("thing_impossible", "No."), 422),
    "later": (TemporaryError("thing_busy", "No."), 503),
    "down": (Unavailable("thing_down", "No."), 503),
    "database": (ServerSelectionTimeoutError("secret-canary"), 503),
    "boom": (RuntimeError("secret-canary"), 500),
}


class Body(BaseModel):
    name: str
    count: int


def build() -> RequestMiddleware:
    async def failing() -> None:
        raise RuntimeError("secret-canary")

    async def passing() -> None:
        return

    app = build_internal_api("test", checks={"good": passing, "bad": failing})
    read_caller = caller_reader(TOKENS)

    @app.get("/errors/{name}")
    async def errors(name: str) -> None:
        raise ERRORS[name][0]

    @app.post("/bodies")
    async def bodies(body: Body) -> Body:
        return body

    @app.get("/numbers/{number}")
    async def numbers(number: int, limit: Annotated[int, Query(ge=1)] = 1) -> int:
        return number + limit

    @app.get("/labels/{kind}/{name:path}")
    async def label(kind: str, name: str) -> list[str]:
        return [kind, name]

    @app.get("/me")
    async def me(caller: Annotated[Caller, Depends(read_caller)]) -> Caller:
        return caller

    @app.get("/breaks")
    async def breaks() -> StreamingResponse:
        async def content() -> AsyncIterator[bytes]:
            yield b"begun"
            raise RuntimeError("secret-canary")

        return StreamingResponse(content())

    return RequestMiddleware(app, takes_slashes=takes_slashes(app))


@pytest_asyncio.fixture(loop_scope="session")
async def http() -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(build(), raise_app_exceptions=False)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


def problem(response: httpx.Response, status: int) -> dict[str, Any]:
    """The problem in a response, which must be one."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == PROBLEM_JSON
    body: dict[str, Any] = response.json()
    assert body.keys() >= {"type", "title", "status", "detail", "instance", "code"}
    assert (body["status"], body["instance"]) == (status, response.request.url.path)
    assert body["type"] == f"urn:cairn:problem:{body['code']}"
    assert "canary" not in response.text
    assert "Traceback" not in response.text
    return body


@pytest.mark.parametrize("name", ERRORS)
async def test_each_kind_of_error_has_its_status(http: httpx.AsyncClient, name: str) -> None:
    error, status = ERRORS[name]
    body = problem(await http.get(f"/errors/{name}"), status)
    if name not in ("boom", "database"):
        assert body["code"] == error.code  # type: ignore[attr-defined]
        assert body["detail"] == "No."


async def test_fields_at_fault_are_named(http: httpx.AsyncClient) -> None:
    body = problem(await http.get("/errors/invalid"), 400)
    assert body["fields"] == [{"field": "fields.root", "detail": "must be absolute"}]


async def test_a_busy_service_says_when_to_come_again(http: httpx.AsyncClient) -> None:
    response = await http.get("/errors/later")
    assert int(response.headers["retry-after"]) >= 1


@pytest.mark.parametrize("content", [b"{", b"", b"\xff\xfe", b"[" * 100_000])
async def test_a_body_that_is_no_json_is_said_to_be_none(http: httpx.AsyncClient, content: bytes) -> None:
    body = problem(await http.post("/bodies", content=content, headers={"content-type": "application/json"}), 400)
    assert body["code"] in ("json_invalid", "request_invalid")


async def test_a_body_of_the_wrong_form_names_its_fields(http: httpx.AsyncClient) -> None:
    body = problem(await http.post("/bodies", json={"name": ["secret-canary"]}), 400)
    assert body["code"] == "request_invalid"
    assert {f["field"] for f in body["fields"]} == {"name", "count"}


async def test_parameters_of_the_wrong_form_are_named(http: httpx.AsyncClient) -> None:
    assert problem(await http.get("/numbers/one"), 400)["fields"][0]["field"] == "number"
    assert problem(await http.get("/numbers/1", params={"limit": "0"}), 400)["fields"][0]["field"] == "limit"


async def test_unknown_routes_and_methods_are_problems_too(http: httpx.AsyncClient) -> None:
    assert problem(await http.get("/nothing"), 404)["code"] == "route_not_found"
    wrong = await http.delete("/bodies")
    assert problem(wrong, 405)["code"] == "method_not_allowed"
    assert problem(wrong, 405)["detail"] == "This address takes POST only."
    assert wrong.headers["allow"] == "POST"
    assert problem(await http.get("/numbers/1/"), 404)["code"] == "route_not_found"


def test_all_methods_that_an_address_takes_are_named() -> None:
    answer = method_not_allowed("/numbers", "GET, PUT")
    assert json.loads(bytes(answer.body))["detail"] == "This address takes GET and PUT only."
    assert answer.headers["allow"] == "GET, PUT"


async def test_there_are_no_pages_about_an_internal_api(http: httpx.AsyncClient) -> None:
    for path in ("/docs", "/redoc", "/openapi.json"):
        problem(await http.get(path), 404)


@pytest.mark.parametrize("value", [None, "", "Bearer", "Bearer ", "Basic abc", "Bearer nonsense", "Bearer \x7f"])
async def test_nobody_gets_in_without_a_token(http: httpx.AsyncClient, value: str | None) -> None:
    response = await http.get("/me", headers={"authorization": value} if value is not None else {})
    assert problem(response, 401)["code"] in ("token_missing", "token_invalid")
    assert response.headers["www-authenticate"] == "Bearer"


async def test_a_token_tells_who_asks(http: httpx.AsyncClient) -> None:
    token = TOKENS.sign(CALLER, ttl_seconds=60)
    response = await http.get("/me", headers={"authorization": f"Bearer {token}"})
    assert Caller.model_validate(response.json()) == CALLER


async def test_an_answer_that_breaks_off_is_not_taken_for_whole() -> None:
    transport = httpx.ASGITransport(build())  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        with pytest.raises(RuntimeError):
            await client.get("/breaks")


async def test_the_log_names_the_place_of_an_unforeseen_error_not_its_text(
    http: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        await http.get("/errors/boom")
    lines = [json.loads(JsonFormatter("test").format(record)) for record in caplog.records]
    assert any("errors:" in place for line in lines for place in line.get("at", []))
    assert "RuntimeError" in {line.get("error") for line in lines}
    assert "canary" not in json.dumps(lines)


async def test_health_tells_what_is_wrong(http: httpx.AsyncClient) -> None:
    assert (await http.get("/health/live")).status_code == 200
    assert (await http.head("/health/live")).status_code == 200
    assert (await http.head("/health/ready")).status_code == 503
    ready = await http.get("/health/ready")
    assert ready.status_code == 503
    assert "bad" in ready.text
    assert "canary" not in ready.text


@pytest.mark.parametrize(("sent", "name"), [("a%2Fb%20c", "a/b c"), ("%2f%3F", "/?"), ("a/b", "a/b")])
async def test_a_text_at_the_end_of_a_path_may_hold_slashes(http: httpx.AsyncClient, sent: str, name: str) -> None:
    assert (await http.get(f"/labels/colours/{sent}")).json() == ["colours", name]


@pytest.mark.parametrize("path", ["/labels/a%2Fb/c", "/numbers%2F1", "/labels%2Fcolours/a", "/numbers/1%2F2"])
async def test_an_escaped_slash_leads_nowhere_else(http: httpx.AsyncClient, path: str) -> None:
    told = await http.get(path)
    assert (told.status_code, told.json()["code"]) == (404, "route_not_found")
