"""Work in a thread of the worker is judged by what it tells of itself: bytes of the worker's other jobs are no sign."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from threading import Event

import pytest
from connector.engine.port import Progress
from connector.engine.processes import metering
from connector.jobs.definition import Job
from connector.jobs.stuck_watch import LOOK_SECONDS, StuckWatch
from connector.jobs.thread_work import in_thread

from tests.support.waiting import eventually_async
from tests.unit.connector.workshop import Workshop

SECONDS = 0.2
assert SECONDS < LOOK_SECONDS


@pytest.fixture
async def job(tmp_path: Path) -> Job:
    workshop = await Workshop(tmp_path).open()
    return await workshop.job()


def read_much() -> None:
    """What another job of the worker does meanwhile."""
    with Path("/dev/zero").open("rb") as zero:
        zero.read(1 << 20)


@asynccontextmanager
async def in_a_thread(job: Job, done: Event, *, ends: bool = False) -> AsyncIterator[asyncio.Task[None]]:
    """Work that does nothing of its own until it is told that it is done, watched."""

    def work(stop: Event) -> None:
        while not done.wait(0.01) and not stop.is_set():
            pass

    watch = StuckWatch(job.reporter, job.cancel, seconds=SECONDS, ends=ends)
    with metering(job.reporter.measures.meter):
        async with watch.watching():
            working = asyncio.create_task(in_thread(job, work, of="store"))
            yield working
            done.set()
            await working


async def test_a_restore_that_does_nothing_is_noticed_beside_work_of_others(job: Job) -> None:
    def is_noticed() -> bool:
        read_much()
        return job.reporter.stuck_since is not None

    async with in_a_thread(job, Event()):
        await eventually_async(is_noticed, 10)


async def test_a_restore_that_does_nothing_is_ended_where_that_is_set(job: Job) -> None:
    async with in_a_thread(job, Event(), ends=True) as working:
        await asyncio.wait_for(working, 10)
    assert job.cancel.is_set()


async def test_a_restore_that_tells_how_far_it_is_gets_on(job: Job) -> None:
    until = asyncio.get_running_loop().time() + 3 * SECONDS

    def is_over() -> bool:
        job.reporter.progress(Progress())
        return asyncio.get_running_loop().time() > until

    async with in_a_thread(job, Event()):
        await eventually_async(is_over, 10)
        assert job.reporter.stuck_since is None
