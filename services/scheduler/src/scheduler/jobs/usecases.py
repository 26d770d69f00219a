"""One function per verb: load, decide, save together with the events."""

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Any, TypeVar

from chassis.messaging.envelopes import envelope
from chassis.messaging.publisher import Publisher
from chassis.persistence.aggregates import Aggregate, Page, Result
from chassis.telemetry import semantic_conventions as semconv
from chassis.telemetry.tracing import span
from contracts.envelope import Envelope
from contracts.messages.base import Event
from contracts.messages.connector.task_events import (
    LogLine,
    TaskCancelled,
    TaskEvent,
    TaskFailed,
    TaskLogged,
    TaskMeasured,
    TaskProgressed,
    TaskStarted,
    TaskSucceeded,
)
from contracts.messages.scheduler import (
    FINAL_STATUSES,
    CancelJob,
    JobChanged,
    JobNoted,
    RetryJob,
    RunTask,
    TaskCancelRequested,
    TaskRequested,
)
from contracts.task_types.base import TaskType
from contracts.values import AppId, JobId, OrganizationId, RunId
from opentelemetry.trace import Span

from scheduler.jobs.domain import job as decisions
from scheduler.jobs.domain import retries
from scheduler.jobs.domain.history import JobFilter
from scheduler.jobs.domain.job import Job
from scheduler.jobs.domain.log import (
    LogTail,
    compose_log,
    follow_log,
    new_lines,
    part_of,
    place_part,
    tail_of,
    whole_log,
)
from scheduler.jobs.domain.measures import Measures, shown_measures, take_measures
from scheduler.jobs.store import SchedulerStore
from scheduler.jobs.store.history import SEGMENT_JOBS

log = logging.getLogger(__name__)
Clock = Callable[[], datetime]
E = TypeVar("E", bound=TaskEvent)


async def run_task(store: SchedulerStore, clock: Clock, command: Envelope[RunTask]) -> None:
    """Make a job and ask the workers of its pool to do it."""
    data, org = command.data, command.data.organization_id
    with _span("scheduler.run_task", org, data.job_id):
        aggregate = await store.jobs.load(org, data.job_id, cause=command)
        job = decisions.queue_job(aggregate.value, data, clock())
        await _save_queued(store, aggregate, job, command)


async def retry_job(store: SchedulerStore, clock: Clock, command: Envelope[RetryJob]) -> None:
    """Run the task of a job that is over once more, as a new job."""
    data, org = command.data, command.data.organization_id
    with _span("scheduler.retry_job", org, data.job_id):
        # First: once it was done, what stands against it now is no reason to refuse it.
        aggregate = await store.jobs.load(org, data.new_job_id, cause=command)
        before = await store.jobs.load(org, data.job_id)
        former = await _required(store, org, data.job_id, before.value)
        latest = await store.jobs.get(org, former.retried_by) if former.retried_by else None
        job = retries.retry(former, aggregate.value, data, latest=latest, now=clock())
        # The predecessor first and without the cause: a process that dies between the two is followed by another that
        # finds itself named there, goes on, and answers.
        await store.save(before, retries.note_retry(former, job))
        await _save_queued(store, aggregate, job, command)


async def _save_queued(
    store: SchedulerStore, aggregate: Aggregate[Job], job: Job, command: Envelope[RunTask] | Envelope[RetryJob]
) -> None:
    org = command.data.organization_id
    events = [_request(org, job), *_changes(org, None, job, at=job.created_at)]
    result: Result = {"run_id": job.run_id, "job_id": job.id}
    await store.save(aggregate, job, events=events, cause=command, result=result)
    log.info("job queued", extra=_ids(org, job))


