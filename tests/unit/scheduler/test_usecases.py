"""The verbs of the scheduler over a store in memory."""

from datetime import timedelta
from typing import Any

import pytest
from chassis.ids import new_id
from chassis.persistence.aggregates import AlreadyHandled
from chassis.persistence.memory_aggregates import MemoryAggregates
from contracts.errors import Conflict, Invalid, NotFound
from contracts.messages.connector.task_events import TaskCancelled, TaskSucceeded
from contracts.messages.scheduler import JobNoted, RetryJob, TaskRequested
from contracts.task_types.backup import BackupResult
from contracts.values import AppId, JobId, OrganizationId, RunId
from scheduler.jobs import usecases
from scheduler.jobs.domain.history import JobFilter, Row
from scheduler.jobs.domain.job import Job
from scheduler.jobs.store import MemoryJobIndex, MemoryJobMeasures, MemoryLogParts, SchedulerStore, job_keys
from scheduler.jobs.store.history import SEGMENT_JOBS

from tests.support.memory import MemoryDoor
from tests.unit.scheduler.builder import (
    NOON,
    ORG,
    after,
    cancel,
    logged,
    progressed,
    queued,
    retry,
    run_task,
    started,
    told,
    wrapped,
)


class World:
    """A scheduler in memory, and what it has announced."""

    def __init__(self) -> None:
        self.jobs = MemoryAggregates(Job, keys=job_keys)
        self.store = SchedulerStore(self.jobs, MemoryJobIndex(), MemoryLogParts(), MemoryJobMeasures())
        self.now = NOON

    def clock(self):  # type: ignore[no-untyped-def]
        return self.now

    async def queued(self) -> JobId:
        command = run_task()
        await usecases.run_task(self.store, self.clock, wrapped(command))
        self.jobs.published.clear()
        return command.job_id

    async def job(self, job_id: JobId) -> Job:
        return await usecases.get_job(self.store, ORG, job_id)

    def announced(self) -> list[str]:
        return [type(e.data).__name__ for e in self.jobs.published]


@pytest.fixture
def world() -> World:
    return World()


async def test_a_run_makes_a_job_asks_for_a_worker_and_answers(world: World) -> None:
    command = wrapped(run_task(pool="far"))
    await usecases.run_task(world.store, world.clock, command)
    assert world.announced() == ["TaskRequested", "JobChanged", "JobNoted", "CommandOutcome"]
    assert world.jobs.published[0].data.pool == "far"  # type: ignore[attr-defined]
    assert world.jobs.published[3].data.result == {  # type: ignore[attr-defined]
        "run_id": command.data.run_id,
        "job_id": command.data.job_id,
    }
    assert (await usecases.get_run(world.store, ORG, command.data.run_id)).id == command.data.job_id


async def test_a_second_delivery_of_a_run_changes_nothing(world: World) -> None:
    command = wrapped(run_task())
    await usecases.run_task(world.store, world.clock, command)
    with pytest.raises(AlreadyHandled) as repeat:
        await usecases.run_task(world.store, world.clock, command)
    assert repeat.value.outcome is not None
    assert repeat.value.outcome.id == world.jobs.published[3].id


async def test_a_job_runs_to_its_end(world: World) -> None:
    job_id = await world.queued()
    await usecases.note_started(world.store, wrapped(started(job_id)))
    await usecases.note_lines(world.store, wrapped(logged(job_id, 1, "reading")))
    done = told(TaskSucceeded, job_id, seconds=9, backup=BackupResult(snapshot_id="ab" * 32))
    await usecases.note_succeeded(world.store, wrapped(done))
    job = await world.job(job_id)
    assert (job.status, job.started_at, job.stopped_at) == ("succeeded", after(1), after(9))
    assert world.announced() == ["JobChanged", "JobNoted"] * 2
    log = [line.text for line in await usecases.read_log(world.store, ORG, job_id)]
    assert [text.split(":")[0] for text in log] == ["queued", "started on w1, attempt 1", "reading", "succeeded"]


