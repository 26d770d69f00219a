"""What a job is and how it changes."""

from datetime import datetime, timedelta
from typing import Literal

from contracts.errors import Conflict, Invalid, NotFound
from contracts.messages.assignment import AppKind
from contracts.messages.connector.task_events import (
    LogLine,
    TaskCancelled,
    TaskEvent,
    TaskFailed,
    TaskProgressed,
    TaskStarted,
    TaskSucceeded,
)
from contracts.messages.outcomes import Problem
from contracts.messages.scheduler import FINAL_STATUSES, HIGHEST_PRIORITY, USUAL_PRIORITY, JobStatus, RunTask
from contracts.task_types.base import TaskType
from contracts.tasks import TASK_KINDS, Task, TaskResult, lift_result
from contracts.values import JobId, Moment, RunId, Value
from contracts.wording import with_article
from pydantic import Field, model_validator

from scheduler.jobs.domain.options import check_options
from scheduler.jobs.domain.wording import describe_success, describe_task


class Progress(Value):
    """How far a job is: the latest `TaskProgressed` of its present attempt."""

    at: Moment
    phase: str
    waiting_for: str = ""
    fraction: float
    files_done: int = 0
    files_total: int = 0
    bytes_done: int = 0
    bytes_total: int = 0
    current: tuple[str, ...] = ()
    cpu_percent: float = 0
    memory_bytes: int = 0
    network_bytes: int = 0
    stuck_since: Moment | None = None


class Note(Value):
    """A line the scheduler itself adds to a job's log, before or after the worker's lines of an attempt."""

    attempt: int = Field(description="0: before any worker had the job")
    place: Literal["before", "after"]
    line: LogLine


class Job(Value):
    """One run of a task."""

    id: JobId
    run_id: RunId
    pool: str
    status: JobStatus
    task: Task
    schedule_at: Moment
    created_at: Moment
    priority: int = Field(default=USUAL_PRIORITY, ge=0, le=HIGHEST_PRIORITY)
    retry_of: JobId | None = Field(default=None, description="The job whose task this one runs once more")
    retried_by: JobId | None = Field(default=None, description="The latest job that runs this one's task once more")
    started_at: Moment | None = None
    stopped_at: Moment | None = None
    attempt: int = Field(default=0, description="0 until a worker has taken the job; the fencing token")
    worker: str | None = Field(default=None, description="Who has, or had, the latest attempt")
    cancel_requested_at: Moment | None = None
    problem: Problem | None = Field(default=None, description="Set when failed")
    progress: Progress | None = None
    result: TaskResult | None = Field(default=None, description="What it came to, once it has ended")
    notes: tuple[Note, ...] = Field(default=(), description="The scheduler's own lines of the log, in order")

    _lift = model_validator(mode="before")(lift_result)


def queue_job(present: Job | None, command: RunTask, now: datetime) -> Job:
    """A new job that waits for a worker.

    Raises `Invalid` (`origin_kind_wrong`, `target_missing`, `target_kind_wrong`, `target_is_origin`,
    `options_invalid`) or `Conflict` (`job_exists`) when another command made a job with that id.
    """
    if present is not None:
        raise Conflict("job_exists", "There is a job with this id already.")
    check_task(command.task)
    job = Job(
        id=command.job_id,
        run_id=command.run_id,
        pool=command.pool,
        status="queued",
        task=command.task,
        schedule_at=now,
        created_at=now,
        priority=command.priority,
    )
    return _noted(job, f"queued: {describe_task(command.task)}", at=now, place="before")


def check_task(task: Task) -> None:
    """Raise `Invalid` when the task cannot be carried out, naming the field at fault as the HTTP API calls it."""
    kind = TASK_KINDS[task.type]
    if task.origin.kind != kind.origin:
        detail = f"{_capitalized(task.type)} starts from a {kind.origin}; {task.origin.name!r} is a {task.origin.kind}."
        raise Invalid("origin_kind_wrong", detail, fields={"origin_id": detail})
    _check_target(task, kind.target, also=kind.other_target)
    check_options(task.options, task.type)


def _capitalized(type_: TaskType) -> str:
    return with_article(type_).capitalize()


def _check_target(task: Task, kind: AppKind | None, *, also: AppKind | None) -> None:
    if kind is None:
        if task.target is not None:
            detail = f"{_capitalized(task.type)} has no target."
            raise Invalid("target_kind_wrong", detail, fields={"target_id": detail})
        return
    if task.target is None:
        detail = f"{_capitalized(task.type)} needs a {kind} as its target."
        raise Invalid("target_missing", detail, fields={"target_id": detail})
    if task.target.kind not in (kind, also):
        detail = f"{_capitalized(task.type)} goes to a {kind}; {task.target.name!r} is a {task.target.kind}."
        raise Invalid("target_kind_wrong", detail, fields={"target_id": detail})
    if task.target.id == task.origin.id:
        detail = f"{_capitalized(task.type)} goes from one {kind} to another one; both are {task.target.name!r}."
        raise Invalid("target_is_origin", detail, fields={"target_id": detail})


