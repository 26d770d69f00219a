"""Requests that repeat, take long, or cannot be right."""

import asyncio
import itertools
import json
import re
import signal
from pathlib import Path
from typing import Any

import httpx
import pytest
from chassis.ids import new_id
from contracts import topics

from tests.integration.gateway.client import Client, a_resource_body, log_in
from tests.integration.gateway.conftest import Platform
from tests.support.environment import Corner
from tests.support.kafka import header, open_wire
from tests.support.processes import running_module
from tests.support.waiting import eventually_async

FOLLOWING = (topics.CATALOG_COMMANDS, topics.CATALOG_EVENTS)


async def test_same_key_brings_the_same_object(api: Client) -> None:
    key, path = new_id(), api.org("/inventories")
    body = {"name": "once", "type": "self-managed"}
    answers = await asyncio.gather(
        *(api.call("POST", path, json=body, headers={"Idempotency-Key": key}) for _ in range(5))
    )
    assert [a.status_code for a in answers] == [200] * 5
    assert len({a.json()["id"] for a in answers}) == 1
    other = await api.call("POST", path, json=body, headers={"Idempotency-Key": new_id()})
    assert other.json()["id"] != answers[0].json()["id"]
    without = [(await api.post(path, body))["id"] for _ in range(2)]
    assert len(set(without)) == 2


async def test_key_is_carried_by_all_that_follows(platform: Platform, api: Client) -> None:
    key = f"deploy {new_id()}"
    made = await api.post(api.org("/inventories/self-managed"), {"name": "traced"}, **{"Idempotency-Key": key})
    settings = platform.corner.settings()
    async with open_wire(settings) as wire:
        told = [r for topic in FOLLOWING for r in await wire.read(topic) if r.key == made["id"].encode()]
    assert [header(r, "correlationid") for r in told] == [key] * len(FOLLOWING)
    assert [header(r, "ce_correlationid") for r in told] == [key] * len(FOLLOWING)


async def test_same_key_counts_for_one_route(api: Client) -> None:
    key, inventory = new_id(), await api.inventory()
    made = await api.post(f"/inventories/{inventory}/resources", a_resource_body(), **{"Idempotency-Key": key})
    other = await api.inventory()
    second = await api.post(f"/inventories/{other}/resources", a_resource_body(), **{"Idempotency-Key": key})
    assert made["urn_id"] != second["urn_id"]


async def test_same_key_with_another_body_is_refused(api: Client) -> None:
    headers = {"Idempotency-Key": new_id()}
    first = await api.call("POST", api.org("/inventories/self-managed"), json={"name": "a"}, headers=headers)
    assert first.status_code == 200
    path = api.org("/inventories/self-managed")
    problem = await api.problem("POST", path, json={"name": "b"}, headers=headers)
    assert (problem["status"], problem["code"]) == (422, "idempotency_key_reused")


@pytest.mark.parametrize("key", ["", "x" * 256])
async def test_odd_keys_are_refused(api: Client, key: str) -> None:
    path = api.org("/inventories/self-managed")
    problem = await api.problem("POST", path, json={"name": "a"}, headers={"Idempotency-Key": key})
    assert problem["code"] == "idempotency_key_invalid"


async def test_key_survives_a_kill_of_the_gateway(platform: Platform, api: Client) -> None:
    headers, path = {"Idempotency-Key": new_id()}, api.org("/inventories/self-managed")
    first = (await api.call("POST", path, json={"name": "kept"}, headers=headers)).json()
    platform.running["gateway"].kill()
    platform.start("gateway")
    await platform.ready()
    second = (await api.call("POST", path, json={"name": "kept"}, headers=headers)).json()
    assert first["id"] == second["id"]


async def test_what_takes_longer_becomes_an_operation(platform: Platform, api: Client) -> None:
    catalog = platform.running["catalog"].process
    catalog.send_signal(signal.SIGSTOP)
    try:
        answer = await api.call("POST", api.org("/inventories/self-managed"), json={"name": "patience"})
        assert answer.status_code == 202
        operation = answer.json()
        assert operation["status"] == "running"
        assert answer.headers["location"] == f"/api/v1/operations/{operation['operation_id']}"
        still = await api.get(f"/operations/{operation['operation_id']}")
        assert (still["status"], still["result"], still["problem"]) == ("running", None, None)
        platform.running["gateway"].kill()
        platform.start("gateway")
    finally:
        catalog.send_signal(signal.SIGCONT)
    await platform.ready()
    done = await api.ended(operation["operation_id"])
    assert (done["status"], done["result"]) == ("succeeded", {"id": operation["id"]})
    assert (await api.get(f"/inventories/{operation['id']}"))["name"] == "patience"
    assert await api.ended(operation["operation_id"]) == done


