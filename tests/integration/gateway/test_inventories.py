"""Inventories and resources as clients drive them."""

import asyncio
from typing import Any

import pytest

from tests.integration.gateway.client import Client, a_resource_body


async def listed(api: Client, inventory_id: str) -> dict[str, Any]:
    """The row of an inventory, on whatever page it stands."""
    offset = 0
    while page := (await api.get(api.org("/inventories"), limit=50, offset=offset))["items"]:
        for row in page:
            if row["id"] == inventory_id:
                return dict(row)
        offset += len(page)
    raise AssertionError("the inventory is not listed")


async def test_inventory_is_created_read_changed_and_removed(api: Client) -> None:
    made = await api.post(api.org("/inventories"), {"name": "first", "type": "self-managed"})
    path = f"/inventories/{made['id']}"
    read = await api.get(path)
    assert (read["name"], read["type"], read["count"]) == ("first", "self-managed", 0)
    assert read.keys() >= {"last_update", "residency", "summaries", "coverage"}
    assert (await api.post(path, {"name": "second", "type": "self-managed"}))["name"] == "second"
    assert (await listed(api, made["id"])).keys() >= {"name", "type", "count", "last_update", "residency", "coverage"}
    assert (await api.call("DELETE", path)).status_code == 204
    assert (await api.problem("GET", path))["code"] == "inventory_not_found"
    assert (await api.problem("DELETE", path))["status"] == 404


async def test_type_of_an_inventory_is_fixed(api: Client) -> None:
    inventory = await api.inventory()
    fixed = await api.problem("POST", f"/inventories/{inventory}", json={"name": "x", "type": "aws"})
    assert (fixed["status"], fixed["code"]) == (409, "inventory_type_fixed")


async def test_self_managed_inventory_always_is_in_sync(api: Client) -> None:
    inventory = await api.inventory()
    assert await api.get(f"/inventories/{inventory}/sync") == {"ok": True, "error": ""}
    told = await api.get("/inventories/nothing/sync")
    assert told["ok"] is False
    assert told["error"]


async def test_resource_is_created_read_changed_and_removed(api: Client) -> None:
    inventory = await api.inventory()
    endpoints = [{"endpoint": "10.0.0.7"}, {"endpoint": "nas.example.com"}, {"endpoint": "fe80::1"}]
    body = a_resource_body(tags=["z", "a"], endpoints=endpoints, service="files", unknown={"key": 1})
    made = await api.post(f"/inventories/{inventory}/resources", body)
    path = f"/inventories/{inventory}/resources/{made['urn_id']}"
    assert made["locked"] is False
    kinds = [("10.0.0.7", "inet4"), ("nas.example.com", "host"), ("fe80::1", "inet6")]
    read = await api.get(path)
    assert [(e["endpoint"], e["kind"]) for e in read["endpoints"]] == kinds
    assert read["tags"] == ["z", "a"]
    assert {k: read[k] for k in ("urn", "name", "class", "subclass", "service", "excluded_from_coverage")} == {
        "urn": "urn:files", "name": "files", "class": "file-storage", "subclass": "posix", "service": "files",
        "excluded_from_coverage": False,
    }  # fmt: skip
    assert await api.get(f"{path}/endpoints") == {"endpoints": read["endpoints"]}
    changed = await api.post(path, body | {"name": "renamed", "tags": ["m"], "excluded_from_coverage": True})
    assert (changed["name"], changed["tags"], changed["excluded_from_coverage"]) == ("renamed", ["m"], True)
    refused = await api.problem("POST", path, json=body | {"urn": "urn:other"})
    assert (refused["status"], refused["code"]) == (409, "urn_fixed")
    assert (await api.call("DELETE", path)).status_code == 204
    assert (await api.problem("GET", path))["code"] == "resource_not_found"


async def test_lists_may_be_null_and_keys_may_be_missing(api: Client) -> None:
    inventory = await api.inventory()
    nulls = {"tags": None, "endpoints": None, "subclass": None, "service": None}
    made = await api.post(f"/inventories/{inventory}/resources", a_resource_body(**nulls))
    read = await api.get(f"/inventories/{inventory}/resources/{made['urn_id']}")
    assert (read["tags"], read["endpoints"], read["subclass"]) == ([], [], "")


async def test_urn_is_unique_in_its_inventory_only(api: Client) -> None:
    first, second = await api.inventory(), await api.inventory()
    await api.resource(first, "urn:once")
    await api.resource(second, "urn:once")
    taken = await api.problem("POST", f"/inventories/{first}/resources", json=a_resource_body("urn:once"))
    assert (taken["status"], taken["code"]) == (409, "urn_taken")


