"""Clients that know sections 8 to 10 of the compatibility reference alone: integrations, inventories and resources."""

import asyncio
from typing import Any

import pytest

from tests.integration.gateway.conftest import Platform
from tests.integration.gateway.reference_client import CREATED, DELETED, Caller, a_resource

AWS = {
    "credentials_type": "access_key",
    "region": "eu-west-1",
    "access_key": {"value": "AK"},
    "secret_access_key": {"value": "no such key"},
}
ROW = ("urn_id", "urn", "name", "class", "subclass", "service", "tags", "excluded_from_coverage", "locked")
"""What rows of resources carry."""
SENT = ("urn", "name", "class", "subclass", "service", "tags", "excluded_from_coverage")
"""What an update needs of a row, beside the endpoints."""


async def test_integrations_are_listed_and_installed(caller: Caller) -> None:
    catalog = (await caller.ask("GET", "/integrations/catalog"))["items"]
    [s3] = [each for each in catalog if each["name"] == "s3"]
    await caller.ask("POST", "/integrations/installed", {"name": "s3", "version": s3["version"]}, accepts=CREATED)
    installed = (await caller.ask("GET", "/integrations/installed"))["items"]
    assert [each["name"] for each in installed if each["id"] == s3["id"]] == ["s3"]


async def test_an_inventory_goes_its_way(caller: Caller) -> None:
    made = await caller.ask("POST", caller.inventories, {"name": "by hand", "type": "self-managed"}, accepts=CREATED)
    path = f"/inventories/{made['id']}"
    read = await caller.ask("GET", path)
    assert (read["id"], read["name"], read["type"]) == (made["id"], "by hand", "self-managed")
    assert read.keys() >= {"last_update", "residency", "summaries", "coverage"}
    [row] = [each for each in await caller.walk(caller.inventories) if each["id"] == made["id"]]
    assert row.keys() >= {"id", "name", "type", "count", "last_update", "residency", "coverage"}

    await caller.ask("POST", path, read | {"name": "renamed"})
    assert (await caller.ask("GET", path))["name"] == "renamed"
    assert await caller.refused("POST", path, read | {"type": "aws", "aws_configuration": AWS}) in (400, 409)
    assert await caller.ask("GET", f"{path}/sync") == {"ok": True, "error": ""}

    await caller.ask("DELETE", path, accepts=DELETED)
    assert await caller.refused("GET", path) == 404
    assert await caller.refused("DELETE", path) == 404
    gone = await caller.ask("GET", f"{path}/sync")
    assert (gone["ok"], bool(gone["error"])) == (False, True)


async def test_a_managed_inventory_shows_no_drift(caller: Caller) -> None:
    body = {"name": "account", "type": "aws", "aws_configuration": AWS}
    made = await caller.ask("POST", caller.inventories, body, accepts=CREATED)
    path = f"/inventories/{made['id']}"
    read = await caller.ask("GET", path)
    assert {name: read[name] for name in body} == body
    # An update overlays what was read, and sends all of it.
    await caller.ask("POST", path, read | {"aws_configuration": read["aws_configuration"] | {"region": "eu-west-3"}})
    assert (await caller.ask("GET", path))["aws_configuration"] == AWS | {"region": "eu-west-3"}
    [row] = [each for each in await caller.walk(caller.inventories) if each["id"] == made["id"]]
    assert "aws_configuration" not in row
    told = await caller.ask("GET", f"{path}/sync")
    assert (told["ok"], bool(told["error"])) == (False, True)
    assert await caller.refused("POST", f"{path}/resources", a_resource("urn:by:hand")) == 409
    lacking = {name: value for name, value in AWS.items() if name != "region"}
    assert await caller.refused("POST", caller.inventories, body | {"aws_configuration": lacking}) == 400
    await caller.ask("DELETE", path, accepts=DELETED)


