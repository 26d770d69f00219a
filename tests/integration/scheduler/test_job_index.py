"""The job index in memory and in MongoDB: the same promises."""

from collections.abc import AsyncIterator

import pytest
from chassis.persistence.mongo import open_database
from contracts.errors import Conflict
from contracts.values import OrganizationId
from scheduler.jobs.domain.history import row_of
from scheduler.jobs.domain.job import Job
from scheduler.jobs.store.job_index import JobIndex, MemoryJobIndex, MongoJobIndex

from tests.support.environment import Corner
from tests.unit.scheduler.builder import ORG, queued


@pytest.fixture(params=["memory", "mongodb"])
async def index(request: pytest.FixtureRequest, fresh_corner: Corner) -> AsyncIterator[JobIndex]:
    if request.param == "memory":
        yield MemoryJobIndex()
        return
    async with open_database(fresh_corner.settings(), "scheduler") as database:
        made = MongoJobIndex(database["job_roll"])
        await made.setup()
        yield made


async def enter(index: JobIndex, count: int) -> list[Job]:
    jobs = [queued() for _ in range(count)]
    for job in jobs:
        await index.enter(ORG, job)
    return jobs


async def test_a_new_status_takes_the_place_of_the_old_one(index: JobIndex) -> None:
    first, second = await enter(index, 2)
    running = first.model_copy(update={"status": "running"})
    await index.enter(ORG, running)
    assert sorted(await index.rows(ORG)) == sorted(map(row_of, (running, second)))


async def test_organizations_are_apart(index: JobIndex) -> None:
    [job] = await enter(index, 1)
    other = OrganizationId("other")
    with pytest.raises(Conflict, match="job_exists"):
        await index.enter(other, job)
    assert await index.rows(other) == []
    assert await index.rows(ORG) == [row_of(job)]
    await index.remove(ORG, job.id)
    assert await index.rows(ORG) == []


async def test_unfinished_jobs_of_all_organizations_are_found_oldest_first(index: JobIndex) -> None:
    first, second, done, foreign = [queued() for _ in range(4)]
    for job in (second, done, first):
        await index.enter(ORG, job)
    await index.enter(OrganizationId("other"), foreign.model_copy(update={"status": "running"}))
    await index.enter(ORG, done.model_copy(update={"status": "failed"}))
    assert await index.unfinished() == [(ORG, first.id), (ORG, second.id), (OrganizationId("other"), foreign.id)]
    assert await index.finished() == [(ORG, done.id)]


async def test_jobs_that_are_over_are_found_by_age_and_removed(index: JobIndex) -> None:
    jobs = await enter(index, 4)
    for job, status in zip(jobs, ("failed", "running", "canceled", "succeeded"), strict=True):
        await index.enter(ORG, job.model_copy(update={"status": status}))
    assert await index.first_between("", "~") == (ORG, jobs[0].id)
    assert await index.first_between(jobs[0].id, "~") == (ORG, jobs[2].id)
    assert await index.first_between(jobs[2].id, jobs[3].id) is None
    await index.remove(OrganizationId("other"), jobs[0].id)
    await index.remove(ORG, jobs[0].id)
    assert await index.first_between("", "~") == (ORG, jobs[2].id)
    assert len(await index.rows(ORG)) == 3