async def cancel_job(store: SchedulerStore, clock: Clock, command: Envelope[CancelJob]) -> None:
    """Ask the workers to stop a job; it is canceled once one of them says so, also when none had begun it."""
    data, org = command.data, command.data.organization_id
    with _span("scheduler.cancel_job", org, data.job_id):
        aggregate = await store.jobs.load(org, data.job_id, cause=command)
        before = await _required(store, org, data.job_id, aggregate.value)
        job = decisions.request_cancel(before, clock())
        request = TaskCancelRequested(organization_id=org, job_id=job.id, pool=job.pool)
        events = [request, *_notes(org, before, job)]
        await store.save(aggregate, job, events=events, cause=command, result={"job_id": job.id})
    log.info("job asked to stop", extra=_ids(org, job))


async def note_started(store: SchedulerStore, event: Envelope[TaskStarted]) -> None:
    """A worker took the job, or took it over."""
    await _follow(store, event, decisions.start, name="scheduler.note_started")


async def note_succeeded(store: SchedulerStore, event: Envelope[TaskSucceeded]) -> None:
    """The job is done."""
    await _follow(store, event, decisions.succeed, name="scheduler.note_succeeded")


async def note_failed(store: SchedulerStore, event: Envelope[TaskFailed]) -> None:
    """The job failed."""
    await _follow(store, event, decisions.fail, name="scheduler.note_failed")


async def note_cancelled(store: SchedulerStore, event: Envelope[TaskCancelled]) -> None:
    """The job was stopped."""
    await _follow(store, event, decisions.cancel, name="scheduler.note_cancelled")


async def note_progress(store: SchedulerStore, event: Envelope[TaskProgressed]) -> None:
    """Keep the latest progress."""
    data, org = event.data, event.data.organization_id
    with _span("scheduler.note_progress", org, data.job_id):
        # Without a cause: progress comes every few seconds and would fill what a job remembers as handled. The latest
        # wins, so that handling one twice changes nothing.
        aggregate = await store.jobs.load(org, data.job_id)
        if aggregate.value is None or not decisions.accepts(aggregate.value, data):
            return
        job = decisions.advance(aggregate.value, data)
        if job is not aggregate.value:
            await store.save(aggregate, job, events=_changes(org, aggregate.value, job, at=data.at))


async def note_lines(store: SchedulerStore, event: Envelope[TaskLogged]) -> None:
    """Keep a worker's lines, unless they come from an attempt that was taken over or after the end."""
    data, org = event.data, event.data.organization_id
    with _span("scheduler.note_lines", org, data.job_id):
        part = part_of(data)
        job = decisions.require_job(await store.jobs.get(org, data.job_id))
        if part is not None and decisions.accepts(job, data):
            # Without the job, which would be written anew for every few lines; a part that comes twice is kept once.
            lines = await store.log_parts.count_lines(org, data.job_id)
            await store.log_parts.add(org, data.job_id, place_part(part, notes=len(job.notes), lines=lines))


async def note_measures(store: SchedulerStore, event: Envelope[TaskMeasured]) -> None:
    """Keep what a job used, did and warned of, unless an attempt says so that was taken over, or after the end."""
    data, org = event.data, event.data.organization_id
    with _span("scheduler.note_measures", org, data.job_id):
        if not decisions.accepts(decisions.require_job(await store.jobs.get(org, data.job_id)), data):
            return
        known = await store.measures.of(org, data.job_id)
        taken = take_measures(known, data)
        if taken is not known:
            await store.measures.keep(org, data.job_id, taken)


async def ask_again(store: SchedulerStore, publisher: Publisher, clock: Clock, *, silence: timedelta) -> None:
    """Ask the workers again for jobs of which no event came for long, oldest first.

    A worker that waits for the job or does it goes on as before, one that ended it says so once more, and a request
    that was lost is made up for. Nothing is written, so that any number of schedulers may do this.
    """
    with span("scheduler.ask_again"):
        for org, job_id in await store.job_index.unfinished():
            job = await store.jobs.get(org, job_id)
            if job is not None and decisions.is_silent(job, clock(), silence=silence):
                await publisher.send(envelope(_request(org, job), service="scheduler"))
                log.info("job asked for again", extra=_ids(org, job))


