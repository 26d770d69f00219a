"""The history in MongoDB: written by one process at a time, read alike by all."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, replace

import pytest
from chassis.ids import utc_now
from chassis.persistence.aggregates import Aggregate
from chassis.persistence.mongo import Database, open_database
from chassis.runtime.service_runtime import open_service_runtime
from contracts.values import JobId, OrganizationId
from scheduler.jobs import usecases
from scheduler.jobs.domain.history import JobFilter, count
from scheduler.jobs.domain.job import Job
from scheduler.jobs.store import SchedulerStore, open_store
from scheduler.jobs.store.history import CHAPTER_SEGMENTS, SEGMENT_JOBS, MongoJobHistory, segment_document
from scheduler.jobs.store.job_index import JobIndex

from tests.support.environment import Corner
from tests.unit.scheduler.builder import NOON, ORG, queued


@pytest.fixture
async def database(fresh_corner: Corner) -> AsyncIterator[Database]:
    async with open_database(fresh_corner.settings(), "scheduler") as opened:
        yield opened


async def opened(database: Database) -> MongoJobHistory:
    """As another process has it."""
    history = MongoJobHistory(database["job_segments"], database["job_chapters"])
    await history.setup()
    return history


def over(**facts: object) -> Job:
    return queued().model_copy(update={"status": "succeeded", "stopped_at": utc_now(), **facts})


async def total(history: MongoJobHistory, **asked: object) -> int:
    wanted = JobFilter.model_validate(asked)
    return count((await history.of(ORG)).matching(wanted), *wanted.keys())


async def test_what_one_process_adds_all_find(database: Database) -> None:
    one, two = await opened(database), await opened(database)
    assert await total(two) == 0
    job = over()
    assert await one.add(ORG, [job, over(status="failed")], number=0)
    assert (await total(one), await total(two), await total(two, status="failed")) == (2, 2, 1)
    assert await two.jobs_in(ORG, [0]) == await one.jobs_in(ORG, [0])
    assert job in await two.jobs_in(ORG, [0])
    assert await two.of(OrganizationId("other")) is not await two.of(ORG)


async def test_of_several_that_add_at_once_one_succeeds(database: Database) -> None:
    histories = [await opened(database) for _ in range(4)]
    for history in histories:
        await history.of(ORG)
    added = await asyncio.gather(*(history.add(ORG, [over()], number=0) for history in histories))
    assert sorted(added) == [False, False, False, True]
    assert [await total(history) for history in histories] == [1] * 4
    # One that has not heard of it yet, though it knows the number that was next then.
    assert not await histories[0].add(ORG, [over()], number=0)
    assert (await histories[0].of(ORG)).next_segment == 1


async def test_many_segments_are_read_by_their_chapter_also_where_its_writer_died(database: Database) -> None:
    jobs = [over(status=("failed", "succeeded")[number % 2]) for number in range(2 * CHAPTER_SEGMENTS + 3)]
    jobs = jobs[::2] + jobs[1::2]  # Jobs end in another order than they are made.
    await database["job_segments"].insert_many(
        [segment_document(ORG, number, [job]) for number, job in enumerate(jobs)]
    )
    for _ in ("no chapter is there", "both are"):
        history = await opened(database)
        assert (await total(history), await total(history, status="failed")) == (203, 102)
        assert await database["job_chapters"].count_documents({}) == 2
        assert set((await history.of(ORG)).ends) == set(range(203))
    for chapter in await database["job_chapters"].find({}).to_list():
        # As earlier versions wrote it.
        await database["job_chapters"].replace_one({"_id": chapter["_id"]}, chapter | {"ends": None})
    assert set((await (await opened(database)).of(ORG)).ends) == set(range(203))
    await database["job_chapters"].delete_one({"_id": f"{ORG}/00000000"})
    assert await total(await opened(database)) == 203


class Killed(BaseException):
    """A process is gone."""


@dataclass
class DyingIndex:
    """The index of a process that is killed after some removals."""

    index: JobIndex
    left: int = 10

    async def finished(self) -> list[tuple[OrganizationId, JobId]]:
        return await self.index.finished()

    async def remove(self, org: OrganizationId, job_id: JobId) -> None:
        if not self.left:
            raise Killed
        self.left -= 1
        await self.index.remove(org, job_id)


async def killed(store: SchedulerStore) -> None:
    """Pack as a process that is killed in between."""
    with suppress(Killed):
        await usecases.pack_history(replace(store, job_index=DyingIndex(store.job_index)))  # type: ignore[arg-type]


async def test_each_job_is_listed_once_whoever_packs_and_dies(fresh_corner: Corner) -> None:
    async with open_service_runtime(fresh_corner.settings(), "scheduler") as runtime:
        stores = [await open_store(runtime) for _ in range(3)]
        jobs = [over(stopped_at=NOON) for _ in range(4 * SEGMENT_JOBS + 7)]
        await asyncio.gather(*(stores[0].save(Aggregate(job.id, ORG), job) for job in jobs))
        newest = sorted((job.id for job in jobs), reverse=True)
        await killed(stores[0])
        assert await listed(stores[1]) == newest
        await asyncio.gather(*(usecases.pack_history(store) for store in stores))
        while any([await usecases.pack_history(store) for store in stores]):
            pass
        assert len(await stores[2].job_index.rows(ORG)) < SEGMENT_JOBS
        for store in (*stores, await open_store(runtime)):
            assert await listed(store) == newest


async def listed(store: SchedulerStore) -> list[str]:
    """All jobs, page by page, as many as there are said to be."""
    pages = [await store.listing.page(ORG, JobFilter(), limit=90, offset=offset) for offset in range(0, 300, 90)]
    ids = [job.id for page in pages for job in page.items]
    assert {page.total for page in pages} == {len(ids)}
    return [str(job_id) for job_id in ids]
