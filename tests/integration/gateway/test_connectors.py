"""Connectors: configured, read back unmasked, tested, and their secrets nowhere else."""

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from chassis.messaging.topology import ensure_topics
from contracts import topics
from pymongo import MongoClient

from tests.integration.gateway.client import Client, a_connector_body
from tests.integration.gateway.conftest import Platform
from tests.integration.gateway.members import as_member
from tests.support.kafka import open_wire
from tests.support.store_locks import leave_lock

CANARY = "canary-41c7-passphrase"


@pytest.fixture
async def urn_id(api: Client) -> str:
    """A resource that is a directory."""
    return await api.resource(await api.inventory())


async def a_store(api: Client, urn_id: str, root: Path, passphrase: str | None = CANARY) -> str:
    fields = {"root": str(root)} | ({"passphrase": passphrase} if passphrase is not None else {})
    return str((await api.connector("store", urn_id, fields, name=f"store at {root.name}"))["id"])


async def test_connector_is_read_back_as_it_was_sent(platform: Platform, api: Client, urn_id: str) -> None:
    [fs] = [i for i in (await api.get("/integrations/installed"))["items"] if i["name"] == "fs"]
    body = a_connector_body(
        "store",
        urn_id,
        {"root": str(platform.files), "passphrase": CANARY},
        name="vault",
        integration={"id": fs["id"]},
        data_classes=["zeta", "alpha"],
        environment="production",
        temperature="cold",
        endpoints=[{"endpoint": "b.example.com"}, {"endpoint": "a.example.com"}],
        unknown={"key": True},
    )
    made = await api.post(api.org("/connectors"), body)
    read = await api.get(f"/connectors/{made['id']}")
    assert {name: read[name] for name in made} == made
    # What can be done with it is told where one is read, not in listings.
    assert read.keys() - made.keys() == {"revision", "last_check", "actions"}
    for key in ("name", "type", "protocol", "fields", "data_classes", "environment", "temperature", "endpoints"):
        assert read[key] == body[key], key
    assert (read["integration"]["id"], read["integration"]["name"]) == (fs["id"], "fs")
    assert (read["resource"]["urn_id"], read["resource"]["urn"]) == (urn_id, "urn:files")


async def test_what_is_not_said_is_chosen(platform: Platform, api: Client, urn_id: str) -> None:
    body = {"name": "bare", "type": "source", "urn_id": urn_id, "fields": {"root": {"value": str(platform.files)}}}
    nothing = dict.fromkeys(("integration", "endpoints", "data_classes", "environment", "temperature", "protocol"))
    for sent in (body, body | nothing, body | {"integration": {"id": None}, "protocol": ""}):
        made = await api.post(api.org("/connectors"), sent)
        assert (made["protocol"], made["integration"]["name"], made["temperature"]) == ("fs", "fs", "hot")
        assert (made["endpoints"], made["data_classes"], made["environment"]) == ([], [], "")


async def test_hooks_are_read_back_and_refused_by_field(platform: Platform, api: Client, urn_id: str) -> None:
    body = a_connector_body("source", urn_id, {"root": str(platform.files)}, hooks={"pre_job": "freeze"})
    made = await api.post(api.org("/connectors"), body)
    hooks = {"pre_job": "freeze", "post_job": None, "on_failure": "fail", "timeout_seconds": 600}
    assert made["hooks"] == hooks
    await api.post(f"/connectors/{made['id']}", made | {"urn_id": urn_id, "hooks": None})
    assert "hooks" not in await api.get(f"/connectors/{made['id']}")
    for kind, given, field in (("source", "../run", "hooks.pre_job"), ("store", "freeze", "hooks")):
        wrong = a_connector_body(kind, urn_id, {"root": str(platform.files)}, hooks={"pre_job": given})
        problem = await api.problem("POST", api.org("/connectors"), json=wrong)
        assert (problem["code"], [fault["field"] for fault in problem["fields"]]) == ("app_invalid", [field])


