"""What workers told of jobs beside their progress: a document for each job, so that saving the job stays quick."""

from dataclasses import dataclass, field
from typing import Protocol

from chassis.persistence.mongo import Collection
from contracts.values import JobId, OrganizationId

from scheduler.jobs.domain.measures import Measures


class JobMeasures(Protocol):
    """The measures of jobs. Those of a job have one writer, as the job has (decision 0003)."""

    async def of(self, org: OrganizationId, job_id: JobId) -> Measures:
        """The measures of a job; empty ones where nothing was kept."""
        ...

    async def keep(self, org: OrganizationId, job_id: JobId, measures: Measures) -> None:
        """Replace the measures of a job."""
        ...

    async def first_between(self, after: str, before: str) -> tuple[OrganizationId, JobId] | None:
        """The oldest job that has measures, of those with ids between these."""
        ...

    async def remove(self, org: OrganizationId, job_id: JobId) -> None:
        """Remove the measures of a job."""
        ...


@dataclass(frozen=True)
class MongoJobMeasures:
    """`JobMeasures` in a MongoDB collection: `_id` is the job's id, the measures are JSON, as nobody asks for parts."""

    collection: Collection

    async def of(self, org: OrganizationId, job_id: JobId) -> Measures:
        """See `JobMeasures`."""
        found = await self.collection.find_one({"_id": job_id, "org": org})
        return Measures.model_validate_json(found["measures"]) if found else Measures()

    async def keep(self, org: OrganizationId, job_id: JobId, measures: Measures) -> None:
        """See `JobMeasures`."""
        line = {"_id": job_id, "org": org, "measures": measures.model_dump_json(exclude_none=True)}
        await self.collection.replace_one({"_id": job_id, "org": org}, line, upsert=True)

    async def first_between(self, after: str, before: str) -> tuple[OrganizationId, JobId] | None:
        """See `JobMeasures`."""
        query = {"_id": {"$gt": after, "$lt": before}}
        found = await self.collection.find(query, {"org": 1}).sort("_id", 1).limit(1).to_list()
        return (OrganizationId(found[0]["org"]), JobId(found[0]["_id"])) if found else None

    async def remove(self, org: OrganizationId, job_id: JobId) -> None:
        """See `JobMeasures`."""
        await self.collection.delete_one({"_id": job_id, "org": org})


@dataclass(frozen=True)
class MemoryJobMeasures:
    """`JobMeasures` in memory, for unit tests of use cases."""

    _kept: dict[tuple[OrganizationId, JobId], Measures] = field(default_factory=dict)

    async def of(self, org: OrganizationId, job_id: JobId) -> Measures:
        """See `JobMeasures`."""
        return self._kept.get((org, job_id), Measures())

    async def keep(self, org: OrganizationId, job_id: JobId, measures: Measures) -> None:
        """See `JobMeasures`."""
        self._kept[org, job_id] = measures

    async def first_between(self, after: str, before: str) -> tuple[OrganizationId, JobId] | None:
        """See `JobMeasures`."""
        between = [kept for kept in self._kept if after < kept[1] < before]
        return min(between, key=lambda kept: kept[1], default=None)

    async def remove(self, org: OrganizationId, job_id: JobId) -> None:
        """See `JobMeasures`."""
        self._kept.pop((org, job_id), None)
