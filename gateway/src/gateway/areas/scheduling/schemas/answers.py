"""Runs, jobs and operations."""

from functools import partial
from operator import eq
from typing import TYPE_CHECKING, Any

from contracts.messages.assignment import AppRef
from contracts.queries.scheduler import Job
from contracts.tasks import TaskOptions
from pydantic import Field, create_model
from pydantic.fields import FieldInfo

from gateway.areas.scheduling.schemas.results import BACKUP_EXAMPLE, BackupView, ResultView, backup_view, result_view
from gateway.http.answers import Absent, JobProblemView, Stamp, View, problem_view
from gateway.http.examples import JOB, RUN, example

PROGRESS_EXAMPLE = {
    "phase": "transferring",
    "waiting_for": "",
    "fraction": 0.4,
    "files_done": 3,
    "files_total": 8,
    "bytes_done": 13000,
    "bytes_total": 32500,
    "current": ["/srv/files/letter.txt"],
    "cpu_percent": 35.0,
    "memory_bytes": 80_000_000,
    "network_bytes": 0,
}
_JOB_EXAMPLE = {
    "id": JOB,
    "run_id": RUN,
    "status": "succeeded",
    "task": {
        "type": "backup",
        "origin": {"id": "0198b1c2-0000-7000-8000-00000000000b", "name": "nas", "type": "source"},
        "target": {"id": "0198b1c2-0000-7000-8000-00000000000c", "name": "archive", "type": "store"},
        "config": {"labels": ["before-upgrade"], "ignores": [], "snapshot_id": None},
    },
    "schedule_at": "2026-11-23T08:00:00.000Z",
    "created_at": "2026-11-23T08:00:00.000Z",
    "started_at": "2026-11-23T08:00:00.120Z",
    "stopped_at": "2026-11-23T08:00:04.500Z",
    "attempt": 1,
    "worker": "worker-1",
    "priority": 50,
    "problem": None,
    "progress": PROGRESS_EXAMPLE,
    "backup": BACKUP_EXAMPLE,
}


class TaskAppView(View):
    """A connector as a task names it."""

    id: str
    name: str
    type: str


_ALWAYS_SHOWN = {"labels", "ignores", "snapshot_id"}


def _shown_option(name: str, field: FieldInfo) -> Any:
    """The field of an answer for an option of the contract."""
    if name in _ALWAYS_SHOWN:
        return field.annotation, Field(description=field.description)
    # Left out where it is as if not given: a job stores all options, so nobody knows which of them the client sent.
    is_default = partial(eq, field.default)
    return field.annotation, Field(default=field.default, exclude_if=is_default, description=field.description)


if TYPE_CHECKING:
    TaskConfigView = View
else:
    # Made from the contract, so that a new option needs no line here.
    TaskConfigView = create_model(
        "TaskConfigView",
        __base__=View,
        __doc__="Options of a task; those that are not listed are as if not given.",
        **{name: _shown_option(name, field) for name, field in TaskOptions.model_fields.items()},
    )


class TaskView(View):
    """What a job does."""

    type: str
    origin: TaskAppView
    target: TaskAppView | None
    config: TaskConfigView


class ProgressView(View):
    """How far a job is, as its worker reported last."""

    model_config = example(**PROGRESS_EXAMPLE)

    phase: str = Field(
        description="`preparing`, `waiting`, `transferring`, `indexing`, `checking`, `verifying`,"
        " `deleting`, `freeing` or `repairing`, `done` once the job succeeded; others may follow"
    )
    waiting_for: str = Field(description="Who holds the store, while the phase is `waiting`")
    fraction: float = Field(description="0 to 1")
    files_done: int
    files_total: int = Field(description="0 while nobody knows")
    bytes_done: int
    bytes_total: int = Field(description="0 while nobody knows")
    current: list[str] = Field(description="Paths that are being worked on")
    cpu_percent: float = Field(description="Of one core; the engine's processes")
    memory_bytes: int
    network_bytes: int
    stuck_since: Stamp | None = Field(
        default=None,
        exclude_if=lambda value: value is None,
        description="Since when the engine does nothing, where that is for too long; left out otherwise",
    )


class JobView(View):
    """One run of a task. It is over once `stopped_at` is not null."""

    model_config = example(**_JOB_EXAMPLE)

    id: str
    run_id: str
    status: str = Field(description="`queued`, `running`, `canceled`, `succeeded` or `failed`")
    task: TaskView
    schedule_at: Stamp | None
    created_at: Stamp | None
    started_at: Stamp | None
    stopped_at: Stamp | None
    attempt: int = Field(description="0 until a worker has taken the job")
    worker: str | None
    priority: int = Field(description="Jobs with more of it begin before others of their organization; 50 is usual")
    retry_of: str | None = Field(
        default=None, exclude_if=lambda value: value is None, description="The job whose task this one runs once more"
    )
    retried_by: str | None = Field(
        default=None,
        exclude_if=lambda value: value is None,
        description="The latest job that runs this one's task once more",
    )
    problem: JobProblemView | None
    progress: ProgressView | None
    # Older than `result`, and read by clients: figures of backups stay here.
    backup: BackupView | None = Field(description="Of a backup that made a restore point, also if the job failed")
    result: ResultView | None = Field(
        default=None,
        exclude_if=lambda value: value is None,
        description="What a job of another type came to; `type` says which fields there are",
    )


class RunView(View):
    """A one-off run; `job` is absent until there is one."""

    model_config = example(id=RUN, job=_JOB_EXAMPLE)

    id: str
    job: JobView | None = Absent


class StartedView(View):
    """A run that was accepted."""

    model_config = example(id=RUN, job_id=JOB)

    id: str = Field(description="Id of the run, to be polled")
    job_id: str


def _app(reference: AppRef) -> TaskAppView:
    return TaskAppView(id=reference.id, name=reference.name, type=reference.kind)


def _config(options: TaskOptions) -> TaskConfigView:
    return TaskConfigView.model_validate(options.model_dump())


def progress_view(job: Job) -> ProgressView | None:
    """How far a job is."""
    return ProgressView.model_validate(job.progress.model_dump()) if job.progress else None


def job_view(job: Job) -> JobView:
    """A job."""
    task = TaskView(
        type=job.task.type,
        origin=_app(job.task.origin),
        target=_app(job.task.target) if job.task.target else None,
        config=_config(job.task.options),
    )
    return JobView(
        id=job.id,
        run_id=job.run_id,
        status=job.status,
        task=task,
        schedule_at=job.schedule_at,
        created_at=job.created_at,
        started_at=job.started_at,
        stopped_at=job.stopped_at,
        attempt=job.attempt,
        worker=job.worker,
        priority=job.priority,
        retry_of=job.retry_of,
        retried_by=job.retried_by,
        problem=problem_view(job.problem),
        progress=progress_view(job),
        backup=backup_view(job.result),
        result=result_view(job.result),
    )