async def test_secrets_are_nowhere_in_clear(platform: Platform, api: Client, urn_id: str) -> None:
    store = await a_store(api, urn_id, platform.files / "sealed")
    assert (await api.get(f"/connectors/{store}"))["fields"]["passphrase"] == {"value": CANARY}
    typo = a_connector_body("source", urn_id, {"root": "/srv", "passphrse": CANARY})
    refused = await api.problem("POST", api.org("/connectors"), json=typo)
    assert "passphrse" in json.dumps(refused)
    assert CANARY not in json.dumps(refused)

    settings = platform.corner.settings()
    with MongoClient[dict[str, Any]](settings.mongodb_uri) as mongo:
        names = [n for n in mongo.list_database_names() if n.startswith(settings.database_prefix)]
        documents = [d for n in names for c in mongo[n].list_collection_names() for d in mongo[n][c].find()]
    assert len(documents) > 10
    assert CANARY not in repr(documents)
    async with open_wire(settings) as wire:
        for topic in topics.ALL:
            await ensure_topics(settings, [topic])
            assert not [r for r in await wire.read(topic) if CANARY.encode() in (r.value or b"")], topic
    assert not [log.name for log in platform.folder.glob("*.log") if CANARY in log.read_text()]


async def test_connectors_are_listed_whole_and_by_type(platform: Platform, api: Client, urn_id: str) -> None:
    fields = {"root": str(platform.files)}
    made = await asyncio.gather(*(api.connector("source", urn_id, fields, name=f"many {n}") for n in range(55)))
    store = await a_store(api, urn_id, platform.files / "listed")
    sources = await api.get(api.org("/connectors"), type="source")
    assert {c["id"] for c in made} <= {c["id"] for c in sources["items"]}
    assert {c["type"] for c in sources["items"]} == {"source"}
    assert sources["total"] == len(sources["items"]) > 50
    stores = (await api.get(api.org("/connectors"), type="store"))["items"]
    assert [c["fields"]["passphrase"] for c in stores if c["id"] == store] == [{"value": CANARY}]
    everything = {c["id"] for c in (await api.get(api.org("/connectors")))["items"]}
    assert everything >= {store, *(c["id"] for c in made)}
    assert (await api.problem("GET", api.org("/connectors"), params={"type": "teapot"}))["status"] == 400


async def test_update_replaces_everything_and_keeps_the_id(platform: Platform, api: Client, urn_id: str) -> None:
    store = await a_store(api, urn_id, platform.files / "updated")
    current = await api.get(f"/connectors/{store}")
    body = {k: current[k] for k in ("name", "type", "protocol", "fields", "environment", "temperature")}
    body |= {"integration": {"id": current["integration"]["id"]}, "urn_id": current["resource"]["urn_id"]}
    body |= {"data_classes": ["b", "a"], "endpoints": [], "name": "renamed"}
    await api.post(f"/connectors/{store}", body)
    changed = await api.get(f"/connectors/{store}")
    assert (changed["id"], changed["name"], changed["data_classes"]) == (store, "renamed", ["b", "a"])
    assert changed["fields"] == current["fields"]
    again = await api.problem("POST", f"/connectors/{store}", json=body | {"type": "source"})
    assert again["code"] == "app_kind_fixed"
    lost = await api.problem("POST", f"/connectors/{store}", json=body | {"urn_id": "nothing"})
    assert (lost["status"], lost["fields"][0]["field"]) == (400, "urn_id")
    assert (await api.problem("POST", "/connectors/nothing", json=body))["code"] == "app_not_found"


