"""Any process may die at any time: nothing is lost, nothing is done twice."""

import os
import signal
from pathlib import Path

import pytest
from cairn_local.api_client import Api

from tests.e2e.conftest import SERVICES, Directory, Platform
from tests.support.bodies import a_resource_body
from tests.support.waiting import eventually


def test_each_step_works_after_all_processes_were_killed(platform: Platform, tree: Path, tmp_path: Path) -> None:
    def again() -> Api:
        platform.kill(*SERVICES)
        return platform.api()

    inventory = again().create_inventory("kills")
    apps = {}
    for kind, path in (("source", tree), ("store", tmp_path / "store")):
        urn_id = again().create_resource(inventory, a_resource_body(f"urn:kills:{kind}"))
        fields = {"root": str(path)} | ({"passphrase": "kill-passphrase"} if kind == "store" else {})
        apps[kind] = again().create_connector(
            kind, name=f"kills-{kind}", integration="fs", urn_id=urn_id, fields=fields
        )
    assert again().post(f"/connectors/{apps['store']}/test")["initialized"] is False
    again().post(f"/connectors/{apps['store']}/stores/create")
    run = again().start_backup(apps["source"], apps["store"])
    job = again().wait_for_run(run)
    assert job["status"] == "succeeded"
    [point] = again().snapshots(apps["store"])
    assert [e["name"] for e in again().files(point["snapshot_id"], "/documents")]
    content = again().content(point["snapshot_id"], "/documents/letter.txt").content
    assert content == (tree / "documents" / "letter.txt").read_bytes()


@pytest.mark.parametrize("service", SERVICES)
def test_run_survives_the_kill_of_any_process(
    platform: Platform, api: Api, directory: Directory, service: str, tree: Path, tmp_path: Path
) -> None:
    _, source = directory("source", tree)
    _, store = directory("store", tmp_path / "store")
    api.post(f"/connectors/{store}/stores/create")
    run = api.start_backup(source, store)

    platform.kill(service)

    job = api.wait_for_run(run)
    assert job["status"] == "succeeded", api.job_log(job["id"])
    [point] = api.snapshots(store)
    assert {e["name"] for e in api.files(point["snapshot_id"])} >= {"documents", "..hidden"}


def test_backup_of_a_killed_worker_is_taken_over(
    platform: Platform, api: Api, directory: Directory, tmp_path: Path
) -> None:
    root = tmp_path / "big"
    root.mkdir()
    for n in range(10):
        (root / f"{n}.bin").write_bytes(os.urandom(64_000_000))
    _, source = directory("source", root)
    _, store = directory("store", tmp_path / "store")
    api.post(f"/connectors/{store}/stores/create")
    run = api.start_backup(source, store)
    eventually(lambda: _transferring(api, run), deadline_seconds=60)

    platform.kill("connector")
    job = api.wait_for_run(run, deadline_seconds=180)

    assert job["status"] == "succeeded", api.job_log(job["id"])
    assert api.get(f"/scheduling/jobs/{job['id']}")["attempt"] == 2
    [point] = api.snapshots(store)
    assert len(list(api.files(point["snapshot_id"]))) == 10


def _transferring(api: Api, run: str) -> bool:
    job = api.get(f"/scheduling/scheduler/run/{run}").get("job")
    progress = job and api.get(f"/scheduling/jobs/{job['id']}").get("progress")
    return bool(progress and progress["bytes_done"])


def _inventories(api: Api) -> list[str]:
    names: list[str] = []
    while page := api.get(api.organization("/inventories"), limit=50, offset=len(names))["items"]:
        names += [i["name"] for i in page]
    return names


def test_repeated_request_with_the_same_key_is_done_once(platform: Platform, api: Api) -> None:
    path = api.organization("/inventories")
    body = {"name": "once", "type": "self-managed"}
    first = api.call("POST", path, json=body, headers={"Idempotency-Key": "once-1"}).json()
    platform.kill("catalog")
    second = api.call("POST", path, json=body, headers={"Idempotency-Key": "once-1"}).json()

    assert first["id"] == second["id"]
    assert _inventories(api).count("once") == 1


def test_command_sent_while_its_service_is_away_is_carried_out(platform: Platform, api: Api) -> None:
    os.kill(platform.pid("catalog"), signal.SIGKILL)
    answer = api.call("POST", api.organization("/inventories"), json={"name": "patience", "type": "self-managed"})
    assert answer.status_code in (200, 202)

    eventually(lambda: "patience" in _inventories(api), deadline_seconds=60)
    assert _inventories(api).count("patience") == 1
