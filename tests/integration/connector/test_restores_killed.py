"""Restores whose workers are killed or stopped at random moments: they are taken over and end as ever."""

import os
import random
import signal
import time
from pathlib import Path

import pytest
from contracts.messages.connector.task_events import TaskProgressed, TaskStarted, TaskSucceeded
from contracts.messages.scheduler import TaskRequested

from tests.integration.connector.backed_up import backed_up
from tests.integration.connector.test_syncs_killed import passed
from tests.integration.connector.worker_fixture import WorkerFixture, ready

pytestmark = pytest.mark.long
SEED = 20261128
FILES = {f"d{n % 20}/{n}": os.urandom(6 << 10) for n in range(20_000)}


def there(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


async def kill_three_workers(ground: WorkerFixture, request: TaskRequested, *, longest_seconds: float) -> None:
    """Three attempts, each cut off at a moment of its own."""
    chance = random.Random(SEED)
    for attempt in (1, 2, 3):
        with ground.worker(f"killed-{attempt}") as victim:
            await ready(victim)

            def began(_: object, attempt: int = attempt) -> bool:
                return any(each.attempt == attempt for each in ground.published(request, TaskStarted))

            await ground.asker.ear.until(began, 60)
            await passed(chance.uniform(0, longest_seconds), since=time.monotonic())
            victim.process.kill()


async def stand_still(ground: WorkerFixture, request: TaskRequested, *, phase: str) -> int:
    """A worker that stands still for 30 s in a phase of the job, while another one takes over; who ended the job."""
    with ground.worker("stopped") as stopped:
        await ready(stopped)
        await ground.asker.ear.until(
            lambda _: any(each.phase == phase for each in ground.published(request, TaskProgressed)), 60
        )
        stopped.process.send_signal(signal.SIGSTOP)
        since = time.monotonic()
        with ground.worker("second") as second:
            await ready(second)
            ended = await ground.ending(request, TaskSucceeded, deadline_seconds=180)
            await passed(30, since=since)
            stopped.process.send_signal(signal.SIGCONT)
            await passed(33, since=since)
    return int(ended.data.attempt)


async def many(ground: WorkerFixture) -> tuple[TaskRequested, Path]:
    """A restore of many files, and where to."""
    with ground.worker("maker") as maker:
        await ready(maker)
        _, store, snapshot_id = await backed_up(ground, "many", FILES)
    target = ground.files("targets", "many")
    destination = await ground.assign("destination", target)
    return await ground.request(store, destination, type_="restore", snapshot_id=snapshot_id), target


async def test_a_restore_that_is_killed_three_times_is_whole_in_the_end(fresh_ground: WorkerFixture) -> None:
    ground = fresh_ground
    request, target = await many(ground)

    await kill_three_workers(ground, request, longest_seconds=0.8)
    with ground.worker("last") as last:
        await ready(last)
        ended = await ground.ending(request, TaskSucceeded, deadline_seconds=120)

    assert there(target) == FILES
    assert ended.data.result.files_verified == len(FILES)


async def test_a_restore_whose_worker_stood_still_is_whole_in_the_end(fresh_ground: WorkerFixture) -> None:
    request, target = await many(fresh_ground)

    attempt = await stand_still(fresh_ground, request, phase="transferring")

    assert there(target) == FILES
    assert attempt == 2
