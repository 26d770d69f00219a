"""What the scheduler answers."""

from pydantic import Field

from contracts.measures import Sample, Totals, Usage
from contracts.messages.connector.task_events import LogLine, PathOutcome
from contracts.messages.outcomes import Problem
from contracts.messages.scheduler import USUAL_PRIORITY, JobStatus
from contracts.task_types.base import TaskType
from contracts.tasks import Task, TaskResult
from contracts.values import AppId, Moment, Value


class JobProgress(Value):
    """How far a running job is; the latest report of its worker."""

    # Defaults, as processes of two versions run side by side during an upgrade (0037).
    phase: str = ""
    waiting_for: str = ""
    fraction: float = 0
    files_done: int = 0
    files_total: int = 0
    bytes_done: int = 0
    bytes_total: int = 0
    current: tuple[str, ...] = ()
    cpu_percent: float = 0
    memory_bytes: int = 0
    network_bytes: int = 0
    stuck_since: Moment | None = None


class Job(Value):
    """One run of a task."""

    id: str
    run_id: str
    status: JobStatus
    task: Task
    schedule_at: Moment | None = None
    created_at: Moment | None = None
    started_at: Moment | None = None
    stopped_at: Moment | None = None
    attempt: int = 0
    worker: str | None = None
    priority: int = USUAL_PRIORITY
    retry_of: str | None = None
    retried_by: str | None = None
    problem: Problem | None = None
    progress: JobProgress | None = None
    result: TaskResult | None = None


MOST_APPS_ASKED = 500


class LatestJobsQuestion(Value):
    """What was the last job of a type that each of some apps was a party of?"""

    task_type: TaskType
    app_ids: tuple[AppId, ...] = Field(max_length=MOST_APPS_ASKED)


class LatestJob(Value):
    """The last job of an app; of those that have none there is no answer."""

    app_id: AppId
    job: Job


class Run(Value):
    """A one-off run and its job; None until there is one."""

    run_id: str
    job: Job | None = None


class JobLog(Value):
    """The log of a job, or what follows in it; oldest line first."""

    lines: tuple[LogLine, ...]
    # Defaults, as a scheduler of the version before does not tell them (0037).
    next_offset: int | None = None
    is_complete: bool = False


class JobPhase(Value):
    """A phase of an attempt at a job; `seconds` is None while it goes on."""

    name: str
    attempt: int
    started_at: Moment
    seconds: float | None = None


class JobMeasures(Value):
    """What a job used, did and warned of, over all attempts."""

    samples: tuple[Sample, ...] = ()
    highest: Usage = Usage()
    totals: Totals = Totals()
    phases: tuple[JobPhase, ...] = ()
    paths: tuple[PathOutcome, ...] = ()
    warnings: tuple[LogLine, ...] = ()
    warning_count: int = 0