async def pack_history(store: SchedulerStore) -> int:
    """Move jobs that are over from the index into the history; how many. Any number of schedulers may do this at once.

    A process that dies in between leaves jobs in both, which the next look makes good.
    """
    with span("scheduler.pack_history"):
        over: dict[OrganizationId, list[JobId]] = {}
        for org, job_id in await store.job_index.finished():
            over.setdefault(org, []).append(job_id)
        return sum([await _pack(store, org, sorted(ids)) for org, ids in over.items()])


async def _pack(store: SchedulerStore, org: OrganizationId, ids: list[JobId]) -> int:
    packed = 0
    for start in range(0, len(ids), SEGMENT_JOBS):
        batch = ids[start : start + SEGMENT_JOBS]
        history = await store.history.of(org)
        # Read together: what others add from now on has this number, and then nothing is added here.
        number = history.next_segment
        known = await store.listing.packed_of(org, history, batch)
        jobs = await store.listing.get_all(org, [job_id for job_id in batch if job_id not in known])
        # The index is ahead of a job whose end is being saved.
        over = [JobId(job.id) for job in jobs if job.status in FINAL_STATUSES]
        is_full = len(batch) == SEGMENT_JOBS and over
        if is_full and await store.history.add(org, [job for job in jobs if job.id in over], number=number):
            known.update(over)
            packed += len(over)
        for job_id in known:
            await store.job_index.remove(org, job_id)
    return packed


async def list_jobs(
    store: SchedulerStore, org: OrganizationId, asked: JobFilter, *, limit: int, offset: int
) -> Page[Job]:
    """Jobs that are asked for, newest first, and how many there are in all."""
    with span("scheduler.list_jobs", attributes={semconv.ORGANIZATION: org}):
        return await store.listing.page(org, asked, limit=limit, offset=offset)


async def get_job(store: SchedulerStore, org: OrganizationId, job_id: JobId) -> Job:
    """One job. Raises `NotFound` (`job_not_found`, `id_of_run`)."""
    with _span("scheduler.get_job", org, job_id):
        return await _required(store, org, job_id, await store.jobs.get(org, job_id))


async def get_run(store: SchedulerStore, org: OrganizationId, run_id: RunId) -> Job:
    """The job of a run. Raises `NotFound` (`run_not_found`, `id_of_job`)."""
    with span("scheduler.get_run", attributes={semconv.ORGANIZATION: org}):
        if job := await store.find_run(org, run_id):
            return job
        return decisions.require_run(None, of_id=await store.jobs.get(org, run_id))


async def latest_jobs(
    store: SchedulerStore, org: OrganizationId, task_type: TaskType, app_ids: Sequence[AppId]
) -> dict[AppId, Job]:
    """The last job of a type of each app that has one."""
    with span("scheduler.latest_jobs", attributes={semconv.ORGANIZATION: org}):
        asked = [JobFilter(task_type=task_type, app_id=app_id) for app_id in dict.fromkeys(app_ids)]
        found = await store.listing.newest(org, asked)
        return {app_id: job for app_id, job in zip(dict.fromkeys(app_ids), found, strict=True) if job is not None}


async def read_log(store: SchedulerStore, org: OrganizationId, job_id: JobId) -> list[LogLine]:
    """The log of a job, never empty. Raises `NotFound` (`job_not_found`, `id_of_run`)."""
    with _span("scheduler.read_log", org, job_id):
        job = await _required(store, org, job_id, await store.jobs.get(org, job_id))
        return compose_log(job, await store.log_parts.of(org, job_id))


