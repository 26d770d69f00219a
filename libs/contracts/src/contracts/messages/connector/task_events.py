"""What a worker announces about a job: start, progress, log and end."""

from typing import Any, ClassVar

from pydantic import Field, model_validator

from contracts.measures import Sample, Totals
from contracts.messages.connector.base import ConnectorEvent
from contracts.messages.outcomes import Problem
from contracts.task_types.backup import BackupResult
from contracts.tasks import TaskResult, lift_result
from contracts.values import AppId, JobId, Moment, RunId, Value


class TaskEvent(ConnectorEvent):
    """About a job; `attempt` is the fencing token: readers ignore events of an older attempt."""

    KEY: ClassVar[str] = "job_id"

    job_id: JobId = Field(description="The job")
    attempt: int = Field(ge=1, description="Number of the attempt at the job, from 1")
    at: Moment = Field(description="When it happened")
    # Events of workers of versions before these fields lack them.
    origin_id: AppId | None = Field(default=None, description="What the job's task starts from")
    target_id: AppId | None = Field(default=None, description="Where it goes to")
    run_id: RunId | None = Field(default=None, description="The run that the job belongs to")


class TaskStarted(TaskEvent):
    """A worker took the job."""

    TYPE: ClassVar[str] = "cairn.connector.task.started.v1"

    worker: str = Field(description="Name of the worker's process")


class TaskProgressed(TaskEvent):
    """How far the job is. Lossy: the latest wins, at most two a second."""

    TYPE: ClassVar[str] = "cairn.connector.task.progressed.v1"

    phase: str = Field(
        description="`preparing`, `waiting`, `transferring`, `indexing`, `checking`, `verifying`,"
        " `deleting`, `freeing` or `repairing`; others may follow"
    )
    waiting_for: str = Field(default="", description="Who holds the store, in words, while the phase is `waiting`")
    fraction: float = Field(ge=0, le=1, description="Part of the job that is done")
    files_done: int = Field(default=0, description="Files handled so far")
    files_total: int = Field(default=0, description="Files known of so far")
    bytes_done: int = Field(default=0, description="Bytes handled so far")
    bytes_total: int = Field(default=0, description="Bytes known of so far")
    current: tuple[str, ...] = Field(default=(), description="Paths being worked on")
    cpu_percent: float = Field(default=0, description="Of one core, engine processes")
    memory_bytes: int = Field(default=0, description="Resident, engine processes")
    network_bytes: int = Field(default=0, description="Sent and received by the worker's host since the job started")
    stuck_since: Moment | None = Field(
        default=None, description="Since when the engine does nothing, where that is for too long"
    )


class LogLine(Value):
    """One line of a job's log."""

    at: Moment = Field(description="When it was written")
    level: str = Field(description="`info`, `warning` or `error`")
    text: str = Field(description="The line, without a secret")


class TaskLogged(TaskEvent):
    """Lines for the job's log. `sequence` grows by one within an attempt, from 1."""

    TYPE: ClassVar[str] = "cairn.connector.task.logged.v1"

    sequence: int = Field(description="Number of the message within the attempt, from 1")
    lines: tuple[LogLine, ...] = Field(description="The lines, oldest first")


class PhaseBegun(Value):
    """A job came to another phase."""

    name: str = Field(description="As `phase` of `TaskProgressed`")
    at: Moment = Field(description="When it began")


class PathOutcome(Value):
    """What became of a path that a job came to."""

    path: str = Field(description="Within the source or the restore point, as people read it")
    status: str = Field(description="`ok`, `error`, `kept` or `unchanged`; others may follow")


class TaskMeasured(TaskEvent):
    """What happened of a job since the message before. Nothing of it is lost: it is sent until it has arrived.

    `sequence` grows by one within an attempt, from 1; the same number again is the same message.
    """

    TYPE: ClassVar[str] = "cairn.connector.task.measured.v1"

    sequence: int = Field(description="Number of the message within the attempt, from 1")
    samples: tuple[Sample, ...] = Field(default=(), description="What the job used since, oldest first")
    totals: Totals = Field(default=Totals(), description="What the attempt used so far")
    phases: tuple[PhaseBegun, ...] = Field(default=(), description="Phases that began since, oldest first")
    paths: tuple[PathOutcome, ...] = Field(
        default=(), description="Paths that were handled since, oldest first; of many the latest, errors first of all"
    )
    warnings: tuple[LogLine, ...] = Field(
        default=(), description="Lines of the log since that are warnings; of many in an attempt the first ones"
    )
    warning_count: int = Field(default=0, description="How many warnings there were in the attempt so far")


class TaskEnded(TaskEvent):
    """A job came to an end that leaves a result.

    `backup` repeats the result of a backup, for readers of versions before results had types; it can go once no such
    version is in use.
    """

    result: TaskResult | None = Field(default=None, description="Figures, by type of task")
    backup: BackupResult | None = Field(default=None, description="The result again, when the job was a backup")

    @model_validator(mode="before")
    @classmethod
    def _lift(cls, data: Any) -> Any:
        # Both ways: `backup` of an old message becomes the result, and it is repeated as `backup` for old readers.
        lifted = lift_result(data)
        result = lifted.get("result") if isinstance(lifted, dict) else None
        return lifted | {"backup": result} if isinstance(result, BackupResult) else lifted


class TaskSucceeded(TaskEnded):
    """The job did all it should."""

    TYPE: ClassVar[str] = "cairn.connector.task.succeeded.v1"


class TaskFailed(TaskEnded):
    """The job did not do all it should. It may still have left something: see `result`."""

    TYPE: ClassVar[str] = "cairn.connector.task.failed.v1"

    problem: Problem = Field(description="Why, in words")


class TaskCancelled(TaskEvent):
    """The job was stopped on request."""

    TYPE: ClassVar[str] = "cairn.connector.task.cancelled.v1"