async def test_each_line_of_the_scheduler_in_a_log_is_announced_once(world: World) -> None:
    command = run_task()
    await usecases.run_task(world.store, world.clock, wrapped(command))
    job_id = command.job_id
    await usecases.note_started(world.store, wrapped(started(job_id)))
    await usecases.note_progress(world.store, wrapped(progressed(job_id, 0.5)))
    for _ in range(2):
        await usecases.cancel_job(world.store, world.clock, wrapped(cancel(job_id)))
    await usecases.note_started(world.store, wrapped(started(job_id, attempt=2, worker="w2", seconds=5)))
    await usecases.note_cancelled(world.store, wrapped(told(TaskCancelled, job_id, attempt=2, seconds=9)))

    told_of = [each.data for each in world.jobs.published if isinstance(each.data, JobNoted)]
    assert [line for each in told_of for line in each.lines] == await usecases.read_log(world.store, ORG, job_id)
    assert [(each.attempt, each.at) for each in told_of] == [
        (0, NOON), (1, after(1)), (1, NOON), (2, after(5)), (2, after(9))
    ]  # fmt: skip
    assert {(each.run_id, each.key) for each in told_of} == {(command.run_id, job_id)}


async def test_results_and_lines_of_an_older_attempt_are_ignored(world: World) -> None:
    job_id = await world.queued()
    await usecases.note_started(world.store, wrapped(started(job_id, attempt=2)))
    before = await world.job(job_id)
    await usecases.note_succeeded(world.store, wrapped(told(TaskSucceeded, job_id, attempt=1)))
    await usecases.note_lines(world.store, wrapped(logged(job_id, 1, "ghost", attempt=1)))
    await usecases.note_progress(world.store, wrapped(progressed(job_id, 0.9, attempt=1)))
    assert await world.job(job_id) == before
    assert "ghost" not in [line.text for line in await usecases.read_log(world.store, ORG, job_id)]


async def test_nothing_moves_a_job_after_its_end(world: World) -> None:
    job_id = await world.queued()
    await usecases.note_cancelled(world.store, wrapped(told(TaskCancelled, job_id)))
    ended = await world.job(job_id)
    await usecases.note_started(world.store, wrapped(started(job_id, attempt=3)))
    await usecases.note_progress(world.store, wrapped(progressed(job_id, 0.9, attempt=3)))
    await usecases.note_lines(world.store, wrapped(logged(job_id, 1, "late", attempt=3)))
    assert await world.job(job_id) == ended
    assert ended.status == "canceled"


async def test_lines_are_kept_once(world: World) -> None:
    job_id = await world.queued()
    for _ in range(2):
        await usecases.note_lines(world.store, wrapped(logged(job_id, 1, "once")))
    log = [line.text for line in await usecases.read_log(world.store, ORG, job_id)]
    assert log.count("once") == 1


async def test_progress_leaves_no_trace_but_itself(world: World) -> None:
    job_id = await world.queued()
    await usecases.note_started(world.store, wrapped(started(job_id)))
    before = await world.jobs.load(ORG, job_id)
    world.jobs.published.clear()
    for step in range(100):
        await usecases.note_progress(world.store, wrapped(progressed(job_id, step / 100, seconds=step)))
    aggregate = await world.jobs.load(ORG, job_id)
    assert (aggregate.seen, world.announced()) == (before.seen, [])
    assert aggregate.value is not None
    assert aggregate.value.progress is not None
    assert aggregate.value.progress.fraction == 0.99


async def test_cancelling_asks_the_pool_of_the_job(world: World) -> None:
    command = run_task(pool="far")
    await usecases.run_task(world.store, world.clock, wrapped(command))
    world.jobs.published.clear()
    await usecases.cancel_job(world.store, world.clock, wrapped(cancel(command.job_id)))
    assert world.announced() == ["TaskCancelRequested", "JobNoted", "CommandOutcome"]
    assert world.jobs.published[0].data.pool == "far"  # type: ignore[attr-defined]
    assert (await world.job(command.job_id)).status == "queued"