def request_cancel(job: Job, now: datetime) -> Job:
    """The job, asked to stop; it ends when a worker says so. A second request changes nothing.

    Raises `Conflict` (`job_finished`).
    """
    if job.status in FINAL_STATUSES:
        raise Conflict("job_finished", f"The job has ended already: it is {job.status}.")
    if job.cancel_requested_at is not None:
        return job
    # The status stays: a worker may be done before it hears of the request.
    return _noted(_with(job, cancel_requested_at=now), "asked to stop", at=now, place="after")


def require_job(job: Job | None, *, of_run: Job | None = None) -> Job:
    """The job. Raises `NotFound` when there is none: `job_not_found`, or `id_of_run` when its id is that of a run.

    `of_run`: the job of the run that has the id.
    """
    if job is not None:
        return job
    if of_run is not None:
        raise NotFound("id_of_run", f"This is the id of a run, not of a job; its job is {of_run.id}.")
    raise NotFound("job_not_found", "There is no such job.")


def require_run(job: Job | None, *, of_id: Job | None = None) -> Job:
    """The job of a run. Raises `NotFound` when there is none: `run_not_found`, or `id_of_job` for the id of a job."""
    if job is not None:
        return job
    if of_id is not None:
        raise NotFound("id_of_job", f"This is the id of a job, not of a run; its run is {of_id.run_id}.")
    raise NotFound("run_not_found", "There is no such run.")


def is_silent(job: Job, now: datetime, *, silence: timedelta) -> bool:
    """Whether no event of an unfinished job came for too long: a message may have been lost."""
    heard = [job.created_at, job.started_at or job.created_at]
    if job.progress is not None:
        heard.append(job.progress.at)
    return job.status not in FINAL_STATUSES and now - max(heard) >= silence


def accepts(job: Job, event: TaskEvent) -> bool:
    """Whether an event of a worker counts: not after the end, and not from an attempt that was taken over."""
    # Not only the present attempt: a worker that took the job over may be heard of before the scheduler knows of it.
    return job.status not in FINAL_STATUSES and event.attempt >= job.attempt


def start(job: Job, event: TaskStarted) -> Job:
    """The job in the hands of a worker; a newer attempt is a takeover. The same event again changes nothing."""
    if event.attempt == job.attempt and job.worker is not None:
        return job
    text = f"started on {event.worker}, attempt {event.attempt}"
    if job.attempt:
        taken_over = f"taken over from {job.worker or 'a worker'}"
        text = f"{'begun again' if event.worker == job.worker else taken_over}: {text}"
    level = "warning" if job.attempt else "info"
    taken = _with(job, **{**_running(job, event), "worker": event.worker})
    return _noted(taken, text, at=event.at, place="before", level=level)


def advance(job: Job, event: TaskProgressed) -> Job:
    """The job with the latest progress; an older event of the same attempt changes nothing."""
    known = job.progress.at if job.progress and event.attempt == job.attempt else None
    if known is not None and known > event.at:
        return job
    return _with(job, **{**_running(job, event), "progress": Progress.model_validate(event.model_dump())})


def succeed(job: Job, event: TaskSucceeded) -> Job:
    """The job, done."""
    text = describe_success(event.result)
    return _end(job, event, status="succeeded", text=text, result=event.result)


def fail(job: Job, event: TaskFailed) -> Job:
    """The job, failed, with the reason in words."""
    text = f"failed: {event.problem.detail} ({event.problem.code})"
    return _end(job, event, status="failed", text=text, level="error", problem=event.problem, result=event.result)


def cancel(job: Job, event: TaskCancelled) -> Job:
    """The job, stopped on request. It may never have been started."""
    return _end(job, event, status="canceled", text="canceled")


def _running(job: Job, event: TaskEvent) -> dict[str, object]:
    # What another worker did of an earlier attempt says nothing about this one.
    fresh: dict[str, object] = {"worker": None, "progress": None} if event.attempt > job.attempt else {}
    return {**fresh, "status": "running", "attempt": event.attempt, "started_at": job.started_at or event.at}


def _end(job: Job, event: TaskEvent, *, status: JobStatus, text: str, level: str = "info", **facts: object) -> Job:
    # The end may be the first that is heard of a job, if its start was lost; a canceled one may never have started.
    started = job.started_at if status == "canceled" else job.started_at or event.at
    ended = _with(job, status=status, attempt=event.attempt, started_at=started, stopped_at=event.at, **facts)
    return _noted(ended, text, at=event.at, place="after", level=level)


def _noted(job: Job, text: str, *, at: datetime, place: Literal["before", "after"], level: str = "info") -> Job:
    note = Note(attempt=job.attempt, place=place, line=LogLine(at=at, level=level, text=text))
    return _with(job, notes=(*job.notes, note))


def _with(job: Job, **facts: object) -> Job:
    return job.model_copy(update=facts)