async def test_refused_operation_tells_why(platform: Platform, api: Client) -> None:
    inventory = await api.inventory()
    await api.resource(inventory, "urn:taken")
    catalog = platform.running["catalog"].process
    catalog.send_signal(signal.SIGSTOP)
    try:
        path = f"/inventories/{inventory}/resources"
        answer = await api.call("POST", path, json=a_resource_body("urn:taken"))
        assert answer.status_code == 202
    finally:
        catalog.send_signal(signal.SIGCONT)
    done = await api.ended(answer.json()["operation_id"])
    assert (done["status"], done["problem"]["code"]) == ("failed", "urn_taken")


async def test_unknown_operation_is_404(api: Client) -> None:
    for odd in ("nothing", new_id(), "%ff", "x" * 500):
        assert (await api.problem("GET", f"/operations/{odd}"))["code"] == "operation_not_found"


async def test_service_that_is_away_is_503(platform: Platform, api: Client) -> None:
    platform.running["scheduler"].kill()
    try:
        answer = await api.call("GET", "/scheduling/jobs")
        assert (answer.status_code, answer.json()["code"]) == (503, "service_unavailable")
        assert answer.headers["retry-after"]
        async with httpx.AsyncClient(base_url=platform.url, trust_env=False) as http:
            for path in ("/health/ready", "/api/v1/health/ready"):
                assert (await http.get(path)).status_code == 503
            assert (await http.get("/health/live")).status_code == 200
    finally:
        platform.start("scheduler")
    await platform.ready()


@pytest.mark.parametrize(
    ("method", "path", "content", "status"),
    [
        ("POST", "{org}/inventories", b'{"name": ', 400),
        ("POST", "{org}/inventories", b"[]", 400),
        ("POST", "{org}/inventories", b"null", 400),
        ("POST", "{org}/inventories", b'"text"', 400),
        ("POST", "{org}/inventories", b"", 400),
        ("POST", "{org}/inventories", b"\xff\xfe", 400),
        ("POST", "{org}/inventories", b'{"name": "\\ud800", "type": "self-managed"}', 400),
        ("POST", "{org}/inventories", b'{"name": "a\\u0000", "type": "self-managed"}', 400),
        ("POST", "{org}/inventories", b'{"name": "", "type": "self-managed"}', 400),
        ("POST", "{org}/inventories", b'{"name": "x", "type": "teapot"}', 400),
        ("POST", "{org}/inventories", b'{"name": {"a": 1}, "type": "self-managed"}', 400),
        ("POST", "{org}/inventories", b'{"name": "' + b"x" * 600_000 + b'"}', 413),
        ("POST", "{org}/connectors", b"{}", 400),
        ("POST", "/scheduling/scheduler/run", b"[1]", 400),
        ("POST", "/connectors/nothing/stores/create", b"[]", 400),
        ("GET", "/inventories/%00", b"", 404),
        ("GET", "/inventories/%ff%fe", b"", 404),
        ("GET", "/inventories/" + "x" * 3000, b"", 404),
        ("GET", "/inventories/a%2F..%2Fb", b"", 404),
        ("GET", "/connectors/..%5c..", b"", 404),
        ("GET", "/connectors/%3Fx=1", b"", 404),
        ("GET", "/connectors/a%23b", b"", 404),
        ("GET", "/scheduling/jobs/%0a", b"", 404),
        ("DELETE", "/connectors/%ed%a0%80", b"", 404),
        ("POST", "/scheduling/jobs/%f0%9f%92%a9/cancel", b"", 404),
        ("GET", "/inventories/resources?search=%00", b"", 400),
        ("GET", "/inventories/resources?search=" + "x" * 2000, b"", 400),
        ("GET", "/no/such/route", b"", 404),
        ("PATCH", "/roles", b"", 405),
    ],
)
async def test_odd_requests_are_problems(api: Client, method: str, path: str, content: bytes, status: int) -> None:
    path = path.replace("{org}", api.org(""))
    problem = await api.problem(method, path, content=content, headers={"content-type": "application/json"})
    assert problem["status"] == status, problem
    assert "Traceback" not in json.dumps(problem)


async def test_slashes_content_types_and_empty_bodies_are_forgiven(platform: Platform, api: Client) -> None:
    headers = {"content-type": "application/json"}
    for url in (f"{platform.url}//api/v1/account/me", f"{platform.url}/api/v1/account/me/"):
        assert (await api.http.get(url, headers=headers)).status_code == 200
    made = await api.http.post(
        f"{platform.url}//api/v1{api.org('/inventories/self-managed')}", content=b'{"name": "x"}'
    )
    assert made.status_code == 200
    path = f"/api/v1/inventories/{made.json()['id']}"
    assert (await api.http.request("DELETE", f"{platform.url}/{path}", headers=headers)).status_code == 204


