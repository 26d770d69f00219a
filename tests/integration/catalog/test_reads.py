"""The internal HTTP API of the catalog."""

from collections.abc import AsyncIterator
from urllib.parse import quote

import httpx
import pytest
import pytest_asyncio
from contracts.values import OrganizationId
from fastapi import FastAPI

from tests.support import builders as make
from tests.support.door import Asker, internal_client
from tests.support.environment import Corner

ODD_IDS = ["nothing", "%00", "%FF", "%F0%9F%92%BE", quote("../../etc"), "a" * 5000, "$where", "%20", "{}", "0"]


@pytest_asyncio.fixture(loop_scope="session")
async def inventory(catalog: Asker) -> str:
    """An inventory with twelve resources."""
    outcome = await catalog.ask(make.create_inventory())
    inventory_id = str(outcome.result["id"])
    commands = [make.register_resource(inventory_id, urn=f"urn:n:{n:02}", name=f"Box (No.{n})") for n in range(12)]
    await catalog.ask_all([make.wrap(command) for command in commands])
    return inventory_id


@pytest_asyncio.fixture(loop_scope="session")
async def stranger(app: FastAPI, corner: Corner) -> AsyncIterator[httpx.AsyncClient]:
    """A client of another organization."""
    async with internal_client(corner.settings(), app, org=OrganizationId("stranger")) as client:
        yield client


async def test_pages_are_cut_and_counted(http: httpx.AsyncClient, inventory: str) -> None:
    seen: list[str] = []
    for offset in (0, 5, 10, 15):
        page = (
            await http.get("/internal/resources", params={"inventory_id": inventory, "limit": 5, "offset": offset})
        ).json()
        assert page["total"] == 12
        seen += [r["urn"] for r in page["items"]]
    assert seen == [f"urn:n:{n:02}" for n in range(12)]


async def test_inventories_are_listed_with_their_size(http: httpx.AsyncClient, inventory: str) -> None:
    page = (await http.get("/internal/inventories", params={"limit": 50})).json()
    assert page["total"] == len(page["items"])
    [found] = [each for each in page["items"] if each["id"] == inventory]
    assert {name: found[name] for name in ("name", "type", "revision", "count", "coverage", "summaries")} == {
        "name": "cellar",
        "type": "self-managed",
        "revision": 1,
        "count": 12,
        "coverage": {"protected": 0, "unprotected": 12, "excluded": 0},
        "summaries": [{"class": "file-storage", "name": "File Storage", "count": 12}],
    }
    assert (await http.get(f"/internal/inventories/{inventory}")).json() == found


@pytest.mark.parametrize(
    ("text", "number"),
    [("N:1", 2), ("box", 12), ("(no.1", 3), (".*", 0), ("[", 0), ("\\", 0), ("$", 0), ("\x00", 0), ("é", 0), ("", 12)],
)
async def test_search_narrows_by_substring(http: httpx.AsyncClient, inventory: str, text: str, number: int) -> None:
    page = (await http.get("/internal/resources", params={"inventory_id": inventory, "search": text})).json()
    assert page["total"] == number


@pytest.mark.parametrize("odd", ODD_IDS)
@pytest.mark.parametrize("things", ["inventories", "resources"])
async def test_unknown_and_odd_ids_are_404(http: httpx.AsyncClient, things: str, odd: str) -> None:
    answer = await http.get(f"/internal/{things}/{odd}")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] in ("inventory_not_found", "resource_not_found", "route_not_found")


async def test_other_organizations_see_nothing(stranger: httpx.AsyncClient, inventory: str) -> None:
    assert (await stranger.get(f"/internal/inventories/{inventory}")).status_code == 404
    assert (await stranger.get("/internal/resources", params={"inventory_id": inventory})).json()["total"] == 0
    assert (await stranger.get("/internal/inventories")).json() == {"total": 0, "items": []}


@pytest.mark.parametrize("query", ["limit=-1", "limit=0", "limit=x", "offset=-1", f"offset={2**40}", "limit=99999"])
async def test_impossible_pages_are_refused(http: httpx.AsyncClient, query: str) -> None:
    answer = await http.get(f"/internal/resources?{query}")
    assert (answer.status_code, answer.json()["code"]) == (400, "request_invalid")


async def test_nobody_reads_without_a_token(http: httpx.AsyncClient) -> None:
    for headers in ({"authorization": ""}, {"authorization": "Bearer forged"}):
        for path in ("/internal/inventories", "/internal/resources", "/internal/resources/x"):
            assert (await http.get(path, headers=headers)).status_code == 401


async def test_health_needs_no_token(http: httpx.AsyncClient) -> None:
    answer = await http.get("/health/ready", headers={"authorization": ""})
    assert (answer.status_code, answer.json()["status"]) == (200, "ok")
