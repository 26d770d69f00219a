"""Commands to and events of the scheduler: runs, jobs, and the work it asks workers for."""

from typing import ClassVar, Literal

from pydantic import Field

from contracts import topics
from contracts.messages.assignment import AppRef
from contracts.messages.base import Command, Event
from contracts.messages.connector.task_events import LogLine
from contracts.messages.outcomes import Problem
from contracts.task_types.base import TaskType
from contracts.tasks import Task
from contracts.values import AppId, JobId, Moment, RunId

JobStatus = Literal["queued", "running", "canceled", "succeeded", "failed"]
FINAL_STATUSES: frozenset[JobStatus] = frozenset({"canceled", "succeeded", "failed"})
"""Those in which a job stays."""
USUAL_PRIORITY = 50
HIGHEST_PRIORITY = 100


class JobCommand(Command):
    """Keyed by job."""

    TOPIC: ClassVar[str] = topics.SCHEDULER_COMMANDS
    KEY: ClassVar[str] = "job_id"

    job_id: JobId = Field(description="Job to act on; chosen by the sender for a new one")


class RunTask(JobCommand):
    """Run a task once, now. Result: `{"run_id", "job_id"}`.

    Refused: `origin_kind_wrong`, `target_kind_wrong`, `target_missing`, `target_is_origin`,
    `options_invalid`, `job_exists`.
    """

    TYPE: ClassVar[str] = "cairn.scheduler.task.run.v1"

    run_id: RunId = Field(description="Chosen by the sender; the handle a client polls")
    task: Task = Field(description="What should happen")
    pool: str = Field(default=topics.DEFAULT_POOL, description="Pool of workers to run on")
    priority: int = Field(
        default=USUAL_PRIORITY, ge=0, le=HIGHEST_PRIORITY, description="Jobs with more of it begin before others"
    )


class CancelJob(JobCommand):
    """Stop a job that is queued or running. Refused: `job_not_found`, `id_of_run`, `job_finished`."""

    TYPE: ClassVar[str] = "cairn.scheduler.job.cancel.v1"


class RetryJob(JobCommand):
    """Run the task of a job that is over once more, as a new job. Result: `{"run_id", "job_id"}` of the new one.

    Refused: `job_not_found`, `id_of_run`, `job_not_finished`, `retry_unfinished`, and as `RunTask` is.
    """

    TYPE: ClassVar[str] = "cairn.scheduler.job.retry.v1"

    new_job_id: JobId = Field(description="Chosen by the sender for the new job")
    run_id: RunId = Field(description="Chosen by the sender; the handle of the new run")
    origin: AppRef = Field(description="What the task starts from, in the revision of now")
    target: AppRef | None = Field(default=None, description="What the task goes to, in the revision of now")
    pool: str = Field(default=topics.DEFAULT_POOL, description="Pool of workers to run on")
    priority: int | None = Field(
        default=None, ge=0, le=HIGHEST_PRIORITY, description="None: that of the job that is retried"
    )


class TaskRequested(Event):
    """A job waits for a worker of its pool."""

    TYPE: ClassVar[str] = "cairn.scheduler.task.requested.v1"
    TOPIC: ClassVar[str] = topics.tasks()
    KEY: ClassVar[str] = "job_id"

    job_id: JobId = Field(description="The job")
    run_id: RunId = Field(description="The run that it belongs to")
    task: Task = Field(description="What should happen")
    pool: str = Field(
        default=topics.DEFAULT_POOL, description="Pool of workers that it waits for; part of the topic's name"
    )
    priority: int = Field(
        default=USUAL_PRIORITY, ge=0, le=HIGHEST_PRIORITY, description="Jobs with more of it begin before others"
    )
    # Requests that were sent before this field was there lack it.
    retry_of: JobId | None = Field(default=None, description="The job that is over and whose task this one runs again")

    @property
    def topic(self) -> str:
        """The work of the pool."""
        return topics.tasks(self.pool)


class TaskCancelRequested(Event):
    """A job should stop."""

    TYPE: ClassVar[str] = "cairn.scheduler.task.cancel-requested.v1"
    TOPIC: ClassVar[str] = topics.tasks()
    KEY: ClassVar[str] = "job_id"

    job_id: JobId = Field(description="The job")
    pool: str = Field(
        default=topics.DEFAULT_POOL, description="Pool of workers that has the job; part of the topic's name"
    )

    @property
    def topic(self) -> str:
        """The work of the pool."""
        return topics.tasks(self.pool)


class JobChanged(Event):
    """A job was made or has a new status."""

    TYPE: ClassVar[str] = "cairn.scheduler.job.changed.v1"
    TOPIC: ClassVar[str] = topics.SCHEDULER_EVENTS
    KEY: ClassVar[str] = "job_id"

    job_id: JobId = Field(description="The job")
    run_id: RunId = Field(description="The run that it belongs to")
    status: JobStatus = Field(description="Where it stands now")
    task_type: TaskType = Field(description="What kind of work")
    attempt: int = Field(default=0, description="0 until a worker has taken the job")
    at: Moment = Field(description="When it changed")
    problem: Problem | None = Field(default=None, description="Set when failed")
    # Changes that were sent before these fields were there lack them.
    origin_id: AppId | None = Field(default=None, description="What the job's task starts from")
    target_id: AppId | None = Field(default=None, description="Where it goes to")


class JobNoted(Event):
    """The scheduler wrote lines of its own into a job's log: queued, started, asked to stop, ended."""

    TYPE: ClassVar[str] = "cairn.scheduler.job.noted.v1"
    TOPIC: ClassVar[str] = topics.SCHEDULER_EVENTS
    KEY: ClassVar[str] = "job_id"

    job_id: JobId = Field(description="The job")
    run_id: RunId = Field(description="The run that it belongs to")
    attempt: int = Field(default=0, description="0 until a worker has taken the job")
    at: Moment = Field(description="When they were written")
    lines: tuple[LogLine, ...] = Field(description="The new lines, oldest first; long ones are cut")
    origin_id: AppId | None = Field(default=None, description="What the job's task starts from")
    target_id: AppId | None = Field(default=None, description="Where it goes to")
