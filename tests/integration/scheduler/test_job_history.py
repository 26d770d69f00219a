"""The history in MongoDB: written by one process at a time, read alike by all."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from chassis.persistence.mongo import Database, open_database
from contracts.values import OrganizationId
from scheduler.jobs.domain.history import JobFilter, count
from scheduler.jobs.domain.job import Job
from scheduler.jobs.store.history import CHAPTER_SEGMENTS, MongoJobHistory, segment_document

from tests.support.environment import Corner
from tests.unit.scheduler.builder import ORG, queued


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
    return queued().model_copy(update={"status": "succeeded", **facts})


async def total(history: MongoJobHistory, **asked: object) -> int:
    wanted = JobFilter.model_validate(asked)
    return count((await history.of(ORG)).matching(wanted), *wanted.keys())


async def test_what_one_process_adds_all_find(database: Database) -> None:
    one, two = await opened(database), await opened(database)
    assert await total(two) == 0
    job = over()
    assert await one.add(ORG, [job, over(status="failed")])
    assert (await total(one), await total(two), await total(two, status="failed")) == (2, 2, 1)
    assert await two.jobs_in(ORG, [0]) == await one.jobs_in(ORG, [0])
    assert job in await two.jobs_in(ORG, [0])
    assert await two.of(OrganizationId("other")) is not await two.of(ORG)


async def test_of_several_that_add_at_once_one_succeeds(database: Database) -> None:
    histories = [await opened(database) for _ in range(4)]
    for history in histories:
        await history.of(ORG)
    added = await asyncio.gather(*(history.add(ORG, [over()]) for history in histories))
    assert sorted(added) == [False, False, False, True]
    assert [await total(history) for history in histories] == [1] * 4


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
    await database["job_chapters"].delete_one({"_id": f"{ORG}/00000000"})
    assert await total(await opened(database)) == 203
