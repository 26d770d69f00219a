"""The life of a restore point, watched through the live stream: made, checked, copied, restored, held, pruned."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from cairn_local.api_client import Api

from tests.e2e.conftest import Directory, Platform
from tests.support.waiting import eventually

ONE_A_DAY = {"day": 1, "per_day": 1}


@dataclass
class Watched:
    """What the live stream told so far."""

    events: list[dict[str, Any]] = field(default_factory=list)
    opened: threading.Event = field(default_factory=threading.Event)

    def statuses(self, job_id: str) -> list[str]:
        """The statuses of a job, in order."""
        return [e["status"] for e in self.events if e["kind"] == "job" and e["job_id"] == job_id]

    def points(self, store: str, change: str) -> list[str]:
        """Restore points of a store that changed so, in order."""
        about = [e for e in self.events if e["kind"] == "restore-point" and e["store_id"] == store]
        return [e["snapshot_id"] for e in about if e["change"] == change]


@contextmanager
def watching(platform: Platform, api: Api) -> Iterator[Watched]:
    """Listen to everything of the organization until the context is left."""
    watched = Watched()
    key = {"api_key": platform.credentials["api_key"]}
    with httpx.Client(base_url=f"{api.url}/api/v1", timeout=60, trust_env=False) as http:
        token = http.post("/auth/login/apikey", json=key).json()["token"]

        def listen() -> None:
            try:
                with http.stream("GET", "/stream", headers={"Authorization": f"Bearer {token}"}) as stream:
                    watched.opened.set()
                    for line in stream.iter_lines():
                        if line.startswith("data:"):
                            watched.events.append(json.loads(line.removeprefix("data:")))
            except httpx.HTTPError:
                return  # The client was closed: nobody listens any more.

        listener = threading.Thread(target=listen, daemon=True)
        listener.start()
        assert watched.opened.wait(30)
        yield watched
        http.close()
        listener.join(10)


@dataclass(frozen=True)
class Journey:
    """Runs tasks to their end."""

    api: Api

    def run(self, type_: str, origin: str, target: str | None = None, **config: Any) -> dict[str, Any]:
        """The job of a run that succeeded."""
        body: dict[str, Any] = {"type": type_, "origin_id": origin, "config": config}
        started = self.api.post("/scheduling/scheduler/run", body | ({"target_id": target} if target else {}))
        return self.succeeded(started["id"])

    def succeeded(self, run_id: str) -> dict[str, Any]:
        """The job of a run, which has to succeed."""
        job = self.api.wait_for_run(run_id)
        assert job["status"] == "succeeded", self.api.job_log(job["id"])
        return job

    def prune(self, store: str, step: str) -> dict[str, Any]:
        """Preview or run a rule that keeps one restore point a day."""
        return dict(self.api.post(f"/snapshots/store/{store}/prune/{step}", ONE_A_DAY))

    def hold(self, store: str, snapshot_id: str, body: dict[str, Any]) -> dict[str, Any]:
        """Set or lift a legal hold."""
        return dict(self.api.call("PATCH", f"/snapshots/store/{store}/{snapshot_id}", json=body).json())


def test_a_restore_point_lives_and_is_watched(
    api: Api, platform: Platform, directory: Directory, tree: Path, tmp_path: Path
) -> None:
    (_, source), (_, store) = directory("source", tree), directory("store", tmp_path / "store")
    _, replica = directory("store", tmp_path / "replica", passphrase="another one")
    _, destination = directory("destination", tmp_path / "restored")
    journey, elsewhere = Journey(api), tmp_path / "restored" / "copies"

    with watching(platform, api) as watched:
        api.post(f"/connectors/{store}/stores/create")
        api.post(f"/connectors/{replica}/stores/create", {"chunker_of": store})
        backups = [journey.run("backup", source, store, labels=["first"])]
        (tree / "documents" / "letter.txt").write_text("Dear reader, this is new.")
        backups.append(journey.run("backup", source, store, labels=["second"]))
        first, second = (job["backup"]["snapshot_id"] for job in backups)

        check = journey.run("check", store, read_percent=100)
        sync = journey.run("sync", store, replica)
        restore = journey.run(
            "restore", replica, destination, labels=["second"], latest=True, paths=["/documents"], root="copies"
        )
        assert (check["result"]["finding_count"], sync["result"]["type"], restore["result"]["type"]) == (
            0,
            "sync",
            "restore",
        )
        assert {point["original"] for point in api.snapshots(replica)} == {first, second}
        assert (elsewhere / "documents" / "letter.txt").read_text() == "Dear reader, this is new."
        assert (elsewhere / "documents" / "random.bin").read_bytes() == (tree / "documents" / "random.bin").read_bytes()
        assert not (elsewhere / "..hidden").exists()

        held = journey.hold(store, first, {"legal_hold": True, "reason": "a case in court"})
        assert held["legal_hold"]
        kept = journey.prune(store, "preview")
        assert (kept["would_delete"], kept["held"], kept["would_keep"]) == ([], [first], [second])
        assert journey.prune(store, "run").get("at_ids") is None
        assert not journey.hold(store, first, {"legal_hold": False})["legal_hold"]
        assert journey.prune(store, "preview")["would_delete"] == [first]
        ran = journey.prune(store, "run")
        assert ran["deleted"] == [first]
        removals = [journey.succeeded(at_id) for at_id in ran["at_ids"]]
        assert [point["snapshot_id"] for point in api.snapshots(store)] == [second]
        journey.run("maintenance", store)

        jobs = [*backups, check, sync, restore, *removals]
        eventually(lambda: watched.points(store, "removed") == [first], deadline_seconds=30)
        eventually(lambda: all(watched.statuses(job["id"])[-1:] == ["succeeded"] for job in jobs), deadline_seconds=30)
        eventually(lambda: watched.points(store, "browsable") == [first, second], deadline_seconds=30)
        eventually(lambda: watched.points(store, "lifted") == [first], deadline_seconds=30)
        assert watched.points(store, "held") == [first]
        assert all(watched.statuses(job["id"]) == ["queued", "running", "succeeded"] for job in jobs)
        assert watched.points(store, "created") == [first, second]
        assert len(set(watched.points(replica, "created"))) == 2
        assert any(event["kind"] == "log" for event in watched.events)