async def test_resource_is_found_under_its_own_inventory_only(api: Client) -> None:
    first, second = await api.inventory(), await api.inventory()
    urn_id = await api.resource(first)
    for method, body in (("GET", None), ("POST", a_resource_body()), ("DELETE", None)):
        problem = await api.problem(method, f"/inventories/{second}/resources/{urn_id}", json=body)
        assert (problem["status"], problem["code"]) == (404, "resource_not_found"), method
    assert (await api.get(f"/inventories/{first}/resources/{urn_id}"))["urn_id"] == urn_id


async def test_pages_hold_fifty_rows_at_most_and_count_all(api: Client) -> None:
    inventory = await api.inventory()
    bodies = [a_resource_body(f"urn:page:{n}", name=f"page {n % 2}") for n in range(53)]
    made = await asyncio.gather(*(api.post(f"/inventories/{inventory}/resources", b) for b in bodies))
    path = f"/inventories/{inventory}/resources"
    page = await api.get(path, limit=1000)
    assert (page["total"], len(page["items"])) == (53, 50)
    rest = await api.get(path, limit=50, offset=50)
    assert (rest["total"], len(rest["items"])) == (53, 3)
    assert {r["urn_id"] for r in page["items"] + rest["items"]} == {r["urn_id"] for r in made}
    assert await api.get(path, limit=50, offset=53) == {"total": 53, "items": []}
    assert len((await api.get(path, limit=7))["items"]) == 7
    assert (await api.get(path, offset=10**30))["items"] == []
    assert len((await api.get(path, limit=0))["items"]) == 50
    for odd in ({"limit": -1}, {"limit": "many"}, {"offset": -1}, {"offset": "1.5"}):
        assert (await api.problem("GET", path, params=odd))["status"] == 400
    assert (await api.get(f"/inventories/{inventory}"))["count"] == 53


@pytest.mark.parametrize(
    ("search", "found"),
    [("urn:search:1", 1), ("SEARCH:", 3), ("blue", 2), ("%", 0), (".*", 0), ("(", 0), ("ünï", 1), ("'\"\\", 0)],
)
async def test_search_narrows_by_a_part_of_urn_or_name(api: Client, search: str, found: int) -> None:
    inventory = await api.inventory()
    for n, name in enumerate(("blue whale", "Blue sky", "ünïcode")):
        await api.resource(inventory, f"urn:search:{n}", name=name)
    page = await api.get(f"/inventories/{inventory}/resources", search=search)
    assert (page["total"], len(page["items"])) == (found, found)
    everywhere = await api.get("/inventories/resources", search=search, limit=50)
    assert {r["urn_id"] for r in page["items"]} <= {r["urn_id"] for r in everywhere["items"]}


async def test_resources_of_all_inventories_are_searched(api: Client) -> None:
    first, second = await api.inventory(), await api.inventory()
    wanted = {await api.resource(first, "urn:everywhere:1"), await api.resource(second, "urn:everywhere:2")}
    page = await api.get("/inventories/resources", search="urn:everywhere", limit=50, offset=0)
    assert {r["urn_id"] for r in page["items"]} == wanted
    assert all(r["inventory_id"] in (first, second) for r in page["items"])


async def test_resource_in_use_is_not_removed(api: Client) -> None:
    inventory = await api.inventory()
    urn_id = await api.resource(inventory)
    connector = await api.connector("source", urn_id, {"root": "/srv"})
    path = f"/inventories/{inventory}/resources/{urn_id}"
    for refused, code in ((path, "resource_in_use"), (f"/inventories/{inventory}", "inventory_in_use")):
        problem = await api.problem("DELETE", refused)
        assert (problem["status"], problem["code"]) == (409, code)
        assert connector["name"] in problem["detail"]
    assert (await api.call("DELETE", f"/connectors/{connector['id']}")).status_code == 204
    assert (await api.call("DELETE", path)).status_code == 204
    assert (await api.call("DELETE", f"/inventories/{inventory}")).status_code == 204


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "urn"),
        ({"urn": 7, "name": []}, "name"),
        (a_resource_body() | {"tags": "a"}, "tags"),
        (a_resource_body() | {"endpoints": [{}]}, "endpoints.0.endpoint"),
        (a_resource_body() | {"class": 7}, "class"),
        (a_resource_body(""), "urn"),
    ],
)
async def test_wrong_resources_name_the_field(api: Client, body: Any, field: str) -> None:
    problem = await api.problem("POST", f"/inventories/{await api.inventory()}/resources", json=body)
    assert problem["status"] == 400
    assert field in [f["field"].removeprefix("description.") for f in problem["fields"]]


async def test_unknown_inventory_is_404_for_its_resources(api: Client) -> None:
    assert (await api.problem("GET", "/inventories/nothing/resources"))["code"] == "inventory_not_found"
    made = await api.problem("POST", "/inventories/nothing/resources", json=a_resource_body())
    assert (made["status"], made["code"]) == (404, "inventory_not_found")
