"""What is running in this process, and how it is told to stop."""

import asyncio
import time
from pathlib import Path

from connector.domain.attempts import WORKERS_LOST_MAX
from connector.domain.work import TASK
from connector.queue.lease import Lease
from connector.queue.runner import Runner
from contracts.messages.connector.task_events import TaskFailed
from contracts.messages.outcomes import Problem

from tests.support.waiting import eventually_async
from tests.unit.connector.workshop import Workshop


class Waiting:
    """See `Activity`: each attempt, and the clean-up after one that lost its lease, waits for its end."""

    def __init__(self) -> None:
        self.ends = {1: asyncio.Event(), 2: asyncio.Event()}
        self.cancels = dict[int, asyncio.Event]()
        self.cleaning = set[int]()

    async def run(self, lease: Lease, cancel: asyncio.Event) -> None:
        self.cancels[lease.number] = cancel
        await self.ends[lease.number].wait()

    async def fail(self, lease: Lease, problem: Problem) -> None:
        raise AssertionError(problem)

    async def clean_up(self, lease: Lease) -> None:
        self.cleaning.add(lease.number)
        await self.ends[lease.number].wait()


async def test_a_cancellation_reaches_the_attempt_that_took_over_in_the_same_process(tmp_path: Path) -> None:
    workshop, work = await Workshop(tmp_path).open(), Waiting()
    runner = Runner(workshop.store, {TASK: work})
    lost = asyncio.create_task(runner.run(await workshop.attempt(seconds=-1)))
    await eventually_async(lambda: 1 in work.cleaning)
    heir = asyncio.create_task(runner.run(await workshop.attempt()))
    await eventually_async(lambda: 2 in work.cancels)
    work.ends[1].set()
    await lost

    runner.cancel("job")

    assert work.cancels[2].is_set()
    work.ends[2].set()
    await heir


async def test_a_job_that_cost_worker_after_worker_fails_with_the_restore_point_that_was_announced(
    tmp_path: Path,
) -> None:
    workshop = await Workshop(tmp_path).open()
    for number in range(1, WORKERS_LOST_MAX + 1):
        await workshop.lost_attempt(number=number, made="announced" if number == 1 else "")

    await workshop.runner().run(await workshop.attempt())

    (failed,) = workshop.published(TaskFailed)
    assert failed.problem.code == "worker_lost"
    assert failed.backup.snapshot_id == "announced"
    # What they did to the store the index learns from a comparison alone.
    assert await workshop.watch.look(time.time()) == 1