async def test_another_organization_sees_nothing(world: World) -> None:
    command = run_task()
    await usecases.run_task(world.store, world.clock, wrapped(command))
    other = OrganizationId("other")
    for question in (
        usecases.get_job(world.store, other, command.job_id),
        usecases.get_run(world.store, other, command.run_id),
        usecases.read_log(world.store, other, command.job_id),
        usecases.cancel_job(world.store, world.clock, wrapped(cancel(command.job_id, org=other))),
    ):
        with pytest.raises(NotFound):
            await question
    page = await usecases.list_jobs(world.store, other, JobFilter(), limit=50, offset=0)
    assert (page.total, page.items) == (0, [])


async def test_jobs_are_listed_newest_first_and_by_status(world: World) -> None:
    ids = [await world.queued() for _ in range(3)]
    await usecases.note_started(world.store, wrapped(started(ids[1])))
    asked = JobFilter(task_type="backup", status="queued")
    queued = await usecases.list_jobs(world.store, ORG, asked, limit=1, offset=1)
    assert (queued.total, [j.id for j in queued.items]) == (2, [ids[0]])


async def test_a_page_shows_only_jobs_as_they_were_asked_for_while_one_is_saved(world: World) -> None:
    """The index is ahead of a job that is being saved, also of one that is new."""
    done, ending = [await world.queued() for _ in range(2)]
    for job_id in (done, ending):
        await usecases.note_started(world.store, wrapped(started(job_id)))
    await usecases.note_succeeded(world.store, wrapped(told(TaskSucceeded, done, seconds=9)))
    ahead = (await world.job(ending)).model_copy(update={"status": "succeeded"})
    await world.store.job_index.enter(ORG, ahead)
    await world.store.job_index.enter(ORG, ahead.model_copy(update={"id": JobId(new_id())}))

    page = await usecases.list_jobs(world.store, ORG, JobFilter(status="succeeded"), limit=50, offset=0)

    assert ([job.id for job in page.items], page.total) == ([done], 1)


class TestJobsWithoutNews:
    async def ask_again(self, world: World, *, minutes: float) -> list[str]:
        """The jobs asked for again, that long after noon."""
        door, silence = MemoryDoor("scheduler"), timedelta(minutes=30)
        await usecases.ask_again(world.store, door, lambda: after(minutes * 60), silence=silence)
        return [told.job_id for told in door.events(TaskRequested)]

    async def test_a_queued_one_is_asked_for_again(self, world: World) -> None:
        lost = await world.queued()
        assert await self.ask_again(world, minutes=29) == []
        assert await self.ask_again(world, minutes=30) == [lost]

    async def test_a_running_one_is_asked_for_again_once_it_falls_silent(self, world: World) -> None:
        job_id = await world.queued()
        await usecases.note_started(world.store, wrapped(started(job_id)))
        await usecases.note_progress(world.store, wrapped(progressed(job_id, 0.5, seconds=1200)))
        assert await self.ask_again(world, minutes=40) == []
        assert await self.ask_again(world, minutes=51) == [job_id]

    async def test_one_that_has_ended_is_left_alone(self, world: World) -> None:
        job_id = await world.queued()
        await usecases.note_cancelled(world.store, wrapped(told(TaskCancelled, job_id)))
        assert await self.ask_again(world, minutes=600) == []


async def test_the_id_of_a_run_in_place_of_a_job_is_told_with_its_job(world: World) -> None:
    command = run_task()
    await usecases.run_task(world.store, world.clock, wrapped(command))
    run_as_job = JobId(command.run_id)
    asks = (
        usecases.get_job(world.store, ORG, run_as_job),
        usecases.read_log(world.store, ORG, run_as_job),
        usecases.cancel_job(world.store, world.clock, wrapped(cancel(run_as_job))),
    )
    for ask in asks:
        with pytest.raises(NotFound, match=f"id_of_run: .*{command.job_id}"):
            await ask
    with pytest.raises(NotFound, match="job_not_found"):
        await usecases.get_job(world.store, OrganizationId("another"), run_as_job)


