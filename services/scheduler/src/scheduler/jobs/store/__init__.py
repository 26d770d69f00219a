"""What the scheduler keeps of jobs: the jobs, an index of them for listings, the lines and the measures of workers.

A job and its entry in the index have one writer: messages about a job are handled in their order (decision 0003).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from chassis.persistence.aggregates import Aggregate, Aggregates, Keys, Result
from chassis.persistence.mongo_aggregates import MongoAggregates
from chassis.runtime.service_runtime import ServiceRuntime
from contracts.envelope import Envelope
from contracts.messages.base import Event, Message
from contracts.values import OrganizationId, RunId

from scheduler.jobs.domain.job import Job
from scheduler.jobs.store.history import JobHistory, MemoryJobHistory, MongoJobHistory
from scheduler.jobs.store.job_index import JobIndex, MemoryJobIndex, MongoJobIndex
from scheduler.jobs.store.job_measures import JobMeasures, MemoryJobMeasures, MongoJobMeasures
from scheduler.jobs.store.listing import JobListing
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
    history: JobHistory = field(default_factory=MemoryJobHistory)
    kept: timedelta | None = None
    """How long jobs are kept; None: for ever."""

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

    @property
    def listing(self) -> JobListing:
        """Finds jobs by what is asked for."""
        return JobListing(self.jobs, self.job_index, self.history, kept=self.kept)

    async def find_run(self, org: OrganizationId, run_id: RunId) -> Job | None:
        """The job that a run led to."""
        found = await self.jobs.find(org, {"run_id": run_id}, limit=1)
        return found.items[0] if found.items else None


async def open_store(runtime: ServiceRuntime, *, kept: timedelta | None = None) -> SchedulerStore:
    """The store in MongoDB, with its indexes made. `kept`: how long jobs are kept; None: for ever."""
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
    history = MongoJobHistory(database["job_segments"], database["job_chapters"])
    await jobs.setup()
    await job_index.setup()
    await history.setup()
    await log_parts.setup()
    measures = MongoJobMeasures(database["job_measures"])
    return SchedulerStore(jobs, job_index, log_parts, measures, history, kept=kept)
