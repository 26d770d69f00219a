"""Which jobs there are: one tiny document for each, as a listing reads all of an organization's.

FerretDB sorts, counts and skips by reading every document that equality selects, and reading a whole job takes it
fifteen times as long as reading one of these.
"""

from dataclasses import dataclass, field
from typing import Protocol

from chassis.persistence.mongo import Collection, Document, DuplicateKeyError, ensure_indexes
from contracts.errors import Conflict
from contracts.messages.scheduler import FINAL_STATUSES, JobStatus
from contracts.task_types.base import TaskType
from contracts.values import JobId, OrganizationId

from scheduler.jobs.domain.job import Job

UNFINISHED: tuple[JobStatus, ...] = ("queued", "running")
# Bounds one look for silent jobs; the next one comes within minutes.
LOOK_LIMIT = 500
_INDEXES = (
    ("org", "_id"),  # page of all jobs
    ("org", "task_type", "_id"),  # page of a type
    ("org", "status", "_id"),  # page in a status
    ("org", "task_type", "status", "_id"),  # page of a type in a status
    ("status", "_id"),  # unfinished, first_between
)


class JobIndex(Protocol):
    """Ids of jobs by organization, type and status."""

    async def enter(self, org: OrganizationId, job: Job) -> None:
        """Enter a job, or its new status. Again is harmless.

        Raises `Conflict` (`job_exists`) when another organization has a job with that id.
        """
        ...

    async def page(
        self, org: OrganizationId, *, task_type: TaskType | None, status: JobStatus | None, limit: int, offset: int
    ) -> tuple[int, list[JobId]]:
        """How many jobs there are of a type and in a status (None: any), and some of their ids, newest first."""
        ...

    async def unfinished(self) -> list[tuple[OrganizationId, JobId]]:
        """Jobs of all organizations that are queued or running, oldest first, at most `LOOK_LIMIT` of each."""
        ...

    async def first_between(self, after: str, before: str) -> tuple[OrganizationId, JobId] | None:
        """The oldest job that is over, of those with ids between these."""
        ...

    async def remove(self, org: OrganizationId, job_id: JobId) -> None:
        """Remove a job from the index."""
        ...


@dataclass(frozen=True)
class MongoJobIndex:
    """`JobIndex` in a MongoDB collection."""

    collection: Collection

    async def setup(self) -> None:
        """Create the indexes."""
        await ensure_indexes(self.collection, *_INDEXES, obsolete=("org_1", "status_1"))

    async def enter(self, org: OrganizationId, job: Job) -> None:
        """See `JobIndex`."""
        line = {"_id": job.id, "org": org, "task_type": job.task.type, "status": job.status}
        try:
            await self.collection.replace_one({"_id": job.id, "org": org}, line, upsert=True)
        except DuplicateKeyError:
            raise _taken() from None

    async def page(
        self, org: OrganizationId, *, task_type: TaskType | None, status: JobStatus | None, limit: int, offset: int
    ) -> tuple[int, list[JobId]]:
        """See `JobIndex`."""
        query: Document = {"org": org} | _asked(task_type, status)
        cursor = self.collection.find(query, {"_id": 1}).sort("_id", -1).skip(offset).limit(limit)
        ids = [JobId(line["_id"]) async for line in cursor]
        return await self.collection.count_documents(query), ids

    async def unfinished(self) -> list[tuple[OrganizationId, JobId]]:
        """See `JobIndex`."""
        found: list[tuple[OrganizationId, JobId]] = []
        for status in UNFINISHED:
            cursor = self.collection.find({"status": status}, {"org": 1}).sort("_id", 1).limit(LOOK_LIMIT)
            found += [(OrganizationId(line["org"]), JobId(line["_id"])) async for line in cursor]
        return found

    async def first_between(self, after: str, before: str) -> tuple[OrganizationId, JobId] | None:
        """See `JobIndex`."""
        lines: list[Document] = []
        for status in sorted(FINAL_STATUSES):
            query = {"status": status, "_id": {"$gt": after, "$lt": before}}
            lines += await self.collection.find(query, {"org": 1}).sort("_id", 1).limit(1).to_list()
        first = min(lines, key=lambda line: str(line["_id"]), default=None)
        return (OrganizationId(first["org"]), JobId(first["_id"])) if first else None

    async def remove(self, org: OrganizationId, job_id: JobId) -> None:
        """See `JobIndex`."""
        await self.collection.delete_one({"_id": job_id, "org": org})


@dataclass(frozen=True)
class MemoryJobIndex:
    """`JobIndex` in memory, for unit tests of use cases."""

    _lines: dict[JobId, Document] = field(default_factory=dict)

    async def enter(self, org: OrganizationId, job: Job) -> None:
        """See `JobIndex`."""
        if self._lines.get(job.id, {}).get("org", org) != org:
            raise _taken()
        self._lines[job.id] = {"org": org, "task_type": job.task.type, "status": job.status}

    async def page(
        self, org: OrganizationId, *, task_type: TaskType | None, status: JobStatus | None, limit: int, offset: int
    ) -> tuple[int, list[JobId]]:
        """See `JobIndex`."""
        query = {"org": org} | _asked(task_type, status)
        ids = sorted((job_id for job_id, line in self._lines.items() if query.items() <= line.items()), reverse=True)
        return len(ids), ids[offset : offset + limit]

    async def unfinished(self) -> list[tuple[OrganizationId, JobId]]:
        """See `JobIndex`."""
        found: list[tuple[OrganizationId, JobId]] = []
        for status in UNFINISHED:
            lines = sorted((job_id, line["org"]) for job_id, line in self._lines.items() if line["status"] == status)
            found += [(org, job_id) for job_id, org in lines[:LOOK_LIMIT]]
        return found

    async def first_between(self, after: str, before: str) -> tuple[OrganizationId, JobId] | None:
        """See `JobIndex`."""
        ended = [job_id for job_id, line in self._lines.items() if line["status"] in FINAL_STATUSES]
        first = min((job_id for job_id in ended if after < job_id < before), default=None)
        return (self._lines[first]["org"], first) if first else None

    async def remove(self, org: OrganizationId, job_id: JobId) -> None:
        """See `JobIndex`."""
        if self._lines.get(job_id, {}).get("org") == org:
            del self._lines[job_id]


def _taken() -> Conflict:
    return Conflict("job_exists", "There is a job with this id already.")


def _asked(task_type: TaskType | None, status: JobStatus | None) -> Document:
    return {name: value for name, value in (("task_type", task_type), ("status", status)) if value is not None}
