"""Whom a job waits for whose engine needs the store for itself, over memory."""

import platform
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from connector.engine.errors import StoreLocked
from connector.engine.port import Progress
from connector.jobs.definition import Job
from connector.jobs.store_wait import StoreWait, past_locks
from contracts.messages.connector.task_events import TaskProgressed
from contracts.tasks import Task
from integrations.sdk.errors import Cancelled
from restic_reader import Lock

from tests.support.waiting import eventually_async
from tests.unit.connector.parts import TARGET, an_app
from tests.unit.connector.workshop import Workshop

CHECK = Task(type="check", origin=TARGET)
MINE = 1_000_001
"""The process of the job's own engine."""


@pytest.fixture
async def workshop(tmp_path: Path) -> Workshop:
    return await Workshop(tmp_path).open()


@pytest.fixture
def another_child() -> Iterator[int]:
    """A process that this one started, as it does for each of its jobs."""
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield child.pid
    child.kill()
    child.communicate()


def a_lock(pid: int, *, exclusive: bool) -> Lock:
    return Lock(id=f"{pid:064}", hostname=platform.node(), pid=pid, username="worker", exclusive=exclusive, time="")


async def seen(job: Job) -> tuple[str, str]:
    """The phase that a job reports while its engine runs, and whom it waits for."""
    wait = StoreWait(job, an_app("store"), phase="checking", alone=True)
    wait.progress(Progress(process_id=MINE))
    reported: list[TaskProgressed] = []

    def is_reported() -> bool:
        reported.extend(event for event in job.reporter.rest() if isinstance(event, TaskProgressed))
        return bool(reported) and reported[-1].phase != "preparing"

    async with wait.reporting():
        await eventually_async(is_reported)
    return reported[-1].phase, reported[-1].waiting_for


@pytest.mark.parametrize("exclusive", [True, False])
async def test_a_check_waits_for_the_engine_of_another_job_of_its_worker(
    workshop: Workshop, another_child: int, *, exclusive: bool
) -> None:
    workshop.locks = [a_lock(another_child, exclusive=exclusive)]

    phase, waiting_for = await seen(await workshop.job(task=CHECK))

    assert phase == "waiting"
    assert str(another_child) in waiting_for


async def test_a_check_whose_own_engine_has_the_lock_has_begun(workshop: Workshop) -> None:
    workshop.locks = [a_lock(MINE, exclusive=True)]

    assert await seen(await workshop.job(task=CHECK)) == ("checking", "")


async def test_work_that_a_lock_keeps_out_goes_on_once_the_lock_is_gone(workshop: Workshop) -> None:
    job, tries = await workshop.job(task=CHECK), iter([StoreLocked("process 1"), StoreLocked("process 1"), None])

    async def work() -> str:
        if error := next(tries):
            raise error
        return "done"

    assert await past_locks(job, workshop.place, work) == "done"


async def test_work_that_a_lock_keeps_out_ends_when_its_job_is_cancelled(workshop: Workshop) -> None:
    job = await workshop.job(task=CHECK)

    async def work() -> None:
        job.cancel.set()
        raise StoreLocked("process 1")

    with pytest.raises(Cancelled):
        await past_locks(job, workshop.place, work)
