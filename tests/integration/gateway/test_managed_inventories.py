"""Managed inventories of all types as clients drive them; their secrets stay where they belong."""

import asyncio
import json
from typing import Any

import pytest
from chassis.messaging.topology import ensure_topics
from contracts import topics
from contracts.inventory_types import MANAGED, SETTINGS, InventoryType, Setting, block_of
from pymongo import MongoClient

from tests.integration.gateway.client import Client, Json, a_resource_body
from tests.integration.gateway.conftest import Platform
from tests.integration.gateway.members import as_member
from tests.support.kafka import open_wire

CANARY = "canary-7d21-inventory"


def value_of(setting: Setting) -> Any:
    """A value that its provider would not take, and whose secret ones are canaries."""
    if setting.is_text:
        return setting.choices[-1] if setting.choices else "anywhere-1"
    return {"value": f"{CANARY}-{setting.name}" if setting.secret else f"no such {setting.name}"}


def a_body(kind: InventoryType, **changes: Any) -> Json:
    """An inventory with every setting of its type."""
    block = {setting.name: value_of(setting) for setting in SETTINGS[kind]}
    return {"name": f"{kind} account", "type": kind, block_of(kind): block | changes}


def masked(kind: InventoryType, block: Json) -> Json:
    """The block as it is read by who may not see secrets."""
    secret = {setting.name for setting in SETTINGS[kind] if setting.secret}
    return {name: {"value": "", "masked": True} if name in secret else value for name, value in block.items()}


async def made(api: Client, kind: InventoryType, **changes: Any) -> str:
    """Id of a new inventory."""
    return str((await api.post(api.org("/inventories"), a_body(kind, **changes)))["id"])


@pytest.mark.parametrize("kind", MANAGED)
async def test_each_type_is_created_read_changed_and_removed(api: Client, kind: InventoryType) -> None:
    body, block = a_body(kind), block_of(kind)
    created = await api.post(api.org("/inventories"), body | {"unknown": {"key": 1}, "self_configuration": None})
    path = f"/inventories/{created['id']}"
    read = await api.get(path)
    assert read == created
    assert {key: read[key] for key in body} == body
    assert [key for key in read if key.endswith("_configuration")] == [block]
    assert (read["count"], read["last_update"], read["residency"]) == (0, None, None)

    assert await api.post(path, read) == read
    assert await api.get(path) == read

    changes: Json = {"name": "renamed"}
    last = SETTINGS[kind][-1].name if not SETTINGS[kind][-1].is_text else SETTINGS[kind][0].name
    changed = body | changes | {block: body[block] | {last: {"value": "another one"}}}
    await api.post(path, changed)
    assert {key: value for key, value in (await api.get(path)).items() if key in changed} == changed

    assert (await api.call("DELETE", path)).status_code == 204
    assert (await api.problem("GET", path))["code"] == "inventory_not_found"


@pytest.mark.parametrize("kind", MANAGED)
async def test_each_type_has_a_route_of_its_own(api: Client, kind: InventoryType) -> None:
    body = a_body(kind)
    without_type = {key: value for key, value in body.items() if key != "type"}
    created = await api.post(api.org(f"/inventories/{kind}"), without_type)
    assert created["type"] == kind
    assert (await api.get(f"/inventories/{created['id']}"))[block_of(kind)] == body[block_of(kind)]
    refused = await api.problem("POST", api.org(f"/inventories/{kind}"), json=without_type | {"name": ""})
    assert (refused["status"], [f["field"] for f in refused["fields"]]) == (400, ["name"])


async def test_unknown_types_have_no_route(api: Client) -> None:
    assert (await api.call("POST", api.org("/inventories/teapot"), json={"name": "n"})).status_code in (404, 405)
    refused = await api.problem("POST", api.org("/inventories"), json={"name": "n", "type": "teapot"})
    assert (refused["status"], [f["field"] for f in refused["fields"]]) == (400, ["type"])


@pytest.mark.parametrize("kind", MANAGED)
async def test_what_a_type_requires_is_named(api: Client, kind: InventoryType) -> None:
    body, block = a_body(kind), block_of(kind)
    for setting in SETTINGS[kind]:
        for missing in ({}, {setting.name: None}, {setting.name: "" if setting.is_text else {"value": ""}}):
            others = {name: value for name, value in body[block].items() if name != setting.name}
            answer = await api.call("POST", api.org("/inventories"), json=body | {block: others | missing})
            if not (setting.required or setting.required_with):
                assert answer.status_code == 200, answer.text
                continue
            assert answer.status_code == 400, (setting.name, missing)
            problem = answer.json()
            assert f"{block}.{setting.name}" in [f["field"] for f in problem["fields"]], problem
            assert setting.name in problem["detail"]
            assert CANARY not in answer.text