async def test_removed_connector_is_gone(platform: Platform, api: Client, urn_id: str) -> None:
    source = (await api.connector("source", urn_id, {"root": str(platform.files)}))["id"]
    assert (await api.call("DELETE", f"/connectors/{source}")).status_code == 204
    assert (await api.problem("GET", f"/connectors/{source}"))["status"] == 404
    assert (await api.problem("DELETE", f"/connectors/{source}"))["status"] == 404


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"fields": {"root": {"value": "relative"}}}, 400),
        ({"fields": {"root": {"value": 7}}}, 400),
        ({"fields": {"root": {"value": "/srv"}, "colour": {"value": CANARY}}}, 400),
        ({"type": "teapot"}, 400),
        ({"name": ""}, 400),
        ({"temperature": "tepid"}, 400),
        ({"urn_id": "nothing"}, 404),
        ({"urn_id": ""}, 400),
        ({"protocol": "ftp"}, 400),
        ({"integration": {"id": "nothing"}}, 400),
    ],
)
async def test_wrong_connectors_are_refused_in_words(
    api: Client, urn_id: str, changes: dict[str, Any], status: int
) -> None:
    body = a_connector_body("source", urn_id, {"root": "/srv"}) | changes
    problem = await api.problem("POST", api.org("/connectors"), json=body)
    assert problem["status"] == status, problem
    assert CANARY not in json.dumps(problem)


async def test_integration_that_does_not_fit_is_refused(api: Client) -> None:
    urn_id = await api.resource(await api.inventory(), **{"class": "teapot"}, subclass="brown")
    problem = await api.problem(
        "POST", api.org("/connectors"), json=a_connector_body("source", urn_id, {"root": "/srv"})
    )
    assert problem["status"] == 400
    assert "teapot" in problem["detail"]


async def test_connection_test_reports_each_check(platform: Platform, api: Client, urn_id: str) -> None:
    here, gone = platform.files / "here", platform.files / "is-not-there"
    here.mkdir(exist_ok=True)
    good = (await api.connector("source", urn_id, {"root": str(here)}))["id"]
    report = await api.post(f"/connectors/{good}/test")
    assert report.keys() == {"ok", "checks", "initialized", "warnings"}
    assert (report["ok"], report["initialized"], report["warnings"]) == (True, None, [])
    assert report["checks"]
    for check in report["checks"]:
        assert check.keys() == {"name", "ok", "duration_ms", "detail"}
        assert check["duration_ms"] >= 0
    bad = (await api.connector("source", urn_id, {"root": str(gone)}))["id"]
    report = await api.post(f"/connectors/{bad}/test")
    assert report["ok"] is False
    assert any("is-not-there" in c["detail"] for c in report["checks"] if not c["ok"])
    assert (await api.problem("POST", "/connectors/nothing/test"))["code"] == "app_not_found"


@pytest.mark.parametrize("body", [None, {}, {"compression": "ZSTD"}])
async def test_store_is_created_once_and_then_adopted(platform: Platform, api: Client, urn_id: str, body: Any) -> None:
    store = await a_store(api, urn_id, platform.files / f"store-{len(json.dumps(body))}")
    headers = {"Content-Type": "application/json"}
    assert (await api.post(f"/connectors/{store}/test"))["initialized"] is False
    content = json.dumps(body).encode() if body is not None else b""
    made = await api.call("POST", f"/connectors/{store}/stores/create", content=content, headers=headers)
    assert (made.status_code, made.json()["adopted"]) == (200, False)
    assert (await api.post(f"/connectors/{store}/test"))["initialized"] is True
    again = await api.call("POST", f"/connectors/{store}/stores/create", headers=headers)
    assert (again.status_code, again.json()["adopted"]) == (200, True)


@pytest.mark.parametrize("body", [None, {}, {"rebuild": None}, {"rebuild": True, "unknown": 1}])
async def test_store_is_compared_with_what_is_known_of_it(
    platform: Platform, api: Client, urn_id: str, body: Any
) -> None:
    store = await a_store(api, urn_id, platform.files / f"refreshed-{len(json.dumps(body))}")
    missing = await api.problem("POST", f"/connectors/{store}/stores/refresh", json=body)
    assert (missing["status"], missing["code"]) == (409, "store_not_initialized")
    await api.post(f"/connectors/{store}/stores/create")
    rebuild = bool(body and body.get("rebuild"))
    assert await api.post(f"/connectors/{store}/stores/refresh", body) == {
        "id": store,
        "rebuild": rebuild,
        "added": 0,
        "removed": 0,
        "listed": 0,
        "damaged": 0,
        "warnings": [],
    }


