"""Clients that know section 11 of the compatibility reference alone: sources, stores and destinations."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.integration.gateway.client import Client, Json
from tests.integration.gateway.conftest import Platform
from tests.integration.gateway.members import as_member
from tests.integration.gateway.reference_client import AT_ONCE, CREATED, DELETED, Caller, a_resource

TYPES = ("source", "store", "destination")
READ_FIELDS = (
    *("id", "name", "type", "protocol", "fields", "endpoints", "data_classes", "environment", "temperature"),
    *("integration", "resource"),
)
"""What the reference names of a connector."""
SENT = ("name", "type", "protocol", "fields", "endpoints", "data_classes", "environment", "temperature")
S3_FIELDS = {
    "passphrase": "no such passphrase",
    "access_key": "AK",
    "secret_access_key": "no such key",
    "port": "9000",
    "root": "/bucket/with/a/prefix",
    "use_tls": "false",
    "tls_insecure_no_verify": "false",
    "virtual_host": "false",
}
"""Common fields of the playbooks, all of them texts."""
CREATION = (200, 201, 202, 204)


def a_connector(kind: str, urn_id: str, fields: dict[str, str], **changes: Any) -> Json:
    """A connector as a client says it that leaves out what is optional."""
    values = {name: {"value": value} for name, value in fields.items()}
    return {"name": f"the {kind}", "type": kind, "protocol": "fs", "urn_id": urn_id, "fields": values} | changes


@pytest.fixture
def root(platform: Platform, tmp_path: Path) -> Path:
    """A directory of its own that workers may touch."""
    (made := platform.files / tmp_path.name).mkdir(parents=True)
    return made


@pytest_asyncio.fixture(loop_scope="session")
async def urn_id(caller: Caller) -> str:
    """Handle of a resource that is a directory."""
    body = a_resource("urn:of:connectors") | {"class": "file-storage", "subclass": "posix"}
    made = await caller.ask("POST", f"/inventories/{await caller.new_inventory()}/resources", body, accepts=CREATED)
    return str(made["urn_id"])


@pytest_asyncio.fixture(loop_scope="session")
async def bucket(caller: Caller) -> str:
    """Handle of a resource that is a bucket."""
    inventory = await caller.new_inventory()
    made = await caller.ask("POST", f"/inventories/{inventory}/resources", a_resource("urn:bucket"), accepts=CREATED)
    return str(made["urn_id"])


def connectors(caller: Caller) -> str:
    return f"/account/organizations/{caller.organization}/connectors"


async def made_of(caller: Caller, body: Json) -> Json:
    made: Json = await caller.ask("POST", connectors(caller), body, accepts=CREATED)
    return made


def as_update(read: Json, **changes: Any) -> Json:
    """A full body, computed from what was read."""
    body = {name: read[name] for name in SENT}
    handles = {"integration": {"id": read["integration"]["id"]}, "urn_id": read["resource"]["urn_id"]}
    return body | handles | changes


@pytest.mark.parametrize("kind", TYPES)
async def test_a_connector_goes_its_way(caller: Caller, urn_id: str, root: Path, kind: str) -> None:
    [fs] = [each for each in (await caller.ask("GET", "/integrations/installed"))["items"] if each["name"] == "fs"]
    fields = {"root": str(root), "passphrase": "of any type"}
    lists = {"data_classes": ["zeta", "alpha", "pii"], "endpoints": [{"endpoint": "z.example"}, {"endpoint": "a"}]}
    more = {"integration": {"id": fs["id"]}, "environment": "production", "temperature": "cold", "unknown": {"k": [1]}}
    sent = a_connector(kind, urn_id, fields, **lists, **more)
    made = await made_of(caller, sent)
    assert made["temperature"] == "cold"
    path = f"/connectors/{made['id']}"

    read = await caller.ask("GET", path)
    assert read.keys() >= set(READ_FIELDS)
    assert {name: read[name] for name in SENT} == {name: sent[name] for name in SENT}
    assert (read["integration"], read["resource"]["urn_id"]) == ({"id": fs["id"], "name": "fs"}, urn_id)
    assert read["resource"]["urn"] == "urn:of:connectors"
    listed = (await caller.ask("GET", f"{connectors(caller)}?type={kind}"))["items"]
    [row] = [each for each in listed if each["id"] == made["id"]]
    assert row == {name: read[name] for name in row}
    assert row.keys() >= set(READ_FIELDS)
    assert {each["type"] for each in listed} == {kind}
    for other in set(TYPES) - {kind}:
        others = (await caller.ask("GET", f"{connectors(caller)}?type={other}"))["items"]
        assert made["id"] not in {each["id"] for each in others}

    await caller.ask("DELETE", path, accepts=DELETED)
    assert await caller.refused("GET", path) == 404
    assert await caller.refused("DELETE", path) == 404
    assert await caller.refused("POST", path, as_update(read)) == 404


@pytest.mark.parametrize("nothing", ["left out", "null", "empty"])
async def test_what_is_optional_is_left_out_null_or_empty(
    caller: Caller, urn_id: str, root: Path, nothing: str
) -> None:
    empty: Json = {"endpoints": [], "data_classes": [], "environment": "", "temperature": ""}
    said = {"left out": {}, "null": dict.fromkeys(empty), "empty": empty}[nothing]
    made = await made_of(caller, a_connector("source", urn_id, {"root": str(root)}, **said))
    assert made["temperature"] == "hot"
    read = await caller.ask("GET", f"/connectors/{made['id']}")
    # A client takes nothing and empty for the same, and no address of the resource for one of its own.
    assert [read[name] or [] for name in ("endpoints", "data_classes")] == [[], []]
    assert (read["environment"] or "", read["temperature"]) == ("", "hot")
    await caller.ask("POST", f"/connectors/{made['id']}", as_update(read))
    again = await caller.ask("GET", f"/connectors/{made['id']}")
    assert {name: again[name] for name in READ_FIELDS} == {name: read[name] for name in READ_FIELDS}


async def test_an_update_overlays_what_was_read(caller: Caller, urn_id: str, root: Path) -> None:
    fields = {"root": str(root), "passphrase": "kept"}
    made = await made_of(caller, a_connector("store", urn_id, fields, data_classes=["b", "a"], temperature="cold"))
    path = f"/connectors/{made['id']}"
    read = await caller.ask("GET", path)
    for changes in ({"name": "renamed"}, {"data_classes": ["c", "b", "a"]}, {"environment": "staging"}):
        await caller.ask("POST", path, as_update(read, **changes))
        changed = await caller.ask("GET", path)
        assert {name: changed[name] for name in READ_FIELDS} == {name: read[name] for name in READ_FIELDS} | changes
        read = changed
    # All of it, as it was read, is no change.
    await caller.ask("POST", path, read | {"urn_id": urn_id})
    again = await caller.ask("GET", path)
    assert {name: again[name] for name in READ_FIELDS} == {name: read[name] for name in READ_FIELDS}
    assert again["fields"]["passphrase"] == {"value": "kept"}


async def test_the_protocol_is_the_name_of_the_integration(caller: Caller, bucket: str) -> None:
    for integration in (await caller.ask("GET", "/integrations/installed"))["items"]:
        if integration["name"] != "s3":
            continue
        body = a_connector("source", bucket, S3_FIELDS, protocol="s3", integration={"id": integration["id"]})
        assert (await made_of(caller, body))["protocol"] == "s3"
        unsaid = {name: value for name, value in body.items() if name != "protocol"}
        assert (await made_of(caller, unsaid))["protocol"] == "s3"


@pytest.mark.parametrize("kind", TYPES)
async def test_the_fields_of_the_playbooks_are_taken_and_echoed(caller: Caller, bucket: str, kind: str) -> None:
    fields = S3_FIELDS | ({"storage_class": "STANDARD_IA"} if kind == "store" else {})
    sent = a_connector(kind, bucket, fields, protocol="s3")
    read = await caller.ask("GET", f"/connectors/{(await made_of(caller, sent))['id']}")
    assert read["fields"] == sent["fields"]
    assert list(read["fields"]) == list(sent["fields"])
    assert read["endpoints"] == []


async def test_names_may_be_held_twice(caller: Caller, urn_id: str, root: Path) -> None:
    body = a_connector("source", urn_id, {"root": str(root)}, name=f"twice {root.name}")
    ids = {(await made_of(caller, body))["id"] for _ in range(2)}
    listed = (await caller.ask("GET", f"{connectors(caller)}?type=source"))["items"]
    assert {each["id"] for each in listed if each["name"] == body["name"]} == ids


async def test_listings_are_whole_and_in_one_answer(caller: Caller, urn_id: str, root: Path) -> None:
    bodies = [a_connector("destination", urn_id, {"root": str(root)}, name=f"many {n}") for n in range(55)]
    # As many at once as the provisioning sends: more wait for one another, and are answered with 202 on a busy machine.
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(body: Json) -> Json:
        async with slots:
            return await made_of(caller, body)

    made = await asyncio.gather(*map(one, bodies))
    page = await caller.ask("GET", f"{connectors(caller)}?type=destination")
    assert {each["id"] for each in made} <= {each["id"] for each in page["items"]}
    assert all(each["fields"] for each in page["items"])


@pytest.mark.parametrize("compression", [None, "GZIP", "LZ4", "ZSTD"])
async def test_the_storage_of_a_store_is_created_once(
    caller: Caller, urn_id: str, root: Path, compression: str | None
) -> None:
    store = await made_of(caller, a_connector("store", urn_id, {"root": str(root / "store"), "passphrase": "p"}))
    path = f"/connectors/{store['id']}"
    body = {"compression": compression} if compression else None
    await caller.ask("POST", f"{path}/stores/create", body, accepts=CREATION)
    config = (root / "store" / "config").read_bytes()

    # An update of fields initializes nothing again.
    read = await caller.ask("GET", path)
    await caller.ask("POST", path, as_update(read, name="renamed", temperature="cold"))
    assert (root / "store" / "config").read_bytes() == config
    report = await caller.ask("POST", f"{path}/test")
    assert (report["ok"], report["initialized"]) == (True, True)

    # Stored data is not touched by a deletion.
    await caller.ask("DELETE", path, accepts=DELETED)
    assert (root / "store" / "config").read_bytes() == config


async def test_a_store_without_a_passphrase_is_taken_and_not_initialized(
    caller: Caller, urn_id: str, root: Path
) -> None:
    store = await made_of(caller, a_connector("store", urn_id, {"root": str(root)}))
    assert "passphrase" not in (await caller.ask("GET", f"/connectors/{store['id']}"))["fields"]
    assert await caller.refused("POST", f"/connectors/{store['id']}/stores/create") == 400


async def test_role_lists_are_taken(caller: Caller, urn_id: str, root: Path) -> None:
    me = (await caller.ask("GET", "/account/me"))["id"]
    source = await made_of(caller, a_connector("source", urn_id, {"root": str(root)}))
    lists = {name: [f"self:{me}"] for name in ("can_read", "can_execute", "can_write", "can_own")}
    await caller.ask("PUT", f"/connectors/{source['id']}/roles", lists)


async def test_a_caller_without_a_grant_reads_empty_pages(
    platform: Platform, api: Client, caller: Caller, urn_id: str, root: Path
) -> None:
    await made_of(caller, a_connector("source", urn_id, {"root": str(root)}))
    [row] = [each for each in await caller.walk("/inventories/resources") if each["urn_id"] == urn_id]
    stranger = await as_member(platform, api)
    for path in (
        connectors(caller),
        f"{connectors(caller)}?type=source",
        caller.inventories,
        "/inventories/resources",
        f"/inventories/{row['inventory_id']}/resources",
        "/integrations/catalog",
        "/integrations/installed",
    ):
        page = await stranger.get(path)
        assert (page["items"] or [], page["total"]) == ([], 0), path
