"""What the scheduler keeps of jobs: the jobs, an index of them for listings, the lines and the measures of workers.

A job and its entry in the index have one writer: messages about a job are handled in their order (decision 0003).
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from chassis.persistence.aggregates import Aggregate, Aggregates, Keys, Page, Result
from chassis.persistence.mongo_aggregates import MongoAggregates
from chassis.runtime.service_runtime import ServiceRuntime
from contracts.envelope import Envelope
from contracts.messages.base import Event, Message
from contracts.messages.scheduler import JobStatus
from contracts.task_types.base import TaskType
from contracts.values import JobId, OrganizationId, RunId

from scheduler.jobs.domain.job import Job
from scheduler.jobs.store.job_index import JobIndex, MemoryJobIndex, MongoJobIndex
from scheduler.jobs.store.job_measures import JobMeasures, MemoryJobMeasures, MongoJobMeasures
from scheduler.jobs.store.log_parts import LogParts, MemoryLogParts, MongoLogParts

__all__ = [
    "JobMeasures",
    "LogParts",
    "MemoryJobIndex",
    "MemoryJobMeasures",
    "MemoryLogParts",
    "SchedulerStore",
    "job_keys",
    "open_store",
]

# Half of the connections to the database, so that a listing leaves room for events of workers.
LOOKUPS_AT_ONCE = 16


def job_keys(job: Job) -> Keys:
    """What queries for jobs lead with."""
    return {"run_id": job.run_id}


@dataclass(frozen=True)
class SchedulerStore:
    """What the scheduler knows."""

    jobs: Aggregates[Job]
    job_index: JobIndex
    log_parts: LogParts
    measures: JobMeasures

    async def save(
        self,
        aggregate: Aggregate[Job],
        job: Job,
        *,
        events: Sequence[Event] = (),
        cause: Envelope[Message] | None = None,
        result: Result | None = None,
    ) -> None:
        """Save a job like `Aggregates.save`, after its entry in the index.

        A process that dies between the two leaves the index ahead: the message comes again, and the job follows.
        """
        # The status alone is indexed: progress, which comes every few seconds, costs no second write.
        if aggregate.value is None or aggregate.value.status != job.status:
            await self.job_index.enter(aggregate.organization_id, job)
        await self.jobs.save(aggregate, job, events=events, cause=cause, result=result)

    async def list_jobs(
        self,
        org: OrganizationId,
        *,
        task_type: TaskType | None = None,
        status: JobStatus | None = None,
        limit: int,
        offset: int,
    ) -> Page[Job]:
        """Jobs of a type and in a status, where asked for; newest first."""
        total, ids = await self.job_index.page(org, task_type=task_type, status=status, limit=limit, offset=offset)
        slots = asyncio.Semaphore(LOOKUPS_AT_ONCE)

        async def look(job_id: JobId) -> Job | None:
            async with slots:
                return await self.jobs.get(org, job_id)

        found = await asyncio.gather(*map(look, ids))
        return Page[Job](total=total, items=[job for job in found if job is not None])

    async def find_run(self, org: OrganizationId, run_id: RunId) -> Job | None:
        """The job that a run led to."""
        found = await self.jobs.find(org, {"run_id": run_id}, limit=1)
        return found.items[0] if found.items else None


async def open_store(runtime: ServiceRuntime) -> SchedulerStore:
    """The store in MongoDB, with its indexes made."""
    database = runtime.database
    jobs = MongoAggregates(
        database["jobs"],
        Job,
        runtime.outbox,
        keys=job_keys,
        indexes=(("org", "run_id", "_id"),),  # find_run
        obsolete=("run_id_1",),
    )
    job_index = MongoJobIndex(database["job_roll"])
    log_parts = MongoLogParts(database["job_log_parts"])
    await jobs.setup()
    await job_index.setup()
    await log_parts.setup()
    return SchedulerStore(jobs, job_index, log_parts, MongoJobMeasures(database["job_measures"]))
