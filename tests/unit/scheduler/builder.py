"""Commands to the scheduler and news of workers, as tests need them."""

from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from chassis.ids import new_id
from chassis.messaging.envelopes import envelope
from contracts.envelope import Envelope
from contracts.messages.assignment import AppRef
from contracts.messages.base import Message
from contracts.messages.connector.task_events import LogLine, TaskEvent, TaskLogged, TaskProgressed, TaskStarted
from contracts.messages.scheduler import CancelJob, RetryJob, RunTask
from contracts.tasks import Task
from contracts.values import AppId, JobId, OrganizationId, RunId
from scheduler.jobs.domain.job import Job, queue_job

ORG = OrganizationId("org")
NOON = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
T = TypeVar("T", bound=TaskEvent)
M = TypeVar("M", bound=Message)


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def app(kind: str, name: str = "") -> AppRef:
    return AppRef.model_validate({"id": AppId(new_id()), "revision": 1, "kind": kind, "name": name or f"My {kind}"})


def backup(**facts: Any) -> Task:
    return Task(**{"type": "backup", "origin": app("source", "Photos"), "target": app("store", "Vault"), **facts})


def run_task(task: Task | None = None, *, org: OrganizationId = ORG, **facts: Any) -> RunTask:
    ids = {"job_id": JobId(new_id()), "run_id": RunId(new_id())}
    return RunTask(**{"organization_id": org, "task": task or backup(), **ids, **facts})


def cancel(job_id: str, *, org: OrganizationId = ORG) -> CancelJob:
    return CancelJob(organization_id=org, job_id=JobId(job_id))


def retry(job_id: str, former: Job | None = None, **facts: Any) -> RetryJob:
    """A retry of a job, by default with the apps of its task as they were."""
    task = former.task if former else backup()
    ids = {"job_id": JobId(job_id), "new_job_id": JobId(new_id()), "run_id": RunId(new_id())}
    return RetryJob(**{"organization_id": ORG, "origin": task.origin, "target": task.target, **ids, **facts})


def queued(**facts: Any) -> Job:
    return queue_job(None, run_task(**facts), NOON)


def told(kind: type[T], job_id: str, *, attempt: int = 1, seconds: float = 1, **facts: Any) -> T:
    """News of a worker, `seconds` after noon."""
    return kind(organization_id=ORG, job_id=job_id, attempt=attempt, at=after(seconds), **facts)


def started(job_id: str, *, attempt: int = 1, worker: str = "w1", seconds: float = 1) -> TaskStarted:
    return told(TaskStarted, job_id, attempt=attempt, worker=worker, seconds=seconds)


def progressed(job_id: str, fraction: float, *, attempt: int = 1, seconds: float = 2) -> TaskProgressed:
    return told(TaskProgressed, job_id, attempt=attempt, seconds=seconds, phase="transferring", fraction=fraction)


def logged(job_id: str, sequence: int, *texts: str, attempt: int = 1, seconds: float = 2) -> TaskLogged:
    lines = tuple(LogLine(at=after(seconds), level="info", text=text) for text in texts)
    return told(TaskLogged, job_id, attempt=attempt, seconds=seconds, sequence=sequence, lines=lines)


def wrapped(message: M, **about: Any) -> Envelope[M]:
    return envelope(message, service="test", **about)  # type: ignore[return-value]
