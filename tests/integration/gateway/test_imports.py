"""Lists of resources through the gateway: imported, exported, refused, and what happens meanwhile."""

import asyncio
import time
from typing import Any

import httpx

from tests.integration.gateway.client import Client
from tests.integration.gateway.conftest import Platform

COUNTS = ("added", "changed", "unchanged", "removed")


async def send(api: Client, inventory: str, content: str | bytes, **query: Any) -> httpx.Response:
    headers = {"content-type": "application/octet-stream"} | query.pop("headers", {})
    body = content.encode() if isinstance(content, str) else content
    return await api.call(
        "POST", f"/inventories/{inventory}/resources/bulk", content=body, params=query, headers=headers
    )


async def load(api: Client, inventory: str, content: str | bytes, **query: Any) -> list[Any]:
    """What a list changed, however long that took."""
    answer = await send(api, inventory, content, **query)
    assert answer.status_code in (200, 202), answer.text
    told = answer.json()
    if answer.status_code == 202:
        told = (await api.ended(told["operation_id"], status="succeeded"))["result"]
    assert told["id"] == inventory
    return [told[name] for name in COUNTS]


async def test_a_list_is_tried_imported_and_exported(api: Client) -> None:
    inventory = await api.inventory()
    text = "\ufeffObjectStorage;Photos;urn:photos;s3.example.com, 10.0.0.7\r\nFile Storage;;urn:nas;\r\n\r\n"
    tried = (await send(api, inventory, text, dry_run="true")).json()
    assert ([tried[name] for name in COUNTS], tried["dry_run"]) == ([2, 0, 0, 0], True)
    assert (await api.get(f"/inventories/{inventory}/resources"))["total"] == 0
    assert await load(api, inventory, text) == [2, 0, 0, 0]
    rows = (await api.get(f"/inventories/{inventory}/resources"))["items"]
    assert [(r["urn"], r["name"], r["class"]) for r in rows] == [
        ("urn:photos", "Photos", "object-storage"),
        ("urn:nas", "urn:nas", "file-storage"),
    ]
    exported = await api.call("GET", f"/inventories/{inventory}/resources/export")
    assert exported.headers["content-type"].startswith("text/csv")
    assert exported.text.splitlines() == [
        "object-storage;Photos;urn:photos;s3.example.com,10.0.0.7",
        "file-storage;urn:nas;urn:nas;",
    ]
    assert await load(api, inventory, exported.content) == [0, 0, 2, 0]
    entries = [e for e in await api.audited(action="resources.import") if e["subject"]["id"] == inventory]
    assert [e["details"]["unchanged"] for e in entries] == [2, 0]


async def test_a_request_that_is_repeated_imports_once(api: Client) -> None:
    inventory = await api.inventory()
    key = {"headers": {"idempotency-key": f"once {inventory}"}}
    first = await send(api, inventory, "compute;a;urn:a;\n", **key)
    await load(api, inventory, "compute;b;urn:b;\n")
    again = await send(api, inventory, "compute;a;urn:a;\n", **key)
    assert first.json() == again.json()
    assert [r["urn"] for r in (await api.get(f"/inventories/{inventory}/resources"))["items"]] == ["urn:b"]
    other = await send(api, inventory, "compute;c;urn:c;\n", **key)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


async def test_a_list_with_faults_changes_nothing(api: Client) -> None:
    inventory = await api.inventory()
    refused = await send(api, inventory, "compute;a;urn:a;h\ncompute;b;urn:a;h:x\n")
    assert (refused.status_code, refused.json()["code"]) == (422, "list_invalid")
    assert {f["field"] for f in refused.json()["fields"]} == {"lines.2.hostname", "lines.2.urn"}
    assert (await send(api, inventory, "ü;a;urn:a;h".encode("latin-1"))).status_code == 422
    assert (await api.get(f"/inventories/{inventory}/resources"))["total"] == 0
    assert (await send(api, "nothing", "compute;a;urn:a;h")).status_code == 404


async def test_what_connectors_use_goes_only_by_force(api: Client, platform: Platform) -> None:
    inventory = await api.inventory()
    resource = await api.resource(inventory, "urn:used")
    connector = await api.connector("source", resource, {"root": str(platform.files)})
    tried = (await send(api, inventory, "compute;a;urn:a;\n", dry_run="true")).json()
    assert [(used["urn_id"], used["connectors"][0]["id"]) for used in tried["in_use"]] == [(resource, connector["id"])]
    refused = await send(api, inventory, "compute;a;urn:a;\n")
    assert (refused.status_code, refused.json()["code"]) == (409, "resources_in_use")
    assert await load(api, inventory, "compute;a;urn:a;\n", force="true") == [1, 0, 0, 1]
    kept = await api.get(f"/connectors/{connector['id']}")
    assert kept["resource"]["urn"] == "urn:used"
    assert await load(api, inventory, "compute;b;urn:a;\n") == [0, 1, 0, 0]


async def test_managed_inventories_are_exported_and_not_imported(api: Client) -> None:
    made = await api.post(api.org("/inventories"), {"name": "cluster", "type": "k8s", "k8s_configuration": {}})
    refused = await send(api, made["id"], "compute;a;urn:a;\n")
    assert (refused.status_code, refused.json()["code"]) == (409, "inventory_managed")
    exported = await api.call("GET", f"/inventories/{made['id']}/resources/export")
    assert (exported.status_code, exported.text) == (200, "")


async def test_the_api_answers_while_a_large_list_is_imported(api: Client) -> None:
    inventory = await api.inventory()
    text = "".join(f"compute;machine {n};urn:{n};m{n}.example.com\n" for n in range(10_000))
    importing = asyncio.create_task(load(api, inventory, text))
    took: list[float] = []
    while not importing.done():
        began = time.monotonic()
        await api.get("/account/me")
        took.append(time.monotonic() - began)
    assert await importing == [10_000, 0, 0, 0]
    assert len(took) > 10
    # No time is asserted but that of a client that has given up.
    assert max(took) < 30
