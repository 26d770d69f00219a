"""The roll of jobs in memory and in MongoDB: the same promises."""

from collections.abc import AsyncIterator

import pytest
from chassis.persistence.mongo import open_database
from contracts.errors import Conflict
from contracts.values import OrganizationId
from scheduler.domain.job import Job
from scheduler.store.roll import JobRoll, MemoryJobRoll, MongoJobRoll

from tests.support.environment import Corner
from tests.unit.scheduler.builder import ORG, queued


@pytest.fixture(params=["memory", "mongodb"])
async def roll(request: pytest.FixtureRequest, fresh_corner: Corner) -> AsyncIterator[JobRoll]:
    if request.param == "memory":
        yield MemoryJobRoll()
        return
    async with open_database(fresh_corner.settings(), "scheduler") as database:
        made = MongoJobRoll(database["job_roll"])
        await made.setup()
        yield made


async def enter(roll: JobRoll, count: int) -> list[Job]:
    jobs = [queued() for _ in range(count)]
    for job in jobs:
        await roll.enter(ORG, job)
    return jobs


async def test_the_newest_jobs_come_first_page_by_page(roll: JobRoll) -> None:
    ids = [job.id for job in await enter(roll, 7)][::-1]
    for offset in (0, 3, 6, 9):
        page = await roll.page(ORG, task_type=None, status=None, limit=3, offset=offset)
        assert page == (7, ids[offset : offset + 3])


async def test_a_new_status_takes_the_place_of_the_old_one(roll: JobRoll) -> None:
    first, second = await enter(roll, 2)
    await roll.enter(ORG, first.model_copy(update={"status": "running"}))
    assert await roll.page(ORG, task_type="backup", status="running", limit=9, offset=0) == (1, [first.id])
    assert await roll.page(ORG, task_type=None, status="queued", limit=9, offset=0) == (1, [second.id])
    assert await roll.page(ORG, task_type="check", status=None, limit=9, offset=0) == (0, [])


async def test_organizations_are_apart(roll: JobRoll) -> None:
    [job] = await enter(roll, 1)
    other = OrganizationId("other")
    with pytest.raises(Conflict, match="job_exists"):
        await roll.enter(other, job)
    assert await roll.page(other, task_type=None, status=None, limit=9, offset=0) == (0, [])
    assert await roll.page(ORG, task_type=None, status=None, limit=9, offset=0) == (1, [job.id])


async def test_unfinished_jobs_of_all_organizations_are_found_oldest_first(roll: JobRoll) -> None:
    first, second, done, foreign = [queued() for _ in range(4)]
    for job in (second, done, first):
        await roll.enter(ORG, job)
    await roll.enter(OrganizationId("other"), foreign.model_copy(update={"status": "running"}))
    await roll.enter(ORG, done.model_copy(update={"status": "failed"}))
    assert await roll.unfinished() == [(ORG, first.id), (ORG, second.id), (OrganizationId("other"), foreign.id)]
