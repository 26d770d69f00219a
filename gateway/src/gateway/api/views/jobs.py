"""Runs, jobs and operations."""

from contracts.assignment import AppRef
from contracts.catalog import ChangeResource, RegisterResource, RemoveResource
from contracts.outcomes import Problem
from contracts.scheduler import TaskOptions
from pydantic import Field, JsonValue

from gateway.api.views.base import Absent, Stamp, View, example
from gateway.domain.intents import handle_of
from gateway.domain.jobs import Job
from gateway.usecases.operations import Operation

RUN = "0198b1c2-0000-7000-8000-0000000000f0"
JOB = "0198b1c2-0000-7000-8000-0000000000f1"
_ABOUT_RESOURCES = (RegisterResource, ChangeResource, RemoveResource)
_JOB_EXAMPLE = {
    "id": JOB,
    "run_id": RUN,
    "status": "succeeded",
    "task": {
        "type": "backup",
        "origin": {"id": "0198b1c2-0000-7000-8000-00000000000b", "name": "nas", "type": "source"},
        "target": {"id": "0198b1c2-0000-7000-8000-00000000000c", "name": "vault", "type": "store"},
        "config": {"labels": ["before-upgrade"], "ignores": [], "snapshot_id": None},
    },
    "schedule_at": "2026-11-23T08:00:00.000Z",
    "created_at": "2026-11-23T08:00:00.000Z",
    "started_at": "2026-11-23T08:00:00.120Z",
    "stopped_at": "2026-11-23T08:00:04.500Z",
    "attempt": 1,
    "worker": "worker-1",
    "problem": None,
    "progress": {"phase": "indexing", "fraction": 1.0, "files_done": 3, "files_total": 3},
    "backup": {"snapshot_id": "5f" * 32, "files_new": 3, "bytes_added": 4096},
}


class TaskAppView(View):
    """A connector as a task names it."""

    id: str
    name: str
    type: str


class TaskConfigView(View):
    """Options of a task."""

    labels: list[str]
    ignores: list[str]
    snapshot_id: str | None


class TaskView(View):
    """What a job does."""

    type: str
    origin: TaskAppView
    target: TaskAppView | None
    config: TaskConfigView


class JobProblemView(View):
    """Why a job failed."""

    code: str
    detail: str


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
    problem: JobProblemView | None
    progress: dict[str, JsonValue] | None = Field(description="How far it is; the latest that its worker told")
    backup: dict[str, JsonValue] | None = Field(description="Figures of a finished backup")


class RunView(View):
    """A one-off run; `job` is absent until the scheduler has made one."""

    model_config = example(id=RUN, job=_JOB_EXAMPLE)

    id: str
    job: JobView | None = Absent


class StartedView(View):
    """A run that was accepted."""

    model_config = example(id=RUN, job_id=JOB)

    id: str = Field(description="Id of the run, to be polled")
    job_id: str


class JobStateView(View):
    """The status of a job and how far it is."""

    model_config = example(id=JOB, status="running", progress={"phase": "transferring", "fraction": 0.4})

    id: str
    status: str
    progress: dict[str, JsonValue] | None


class OperationView(View):
    """A request that was not finished in time, or how it ended.

    `id` and `urn_id` are what the request's own answer would have said, so that a client may take one for the other.
    """

    model_config = example(
        id=RUN,
        operation_id="0198b1c2-0000-7000-8000-0000000000f2",
        status="succeeded",
        result={"id": RUN, "run_id": RUN, "job_id": JOB},
        problem=None,
    )

    id: str = Field(description="Id of what the request is about; of a creation: of the new object")
    urn_id: str | None = Field(
        default=None, exclude_if=lambda value: value is None, description="The same, when that is a resource"
    )
    operation_id: str = Field(description="What to poll")
    status: str = Field(description="`running`, `succeeded` or `failed`")
    result: dict[str, JsonValue] | None = Field(default=None, description="What came of it, e.g. the new object's id")
    problem: JobProblemView | None = None


def _app(reference: AppRef) -> TaskAppView:
    return TaskAppView(id=reference.id, name=reference.name, type=reference.kind)


def _problem(problem: Problem | None) -> JobProblemView | None:
    return JobProblemView(code=problem.code, detail=problem.detail) if problem else None


def _config(options: TaskOptions) -> TaskConfigView:
    return TaskConfigView(labels=list(options.labels), ignores=list(options.ignores), snapshot_id=options.snapshot_id)


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
        problem=_problem(job.problem),
        progress=job.progress.model_dump(mode="json") if job.progress else None,
        backup=job.backup.model_dump(mode="json") if job.backup else None,
    )


def state_view(job: Job) -> JobStateView:
    """How a job stands."""
    return JobStateView(
        id=job.id, status=job.status, progress=job.progress.model_dump(mode="json") if job.progress else None
    )


def operation_view(operation: Operation) -> OperationView:
    """How an operation stands."""
    end, handle = operation.end, handle_of(operation.command)
    status = "running" if end is None else "failed" if end.problem else "succeeded"
    return OperationView(
        id=handle,
        urn_id=handle if isinstance(operation.command, _ABOUT_RESOURCES) else None,
        operation_id=operation.id,
        status=status,
        result={"id": handle, **end.result} if end and end.result is not None else None,
        problem=_problem(end.problem if end else None),
    )
