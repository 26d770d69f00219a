"""Measures of jobs in memory and in MongoDB: the same promises."""

from collections.abc import AsyncIterator

import pytest
from chassis.persistence.mongo import open_database
from contracts.measures import SAMPLES_MAX, Sample, Usage
from contracts.values import JobId, OrganizationId
from scheduler.jobs.domain.measures import Measures
from scheduler.jobs.store.job_measures import JobMeasures, MemoryJobMeasures, MongoJobMeasures

from tests.support.environment import Corner
from tests.unit.scheduler.builder import ORG, after

OLD, OLDER = JobId("01-b"), JobId("01-a")
OTHER = OrganizationId("other")


@pytest.fixture(params=["memory", "mongodb"])
async def kept(request: pytest.FixtureRequest, fresh_corner: Corner) -> AsyncIterator[JobMeasures]:
    if request.param == "memory":
        yield MemoryJobMeasures()
        return
    async with open_database(fresh_corner.settings(), "scheduler") as database:
        yield MongoJobMeasures(database["job_measures"])


def measures(count: int = 1) -> Measures:
    usage = Usage(cpu_percent=12.5, read_bps=1e9)
    return Measures(samples=tuple(Sample(at=after(n), seconds=1, mean=usage, highest=usage) for n in range(count)))


async def test_measures_come_back_as_they_were_kept(kept: JobMeasures) -> None:
    assert await kept.of(ORG, OLD) == Measures()
    for each in (measures(), measures(SAMPLES_MAX)):
        await kept.keep(ORG, OLD, each)
        assert await kept.of(ORG, OLD) == each
    assert await kept.of(OTHER, OLD) == Measures()


async def test_jobs_with_measures_are_found_by_age_and_lose_them(kept: JobMeasures) -> None:
    for job_id in (OLD, OLDER):
        await kept.keep(ORG, job_id, measures())
    assert await kept.first_between("", "02") == (ORG, OLDER)
    assert await kept.first_between(OLDER, "02") == (ORG, OLD)
    assert await kept.first_between("", OLDER) is None
    await kept.remove(OTHER, OLD)
    assert await kept.of(ORG, OLD) == measures()
    await kept.remove(ORG, OLD)
    assert (await kept.of(ORG, OLD), await kept.of(ORG, OLDER)) == (Measures(), measures())