async def test_inventories_are_paged_past_fifty(caller: Caller) -> None:
    made = await asyncio.gather(*(caller.new_inventory(f"page {n}") for n in range(52)))
    rows = await caller.walk(caller.inventories)
    ids = [row["id"] for row in rows]
    assert len(ids) == len(set(ids))
    assert set(made) <= set(ids)
    page = await caller.ask("GET", f"{caller.inventories}?limit=1000&offset=0")
    assert (len(page["items"]), page["total"]) == (50, len(rows))
    past = await caller.ask("GET", f"{caller.inventories}?limit=50&offset={len(rows)}")
    assert (past.get("items") or [], past["total"]) == ([], len(rows))
    await caller.ask_all("DELETE", [f"/inventories/{each}" for each in made], accepts=DELETED)


async def test_a_resource_goes_its_way(caller: Caller) -> None:
    inventory = await caller.new_inventory()
    collection = f"/inventories/{inventory}/resources"
    endpoints = [{"endpoint": "z.example.com"}, {"endpoint": "10.0.0.7"}, {"endpoint": "a.example.com:9000"}]
    sent = a_resource("urn:one", endpoints=endpoints, tags=["zeta", "alpha", "owner=ops"], more={"unknown": 1})
    made = await caller.ask("POST", collection, sent, accepts=CREATED)
    assert made["locked"] is False
    path = f"{collection}/{made['urn_id']}"

    # At once, in every read: clients that wait half a minute need not.
    read = await caller.ask("GET", path)
    assert [each["endpoint"] for each in read["endpoints"]] == [each["endpoint"] for each in endpoints]
    assert await caller.find("urn:one") == made["urn_id"]
    [row] = await caller.walk(collection)
    assert row.keys() >= set(ROW)
    assert (read["tags"], row["tags"]) == (sent["tags"], sent["tags"])
    kinds = (await caller.ask("GET", f"{path}/endpoints"))["endpoints"]
    assert [each["kind"] for each in kinds] == ["host", "inet4", "host"]
    assert [each["endpoint"] for each in kinds] == [each["endpoint"] for each in endpoints]

    assert await caller.refused("POST", collection, a_resource("urn:one")) == 409
    assert await caller.refused("POST", path, sent | {"urn": "urn:other"}) in (400, 409)
    await caller.ask("DELETE", path, accepts=DELETED)
    assert await caller.refused("GET", path) == 404
    assert await caller.refused("DELETE", path) == 404
    assert await caller.walk(collection) == []


async def test_an_update_is_computed_from_a_row(caller: Caller) -> None:
    inventory = await caller.new_inventory()
    collection = f"/inventories/{inventory}/resources"
    more = {"tags": ["b", "a"], "excluded_from_coverage": True, "service": "billing"}
    made = await caller.ask("POST", collection, a_resource("urn:row", **more), accepts=CREATED)
    path = f"{collection}/{made['urn_id']}"
    before = await caller.ask("GET", path)

    [row] = await caller.walk(collection, search="urn:row")
    endpoints = (await caller.ask("GET", f"{path}/endpoints"))["endpoints"]
    body = {name: row[name] for name in SENT} | {"endpoints": [{"endpoint": e["endpoint"]} for e in endpoints]}
    await caller.ask("POST", path, body)
    assert await caller.ask("GET", path) == before

    await caller.ask("POST", path, body | {"name": "renamed"})
    assert await caller.ask("GET", path) == before | {"name": "renamed"}
    # The whole object, as it was read, with what only reads show.
    await caller.ask("POST", path, before)
    assert await caller.ask("GET", path) == before


@pytest.mark.parametrize("nothing", [None, []])
async def test_lists_that_are_not_set_are_null_or_empty(caller: Caller, nothing: Any) -> None:
    inventory = await caller.new_inventory()
    collection = f"/inventories/{inventory}/resources"
    body = a_resource("urn:bare", tags=nothing, endpoints=nothing, excluded_from_coverage=False)
    made = await caller.ask("POST", collection, body, accepts=CREATED)
    path = f"{collection}/{made['urn_id']}"
    await caller.ask("POST", path, body | {"name": "again"})
    read = await caller.ask("GET", path)
    assert (read["name"], read["tags"] or [], read["endpoints"] or []) == ("again", [], [])
    assert await caller.ask("GET", f"{path}/endpoints") == {"endpoints": []}


