"""What is kept of jobs that are over, and for how long; of those that are not over everything."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from chassis.ids import new_id, utc_now
from contracts.errors import NotFound
from contracts.measures import Sample, Usage
from contracts.messages.connector.task_events import TaskMeasured, TaskSucceeded
from contracts.values import JobId, RunId
from scheduler.jobs import retention, usecases
from scheduler.jobs.domain.history import JobFilter
from scheduler.jobs.domain.measures import Measures
from scheduler.jobs.domain.retention import LATEST_DAYS, STRETCHES, Retention, days_before, id_at, retention_of
from scheduler.jobs.store.history import SEGMENT_JOBS
from scheduler.settings import Settings

from tests.unit.scheduler.builder import NOON, ORG, after, logged, run_task, started, told, wrapped
from tests.unit.scheduler.test_usecases import World, world

__all__ = ["world"]
DAY = timedelta(days=1)
ALL = Retention(jobs=30 * DAY, logs=20 * DAY, measures=10 * DAY)


def old_id(made: datetime = NOON) -> JobId:
    return JobId(id_at(made) + new_id()[len(id_at(made)) :])


async def a_run(world: World, *, ends: bool, made: datetime = NOON) -> JobId:
    command = run_task().model_copy(update={"job_id": old_id(made)})
    await usecases.run_task(world.store, world.clock, wrapped(command))
    job_id = command.job_id
    await usecases.note_started(world.store, wrapped(started(job_id)))
    await usecases.note_lines(world.store, wrapped(logged(job_id, 1, "reading")))
    sample = Sample(at=after(2), seconds=1, mean=Usage())
    await usecases.note_measures(world.store, wrapped(told(TaskMeasured, job_id, sequence=1, samples=(sample,))))
    if ends:
        await usecases.note_succeeded(world.store, wrapped(told(TaskSucceeded, job_id, seconds=9)))
    return job_id


async def clean_up(world: World, days: float, kept: Retention = ALL, *, look: int = 0) -> int:
    return await retention.remove_expired(world.store, NOON + days * DAY, kept, look=look, pause_seconds=0)


async def lines_of(world: World, job_id: JobId) -> list[str]:
    return [line.text.split(":")[0] for line in await usecases.read_log(world.store, ORG, job_id)]


def test_ids_made_before_a_moment_are_less_than_its_id() -> None:
    moment = datetime.fromisoformat("2026-11-28T12:00:00+00:00")
    assert old_id(moment - timedelta(milliseconds=1)) < id_at(moment) <= old_id(moment)


def test_no_days_are_no_limit() -> None:
    assert retention_of(jobs_days=0, logs_days=0, measures_days=1) == Retention(measures=DAY)


def test_nothing_is_removed_unless_it_is_set() -> None:
    names = ("job_retention_days", "job_log_retention_days", "job_measures_retention_days")
    jobs, logs, measures = (Settings.model_fields[name].get_default() for name in names)
    assert retention_of(jobs_days=jobs, logs_days=logs, measures_days=measures) == Retention()


async def test_measures_go_first_then_the_log_then_the_job(world: World) -> None:
    job_id = await a_run(world, ends=True)
    assert await clean_up(world, 9) == 0
    assert await clean_up(world, 11) == 1
    assert await usecases.read_measures(world.store, ORG, job_id) == Measures()
    assert "reading" in await lines_of(world, job_id)
    assert await clean_up(world, 21) == 1
    assert await lines_of(world, job_id) == ["queued", "started on w1, attempt 1", "succeeded"]
    assert await clean_up(world, 31) == 1
    with pytest.raises(NotFound):
        await usecases.get_job(world.store, ORG, job_id)
    page = await usecases.list_jobs(world.store, ORG, JobFilter(), limit=9, offset=0)
    assert (page.total, page.items) == (0, [])


async def test_a_job_takes_its_log_and_measures_along(world: World) -> None:
    job_id = await a_run(world, ends=True)
    assert await clean_up(world, 31, Retention(jobs=30 * DAY)) == 1
    assert await world.store.log_parts.of(ORG, job_id) == []
    assert await world.store.measures.of(ORG, job_id) == Measures()


async def test_nothing_of_a_job_that_is_not_over_is_removed(world: World) -> None:
    job_id = await a_run(world, ends=False)
    assert await clean_up(world, 1000) == 0
    assert "reading" in await lines_of(world, job_id)
    assert (await usecases.read_measures(world.store, ORG, job_id)).samples


async def test_the_end_of_a_job_counts_not_its_begin(world: World) -> None:
    # Made long ago, over since noon.
    job_id = await a_run(world, ends=True, made=NOON - 90 * DAY)
    assert await clean_up(world, 5) == 0
    assert (await usecases.get_job(world.store, ORG, job_id)).status == "succeeded"


@pytest.mark.parametrize(("days", "left"), [(0, SEGMENT_JOBS), (1, 0)])
async def test_packed_jobs_are_listed_for_as_long_as_they_can_be_read(world: World, days: int, left: int) -> None:
    """Made long ago, they waited and ran for months: their end counts, for lists as for their removal."""
    ids = [await a_run(world, ends=True, made=NOON - 90 * DAY) for _ in range(SEGMENT_JOBS)]
    await usecases.pack_history(world.store)
    limit, kept = NOON + days * DAY, 30 * DAY

    listing = replace(world.store, kept=utc_now() - limit)
    shown = await usecases.list_jobs(listing, ORG, JobFilter(), limit=SEGMENT_JOBS, offset=0)
    await retention.remove_expired(world.store, limit + kept, Retention(jobs=kept), pause_seconds=0)

    there = [job_id for job_id in ids if await world.jobs.get(ORG, job_id)]
    assert (shown.total, len(shown.items), len(there)) == (left, left, left)


async def test_older_jobs_go_and_younger_ones_stay(world: World) -> None:
    gone = [await a_run(world, ends=True) for _ in range(3)]
    young = await a_run(world, ends=True, made=NOON + 100 * DAY)
    assert await clean_up(world, 31) == len(gone)
    assert (await usecases.get_job(world.store, ORG, young)).id == young


async def test_a_job_that_was_removed_half_is_removed_the_next_time(world: World) -> None:
    job_id = await a_run(world, ends=True)
    await world.jobs.drop(await world.jobs.load(ORG, job_id))
    assert await clean_up(world, 31) == 3
    assert await world.store.job_index.first_between("", "~") is None
    assert await world.store.log_parts.first_between("", "~") is None
    assert await world.store.measures.first_between("", "~") is None


async def test_no_limit_keeps_everything(world: World) -> None:
    job_id = await a_run(world, ends=True)
    assert await clean_up(world, 10_000, Retention()) == 0
    assert (await usecases.get_run(world.store, ORG, RunId((await world.job(job_id)).run_id))).id == job_id


async def test_packed_jobs_go_with_their_segment(world: World) -> None:
    ids = [await a_run(world, ends=True) for _ in range(SEGMENT_JOBS)]
    assert await usecases.pack_history(world.store) == SEGMENT_JOBS
    assert await clean_up(world, 30, Retention(jobs=30 * DAY)) == 0
    assert await clean_up(world, 31, Retention(jobs=30 * DAY)) == SEGMENT_JOBS
    assert await world.store.history.jobs_in(ORG, [0]) == []
    assert await world.store.log_parts.of(ORG, ids[0]) == []
    with pytest.raises(NotFound):
        await usecases.get_job(world.store, ORG, ids[0])
    assert await clean_up(world, 31, Retention(jobs=30 * DAY)) == 0


def test_looks_come_to_all_days_of_twenty_years_and_each_to_the_latest() -> None:
    looks = [days_before(NOON, look) for look in range(STRETCHES)]
    latest = [NOON.date() - back * DAY for back in range(1, LATEST_DAYS + 1)]
    assert all(days[:LATEST_DAYS] == latest for days in looks)
    assert {day for days in looks for day in days} >= {NOON.date() - back * DAY for back in range(1, 20 * 365)}
    assert days_before(NOON, STRETCHES) == looks[0]


@pytest.mark.parametrize("years", [1, 3, 8])
async def test_packed_jobs_of_long_ago_go_within_some_looks(world: World, years: int) -> None:
    # Nothing was removed for years, and then there is a limit.
    for _ in range(SEGMENT_JOBS):
        await a_run(world, ends=True)
    await usecases.pack_history(world.store)
    kept = Retention(jobs=30 * DAY)
    removed = [await clean_up(world, 31 + years * 365, kept, look=look) for look in range(years + 1)]
    assert sum(removed) == SEGMENT_JOBS
    assert await world.store.history.jobs_in(ORG, [0]) == []