async def test_what_cannot_be_refreshed_is_told(platform: Platform, api: Client, urn_id: str) -> None:
    source = (await api.connector("source", urn_id, {"root": str(platform.files)}))["id"]
    assert (await api.problem("POST", f"/connectors/{source}/stores/refresh"))["code"] == "not_a_store"
    assert (await api.problem("POST", "/connectors/nothing/stores/refresh"))["status"] == 404
    store = await a_store(api, urn_id, platform.files / "odd refresh")
    odd = await api.problem("POST", f"/connectors/{store}/stores/refresh", json={"rebuild": "a lot"})
    assert odd["status"] == 400


async def test_locks_of_a_store_are_shown_and_removed_once_they_are_stale(
    platform: Platform, api: Client, urn_id: str
) -> None:
    root = platform.files / "store-with-locks"
    store = await a_store(api, urn_id, root)
    missing = await api.problem("GET", f"/connectors/{store}/stores/locks")
    assert (missing["status"], missing["code"]) == (409, "store_not_initialized")
    await api.post(f"/connectors/{store}/stores/create", {"compression": "LZ4"})
    lock = leave_lock(root, CANARY, host="elsewhere")
    [told] = (await api.get(f"/connectors/{store}/stores/locks"))["items"]
    assert (told["host"], told["process"], told["user"], told["stale"]) == ("elsewhere", 4711, "me", False)
    refused = await api.problem("POST", f"/connectors/{store}/stores/unlock")
    assert (refused["status"], refused["code"]) == (409, "lock_not_stale")
    lock.unlink()
    leave_lock(root, CANARY, host="elsewhere", minutes_old=31)
    done = await api.post(f"/connectors/{store}/stores/unlock")
    assert ([each["stale"] for each in done["removed"]], done["remaining"]) == ([True], [])
    entries = await api.audited(action="store.unlock")
    of_store = [entry for entry in entries if entry["subject"]["id"] == store]
    assert [(entry["outcome"], entry["code"]) for entry in of_store] == [
        ("completed", None),
        ("failed", "lock_not_stale"),
    ]


async def test_storage_that_is_away_is_given_up_by_force_only_and_that_is_in_the_audit_log(
    platform: Platform, api: Client, urn_id: str
) -> None:
    root = platform.files / "given-up"
    store = await a_store(api, urn_id, root)
    assert (await api.post(f"/connectors/{store}/stores/create", {"compression": "LZ4"}))["compression"] == "fastest"
    assert (await api.post(f"/connectors/{store}/stores/create", {"compression": "ZSTD"}))["compression"] == "auto"
    shutil.rmtree(root)
    report = await api.post(f"/connectors/{store}/test")
    assert (report["ok"], report["initialized"]) == (False, False)
    refused = await api.problem("POST", f"/connectors/{store}/stores/create")
    assert (refused["status"], refused["code"]) == (409, "repository_missing")
    made = await api.post(f"/connectors/{store}/stores/create", {"force": True})
    assert (made["adopted"], (await api.post(f"/connectors/{store}/test"))["ok"]) == (False, True)
    [entry] = await api.audited(action="store.replace")
    assert entry["subject"] == {"kind": "store", "id": store}