async def test_killed_first_start_is_completed(corner: Corner, tmp_path: Path, platform: Platform) -> None:
    """A gateway of its own, killed as soon as it has written its credentials."""
    alone = {
        **platform.variables("gateway"),
        **corner.variables(http_port=0, credentials_file=tmp_path / "credentials.json"),
    }
    kept = tmp_path / "credentials.json"
    with running_module("gateway", "serve", environment=alone, log=tmp_path / "first.log") as first:
        await eventually_async(kept.exists, 30)
        first.kill()
    before = json.loads(kept.read_text())
    log = tmp_path / "second.log"
    with running_module("gateway", "serve", environment=alone, log=log):
        url = await eventually_async(lambda: _address(log), 30)
        async with log_in(url, kept) as client:
            assert client.organization_id == before["organization_id"]
            assert len((await client.get(client.org("/members")))["items"]) == 1
    assert json.loads(kept.read_text()) == before


def _address(log: Path) -> str:
    for line in log.read_text().splitlines():
        message: Any = json.loads(line)["message"]
        if message.startswith("Uvicorn running on "):
            return str(message.split()[3])
    return ""


ODD_IDS = (
    "%00",
    "a%00b",
    "a%2Fb",
    "x%2F",
    "%2e%2e",
    "%ff",
    "%ed%a0%80",
    "%0a",
    "%25",
    "%3Fq=1",
    "%23",
    "x" * 300,
    "%5c",
)


async def test_no_route_breaks_on_odd_ids(api: Client) -> None:
    document = await api.get("/openapi.json")
    for path, methods in document["paths"].items():
        for method, odd in itertools.product(methods, ODD_IDS):
            if "{" in path:
                url = re.sub(r"\{\w+\}", odd, path.removeprefix("/api/v1"))
                answer = await api.call(method.upper(), f"{url}?path=/x", content=b"{}")
                sync = (200,) if url.endswith("/sync") else ()
                assert answer.status_code in (400, 403, 404, *sync), (method, url, answer.text)


async def test_no_parameter_breaks_a_route(api: Client) -> None:
    document = await api.get("/openapi.json")
    for path, methods in document["paths"].items():
        for parameter in methods.get("get", {}).get("parameters", []):
            if parameter["in"] == "query":
                url = re.sub(r"\{\w+\}", "nothing", path.removeprefix("/api/v1"))
                for odd in ("%00", "a%00b", "%ff", "%ed%a0%80", "\xff", "%0a"):
                    status, text = await _asked(api, f"{url}?{parameter['name']}={odd}")
                    assert status < 500, (url, parameter["name"], odd, text)
                    assert ("%00" not in odd) or status == 400, (url, parameter["name"], odd)


async def _asked(api: Client, path: str) -> tuple[int, str]:
    """Status and text of an answer; of one that has no end, as that of the live stream, its head alone."""
    async with api.http.stream("GET", f"/api/v1{path}") as answer:
        endless = answer.headers["content-type"].startswith("text/event-stream")
        return answer.status_code, "" if endless else (await answer.aread()).decode(errors="replace")


@pytest.mark.parametrize(
    "head",
    [
        b"GET /api/v1/roles\0 HTTP/1.1\r\nHost: x\r\n",
        b"GET /api/v1/roles?search=\0 HTTP/1.1\r\nHost: x\r\n",
        b"GET /api/v1/roles HTTP/1.1\r\nHost: x\r\nIdempotency-Key: a\0b\r\n",
        b"GET /api/v1/roles HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \0\r\n",
        b"GET /api/v1/roles HTTP/1.1\r\nHost: x\r\nA\0b: c\r\n",
        b"G\0T /api/v1/roles HTTP/1.1\r\nHost: x\r\n",
    ],
)
async def test_raw_nul_is_a_400(platform: Platform, head: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", platform.ports["gateway"])
    writer.write(head + b"Connection: close\r\n\r\n")
    status = (await asyncio.wait_for(reader.readline(), 10)).split()[1]
    writer.close()
    assert status == b"400"


@pytest.mark.parametrize(
    "name", ["traceparent", "tracestate", "baggage", "Idempotency-Key", "X-Other", "Authorization"]
)
async def test_odd_bytes_in_headers_break_nothing(api: Client, name: str) -> None:
    value = f"Bearer \xff {new_id()} \xe9" if name == "Authorization" else f"\xe9\xff,=;{new_id()}"
    path = api.org("/inventories/self-managed")
    answer = await api.call("POST", path, json={"name": "x"}, headers=[(name.encode(), value.encode("latin-1"))])
    assert answer.status_code == (401 if name == "Authorization" else 200), answer.text
