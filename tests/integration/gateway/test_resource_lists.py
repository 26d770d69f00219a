"""Lists of resources: what clients filter by, in which order they page, and what was just told to them."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.integration.gateway.client import Client, a_resource_body

SORTS = ("created", "name", "urn", "class", "inventory")


async def rows(api: Client, path: str = "/inventories/resources", **query: Any) -> list[dict[str, Any]]:
    """All rows of a list, page by page."""
    found: list[dict[str, Any]] = []
    while page := (await api.get(path, limit=50, offset=len(found), **query))["items"]:
        found += page
    return found


async def names(api: Client, path: str = "/inventories/resources", **query: Any) -> list[str]:
    return [row["name"] for row in await rows(api, path, **query)]


async def a_few(api: Client, marker: str) -> tuple[str, list[str]]:
    """An inventory with resources of several classes, tags and states; the handles in the order they were made."""
    inventory = await api.inventory(f"lists {marker}")
    facts: list[dict[str, Any]] = [
        {"name": f"{marker} Delta", "class": "compute", "tags": ["red", "environment=qa"]},
        {"name": f"{marker} alpha", "class": "file-storage", "subclass": "posix", "tags": ["red"]},
        {"name": f"{marker} Charlie", "class": "compute", "tags": []},
        {"name": f"{marker} bravo", "class": "network", "excluded_from_coverage": True},
    ]
    path = f"/inventories/{inventory}/resources"
    made = [
        await api.post(path, a_resource_body(urn=f"urn:{marker}:{n}", **{"class": "compute", "tags": [], **each}))
        for n, each in enumerate(facts)
    ]
    return inventory, [each["urn_id"] for each in made]


async def test_lists_are_filtered_and_sorted(api: Client, tmp_path: Path) -> None:
    inventory, ids = await a_few(api, "f1")
    (tmp_path / "files").mkdir()
    await api.connector("source", ids[1], {"root": str(tmp_path / "files")})

    async def found(**query: Any) -> list[str]:
        of_one = await names(api, f"/inventories/{inventory}/resources", **query)
        assert await names(api, inventory_id=inventory, **query) == of_one
        return [name.removeprefix("f1 ") for name in of_one]

    assert await found() == ["Delta", "alpha", "Charlie", "bravo"]
    assert await found(**{"class[]": ["compute"]}) == ["Delta", "Charlie"]
    assert await found(**{"class[]": ["compute", "file-storage"]}) == ["Delta", "alpha", "Charlie"]
    assert await found(**{"exclude_class[]": ["compute"]}) == ["alpha", "bravo"]
    assert await found(**{"class[]": ["object-storage"]}) == []
    assert await found(**{"tags[]": ["red"]}) == ["Delta", "alpha"]
    assert await found(**{"tags[]": ["red", "environment=qa"]}) == ["Delta"]
    assert await found(search="F1 C") == ["Charlie"]
    assert await found(search="f1:2") == ["Charlie"]
    assert await found(status="protected") == ["alpha"]
    assert await found(status="unprotected") == ["Delta", "Charlie"]
    assert await found(status="excluded") == ["bravo"]
    assert await found(sort="name") == ["alpha", "bravo", "Charlie", "Delta"]
    assert await found(sort="-name") == ["Delta", "Charlie", "bravo", "alpha"]
    assert await found(sort="class", status="unprotected") == ["Delta", "Charlie"]
    [row] = await rows(api, search="f1 alpha")
    shown = {name: row[name] for name in ("urn_id", "inventory_name", "inventory_type", "coverage_status")}
    assert shown == {
        "urn_id": ids[1],
        "inventory_name": "lists f1",
        "inventory_type": "self-managed",
        "coverage_status": "protected",
    }
    one = await api.get(f"/inventories/{inventory}/resources/{ids[1]}")
    assert one.items() <= row.items()


@pytest.mark.parametrize("query", [{"status": "safe"}, {"sort": "size"}, {"sort": ""}, {"status": ["excluded"] * 2}])
async def test_what_cannot_be_asked_is_refused(api: Client, query: dict[str, Any]) -> None:
    answer = await api.call("GET", "/inventories/resources", params=query)
    assert (answer.status_code, answer.json()["code"]) == (400, "request_invalid")


async def test_pages_of_every_order_hold_each_resource_once(api: Client) -> None:
    # Not all that there are: other tests, of which nobody knows how many ran before, make thousands.
    inventory, ids = await a_few(api, "paged-1")
    other, more = await a_few(api, "paged-2")
    for sort in (*SORTS, *(f"-{each}" for each in SORTS)):
        found = []
        while page := (await api.get("/inventories/resources", search="paged-", sort=sort, limit=3, offset=len(found))):
            if not page["items"]:
                break
            assert page["total"] == 8
            found += [row["urn_id"] for row in page["items"]]
        assert len(set(found)) == len(found) == page["total"]
        assert set(found) == {*ids, *more}
    assert await names(api, inventory_id=inventory, sort="created") != await names(api, inventory_id=other)


async def test_coverage_is_told_of_each_inventory_and_of_all(api: Client, tmp_path: Path) -> None:
    before = await api.get("/inventories/coverage")
    inventory, ids = await a_few(api, "f4")
    (tmp_path / "files").mkdir()
    source = await api.connector("source", ids[1], {"root": str(tmp_path / "files")})
    read = await api.get(f"/inventories/{inventory}")
    assert read["coverage"] == {"protected": 1, "unprotected": 2, "excluded": 1}
    assert [(each["class"], each["count"]) for each in read["summaries"]] == [
        ("compute", 2), ("file-storage", 1), ("network", 1)
    ]  # fmt: skip
    after = await api.get("/inventories/coverage")
    assert {name: after[name] - before[name] for name in after} == read["coverage"]
    assert (await api.call("DELETE", f"/connectors/{source['id']}")).status_code < 300
    assert (await api.get(f"/inventories/{inventory}"))["coverage"]["protected"] == 0
    await api.call("PATCH", f"/inventories/{inventory}/resources/{ids[0]}", json={"excluded_from_coverage": True})
    assert (await api.get(f"/inventories/{inventory}"))["coverage"] == {
        "protected": 0,
        "unprotected": 2,
        "excluded": 2,
    }


async def test_what_was_answered_is_in_the_next_list(api: Client) -> None:
    inventory = await api.inventory("at once")
    path = f"/inventories/{inventory}/resources"

    async def make(number: int) -> None:
        body = a_resource_body(urn=f"urn:once:{number}", name=f"once {number}")
        made = await api.post(path, body)
        assert await names(api, path, search=f"once {number}") == [f"once {number}"]
        await api.post(f"{path}/{made['urn_id']}", body | {"name": f"twice {number}"})
        assert await names(api, path, search=f"once:{number}") == [f"twice {number}"]
        assert (await api.call("DELETE", f"{path}/{made['urn_id']}")).status_code == 204
        assert await names(api, path, search=f"once:{number}") == []

    await asyncio.gather(*(make(100 + number) for number in range(12)))
    assert (await api.get(f"/inventories/{inventory}"))["count"] == 0