async def test_the_id_of_a_job_in_place_of_a_run_is_told_with_its_run(world: World) -> None:
    command = run_task()
    await usecases.run_task(world.store, world.clock, wrapped(command))
    with pytest.raises(NotFound, match=f"id_of_job: .*{command.run_id}"):
        await usecases.get_run(world.store, ORG, RunId(command.job_id))
    with pytest.raises(NotFound, match="run_not_found"):
        await usecases.get_run(world.store, OrganizationId("another"), RunId(command.job_id))


class TestRetries:
    async def ended(self, world: World) -> Job:
        job_id = await world.queued()
        await usecases.note_cancelled(world.store, wrapped(told(TaskCancelled, job_id)))
        world.jobs.published.clear()
        return await world.job(job_id)

    async def again(self, world: World, former: Job, **facts: Any) -> RetryJob:
        command = retry(former.id, former, **facts)
        await usecases.retry_job(world.store, world.clock, wrapped(command))
        return command

    async def test_a_new_job_with_the_same_task_names_the_one_before_and_is_named_by_it(self, world: World) -> None:
        former = await self.ended(world)
        newer = former.task.origin.model_copy(update={"revision": 7})
        command = await self.again(world, former, origin=newer, pool="far")
        job = await world.job(command.new_job_id)
        assert (job.retry_of, job.run_id, job.pool, job.status) == (former.id, command.run_id, "far", "queued")
        assert job.task == former.task.model_copy(update={"origin": newer})
        assert await world.job(former.id) == former.model_copy(update={"retried_by": job.id})
        assert world.announced() == ["TaskRequested", "JobChanged", "JobNoted", "CommandOutcome"]
        [request] = [each.data for each in world.jobs.published if isinstance(each.data, TaskRequested)]
        assert request.retry_of == former.id

    async def test_a_second_delivery_changes_nothing_whatever_happened_since(self, world: World) -> None:
        former = await self.ended(world)
        command = wrapped(retry(former.id, former))
        await usecases.retry_job(world.store, world.clock, command)
        await usecases.note_cancelled(world.store, wrapped(told(TaskCancelled, command.data.new_job_id)))
        await self.again(world, former)
        with pytest.raises(AlreadyHandled) as repeat:
            await usecases.retry_job(world.store, world.clock, command)
        assert repeat.value.outcome is not None

    async def test_a_second_retry_is_refused_until_the_first_is_over(self, world: World) -> None:
        former = await self.ended(world)
        first = await self.again(world, former)
        with pytest.raises(Conflict, match="retry_unfinished"):
            await self.again(world, former)
        await usecases.note_cancelled(world.store, wrapped(told(TaskCancelled, first.new_job_id)))
        second = await self.again(world, former)
        assert (await world.job(former.id)).retried_by == second.new_job_id

    async def test_a_process_that_died_between_the_two_saves_is_made_up_for(self, world: World) -> None:
        former = await self.ended(world)
        command = retry(former.id, former)
        aggregate = await world.jobs.load(ORG, former.id)
        await world.jobs.save(aggregate, former.model_copy(update={"retried_by": command.new_job_id}))
        with pytest.raises(Conflict, match="retry_unfinished"):
            await self.again(world, former)
        await usecases.retry_job(world.store, world.clock, wrapped(command))
        assert (await world.job(command.new_job_id)).retry_of == former.id

    async def test_it_has_the_parties_of_the_job_before(self, world: World) -> None:
        former = await self.ended(world)
        with pytest.raises(Invalid, match="retry_differs"):
            await self.again(world, former, target=None)