async def test_stores_that_cannot_be_created(platform: Platform, api: Client, urn_id: str) -> None:
    for passphrase in (None, "", "  "):
        bare = await a_store(api, urn_id, platform.files / "bare", passphrase)
        refused = await api.problem("POST", f"/connectors/{bare}/stores/create")
        assert (refused["status"], refused["code"]) == (400, "passphrase_missing")
    source = (await api.connector("source", urn_id, {"root": str(platform.files)}))["id"]
    assert (await api.problem("POST", f"/connectors/{source}/stores/create"))["code"] == "not_a_store"
    store = await a_store(api, urn_id, platform.files / "odd")
    odd = await api.problem("POST", f"/connectors/{store}/stores/create", json={"compression": "RAR"})
    assert odd["status"] == 400
    outside = await a_store(api, urn_id, Path("/usr"))
    refused = await api.problem("POST", f"/connectors/{outside}/stores/create")
    assert (refused["status"], refused["code"]) == (403, "root_forbidden")
    assert (await api.problem("POST", "/connectors/nothing/stores/create"))["status"] == 404


async def test_wrong_passphrase_of_an_existing_store_is_told(platform: Platform, api: Client, urn_id: str) -> None:
    root = platform.files / "shared"
    await api.post(f"/connectors/{await a_store(api, urn_id, root)}/stores/create")
    other = await a_store(api, urn_id, root, "another-passphrase")
    refused = await api.problem("POST", f"/connectors/{other}/stores/create")
    assert refused["code"] == "passphrase_wrong"
    assert "another-passphrase" not in json.dumps(refused)


async def test_role_lists_name_users_that_are_there(api: Client, urn_id: str) -> None:
    source = (await api.connector("source", urn_id, {"root": "/srv"}))["id"]
    me = f"self:{(await api.get('/account/me'))['id']}"
    lists = {"can_read": [me], "can_execute": [me], "can_write": [], "can_own": None}
    answer = await api.call("PUT", f"/connectors/{source}/roles", json=lists)
    assert (answer.status_code, answer.json()) == (200, lists | {"can_own": []})
    assert (await api.problem("PUT", "/connectors/nothing/roles", json=lists))["status"] == 404
    for wrong in ("a", 7, {}, [7], ["nobody"], ["self:"], ["team:x"]):
        refused = await api.problem("PUT", f"/connectors/{source}/roles", json={"can_read": wrong})
        assert refused["status"] == 400, wrong
    unknown = await api.problem("PUT", f"/connectors/{source}/roles", json=lists | {"can_write": [me, "self:nobody"]})
    assert (unknown["status"], unknown["code"]) == (400, "user_not_found")
    assert [f["field"] for f in unknown["fields"]] == ["can_write.1"]
    assert "nobody" in unknown["detail"]


async def test_secret_provider_that_is_not_there_is_named(api: Client, urn_id: str) -> None:
    body = a_connector_body("store", urn_id, {"root": "/srv"})
    body["fields"]["passphrase"] = {"value": "kv/backup", "provider": {"id": "vault-7"}}
    refused = await api.problem("POST", api.org("/connectors"), json=body)
    assert (refused["status"], refused["code"]) == (400, "provider_not_found")
    assert [f["field"] for f in refused["fields"]] == ["fields.passphrase.provider.id"]
    assert "vault-7" in refused["detail"]


async def test_who_may_not_see_secrets_reads_that_they_are_kept(platform: Platform, api: Client, urn_id: str) -> None:
    store = await a_store(api, urn_id, platform.files / "masked")
    masked = {"root": {"value": str(platform.files / "masked")}, "passphrase": {"value": "", "masked": True}}
    for role in ("operator", "auditor", "backup-operator"):
        member = await as_member(platform, api, role)
        assert (await member.get(f"/connectors/{store}"))["fields"] == masked
        listed = await member.call("GET", api.org("/connectors"))
        assert [c["fields"] for c in listed.json()["items"] if c["id"] == store] == [masked]
        assert CANARY not in listed.text
    keeper = await as_member(platform, api, "administrator")
    assert (await keeper.get(f"/connectors/{store}"))["fields"]["passphrase"] == {"value": CANARY}

    body = a_connector_body("store", urn_id, {}, name="renamed") | {"fields": masked}
    await api.post(f"/connectors/{store}", body)
    changed = await api.get(f"/connectors/{store}")
    assert (changed["name"], changed["fields"]["passphrase"]) == ("renamed", {"value": CANARY})
    refused = await api.problem("POST", api.org("/connectors"), json=body)
    assert (refused["status"], refused["code"]) == (409, "nothing_masked")