async def follow_job_log(store: SchedulerStore, org: OrganizationId, job_id: JobId, *, offset: int) -> LogTail:
    """The lines of a job's log after the first `offset` ones. Raises `NotFound` (`job_not_found`, `id_of_run`).

    Reads only the parts that have them.
    """
    with _span("scheduler.follow_log", org, job_id):
        job = await _required(store, org, job_id, await store.jobs.get(org, job_id))
        is_over = job.status in FINAL_STATUSES
        if not await store.log_parts.are_placed(org, job_id):
            lines = whole_log(job, await store.log_parts.of(org, job_id))
            return tail_of(lines, offset=offset, is_over=is_over)
        last = await store.log_parts.last(org, job_id)
        parts = await store.log_parts.after(org, job_id, offset)
        notes, known = job.notes, len(job.notes)
        if parts and (parts[-1].notes or 0) > known:
            # Read before the parts: of notes that came since only those are told that stand before one of them.
            notes = (await _required(store, org, job_id, await store.jobs.get(org, job_id))).notes
        return follow_log(notes, parts, offset=offset, last=last, known=known, is_over=is_over)


async def read_measures(store: SchedulerStore, org: OrganizationId, job_id: JobId) -> Measures:
    """What a job used, did and warned of. Raises `NotFound` (`job_not_found`, `id_of_run`)."""
    with _span("scheduler.read_measures", org, job_id):
        job = await _required(store, org, job_id, await store.jobs.get(org, job_id))
        return shown_measures(await store.measures.of(org, job_id), job)


async def _required(store: SchedulerStore, org: OrganizationId, job_id: JobId, job: Job | None) -> Job:
    """The job; when there is none, look whether its id is a run's, so that the refusal can tell."""
    return job or decisions.require_job(None, of_run=await store.find_run(org, RunId(job_id)))


async def _follow(store: SchedulerStore, event: Envelope[E], decide: Callable[[Job, E], Job], *, name: str) -> None:
    data, org = event.data, event.data.organization_id
    with _span(name, org, data.job_id):
        aggregate = await store.jobs.load(org, data.job_id, cause=event)
        before = decisions.require_job(aggregate.value)
        if not decisions.accepts(before, data):
            # Not an error: an attempt that was taken over goes on until its worker notices.
            log.info(
                "event of a job ignored", extra={**_ids(org, before), "type": event.type, "of_attempt": data.attempt}
            )
            return
        job = decide(before, data)
        if job is not before:
            await store.save(aggregate, job, events=_changes(org, before, job, at=data.at), cause=event)
            log.info("job followed", extra=_ids(org, job))


def _request(org: OrganizationId, job: Job) -> TaskRequested:
    facts = {"run_id": job.run_id, "task": job.task, "pool": job.pool, "priority": job.priority}
    return TaskRequested(organization_id=org, job_id=job.id, retry_of=job.retry_of, **facts)


def _changes(org: OrganizationId, before: Job | None, job: Job, *, at: datetime) -> list[Event]:
    # Progress comes every few seconds and is of interest to nobody but readers of the job.
    if before is not None and (before.status, before.attempt) == (job.status, job.attempt):
        return _notes(org, before, job)
    changed = JobChanged(**_facts(org, job), at=at, status=job.status, task_type=job.task.type, problem=job.problem)
    return [changed, *_notes(org, before, job)]


def _notes(org: OrganizationId, before: Job | None, job: Job) -> list[Event]:
    """What listeners are told of the lines that the scheduler added to the log."""
    lines = new_lines(before, job)
    return [JobNoted(**_facts(org, job), at=lines[-1].at, lines=lines)] if lines else []


def _facts(org: OrganizationId, job: Job) -> dict[str, Any]:
    target = job.task.target.id if job.task.target else None
    parties = {"origin_id": job.task.origin.id, "target_id": target}
    return {"organization_id": org, "job_id": job.id, "run_id": job.run_id, "attempt": job.attempt, **parties}


def _span(name: str, org: OrganizationId, job_id: JobId) -> AbstractContextManager[Span]:
    return span(name, attributes={semconv.ORGANIZATION: org, semconv.JOB: job_id})


def _ids(org: OrganizationId, job: Job) -> dict[str, object]:
    return {"organization_id": org, "job_id": job.id, "status": job.status, "attempt": job.attempt}
