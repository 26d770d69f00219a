"""A client that knows sections 12 to 14 of the compatibility reference alone: restore points, one-off runs and jobs.

It sends `Content-Type: application/json` with everything, and reads what the reference says that clients read.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from cairn_local.api_client import Api

from tests.e2e.conftest import Directory, Platform

RETENTION_OF_ALL = {"year": 100, "per_year": 1000}
ONE_A_DAY = {"day": 1, "per_day": 1}
FINAL = ("canceled", "succeeded", "failed")


@dataclass(frozen=True)
class Client:
    """Speaks the API as the public clients do: 200 is success, nothing else."""

    http: httpx.Client

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """The JSON of an answer."""
        answer = self.http.request(method, path, json=body)
        assert answer.status_code == 200, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json()

    def run(self, **task: Any) -> dict[str, Any]:
        """Run a task to its end; its job."""
        return self.follow(self.ask("POST", "/scheduling/scheduler/run", task)["id"])

    def follow(self, at_id: str) -> dict[str, Any]:
        """Poll a run until its job has stopped; `job` may be absent until there is one."""
        until = time.monotonic() + 120
        while time.monotonic() < until:
            job = self.ask("GET", f"/scheduling/scheduler/run/{at_id}").get("job") or {}
            if job.get("stopped_at") is not None:
                return dict(job)
            time.sleep(0.1)
        raise TimeoutError(at_id)

    def points(self, store: str) -> list[dict[str, Any]]:
        """All restore points of a store, in the order of their times as texts."""
        return sorted(self.ask("GET", f"/snapshots/store/{store}")["items"], key=lambda point: point["creation_time"])

    def prune(self, store: str, step: str, body: dict[str, Any]) -> dict[str, Any]:
        """Preview or run a rule."""
        return dict(self.ask("POST", f"/snapshots/store/{store}/prune/{step}", body))


@dataclass(frozen=True)
class Stored:
    """A store with four restore points of today, two of each of two sources, oldest first."""

    first: str
    second: str
    store: str
    ids: tuple[str, ...]


@pytest.fixture
def client(api: Api, platform: Platform) -> Iterator[Client]:
    """Logged in by an API key."""
    headers = {"Content-Type": "application/json"}
    url = f"{platform.status().gateway}/api/v1"
    with httpx.Client(base_url=url, headers=headers, timeout=30, trust_env=False) as http:
        key = {"api_key": platform.credentials["api_key"]}
        http.headers["Authorization"] = f"Bearer {http.post('/auth/login/apikey', json=key).json()['token']}"
        yield Client(http)


@pytest.fixture
def stored(client: Client, directory: Directory, tree: Path, tmp_path: Path) -> Stored:
    """See `Stored`; the labels are `nightly`, then `nightly` and `release`."""
    other = tmp_path / "other"
    other.mkdir()
    (other / "note.txt").write_text("of another source")
    (_, first), (_, second), (_, store) = (
        directory("source", tree),
        directory("source", other),
        directory("store", tmp_path / "store"),
    )
    client.ask("POST", f"/connectors/{store}/stores/create")
    for labels in (["nightly"], ["nightly", "release"]):
        for source in (first, second):
            job = client.run(type="backup", origin_id=source, target_id=store, config={"labels": labels, "ignores": []})
            assert job["status"] == "succeeded"
            # Listed as soon as the run reports that it has stopped.
            assert sorted(client.points(store)[-1]["tags"]) == labels
    return Stored(first, second, store, tuple(point["snapshot_id"] for point in client.points(store)))


def test_restore_points_are_listed_with_what_clients_read(client: Client, stored: Stored) -> None:
    points = client.points(stored.store)
    assert len(points) == 4
    assert all(
        len(point["snapshot_id"]) == 64 and set(point["snapshot_id"]) <= set("0123456789abcdef") for point in points
    )
    times = [datetime.fromisoformat(point["creation_time"]) for point in points]
    assert times == sorted(times)


def test_a_rule_is_previewed_run_and_run_again(client: Client, stored: Stored) -> None:
    a, b, c, d = stored.ids
    by_source = ONE_A_DAY | {"locate": {"group_by": "dataset"}}

    everything = client.prune(stored.store, "preview", RETENTION_OF_ALL)
    assert (everything["would_delete"], sorted(everything["would_keep"])) == ([], sorted(stored.ids))
    whole = client.prune(stored.store, "preview", ONE_A_DAY)
    assert (sorted(whole["would_delete"]), whole["would_keep"]) == (sorted((a, b, c)), [d])
    without = client.prune(stored.store, "preview", ONE_A_DAY | {"locate": {"filters": {"ignore_tags": ["release"]}}})
    assert (without["would_delete"], without["would_keep"]) == ([a], [b])
    tagged = client.prune(stored.store, "preview", ONE_A_DAY | {"locate": {"filters": {"tags": ["release"]}}})
    assert (tagged["would_delete"], tagged["would_keep"]) == ([c], [d])
    preview = client.prune(stored.store, "preview", by_source)
    assert (sorted(preview["would_delete"]), sorted(preview["would_keep"])) == (sorted((a, b)), sorted((c, d)))
    assert (preview["held"], preview["floored"]) == ([], [])

    nothing = client.prune(stored.store, "run", RETENTION_OF_ALL)
    assert nothing["deleted"] == []
    assert not nothing.get("at_ids")
    ran = client.prune(stored.store, "run", by_source)
    assert (sorted(ran["deleted"]), ran["held"], ran["floored"]) == (sorted((a, b)), [], [])
    jobs = [client.follow(at_id) for at_id in ran["at_ids"]]
    assert {job["status"] for job in jobs} == {"succeeded"}
    # Gone as soon as the deletion's run reports that it has stopped.
    assert [point["snapshot_id"] for point in client.points(stored.store)] == [c, d]
    again = client.prune(stored.store, "run", by_source)
    assert (again["deleted"], again.get("at_ids")) == ([], None)
    listed = client.ask("GET", "/scheduling/jobs?task_type=rm&limit=200")["items"]
    assert {job["id"] for job in jobs} <= {job["id"] for job in listed}


def test_each_type_of_run_ends_and_has_a_log(
    client: Client, stored: Stored, directory: Directory, tmp_path: Path
) -> None:
    _, destination = directory("destination", tmp_path / "restored")
    _, copy = directory("store", tmp_path / "copy")
    client.ask("POST", f"/connectors/{copy}/stores/create")

    jobs = {
        "restore": client.run(
            type="restore", origin_id=stored.store, target_id=destination, config={"snapshot_id": stored.ids[0]}
        ),
        "check": client.run(type="check", origin_id=stored.store),
        "check of one": client.run(type="check", origin_id=stored.store, config={"snapshot_id": stored.ids[1]}),
        "check of labels": client.run(type="check", origin_id=stored.store, config={"labels": ["release"]}),
        "sync": client.run(type="sync", origin_id=stored.store, target_id=copy, config={"labels": ["release"]}),
    }

    assert {name: job["status"] for name, job in jobs.items()} == dict.fromkeys(jobs, "succeeded")
    assert (tmp_path / "restored" / "documents" / "letter.txt").is_file()
    assert len(client.points(copy)) == 2
    for job in jobs.values():
        log = client.http.get(f"/scheduling/jobs/{job['id']}/log")
        assert log.status_code == 200
        assert log.headers["content-type"].startswith("text/plain")
        assert log.text.strip()
        assert client.ask("GET", f"/scheduling/jobs/{job['id']}/state")["status"] == "succeeded"


def test_jobs_are_listed_newest_first_by_type_and_status(client: Client, stored: Stored) -> None:
    failed = client.run(type="check", origin_id=stored.store, config={"snapshot_id": "0" * 64})
    assert failed["status"] == "failed"
    assert client.http.get(f"/scheduling/jobs/{failed['id']}/log").text.strip()

    page = client.ask("GET", "/scheduling/jobs?limit=200&offset=0")
    times = [job["created_at"] for job in page["items"]]
    assert times == sorted(times, reverse=True)
    assert len(times) == min(page["total"], 200)
    assert all(
        {"id", "status", "task", "schedule_at", "created_at", "started_at", "stopped_at"} <= job.keys()
        for job in page["items"]
    )
    backups = client.ask("GET", "/scheduling/jobs?task_type=backup&task_status=succeeded&limit=4")
    assert [(job["task"]["type"], job["status"]) for job in backups["items"]] == [("backup", "succeeded")] * 4
    newest = client.ask("GET", "/scheduling/jobs?task_status=failed&limit=1")["items"][0]
    assert newest["id"] == failed["id"]
    assert all(job["status"] in FINAL for job in page["items"])
