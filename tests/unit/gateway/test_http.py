"""What becomes of a request before a route sees it, and the description of all routes. No server is needed."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest
import pytest_asyncio
from chassis.texts import STORABLE
from contracts.paths import PATH_PATTERN
from contracts.queries.restore_index import Conditions
from contracts.queries.scheduler import Job, JobProgress
from contracts.task_types.backup import BackupResult
from fastapi import FastAPI
from gateway.__main__ import openapi
from gateway.access.principal import Principal
from gateway.api import build_api
from gateway.areas.connectors.revisions import PATTERN
from gateway.areas.inventories.schemas import InventoryName
from gateway.areas.resources.schemas import ResourceBody
from gateway.areas.scheduling.service import Runs
from gateway.http.dependencies import Services, intent_in, principal_of
from gateway.http.examples import INTEGRATION
from gateway.http.middleware import RequestMiddleware
from gateway.http.openapi import describe
from gateway.http.path_precedence import specific_paths
from gateway.http.proxy import CONDITIONS
from gateway.idempotency.intents import KEY_PATTERN, Intent
from integrations.fs.manifest import MANIFEST
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import Message, Receive, Scope, Send

from tests.unit.gateway.in_memory import ROOT_ORG, NoServices
from tests.unit.gateway.test_domain import a_job

LIMIT = 1000


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    request = Request(scope, receive)
    body = (await request.body()).decode()
    told = {"path": scope["path"], "body": body, "type": request.headers.get("content-type")}
    await JSONResponse(told)(scope, receive, send)


def client(app: Any) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway")


@pytest_asyncio.fixture
async def door() -> AsyncIterator[httpx.AsyncClient]:
    async with client(RequestMiddleware(echo, max_body_bytes=LIMIT)) as made:
        yield made


@pytest.fixture(scope="module")
def app() -> FastAPI:
    return build_api(NoServices(), {}, max_body_bytes=LIMIT)


@pytest.fixture(scope="module")
def document(app: FastAPI) -> dict[str, Any]:
    return describe(app)


@pytest.mark.parametrize("path", ["/api/v1/x", "//api/v1/x", "///api/v1/x/", "/api/v1/x/"])
async def test_odd_slashes_lead_to_the_same_route(door: httpx.AsyncClient, path: str) -> None:
    url = httpx.URL("http://gateway").copy_with(raw_path=path.encode())
    assert (await door.get(url)).json()["path"] == "/api/v1/x"


@pytest.mark.parametrize("content_type", [None, "application/json", "application/x-www-form-urlencoded", "text/plain"])
async def test_body_is_json_whatever_it_is_called(door: httpx.AsyncClient, content_type: str | None) -> None:
    headers = {"content-type": content_type} if content_type else {}
    told = (await door.post("/x", content=b' {"a": 1} ', headers=headers)).json()
    assert (told["body"], told["type"]) == ('{"a": 1}', "application/json")


@pytest.mark.parametrize("content", [b"", b"  \n"])
async def test_empty_body_stays_empty(door: httpx.AsyncClient, content: bytes) -> None:
    assert (await door.post("/x", content=content, headers={"content-type": "application/json"})).json()["body"] == ""


UNUSABLE = [
    (b'{"a": ', "json_invalid"),
    (b"\xff\xfe", "json_invalid"),
    (b'{"a": "\\ud800"}', "json_invalid"),
    (b"[" * 900, "json_invalid"),
    (b'{"a": NaN}', "json_invalid"),
    (b'{"a": ["x\\u0000"]}', "request_invalid"),
    (b'{"x\\u0000": 1}', "request_invalid"),
    (b"[" * 490 + b'"\\u0000"' + b"]" * 490, "request_invalid"),
    (b"x" * (LIMIT + 1), "body_too_large"),
]


@pytest.mark.parametrize(("content", "code"), UNUSABLE)
@pytest.mark.parametrize("path", ["apikey", "password"])
async def test_unusable_bodies_are_told(app: FastAPI, content: bytes, code: str, path: str) -> None:
    async with client(app) as http:
        answer = await http.post(f"/api/v1/auth/login/{path}", content=content)
    assert answer.status_code == (413 if code == "body_too_large" else 400)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == code


@pytest.mark.parametrize(("content", "code"), UNUSABLE)
async def test_without_badge_nothing_is_said_about_the_body(app: FastAPI, content: bytes, code: str) -> None:
    async with client(app) as http:
        for path in ("/connectors/x/stores/create", "/account/organizations/x/connectors", "/auth/badge"):
            answer = await http.post(f"/api/v1{path}", content=content)
            assert (answer.status_code, answer.json()["code"]) == (401, "token_missing"), (path, code)


async def test_deeply_nested_nul_is_found() -> None:
    content = b"[" * 1000 + b'"\\u0000"' + b"]" * 1000
    async with client(build_api(NoServices(), {}, max_body_bytes=10_000)) as http:
        answer = await http.post("/api/v1/auth/login/apikey", content=content)
    assert (answer.status_code, answer.json()["code"]) == (400, "request_invalid")


async def test_body_that_breaks_off_reaches_no_route() -> None:
    told = iter([{"type": "http.request", "body": b'{"a": 1}', "more_body": True}, {"type": "http.disconnect"}])
    sent: list[Message] = []

    async def receive() -> Message:
        return next(told)

    async def send(message: Message) -> None:
        sent.append(message)

    async def never(scope: Scope, receive: Receive, send: Send) -> None:
        pytest.fail("a route was reached")

    scope = {"type": "http", "method": "POST", "path": "/x", "query_string": b"", "headers": []}
    await RequestMiddleware(never, max_body_bytes=LIMIT)(scope, receive, send)
    assert sent[0]["status"] == 400


async def test_nul_in_a_header_is_refused(door: httpx.AsyncClient) -> None:
    answer = await door.get("/x", headers={"idempotency-key": "a\0b"})
    assert (answer.status_code, answer.json()["code"]) == (400, "request_invalid")


async def test_escaped_backslash_before_zeros_is_no_nul(door: httpx.AsyncClient) -> None:
    assert (await door.post("/x", content=b'{"a": "\\\\u0000"}')).status_code == 200


async def test_body_without_length_is_bounded_too(app: FastAPI) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(LIMIT):
            yield b" " * 100

    async with client(app) as http:
        assert (await http.post("/api/v1/auth/login/apikey", content=endless())).status_code == 413


@pytest.mark.parametrize(("path", "status"), [("/x%00y", 404), ("/x?q=%00", 400), ("/x?q=%0a", 200), ("/x%ff", 200)])
async def test_odd_bytes_in_the_address(door: httpx.AsyncClient, path: str, status: int) -> None:
    assert (await door.get(path)).status_code == status


async def test_calls_without_badge_are_401(app: FastAPI) -> None:
    async with client(app) as http:
        for header in ({}, {"authorization": "Basic eDp5"}, {"authorization": "Bearer "}):
            answer = await http.get("/api/v1/roles", headers=header)
            assert (answer.status_code, answer.json()["code"]) == (401, "token_missing")
            assert answer.headers["www-authenticate"] == "Bearer"


async def test_unknown_route_and_wrong_method_are_problems(app: FastAPI) -> None:
    async with client(app) as http:
        nothing = (await http.get("/api/v1/nothing")).json()
        assert (nothing["code"], nothing["instance"]) == ("route_not_found", "/api/v1/nothing")
        assert "/api/v1/docs" in nothing["detail"]
        for path, allowed in (
            ("roles", "GET"),
            ("connectors/x", "GET, POST, DELETE"),
            ("snapshots/x/content", "GET, HEAD"),
            ("inventories/resources", "GET"),
        ):
            wrong = await http.patch(f"/api/v1/{path}")
            assert (wrong.status_code, wrong.json()["code"]) == (405, "method_not_allowed")
            assert wrong.headers["allow"] == allowed


METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


async def test_every_path_refuses_the_methods_that_the_document_does_not_list(
    app: FastAPI, document: dict[str, Any]
) -> None:
    async with client(app) as http:
        for path, listed in document["paths"].items():
            probed = {"head"} if path == "/api/v1/health/ready" else set()
            there = [method for method in METHODS if method.lower() in listed.keys() | probed]
            for method in set(METHODS) - set(there):
                wrong = await http.request(method, re.sub(r"{\w+}", "x", path))
                assert (wrong.status_code, wrong.headers.get("allow")) == (405, ", ".join(there)), (method, path)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "inventories/resources", "GET"),
        ("DELETE", "inventories/resources", "GET"),
        ("POST", "inventories/resources/", "GET"),
        ("POST", "snapshots/store/archive", "GET"),
        ("POST", "snapshots/store/links", "GET"),
    ],
)
async def test_a_path_that_is_named_is_no_id(app: FastAPI, method: str, path: str, allowed: str) -> None:
    async with client(app) as http:
        wrong = await http.request(method, f"/api/v1/{path}")
        assert (wrong.status_code, wrong.json()["code"]) == (405, "method_not_allowed")
        assert wrong.headers["allow"] == allowed


@pytest.mark.parametrize("kind", ["environments", "data_classes"])
async def test_the_address_of_a_search_is_that_of_a_label_by_other_methods(app: FastAPI, kind: str) -> None:
    async with client(app) as http:
        path = f"/api/v1/account/organizations/x/{kind}/search"
        for method in ("PATCH", "DELETE"):
            # Nobody is logged in.
            assert (await http.request(method, path, json={"name": "x"})).status_code == 401
        assert (await http.post(path, json={"name": "x"})).headers["allow"] == "GET, PATCH, DELETE"


def test_all_named_paths_are_known(app: FastAPI) -> None:
    assert {"/".join(part or "*" for part in each.segments) for each in specific_paths(app)} == {
        "api/v1/account/organizations/*/data_classes/search",
        "api/v1/account/organizations/*/environments/search",
        "api/v1/integrations/available",
        "api/v1/integrations/catalog",
        "api/v1/integrations/installed",
        "api/v1/inventories/*/resources/bulk",
        "api/v1/inventories/*/resources/export",
        "api/v1/inventories/coverage",
        "api/v1/inventories/resources",
        "api/v1/snapshots/source/*",
        "api/v1/snapshots/source/*/*",
        "api/v1/snapshots/store/*",
        "api/v1/snapshots/store/*/*",
    }


async def test_readiness_is_told_without_a_body_too(app: FastAPI) -> None:
    async with client(app) as http:
        assert (await http.head("/api/v1/health/ready")).status_code == 200


async def test_documentation_loads_nothing_from_elsewhere(app: FastAPI) -> None:
    async with client(app) as http:
        root = await http.get("/")
        assert (root.status_code, root.headers["location"]) == (307, "/api/v1/docs")
        page = await http.get("/api/v1/docs")
        parts = re.findall(r'(?:src|href)="([^"]*)"', page.text)
        told = {part: await http.get(f"/api/v1/{part}") for part in parts}
        heads = {part: await http.head(f"/api/v1/{part}") for part in parts if part != "openapi.json"}
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'; script-src 'self'; style-src 'self';" in policy
    assert "unsafe" not in policy
    assert not re.search(r"<script>|<style|style=| on\w+=|//", page.text)
    assert {part: answer.headers["content-type"].partition(";")[0] for part, answer in told.items()} == {
        "docs/swagger-ui.css": "text/css",
        "docs/swagger-ui-bundle.js": "text/javascript",
        "docs/start.js": "text/javascript",
        "openapi.json": "application/json",
    }
    assert all(answer.status_code == 200 for answer in [*told.values(), *heads.values()])
    assert "//" not in told["docs/start.js"].text


def test_every_operation_is_described(document: dict[str, Any]) -> None:
    names = []
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            where = f"{method} {path}"
            names.append(operation["operationId"])
            assert operation["summary"], where
            assert operation["description"], where
            assert operation["tags"], where
            assert all(p["description"] for p in operation.get("parameters", [])), where
            assert {"500", "503"} <= operation["responses"].keys(), where
            assert ("401" in operation["responses"]) == (operation.get("security") != [] or "login" in path), where
            assert "HTTPValidationError" not in json.dumps(operation), where
    assert len(names) == len(set(names))


def test_what_any_request_may_be_answered_with_is_described(document: dict[str, Any]) -> None:
    for methods in document["paths"].values():
        for operation in methods.values():
            assert {"400", "408", "414", "431"} <= operation["responses"].keys()
            assert ("413" in operation["responses"]) >= ("requestBody" in operation)


def test_limits_of_what_is_asked_are_described(document: dict[str, Any]) -> None:
    def schema(path: str, method: str, name: str) -> dict[str, Any]:
        parameters = document["paths"][f"/api/v1{path}"][method]["parameters"]
        return next(p["schema"] for p in parameters if p["name"].lower() == name)

    key = schema("/connectors/{connector}", "delete", "idempotency-key")
    assert (key["minLength"], key["maxLength"], key["pattern"]) == (1, 255, KEY_PATTERN)
    assert schema("/snapshots/{snapshot_id}/files", "get", "path")["pattern"] == PATH_PATTERN
    assert schema("/inventories/resources", "get", "search")["pattern"] == STORABLE
    assert document["components"]["schemas"]["BadgeExchange"]["properties"]["organization_id"]["pattern"] == STORABLE


@pytest.mark.parametrize("moment", ["0.5", "1700000000", "inf", "", "P1D", "2026-13-01T00:00:00Z"])
async def test_what_is_no_time_is_refused(moment: str) -> None:
    with pytest.raises(ValidationError):
        Conditions.model_validate({"modified_after": moment})


def test_nul_in_what_is_ignored_is_ignored() -> None:
    assert InventoryName.model_validate({"name": "x", "other\0": ["\0"]}).name == "x"
    with pytest.raises(ValidationError, match="NUL"):
        ResourceBody.model_validate({"urn": "u", "name": "n", "class": "c", "tags": ["a\0"]})


def test_every_body_and_object_has_an_example(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    for name in set(re.findall(r'schemas/(\w+)"', json.dumps(document["paths"]))):
        assert schemas[name].get("examples"), name


def test_examples_are_of_the_form_they_show(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    for name, schema in schemas.items():
        for shown in schema.get("examples", []):
            jsonschema.validate(shown, {**schema, "components": document["components"]})
            if name.endswith("View"):
                assert set(shown) >= set(schema.get("required", [])), name


def test_headers_are_texts(document: dict[str, Any]) -> None:
    operations = [operation for methods in document["paths"].values() for operation in methods.values()]
    found = [each for operation in operations for each in operation.get("parameters", []) if each["in"] == "header"]
    assert {"If-Match", "idempotency-key", "Range"} <= {each["name"] for each in found}
    assert {each["schema"]["type"] for each in found} == {"string"}
    changes = document["paths"]["/api/v1/connectors/{connector}"]["delete"]["parameters"]
    assert [each["schema"]["pattern"] for each in changes if each["name"] == "If-Match"] == [PATTERN]


def test_problems_have_their_media_type(document: dict[str, Any]) -> None:
    for name, response in document["components"]["responses"].items():
        [(media, content)] = response["content"].items()
        assert (media, str(content["example"]["status"])) == ("application/problem+json", name.removeprefix("Problem"))


def test_the_integration_of_the_examples_is_one_that_workers_offer() -> None:
    assert MANIFEST.id == INTEGRATION


def test_kept_document_is_fresh_and_a_stale_one_is_told(tmp_path: Path) -> None:
    assert openapi(["--check"]) == 0
    stale = tmp_path / "openapi.json"
    assert openapi(["--check", "--output", str(stale)]) == 1
    assert openapi(["--output", str(stale)]) == 0
    assert openapi(["--check", "--output", str(stale)]) == 0


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("post", "/inventories/{inv}", "409"),
        ("post", "/connectors/{connector}", "409"),
        ("post", "/connectors/{connector}/test", "409"),
        *(("get", "/snapshots/{snapshot_id}/content", status) for status in ("206", "304", "412", "416", "422")),
    ],
)
def test_status_that_a_route_gives_is_described(document: dict[str, Any], method: str, path: str, status: str) -> None:
    assert status in document["paths"][f"/api/v1{path}"][method]["responses"]


@pytest.mark.parametrize("asked", ["files", "entry", "search", "diff/{other_id}", "content"])
def test_whatever_is_asked_of_a_damaged_restore_point_may_be_a_conflict(document: dict[str, Any], asked: str) -> None:
    assert "409" in document["paths"][f"/api/v1/snapshots/{{snapshot_id}}/{asked}"]["get"]["responses"]


@pytest.mark.parametrize("method", ["get", "head"])
def test_download_names_its_headers(document: dict[str, Any], method: str) -> None:
    operation = document["paths"]["/api/v1/snapshots/{snapshot_id}/content"][method]
    asked = {p["name"].lower() for p in operation["parameters"] if p["in"] == "header"}
    assert asked == set(CONDITIONS)
    told = {"ETag", "Last-Modified", "Accept-Ranges", "Content-Disposition"}
    assert operation["responses"]["200"]["headers"].keys() == told
    assert operation["responses"]["206"]["headers"].keys() == told | {"Content-Range"}
    assert ("content" in operation["responses"]["200"]) == (method == "get")
    past = document["components"]["responses"]["Problem416"]
    assert "Content-Range" in past["headers"]


def test_progress_and_figures_have_the_fields_that_workers_tell(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    assert schemas["ProgressView"]["properties"].keys() == JobProgress.model_fields.keys()
    assert schemas["BackupView"]["properties"].keys() == BackupResult.model_fields.keys() - {"type"}


@pytest.mark.parametrize("path", ["/scheduling/jobs/job-1/cancel", "/scheduling/scheduler/jobs/cancel/job-1"])
async def test_a_job_is_canceled_at_its_own_path_and_at_that_of_the_scheduler(path: str) -> None:
    asked = list[tuple[str, Intent]]()

    class Canceling(Runs):
        async def cancel(self, who: Principal, job_id: str, intent: Intent) -> Job:
            asked.append((job_id, intent))
            return a_job(id=job_id)

    who, intent = Principal(account_id="owner", organization_id=ROOT_ORG, roles=("owner",)), Intent("command")
    nothing: Any = None
    app = build_api(Services(Canceling(nothing, nothing, nothing, nothing)), {}, max_body_bytes=LIMIT)
    app.dependency_overrides |= {principal_of: lambda: who, intent_in: lambda: intent}
    async with client(app) as made:
        answer = await made.post(f"/api/v1{path}")

    assert (answer.status_code, answer.json()["id"], asked) == (200, "job-1", [("job-1", intent)])
