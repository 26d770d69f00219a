"""Syncs whose workers are killed or stopped: they are taken over, and each restore point is copied once."""

import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from contracts.messages.assignment import App
from contracts.messages.connector.task_events import TaskCancelled, TaskProgressed, TaskStarted, TaskSucceeded
from contracts.messages.scheduler import TaskRequested

from tests.integration.connector.comparing import indexed
from tests.integration.connector.worker_fixture import PASSPHRASE, WorkerFixture, ready, write_tree
from tests.integration.engine.programs import slow
from tests.support.waiting import eventually_async

OWN = {"own.txt": b"of the target alone"}


class Stores:
    """An origin with several restore points, and a target that has one of its own."""

    def __init__(self, ground: WorkerFixture, origin: App, target: App, ids: Sequence[str], own: str) -> None:
        self.ground, self.origin, self.target, self.ids, self.own = ground, origin, target, ids, own

    @classmethod
    async def made(cls, ground: WorkerFixture, *, points: int, mebibytes: int) -> "Stores":
        origin, target = await ground.store_made_by_hand("origin"), await ground.store_made_by_hand("target")
        root = ground.files("sources", "growing")
        source, ids = await ground.assign("source", root), []
        for number in range(points):
            (root / f"{number}.bin").write_bytes(os.urandom(mebibytes << 20))
            ended = await ground.ending(await ground.request(source, origin), TaskSucceeded)
            ids.append(ended.data.result.snapshot_id)
        other = await ground.assign("source", write_tree(ground.files("sources", "own"), OWN))
        own = await ground.ending(await ground.request(other, target), TaskSucceeded)
        return cls(ground, origin, target, ids, own.data.result.snapshot_id)

    async def sync(self) -> TaskRequested:
        return await self.ground.request(self.origin, self.target, type_="sync")

    async def copying(self, request: TaskRequested, *, attempt: int) -> None:
        """Wait until the engine of an attempt works."""

        def works(_: object) -> bool:
            told = self.ground.published(request, TaskProgressed)
            return any(each.attempt == attempt and each.phase == "transferring" and each.bytes_total for each in told)

        await self.ground.asker.ear.until(works, 60)

    def copies(self) -> list[str]:
        """The originals that snapshots of the target name, as restic tells."""
        told = json.loads(self._restic(self.target, "snapshots", "--json", "--no-lock"))
        assert self.own in {each["id"] for each in told}
        return sorted(each["original"] for each in told if each["id"] != self.own)

    async def require_sound(self) -> None:
        """Each restore point is there once and can be browsed, nothing is locked, and every byte can be read."""

        async def once() -> bool:
            known = await indexed(self.ground, self.target)
            return self.copies() == sorted(self.ids) and len(known) == len(self.ids) + 1 and all(known.values())

        await eventually_async(once, 60)
        for store in (self.origin, self.target):
            assert not list(self._place(store).glob("locks/*"))
            self._restic(store, "check", "--read-data")

    def _restic(self, store: App, *arguments: str) -> str:
        command = [str(self.ground.restic), "-q", "-r", str(self._place(store)), *arguments]
        environment = {**os.environ, "RESTIC_PASSWORD": PASSPHRASE}
        return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout

    def _place(self, store: App) -> Path:
        return Path(store.fields["root"].value or "")


async def passed(seconds: float, *, since: float) -> None:
    async def is_over() -> bool:
        return time.monotonic() - since >= seconds

    await eventually_async(is_over, seconds + 10)


def limited(ground: WorkerFixture, kib_per_second: int, *, also_reads: bool = False) -> dict[str, Any]:
    """A worker whose restic writes so fast and no faster, and reads so where asked to."""
    script = ground.folder / "slow-restic"
    return {"restic": slow(ground.restic, script, kib_per_second=kib_per_second, also_reads=also_reads)}


async def test_a_killed_sync_is_taken_over_and_a_canceled_one_stops(fresh_ground: WorkerFixture) -> None:
    ground = fresh_ground
    with ground.worker("maker") as maker:
        await ready(maker)
        stores = await Stores.made(ground, points=1, mebibytes=2)
    with ground.worker("first", **limited(ground, 512)) as first:
        await ready(first)
        canceled = await stores.sync()
        await stores.copying(canceled, attempt=1)
        await ground.cancel(canceled)
        await ground.ending(canceled, TaskCancelled)
        request = await stores.sync()
        await stores.copying(request, attempt=1)
        first.process.kill()
    with ground.worker("second") as second:
        await ready(second)
        ended = await ground.ending(request, TaskSucceeded)
        await stores.require_sound()

    assert ended.data.attempt == 2
    assert ended.data.result.points_copied == 1


@pytest.mark.long
@pytest.mark.parametrize("seed", [20261128])
async def test_a_sync_that_is_killed_three_times_at_random_moments_copies_each_restore_point_once(
    fresh_ground: WorkerFixture, seed: int
) -> None:
    ground, chance = fresh_ground, random.Random(seed)
    with ground.worker("maker") as maker:
        await ready(maker)
        stores = await Stores.made(ground, points=5, mebibytes=4)
    request = await stores.sync()
    for attempt in (1, 2, 3):
        with ground.worker(f"killed-{attempt}", **limited(ground, 2048)) as victim:
            await ready(victim)

            def began(_: object, attempt: int = attempt) -> bool:
                return any(each.attempt == attempt for each in ground.published(request, TaskStarted))

            await ground.asker.ear.until(began, 60)
            await passed(chance.uniform(0, 8), since=time.monotonic())
            victim.process.kill()
    with ground.worker("last") as last:
        await ready(last)
        await ground.ending(request, TaskSucceeded, deadline_seconds=120)
        await stores.require_sound()


@pytest.mark.long
async def test_a_sync_whose_worker_stood_still_is_taken_over_and_both_together_copy_each_restore_point_once(
    fresh_ground: WorkerFixture,
) -> None:
    ground = fresh_ground
    with ground.worker("stopped", **limited(ground, 1024)) as stopped:
        await ready(stopped)
        stores = await Stores.made(ground, points=4, mebibytes=4)
        request = await stores.sync()
        await stores.copying(request, attempt=1)
        stopped.process.send_signal(signal.SIGSTOP)
        since = time.monotonic()
        with ground.worker("second", **limited(ground, 1024)) as second:
            await ready(second)
            ended = await ground.ending(request, TaskSucceeded, deadline_seconds=180)
            await passed(30, since=since)
            stopped.process.send_signal(signal.SIGCONT)
            await stores.require_sound()

    assert ended.data.attempt == 2
