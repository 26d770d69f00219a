"""What is running in this process, and how it is told to stop."""

import asyncio
from pathlib import Path

import pytest
from connector.domain.attempts import WORKERS_LOST_MAX
from connector.queue.lease import Lease
from contracts.messages.connector import TaskFailed

from tests.unit.connector.workshop import Workshop


async def test_a_cancellation_reaches_the_attempt_that_took_over_in_the_same_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workshop = await Workshop(tmp_path).open()
    runner, cancels = workshop.runner(), dict[int, asyncio.Event]()
    ends = {1: asyncio.Event(), 2: asyncio.Event()}

    async def run_kept(lease: Lease, cancel: asyncio.Event) -> None:
        cancels[lease.number] = cancel
        await ends[lease.number].wait()

    monkeypatch.setattr(runner, "_run_kept", run_kept)
    lost = asyncio.create_task(runner.run(await workshop.attempt(seconds=-1)))
    await asyncio.sleep(0)
    heir = asyncio.create_task(runner.run(await workshop.attempt()))
    await asyncio.sleep(0)
    ends[1].set()
    await lost

    runner.cancel("job")

    assert cancels[2].is_set()
    ends[2].set()
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