async def test_without_its_block_all_that_is_required_is_named_at_once(api: Client) -> None:
    for block in ({}, {"ovh_configuration": None}, {"ovh_configuration": {}}, a_body("aws")):
        refused = await api.problem("POST", api.org("/inventories"), json={**block, "name": "n", "type": "ovh"})
        assert (refused["status"], refused["code"]) == (400, "inventory_invalid")
        assert [f["field"] for f in refused["fields"]] == [
            f"ovh_configuration.{name}"
            for name in ("application_key", "application_secret", "consumer_key", "endpoint")
        ]


async def test_types_without_required_settings_need_no_block(api: Client) -> None:
    for sent in ({}, {"k8s_configuration": None}, {"k8s_configuration": {}}):
        created = await api.post(api.org("/inventories"), {"name": "in cluster", "type": "k8s", **sent})
        assert created["k8s_configuration"] == {}
    project = {"gcp_project_id": {"value": "p"}}
    bare = await api.post(api.org("/inventories"), {"name": "ambient", "type": "gcp", "gcp_configuration": project})
    assert bare["gcp_configuration"] == project


async def test_roles_need_no_keys(api: Client) -> None:
    role = {"credentials_type": "iam", "region": "eu-west-1"}
    created = await api.post(api.org("/inventories"), {"name": "role", "type": "aws", "aws_configuration": role})
    assert created["aws_configuration"] == role


@pytest.mark.parametrize(
    ("kind", "changes", "field"),
    [
        ("aws", {"credentials_type": "password"}, "credentials_type"),
        ("aws", {"region": {"value": "eu"}}, "region"),
        ("aws", {"region": "a\nb"}, "region"),
        ("aws", {"access_key": CANARY}, "access_key"),
        ("aws", {"secret_access_key": {"value": 7}}, "secret_access_key.value"),
        ("aws", {"secret_access_key": {"value": CANARY, "masked": True}}, "secret_access_key"),
        ("vmware", {"vsphere_tls_skip_verify": True}, "vsphere_tls_skip_verify"),
        ("vmware", {"vsphere_tls_skip_verify": "yes"}, "vsphere_tls_skip_verify"),
        ("k8s", {"k8s_kubeconf": [CANARY]}, "k8s_kubeconf"),
        ("scaleway", {"scw_secret_key": {"value": "path", "provider": {"id": "v-1"}}}, "scw_secret_key.provider.id"),
    ],
)
async def test_wrong_settings_name_the_field_and_no_value(
    api: Client, kind: InventoryType, changes: Json, field: str
) -> None:
    refused = await api.problem("POST", api.org("/inventories"), json=a_body(kind, **changes))
    assert refused["status"] == 400
    assert f"{block_of(kind)}.{field}" in [f["field"] for f in refused["fields"]]
    assert CANARY not in json.dumps(refused)


async def test_the_type_is_fixed_and_a_change_is_checked(api: Client) -> None:
    inventory = await made(api, "gcp")
    fixed = await api.problem("POST", f"/inventories/{inventory}", json=a_body("aws"))
    assert (fixed["status"], fixed["code"]) == (409, "inventory_type_fixed")
    before = await api.get(f"/inventories/{inventory}")
    lacking = await api.problem("POST", f"/inventories/{inventory}", json={"name": "n", "type": "gcp"})
    assert [f["field"] for f in lacking["fields"]] == ["gcp_configuration.gcp_project_id"]
    assert await api.get(f"/inventories/{inventory}") == before


async def test_who_may_not_see_secrets_reads_that_they_are_kept(platform: Platform, api: Client) -> None:
    ids = {kind: await made(api, kind) for kind in MANAGED}
    for role in ("auditor", "operator", "backup-operator"):
        member = await as_member(platform, api, role)
        for kind, inventory in ids.items():
            answer = await member.call("GET", f"/inventories/{inventory}")
            assert answer.json()[block_of(kind)] == masked(kind, a_body(kind)[block_of(kind)])
            assert CANARY not in answer.text
        refused = await member.problem("POST", f"/inventories/{ids['aws']}", json=a_body("aws"))
        assert refused["code"] == "forbidden"


async def test_a_secret_that_is_sent_back_masked_stays(platform: Platform, api: Client) -> None:
    inventory = await made(api, "vmware")
    auditor = await as_member(platform, api, "auditor")
    read = await auditor.get(f"/inventories/{inventory}")
    path = f"/inventories/{inventory}"
    await api.post(path, read | {"name": "renamed"})
    changed = await api.get(path)
    assert (changed["name"], changed["vmware_configuration"]) == ("renamed", a_body("vmware")["vmware_configuration"])

    block = read["vmware_configuration"] | {"vsphere_server": {"value": "", "masked": True}}
    refused = await api.problem("POST", path, json=read | {"vmware_configuration": block})
    assert (refused["status"], refused["code"]) == (409, "nothing_masked")
    assert [f["field"] for f in refused["fields"]] == ["vmware_configuration.vsphere_server.masked"]
    new = await api.problem("POST", api.org("/inventories"), json=read)
    assert (new["status"], new["code"]) == (409, "nothing_masked")