@pytest.mark.parametrize(
    ("class_", "subclass"),
    [
        ("compute", "vm"),
        ("database", "mysql"),
        ("object-storage", "azblob"),
        ("block-storage", ""),
        ("network", ""),
        ("hypervisor", ""),
        ("service", ""),
        ("tea-kettle", "brown"),
        ("", ""),
    ],
)
async def test_classes_are_kept_as_they_come(caller: Caller, class_: str, subclass: str) -> None:
    inventory = await caller.new_inventory()
    body = a_resource("urn:class") | {"class": class_, "subclass": subclass}
    made = await caller.ask("POST", f"/inventories/{inventory}/resources", body, accepts=CREATED)
    read = await caller.ask("GET", f"/inventories/{inventory}/resources/{made['urn_id']}")
    assert (read["class"], read["subclass"]) == (class_, subclass)


async def test_resources_are_found_by_any_part_of_urn_and_name(caller: Caller) -> None:
    inventory = await caller.new_inventory()
    collection = f"/inventories/{inventory}/resources"
    urns = [f"arn:aws:s3:::büro/{mark}#x?a=b&c+d%20e" for mark in ("one two", "three")]
    for urn in urns:
        await caller.ask("POST", collection, a_resource(urn, name=f"Bucket & {urn[-30:]}"), accepts=CREATED)
    for urn in urns:
        found = await caller.find(urn)
        assert (await caller.ask("GET", f"{collection}/{found}"))["urn"] == urn
    for part, matches in (("büro/", 2), ("one two", 1), ("BUCKET & ", 2), ("c+d%20e", 2), ("c d e", 0), ("*", 0)):
        rows = await caller.walk(collection, search=part)
        assert len(rows) == matches, part
    unnamed = await caller.ask("GET", f"{collection}?limit=50&offset=0&search=")
    assert unnamed["total"] == 2


async def test_resources_are_paged_past_fifty_and_none_is_lost(caller: Caller) -> None:
    """Many that are written at once into one inventory are all there, in every listing, right after."""
    first, second = await caller.new_inventory(), await caller.new_inventory()
    bodies = [(inventory, a_resource(f"urn:many:{n}")) for n in range(55) for inventory in (first, second)]
    made = await asyncio.gather(
        *(
            caller.ask("POST", f"/inventories/{inventory}/resources", body, accepts=CREATED)
            for inventory, body in bodies
        )
    )
    handles = {each["urn_id"] for each in made}
    assert len(handles) == 110
    for inventory in (first, second):
        rows = await caller.walk(f"/inventories/{inventory}/resources")
        assert sorted(row["urn"] for row in rows) == sorted(f"urn:many:{n}" for n in range(55))
        past = await caller.ask("GET", f"/inventories/{inventory}/resources?limit=50&offset=55")
        assert (past.get("items") or [], past["total"]) == ([], 55)
        assert (await caller.ask("GET", f"/inventories/{inventory}"))["id"] == inventory
    everywhere = await caller.walk("/inventories/resources", search="urn:many:")
    assert handles <= {row["urn_id"] for row in everywhere}
    assert len({row["urn_id"] for row in everywhere}) == len(everywhere)
    counts = {row["id"]: row["count"] for row in await caller.walk(caller.inventories)}
    assert (counts[first], counts[second]) == (55, 55)

    gone = [
        (inventory, each["urn_id"]) for (inventory, _), each in zip(bodies, made, strict=True) if inventory == first
    ]
    await caller.ask_all("DELETE", [f"/inventories/{i}/resources/{handle}" for i, handle in gone], accepts=DELETED)
    assert await caller.walk(f"/inventories/{first}/resources") == []
    assert len(await caller.walk(f"/inventories/{second}/resources")) == 55


async def test_a_base_address_with_a_slash_at_its_end_works(platform: Platform, caller: Caller) -> None:
    answer = await caller.http.get(f"{platform.url}//api/v1/inventories/resources?limit=50&offset=0")
    assert answer.status_code == 200, answer.text


