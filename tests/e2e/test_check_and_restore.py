"""A store is checked, and a restore point goes into another directory, through the gateway."""

from pathlib import Path

from cairn_local.api_client import Api

from tests.e2e.conftest import Directory


def test_a_store_is_checked_and_a_part_is_restored(api: Api, directory: Directory, tree: Path, tmp_path: Path) -> None:
    _, source = directory("source", tree)
    _, store = directory("store", tmp_path / "store")
    _, destination = directory("destination", tmp_path / "restored")
    api.post(f"/connectors/{store}/stores/create")
    assert api.wait_for_run(api.start_backup(source, store, {}))["status"] == "succeeded"
    [point] = api.snapshots(store)
    run = "/scheduling/scheduler/run"

    check = api.wait_for_run(
        api.post(run, {"type": "check", "origin_id": store, "config": {"read_percent": 100}})["id"]
    )
    config = {"snapshot_id": point["snapshot_id"], "paths": ["/documents"], "overwrite": "if_newer"}
    wanted = {"type": "restore", "origin_id": store, "target_id": destination, "config": config}
    restore = api.wait_for_run(api.post(run, wanted)["id"])

    assert (check["status"], check["result"]["finding_count"]) == ("succeeded", 0)
    assert check["task"]["config"] == {"labels": [], "ignores": [], "snapshot_id": None, "read_percent": 100}
    assert restore["task"]["config"] == {"labels": [], "ignores": [], **config}
    assert restore["status"] == "succeeded", api.job_log(restore["id"])
    assert restore["result"]["files_verified"] == restore["result"]["files_written"] == restore["result"]["files"]
    made = sorted((tmp_path / "restored").rglob("*"))
    assert {str(path.relative_to(tmp_path / "restored")): path.read_bytes() for path in made if path.is_file()} == {
        f"documents/{path.name}": path.read_bytes() for path in (tree / "documents").iterdir() if path.is_file()
    }
