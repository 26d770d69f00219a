"""What can be done with connectors, those of a resource and of an inventory in one read, and their removal."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest_asyncio

from tests.integration.gateway.client import Client, Json, a_connector_body
from tests.integration.gateway.conftest import Platform
from tests.integration.gateway.members import as_member
from tests.support.waiting import eventually_async

PASSPHRASE = "a passphrase of the overviews"
ALL = ("test", "initialize", "backup", "restore", "check", "sync", "prune")
WAITS = "#!/bin/sh\nwhile [ ! -e {gate} ]; do sleep 0.1; done\n"


@dataclass(frozen=True)
class Place:
    """A resource that nothing else uses, and a directory."""

    api: Client
    inventory: str
    urn_id: str
    files: Path

    @property
    def path(self) -> str:
        return f"/inventories/{self.inventory}/resources/{self.urn_id}"

    async def source(self, **changes: object) -> str:
        root = self.files / "source"
        root.mkdir(exist_ok=True)
        (root / "letter.txt").write_text("Dear reader\n")
        return str((await self.api.connector("source", self.urn_id, {"root": str(root)}, **changes))["id"])

    async def store(self, name: str = "store", *, initialized: bool = True) -> str:
        fields = {"root": str(self.files / name), "passphrase": PASSPHRASE}
        store = str((await self.api.connector("store", self.urn_id, fields, name=name))["id"])
        if initialized:
            await self.api.post(f"/connectors/{store}/stores/create")
        return store

    async def run(self, source: str, store: str, **more: object) -> str:
        body = {"type": "backup", "origin_id": source, "target_id": store, **more}
        return str((await self.api.post("/scheduling/scheduler/run", body))["id"])

    async def backed_up(self, source: str, store: str) -> Json:
        job = await self.api.finished(await self.run(source, store))
        assert job["status"] == "succeeded", job
        return job

    async def tested(self, connector: str, trigger: str) -> Json:
        """The last test once one of the newest revision was made for a reason."""

        async def made() -> Json | None:
            read = await self.api.get(f"/connectors/{connector}")
            last: Json | None = read["last_check"]
            is_it = last is not None and (last["trigger"], last["revision"]) == (trigger, read["revision"])
            return last if is_it else None

        return await eventually_async(made, 30) or {}

    async def reasons(self, connector: str) -> dict[str, str | None]:
        """Why each action is not available; None: it is."""
        actions = (await self.api.get(f"/connectors/{connector}"))["actions"]
        assert tuple(each["name"] for each in actions) == ALL
        assert all(each["available"] == (each["reason"] is None) for each in actions)
        return {each["name"]: each["reason"] and each["reason"]["code"] for each in actions}


@pytest_asyncio.fixture(scope="module", loop_scope="session", autouse=True)
async def tests_after_changes(platform: Platform) -> AsyncIterator[None]:
    """Each change of a connector is followed by a test, while the tests of this file run."""

    async def start_again(*, test_changes: bool) -> None:
        platform.running["assignment"].stop()
        platform.start("assignment", test_changes=test_changes)
        await platform.ready()

    await start_again(test_changes=True)
    yield
    await start_again(test_changes=False)


@pytest_asyncio.fixture(loop_scope="session")
async def place(platform: Platform, api: Client, tmp_path: Path) -> Place:
    files = platform.files / tmp_path.name
    files.mkdir(parents=True)
    inventory = await api.inventory("of the overviews")
    return Place(api, inventory, await api.resource(inventory, "urn:overviews"), files)


async def test_what_can_be_done_follows_what_becomes_of_a_store(place: Place) -> None:
    api = place.api
    source, store = await place.source(), await place.store(initialized=False)
    await place.tested(store, "change")
    missing = dict.fromkeys(("backup", "restore", "check", "sync", "prune"), "store_not_initialized")
    assert await place.reasons(store) == {"test": None, "initialize": None, **missing}
    # With the reason that a run of it fails with.
    run = await api.post("/scheduling/scheduler/run", {"type": "check", "origin_id": store})
    failed = await api.finished(run["id"])
    assert (failed["status"], failed["problem"]["code"]) == ("failed", "store_not_initialized")

    await api.post(f"/connectors/{store}/stores/create")

    async def can_be_used() -> bool:
        return (await place.reasons(store))["check"] is None

    await eventually_async(can_be_used, 20)
    never = dict.fromkeys(("check", "sync", "prune"), "not_for_this_type")
    possible = {"test": None, "initialize": "not_a_store", "backup": None, "restore": None}
    assert await place.reasons(source) == possible | never


async def test_each_reason_is_the_refusal_of_the_route_that_does_it(place: Place) -> None:
    api = place.api
    source, store = await place.source(), await place.store()
    assert (await place.reasons(source))["backup"] is None
    backup = {"type": "backup", "origin_id": source, "target_id": store}

    answer = await api.call("PATCH", f"{place.path}/lock", json={"locked": True})
    assert answer.status_code == 200, answer.text
    assert (await place.reasons(source))["backup"] == "resource_locked"
    assert (await api.problem("POST", "/scheduling/scheduler/run", json=backup))["code"] == "resource_locked"
    assert (await api.call("PATCH", f"{place.path}/lock", json={"locked": False})).status_code == 200

    emptied = a_connector_body("source", place.urn_id, {"root": ""})
    await api.post(f"/connectors/{source}", emptied)
    reasons = await place.reasons(source)
    assert {reasons[name] for name in ("test", "backup", "restore")} == {"connector_incomplete"}
    for path, body in ((f"/connectors/{source}/test", None), ("/scheduling/scheduler/run", backup)):
        assert (await api.problem("POST", path, json=body))["code"] == "connector_incomplete"

    bare = await api.connector("store", place.urn_id, {"root": str(place.files / "bare")})
    assert (await place.reasons(bare["id"]))["initialize"] == "passphrase_missing"
    assert (await api.problem("POST", f"/connectors/{bare['id']}/stores/create"))["code"] == "passphrase_missing"


async def test_tests_are_kept_with_why_they_were_made(place: Place) -> None:
    api, source = place.api, await place.source()
    await place.tested(source, "change")
    report = await api.post(f"/connectors/{source}/test")
    told = await place.tested(source, "manual")
    assert {name: told[name] for name in report} == report
    broken = a_connector_body("source", place.urn_id, {"root": str(place.files / "is not there")})
    await api.post(f"/connectors/{source}", broken)
    last = await place.tested(source, "change")
    assert (last["ok"], last["revision"]) == (False, 2)

    history = await api.get(f"/connectors/{source}/tests")
    kinds = [(each["trigger"], each["revision"], each["ok"]) for each in history["items"]]
    assert kinds == [("change", 2, False), ("manual", 1, True), ("change", 1, True)]
    assert (history["total"], history["items"][0]) == (3, last)
    warnings = {each["name"]: each["warnings"] for each in (await api.get(f"/connectors/{source}"))["actions"]}
    assert [each["code"] for each in warnings["test"]] == []
    assert (await api.problem("GET", "/connectors/nothing/tests"))["status"] == 404


async def test_the_apps_of_a_resource_are_one_read(platform: Platform, place: Place) -> None:
    api, source, store = place.api, await place.source(name="files"), await place.store()
    jobs = [await place.backed_up(source, store) for _ in range(6)]
    destination = await api.connector("destination", place.urn_id, {"root": str(place.files / "back")})
    points = (await api.get(f"/snapshots/store/{store}"))["items"]
    await place.tested(source, "change")

    tab = await api.get(f"{place.path}/connectors")

    assert [[row["id"] for row in tab[name]] for name in ("sources", "stores", "destinations")] == [
        [source],
        [store],
        [destination["id"]],
    ]
    [row], [kept] = tab["sources"], tab["stores"]
    assert row["last_backup"] == kept["last_backup"] == jobs[-1]
    assert tab["destinations"][0]["last_backup"] is None
    assert (row["name"], row["protocol"], row["integration"]["name"]) == ("files", "fs", "fs")
    assert (row["complete"], row["locked"], row["next_run"], row["initialized"]) == (True, False, None, None)
    assert (row["last_check"]["ok"], kept["initialized"]) == (True, True)
    assert len(points) == 6
    assert tab["restore_points"] == points[:5]
    assert row["actions"] == (await api.get(f"/connectors/{source}"))["actions"]
    assert "fields" not in row

    stores = await api.get(f"/inventories/{place.inventory}/stores")
    assert stores == {"total": 1, "items": [kept]}
    for path in (f"/inventories/{place.inventory}/resources/nothing/connectors", "/inventories/nothing/stores"):
        assert (await api.problem("GET", path))["status"] == 404
    stranger = await as_member(platform, api)
    assert await stranger.get(f"/inventories/{place.inventory}/stores") == {"total": 0, "items": []}
    for path in (f"{place.path}/connectors", f"/connectors/{source}/tests", f"/connectors/{source}/removal"):
        assert (await stranger.problem("GET", path))["status"] == 403


async def test_of_two_who_change_a_connector_the_second_is_told(place: Place) -> None:
    api, source = place.api, await place.source()
    answer = await api.call("GET", f"/connectors/{source}")
    tag, read = answer.headers["etag"], answer.json()
    body = read | {"urn_id": place.urn_id}
    both = await asyncio.gather(
        *(
            api.call("POST", f"/connectors/{source}", json=body | {"name": name}, headers={"if-match": tag})
            for name in ("mine", "yours")
        )
    )
    assert sorted(each.status_code for each in both) == [200, 412]
    [done] = [each for each in both if each.status_code == 200]
    [refused] = [each.json() for each in both if each.status_code == 412]
    assert refused["code"] == "revision_changed"
    now = await api.call("GET", f"/connectors/{source}")
    assert (now.json()["name"], now.headers["etag"]) == (done.json()["name"], done.headers["etag"])
    assert now.headers["etag"] != tag
    late = await api.problem("DELETE", f"/connectors/{source}", headers={"if-match": tag})
    assert (late["status"], late["code"]) == (412, "revision_changed")
    done = await api.call("DELETE", f"/connectors/{source}", headers={"if-match": now.headers["etag"]})
    assert done.status_code == 204


async def test_a_read_that_is_sent_back_changes_nothing(place: Place) -> None:
    api, source = place.api, await place.source(data_classes=["z", "a"], environment="production")
    before = await api.call("GET", f"/connectors/{source}")
    shown = before.json()
    again = await api.post(f"/connectors/{source}", shown | {"urn_id": shown["resource"]["urn_id"]})
    after = await api.get(f"/connectors/{source}")
    # Only the test after the creation may have ended in between.
    changes = {"last_check"}
    assert {k: v for k, v in after.items() if k not in changes} == {k: v for k, v in shown.items() if k not in changes}
    assert again == {name: after[name] for name in again}


async def test_a_connector_that_a_job_uses_is_removed_by_force_only(platform: Platform, place: Place) -> None:
    api, source, store = place.api, await place.source(), await place.store()
    done = await place.backed_up(source, store)
    [point] = (await api.get(f"/snapshots/store/{store}"))["items"]
    gate = place.files / "gate"
    hook = platform.hooks / f"waits-{place.files.name}"
    hook.write_text(WAITS.format(gate=gate))
    hook.chmod(0o755)
    run = await place.run(source, store, config={"hooks": {"pre_job": hook.name}})
    try:

        async def is_running() -> Json | None:
            job: Json | None = (await api.get(f"/scheduling/scheduler/run/{run}")).get("job")
            return job if job and job["status"] == "running" else None

        job = await eventually_async(is_running, 30) or {}
        for connector in (source, store):
            told = await api.get(f"/connectors/{connector}/removal")
            assert (told["allowed"], told["allowed_by_force"]) == (False, True)
            assert told["uses"] == {
                "total": 1,
                "items": [{"kind": "job", "id": job["id"], "type": "backup", "status": "running"}],
            }
            assert (told["restore_points"], told["held"]) == (1, 0)
            refused = await api.problem("DELETE", f"/connectors/{connector}")
            assert (refused["status"], refused["code"]) == (409, "connector_in_use")
            assert [each["detail"] for each in told["reasons"]] == [refused["detail"]]
            assert job["id"] in refused["detail"]
        assert (await api.call("DELETE", f"/connectors/{source}", params={"force": "true"})).status_code == 204
        canceled = await api.finished(run)
        assert canceled["status"] == "canceled"
    finally:
        gate.touch()

    assert (await api.problem("GET", f"/connectors/{source}"))["status"] == 404
    [entry] = [e for e in await api.audited(action="connector.remove") if e["details"].get("force")][:1]
    assert entry["subject"]["id"] == source
    # What was backed up before stays where it is, found and read as before.
    assert (await api.get(f"/snapshots/store/{store}"))["items"] == [point]
    [kept] = (await api.get(f"/snapshots/source/{source}"))["items"]
    assert kept["snapshot_id"] == point["snapshot_id"]
    files = await api.get(f"/snapshots/{point['snapshot_id']}/files", path="/")
    assert files["items"]
    assert done["backup"]["snapshot_id"] == point["snapshot_id"]


async def test_a_connector_that_nothing_uses_is_removed_as_foretold(place: Place) -> None:
    api, store = place.api, await place.store()
    told = await api.get(f"/connectors/{store}/removal")
    assert (told["allowed"], told["reasons"], told["uses"]) == (True, [], {"total": 0, "items": []})
    assert told["effects"][-1].startswith("What is stored is not touched")
    assert (await api.call("DELETE", f"/connectors/{store}")).status_code == 204
    assert (place.files / "store" / "config").exists()
    assert (await api.problem("GET", f"/connectors/{store}/removal"))["status"] == 404


async def test_fifty_at_once_are_fifty(place: Place) -> None:
    api = place.api

    async def create(number: int) -> Json:
        body = a_connector_body("source", place.urn_id, {"root": str(place.files)}, name=f"at once {number}")
        headers = {"idempotency-key": f"at once {number} of {place.urn_id}"}
        while True:
            answer = await api.call("POST", api.org("/connectors"), json=body, headers=headers)
            if answer.status_code == 202:
                return (await api.ended(answer.json()["operation_id"], status="succeeded"))["result"]
            if answer.status_code == 200:
                return dict(answer.json())
            # A busy machine: the request is repeated as its refusal says, and makes no second one.
            assert answer.json()["code"] == "not_answered_in_time", answer.text

    made = await asyncio.gather(*map(create, range(50)))
    tab = await api.get(f"{place.path}/connectors")
    assert {row["id"] for row in tab["sources"]} == {each["id"] for each in made}
    assert sorted(row["name"] for row in tab["sources"]) == sorted(f"at once {number}" for number in range(50))