class TestHistory:
    async def ended(self, world: World, many: int) -> list[JobId]:
        """Jobs that are over, newest first."""
        ids = [await world.queued() for _ in range(many)]
        for job_id in ids:
            await usecases.note_cancelled(world.store, wrapped(told(TaskCancelled, job_id)))
        return ids[::-1]

    async def listed(self, world: World, *, limit: int = 200, offset: int = 0, **asked: Any) -> tuple[int, list[JobId]]:
        page = await usecases.list_jobs(world.store, ORG, JobFilter(**asked), limit=limit, offset=offset)
        return page.total, [job.id for job in page.items]

    async def test_packed_jobs_are_listed_as_before(self, world: World) -> None:
        ids = [*await self.ended(world, 10), *await self.ended(world, SEGMENT_JOBS), await world.queued()]
        ids = sorted(ids, reverse=True)
        before = await self.listed(world)
        assert await usecases.pack_history(world.store) == SEGMENT_JOBS
        assert len(await world.store.job_index.rows(ORG)) == 11
        assert await self.listed(world) == before == (61, ids)
        assert await self.listed(world, limit=7, offset=49) == (61, ids[49:56])
        assert await self.listed(world, status="queued") == (1, [ids[0]])
        assert await self.listed(world, task_type="check") == (0, [])
        app = (await world.job(ids[30])).task.origin.id
        assert await self.listed(world, app_id=app, role="origin") == (1, [ids[30]])
        assert await self.listed(world, app_id=app, role="target") == (0, [])

    async def test_of_many_apps_each_job_is_looked_at_for_its_own_alone(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        going_on = [(await world.job(await world.queued())).task.origin.id for _ in range(30)]
        looked: list[str] = []
        matches = Row.matches

        def noted(row: Row, asked: JobFilter) -> bool:
            looked.append(row.id)
            return matches(row, asked)

        monkeypatch.setattr(Row, "matches", noted)
        assert len(await usecases.latest_jobs(world.store, ORG, "backup", going_on)) == 30
        # Once in the index, and once as the job that was found.
        assert len(looked) == 60

    async def test_the_last_job_of_each_app_is_found_whether_it_is_over_or_goes_on(self, world: World) -> None:
        over = await self.ended(world, SEGMENT_JOBS)
        assert await usecases.pack_history(world.store) == SEGMENT_JOBS
        task = (await world.job(over[7])).task
        going_on = run_task(task)
        await usecases.run_task(world.store, world.clock, wrapped(going_on))
        saved_later = queued(task=task).model_copy(update={"id": JobId(new_id())})
        await world.store.job_index.enter(ORG, saved_later)
        stores = {job_id: (await world.job(job_id)).task.target for job_id in over[:2]}
        ids = {target.id: job_id for job_id, target in stores.items() if target}
        asked = [task.origin.id, *ids, task.origin.id, AppId("of nobody")]

        found = await usecases.latest_jobs(world.store, ORG, "backup", asked)

        assert {app_id: job.id for app_id, job in found.items()} == {task.origin.id: going_on.job_id, **ids}
        assert await usecases.latest_jobs(world.store, ORG, "check", asked) == {}
        assert await usecases.latest_jobs(world.store, ORG, "backup", []) == {}

    async def test_few_jobs_are_not_packed(self, world: World) -> None:
        await self.ended(world, SEGMENT_JOBS - 1)
        assert await usecases.pack_history(world.store) == 0

    async def test_a_job_that_a_dead_process_left_in_both_is_listed_once_and_removed(self, world: World) -> None:
        ids = await self.ended(world, SEGMENT_JOBS)
        await usecases.pack_history(world.store)
        await world.store.job_index.enter(ORG, await world.job(ids[3]))
        assert await self.listed(world) == (SEGMENT_JOBS, ids)
        await usecases.pack_history(world.store)
        assert await world.store.job_index.rows(ORG) == []
        assert await self.listed(world) == (SEGMENT_JOBS, ids)

    async def test_a_job_whose_end_is_not_saved_yet_is_not_packed(self, world: World) -> None:
        ids = await self.ended(world, SEGMENT_JOBS)
        unsaved = await world.job(await world.queued())
        await world.store.job_index.enter(ORG, unsaved.model_copy(update={"status": "failed"}))
        await usecases.pack_history(world.store)
        assert [row.id for row in await world.store.job_index.rows(ORG)] == [unsaved.id]
        assert await self.listed(world) == (SEGMENT_JOBS + 1, [unsaved.id, *ids])
