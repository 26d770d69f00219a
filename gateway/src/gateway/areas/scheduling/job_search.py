"""Which jobs a list shows."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from contracts.errors import Invalid, NotFound
from contracts.messages.scheduler import JobStatus
from contracts.queries.base import Page
from contracts.queries.scheduler import Job
from contracts.task_types.base import TaskType

from gateway.access.principal import Principal
from gateway.clients.scheduler import SchedulerClient


@dataclass(frozen=True)
class JobsAsked:
    """What is asked for; None: any. Times without a zone are of UTC."""

    task_id: str | None = None
    """The run: until tasks are scheduled, each is run once and has no other name."""
    task_type: TaskType | None = None
    status: JobStatus | None = None
    resource_id: str | None = None
    resource_type: Literal["origin", "target"] | None = None
    since: datetime | None = None
    until: datetime | None = None

    def parameters(self) -> dict[str, str | None]:
        """What the scheduler is asked for."""
        return {
            "task_type": self.task_type,
            "status": self.status,
            "app_id": self.resource_id,
            "role": self.resource_type,
            "since": _zoned(self.since).isoformat() if self.since else None,
            "until": _zoned(self.until).isoformat() if self.until else None,
        }

    def matches(self, job: Job) -> bool:
        """Whether the job of the run is asked for."""
        made = job.created_at
        return (
            self.task_type in (None, job.task.type)
            and self.status in (None, job.status)
            and (self.resource_id is None or self.resource_id in self._parties(job))
            and (made is None or self.since is None or made >= _zoned(self.since))
            and (made is None or self.until is None or made < _zoned(self.until))
        )

    def _parties(self, job: Job) -> Iterator[str]:
        if self.resource_type != "target":
            yield job.task.origin.id
        if self.resource_type != "origin" and job.task.target:
            yield job.task.target.id


async def find_jobs(
    scheduler: SchedulerClient, who: Principal, asked: JobsAsked, *, limit: int, offset: int
) -> Page[Job]:
    """Jobs that are asked for, newest first. Raises `Invalid` for a question that makes no sense."""
    if asked.resource_type and asked.resource_id is None:
        fault = "says as what a connector is a party, and needs resource_id to say which one"
        raise Invalid("request_invalid", f"resource_type {fault}.", fields={"resource_type": fault})
    if asked.task_id is None:
        return await scheduler.jobs(who, limit=limit, offset=offset, **asked.parameters())
    job = await _job_of(scheduler, who, asked.task_id)
    found = (job,) if job and asked.matches(job) else ()
    return Page[Job](total=len(found), items=found[offset:][:limit])


async def _job_of(scheduler: SchedulerClient, who: Principal, run_id: str) -> Job | None:
    try:
        return await scheduler.job_of_run(who, run_id)
    except NotFound:
        return None


def _zoned(at: datetime) -> datetime:
    return at if at.tzinfo else at.replace(tzinfo=UTC)