async def test_changes_and_reads_of_secrets_stand_in_the_audit_log(
    platform: Platform, api: Client, urn_id: str
) -> None:
    store = await a_store(api, urn_id, platform.files / "audited")
    current = await api.get(f"/connectors/{store}")
    await api.post(f"/connectors/{store}", {**current, "urn_id": urn_id, "integration": None, "name": "audited"})
    assert (await api.call("DELETE", f"/connectors/{store}")).status_code == 204
    assert (await api.call("DELETE", f"/connectors/{store}")).status_code == 404
    me = (await api.get("/account/me"))["id"]
    auditor = await as_member(platform, api, "auditor")
    told = [
        (e["action"], e["outcome"], e["code"], e["account_id"])
        for e in await auditor.audited(limit=1000)
        if e["subject"]["id"] == store
    ]
    assert told[::-1] == [
        ("connector.create", "completed", None, me),
        # The answer to the creation shows them, too.
        *[("secret.read", "completed", None, me)] * 2,
        ("connector.change", "completed", None, me),
        ("secret.read", "completed", None, me),
        ("connector.remove", "completed", None, me),
        ("connector.remove", "failed", "app_not_found", me),
    ]


async def test_incomplete_connector_is_kept_and_refused_until_it_is_filled_in(
    platform: Platform, api: Client, urn_id: str
) -> None:
    root = platform.files / "filled in later"
    root.mkdir()
    sent = {"root": {"value": ""}, "passphrase": {"value": CANARY}}
    store = await api.post(api.org("/connectors"), a_connector_body("store", urn_id, {}) | {"fields": sent})
    faults = [{"field": "fields.root", "detail": "is missing"}]
    read = await api.get(f"/connectors/{store['id']}")
    assert (read["fields"], read["complete"], read["faults"]) == (sent, False, faults)
    source = await api.connector("source", urn_id, {"root": str(root)})
    assert (source["complete"], source["faults"]) == (True, [])
    run = {"type": "backup", "origin_id": source["id"], "target_id": store["id"]}
    for path, body in (
        (f"/connectors/{store['id']}/test", None),
        (f"/connectors/{store['id']}/stores/create", None),
        (f"/connectors/{store['id']}/stores/refresh", None),
        ("/scheduling/scheduler/run", run),
    ):
        refused = await api.problem("POST", path, json=body)
        assert (refused["status"], refused["code"], refused["fields"]) == (409, "connector_incomplete", faults), path
    filled = a_connector_body("store", urn_id, {"root": str(root / "store"), "passphrase": CANARY})
    assert (await api.post(f"/connectors/{store['id']}", filled))["complete"]
    assert (await api.post(f"/connectors/{store['id']}/stores/create"))["initialized"]


async def test_integrations_are_offered_and_installed(api: Client) -> None:
    catalog, installed = await api.get("/integrations/catalog"), await api.get("/integrations/installed")
    assert {i["name"] for i in installed["items"]} >= {"fs", "s3"}
    assert all({"id", "name", "version"} <= i.keys() for i in catalog["items"])
    [fs] = [i for i in catalog["items"] if i["name"] == "fs"]
    assert await api.post("/integrations/installed", {"name": "fs", "version": fs["version"]}) == fs
    assert await api.post("/integrations/installed", {"name": "fs"}) == fs
    for unknown in ({"name": "nothing", "version": "1"}, {"name": "fs", "version": "0.0.0"}):
        assert (await api.problem("POST", "/integrations/installed", json=unknown))["code"] == "integration_not_found"