async def test_changing_one_secret_leaves_the_others(api: Client) -> None:
    inventory = await made(api, "ovh")
    kept = {"value": "", "masked": True}
    changes = {"application_key": kept, "application_secret": {"value": f"{CANARY}-changed"}, "consumer_key": kept}
    await api.post(f"/inventories/{inventory}", a_body("ovh", **changes))
    read = (await api.get(f"/inventories/{inventory}"))["ovh_configuration"]
    assert read == a_body("ovh", application_secret={"value": f"{CANARY}-changed"})["ovh_configuration"]


async def test_reads_of_secrets_and_changes_stand_in_the_audit_log(api: Client) -> None:
    inventory = await made(api, "scaleway")
    for _ in range(2):
        await api.get(f"/inventories/{inventory}")
    await api.post(f"/inventories/{inventory}", a_body("scaleway") | {"name": "renamed"})
    assert (await api.call("DELETE", f"/inventories/{inventory}")).status_code == 204
    entries = [e for e in await api.audited(limit=1000) if e["subject"] == {"kind": "inventory", "id": inventory}]
    assert [e["action"] for e in entries][::-1] == [
        "inventory.create", *["secret.read"] * 3, "inventory.change", "secret.read", "inventory.remove",
    ]  # fmt: skip
    assert CANARY not in json.dumps(entries)


async def test_resources_are_not_edited_by_hand(api: Client) -> None:
    inventory = await made(api, "aws")
    refused = await api.problem("POST", f"/inventories/{inventory}/resources", json=a_resource_body())
    assert (refused["status"], refused["code"]) == (409, "inventory_managed")
    assert await api.get(f"/inventories/{inventory}/resources") == {"total": 0, "items": []}


@pytest.mark.parametrize("kind", MANAGED)
async def test_a_sync_says_why_it_cannot(api: Client, kind: InventoryType) -> None:
    inventory = await made(api, kind)
    told = await api.get(f"/inventories/{inventory}/sync")
    assert told["ok"] is False
    assert kind in told["error"]
    assert told.keys() == {"ok", "error"}
    assert (await api.get(f"/inventories/{inventory}"))["last_update"] is None


async def test_listings_are_paged_narrowed_and_have_no_configuration(platform: Platform, api: Client) -> None:
    ids = {kind: await made(api, kind) for kind in MANAGED}
    for kind, inventory in ids.items():
        page = await api.get(api.org("/inventories"), type=kind, limit=50)
        [row] = [each for each in page["items"] if each["id"] == inventory]
        assert {each["type"] for each in page["items"]} == {kind}
        assert row.keys() >= {"id", "name", "type", "count", "last_update", "residency", "coverage"}
        assert not [key for key in row if "configuration" in key]
    needle = f"Needle {ids['aws'][-6:]}"
    await api.post(f"/inventories/{ids['ovh']}", a_body("ovh") | {"name": f"the {needle}!"})
    found = await api.get(api.org("/inventories"), search=needle.lower())
    assert (found["total"], [each["id"] for each in found["items"]]) == (1, [ids["ovh"]])
    assert (await api.get(api.org("/inventories"), search=needle, type="aws"))["total"] == 0
    assert await api.get(api.org("/inventories"), type="k8s", offset=10_000) == {
        "total": (await api.get(api.org("/inventories"), type="k8s"))["total"],
        "items": [],
    }
    assert (await api.problem("GET", api.org("/inventories"), params={"type": "teapot"}))["status"] == 400
    stranger = await as_member(platform, api)
    assert await stranger.get(stranger.org("/inventories"), type="aws") == {"total": 0, "items": []}


async def test_many_are_created_at_once(api: Client) -> None:
    bodies = [a_body("scaleway") | {"name": f"at once {n}"} for n in range(12)]
    created = await asyncio.gather(*(api.post(api.org("/inventories"), body) for body in bodies))
    assert len({each["id"] for each in created}) == 12
    assert [each["name"] for each in created] == [body["name"] for body in bodies]


async def test_secrets_are_nowhere_in_clear(platform: Platform, api: Client) -> None:
    ids = [await made(api, kind) for kind in MANAGED]
    settings = platform.corner.settings()
    with MongoClient[dict[str, Any]](settings.mongodb_uri) as mongo:
        names = [n for n in mongo.list_database_names() if n.startswith(settings.database_prefix)]
        documents = repr([d for n in names for c in mongo[n].list_collection_names() for d in mongo[n][c].find()])
    # What is no secret must be found by the same search, or the search proves nothing.
    assert all(inventory in documents for inventory in ids)
    assert "no such scw_project_id" in documents
    assert CANARY not in documents
    async with open_wire(settings) as wire:
        records = []
        for topic in topics.ALL:
            await ensure_topics(settings, [topic])
            records += [record.value or b"" for record in await wire.read(topic)]
    assert any(ids[0].encode() in record for record in records)
    assert not [record for record in records if CANARY.encode() in record]
    assert not [log.name for log in platform.folder.glob("*.log") if CANARY in log.read_text()]