async def test_a_urn_is_unique_within_its_inventory_alone(caller: Caller) -> None:
    first, second = await caller.new_inventory(), await caller.new_inventory()
    body = a_resource("urn:in:both")
    handles = [
        (await caller.ask("POST", f"/inventories/{inventory}/resources", body, accepts=CREATED))["urn_id"]
        for inventory in (first, second)
    ]
    assert len(set(handles)) == 2
    assert await caller.refused("POST", f"/inventories/{first}/resources", body) == 409
    # Under another inventory there is none of this handle.
    assert await caller.refused("GET", f"/inventories/{second}/resources/{handles[0]}") == 404
    assert await caller.refused("DELETE", f"/inventories/{second}/resources/{handles[0]}") == 404
    assert (await caller.ask("GET", f"/inventories/{first}/resources/{handles[0]}"))["urn"] == "urn:in:both"


@pytest.mark.parametrize("subclass", ["postgres", "postgresql"])
async def test_either_name_of_a_subclass_is_kept_as_it_comes(caller: Caller, subclass: str) -> None:
    inventory = await caller.new_inventory()
    body = a_resource("urn:db") | {"class": "database", "subclass": subclass}
    made = await caller.ask("POST", f"/inventories/{inventory}/resources", body, accepts=CREATED)
    [row] = await caller.walk(f"/inventories/{inventory}/resources")
    assert (made["subclass"], row["subclass"]) == (subclass, subclass)


async def test_what_only_operators_set_is_not_changed_by_an_update(caller: Caller) -> None:
    inventory = await caller.new_inventory()
    made = await caller.ask("POST", f"/inventories/{inventory}/resources", a_resource("urn:locked"), accepts=CREATED)
    path = f"/inventories/{inventory}/resources/{made['urn_id']}"
    await caller.ask("PATCH", f"{path}/lock", {"locked": True})
    [row] = await caller.walk(f"/inventories/{inventory}/resources")
    assert row["locked"] is True
    read = await caller.ask("GET", path)
    await caller.ask("POST", path, read | {"name": "renamed", "locked": False})
    assert await caller.ask("GET", path) == read | {"name": "renamed"}


async def test_other_pages_than_clients_ask_for(caller: Caller) -> None:
    """Pages hold at most 50 rows whatever is asked for, and the walk may begin anywhere."""
    inventory = await caller.new_inventory()
    collection = f"/inventories/{inventory}/resources"
    urns = [f"urn:page:{number:02}" for number in range(53)]
    await asyncio.gather(*(caller.ask("POST", collection, a_resource(urn), accepts=CREATED) for urn in urns))
    for path in (collection, "/inventories/resources", caller.inventories):
        sep = f"{path}?"
        assert len((await caller.ask("GET", f"{sep}limit=200"))["items"]) <= 50
        assert len((await caller.ask("GET", f"{sep}limit=1"))["items"]) == 1
    first, rest = [(await caller.ask("GET", f"{collection}?offset={n}"))["items"] for n in (0, 50)]
    assert sorted(row["urn"] for row in first + rest) == urns
    one_by_one = [(await caller.ask("GET", f"{collection}?limit=1&offset={n}"))["items"][0] for n in (0, 7, 52)]
    assert [row["urn_id"] for row in one_by_one] == [(first + rest)[n]["urn_id"] for n in (0, 7, 52)]


async def test_a_deleted_inventory_takes_its_resources_with_it(caller: Caller) -> None:
    inventory = await caller.new_inventory()
    made = await caller.ask("POST", f"/inventories/{inventory}/resources", a_resource("urn:with"), accepts=CREATED)
    resource = f"/inventories/{inventory}/resources/{made['urn_id']}"
    await caller.ask("DELETE", resource, accepts=DELETED)
    await caller.ask("DELETE", f"/inventories/{inventory}", accepts=DELETED)
    for path in (resource, f"/inventories/{inventory}", f"/inventories/{inventory}/resources"):
        assert await caller.refused("GET", path) == 404
