"""Whatever dies or stands still while tasks of every type run: each ends well, nothing is lost or there twice."""

import json
import os
import random
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cairn_local.api_client import Api

from tests.e2e.conftest import CANARY, Directory, Platform
from tests.e2e.test_freezes import frozen
from tests.support.waiting import eventually

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]
SEED = int(os.environ.get("CAIRN_FUZZ_SEED", "20261128"))
VICTIMS = ("connector", "scheduler", "kafka", "database")
BACKUP_KILLS = 20
"""Shared among the victims."""
BACKUPS_AT_ONCE = 2
ROUNDS = 3
"""In which a victim of the other tasks is killed; in one more it stands still."""
STOPPED_SECONDS = 30


@dataclass(frozen=True)
class Ground:
    """A source, its store, and what else tasks need."""

    api: Api
    restic: Path
    source: str
    store: str
    place: Path

    def start(self, type_: str, origin: str, target: str | None = None, **config: Any) -> str:
        """Run id of a new task."""
        body: dict[str, Any] = {"type": type_, "origin_id": origin, "config": config}
        body |= {"target_id": target} if target else {}
        return str(self.api.post("/scheduling/scheduler/run", body)["id"])

    def back_up(self, *labels: str) -> list[str]:
        """The restore points of backups with these labels, made at once."""
        runs = [self.start("backup", self.source, self.store, labels=[label]) for label in labels]
        return [str(job["backup"]["snapshot_id"]) for job in self.succeeded(runs)]

    def succeeded(self, runs: list[str]) -> list[dict[str, Any]]:
        """The jobs of runs, all of which have to succeed."""
        jobs = [self.api.wait_for_run(run, deadline_seconds=180) for run in runs]
        failed = [self.api.job_log(job["id"]) for job in jobs if job["status"] != "succeeded"]
        assert not failed, "\n".join(failed)
        return jobs

    def by_hand(self, place: Path, *arguments: str) -> str:
        """What restic says of a store on disk."""
        command = [str(self.restic), "-q", "-r", str(place), "--no-cache", *arguments]
        environment = {**os.environ, "RESTIC_PASSWORD": f"{CANARY}-passphrase"}
        return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout

    def sound(self, place: Path) -> list[dict[str, Any]]:
        """The snapshots of a store, in which every byte is as it should be and nobody has a lock."""
        assert self.by_hand(place, "list", "locks", "--no-lock").split() == []
        self.by_hand(place, "check", "--read-data")
        return list(json.loads(self.by_hand(place, "snapshots", "--no-lock", "--json")))

    def are_listed(self, store: str, ids: set[str]) -> None:
        """Wait until the API lists these and no others."""
        eventually(lambda: {point["snapshot_id"] for point in self.api.snapshots(store)} == ids, deadline_seconds=30)


@pytest.fixture
def ground(api: Api, directory: Directory, restic: Path, tree: Path, tmp_path: Path) -> Ground:
    _, source = directory("source", tree)
    _, store = directory("store", tmp_path / "store")
    api.post(f"/connectors/{store}/stores/create")
    return Ground(api, restic, source, store, tmp_path / "store")


def disturb(platform: Platform, victim: str, *, stops: bool) -> None:
    """Kill a process, or have it stand still for a while. Not every platform has a `postgres`."""
    names = {each.name for each in platform.status().processes}
    name = ("postgres" if "postgres" in names else "mongodb") if victim == "database" else victim
    if not stops:
        platform.kill(name)
        return
    with frozen(platform, name):
        time.sleep(STOPPED_SECONDS)
    eventually(lambda: platform.status().healthy, deadline_seconds=60)


@pytest.mark.timeout(1500)
def test_whatever_is_killed_or_stands_still_each_backup_leaves_one_restore_point(
    platform: Platform, ground: Ground, tree: Path
) -> None:
    chance, points, began = random.Random(SEED), set[str](), 0
    disturbances = [(victim, False) for victim in VICTIMS] * (BACKUP_KILLS // len(VICTIMS))
    disturbances += [(victim, True) for victim in VICTIMS]
    chance.shuffle(disturbances)
    for victim, stops in disturbances:
        (tree / "changing").write_bytes(os.urandom(40 << 20))
        seconds = chance.uniform(0, 3)
        runs = [ground.start("backup", ground.source, ground.store) for _ in range(BACKUPS_AT_ONCE)]
        # The moment is what is tested here, so it is time that is waited for.
        time.sleep(seconds)
        disturb(platform, victim, stops=stops)
        points |= {job["backup"]["snapshot_id"] for job in ground.succeeded(runs)}
        began += len(runs)

    assert len(points) == began
    ground.are_listed(ground.store, points)
    assert {each["id"] for each in ground.sound(ground.place)} == points


@pytest.mark.parametrize("victim", VICTIMS)
def test_tasks_of_every_other_type_end_well_whatever_is_killed_or_stands_still(
    platform: Platform, ground: Ground, directory: Directory, tree: Path, tmp_path: Path, victim: str
) -> None:
    _, replica = directory("store", tmp_path / "replica")
    _, destination = directory("destination", tmp_path / "restored")
    ground.api.post(f"/connectors/{replica}/stores/create", {"chunker_of": ground.store})
    rounds = ROUNDS + 1
    made = ground.back_up(*["old"] * (rounds + 1), *["new"] * rounds, *["kept"] * rounds)
    old, new, kept = set(made[: rounds + 1]), made[rounds + 1 : -rounds], made[-rounds:]
    chance = random.Random(f"{SEED}-{victim}")

    for number in range(rounds):
        rule = {"per_year": rounds - number, "locate": {"filters": {"tags": ["old"]}}}
        tasks: list[tuple[str, str | None, dict[str, Any]]] = [
            ("rm", None, {"snapshot_id": new[number]}),
            ("prune", None, rule),
            ("sync", replica, {"snapshot_id": kept[number]}),
            ("restore", destination, {"snapshot_id": kept[number], "root": str(number)}),
            ("check", None, {"read_percent": 100}),
            ("maintenance", None, {}),
        ]
        chance.shuffle(tasks)
        seconds = chance.uniform(0, 4)
        runs = [ground.start(type_, ground.store, target, **config) for type_, target, config in tasks]
        # The moment is what is tested here, so it is time that is waited for.
        time.sleep(seconds)
        disturb(platform, victim, stops=number == ROUNDS)
        ground.succeeded(runs)
        left = {each["id"] for each in json.loads(ground.by_hand(ground.place, "snapshots", "--no-lock", "--json"))}
        assert len(left & old) == rounds - number
        assert left - old == {*new[number + 1 :], *kept}
        restored = tmp_path / "restored" / str(number) / "documents" / "random.bin"
        assert restored.read_bytes() == (tree / "documents" / "random.bin").read_bytes()

    ground.are_listed(ground.store, {each["id"] for each in ground.sound(ground.place)})
    assert sorted(each["original"] for each in ground.sound(tmp_path / "replica")) == sorted(kept)
