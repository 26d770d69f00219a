"""Which jobs go on, or ended a moment ago: one tiny document for each. What is over is packed soon (`history.py`).

FerretDB sorts, counts and skips by reading every document that equality selects, and reading a whole job takes it
fifteen times as long as reading one of these.
"""

from dataclasses import dataclass, field
from typing import Protocol

from chassis.persistence.mongo import Collection, Document, DuplicateKeyError, ensure_indexes
from contracts.errors import Conflict
from contracts.messages.scheduler import JobStatus
from contracts.values import JobId, OrganizationId

from scheduler.jobs.domain.history import Row, row_of
from scheduler.jobs.domain.job import Job

UNFINISHED: tuple[JobStatus, ...] = ("queued", "running")
FINISHED: tuple[JobStatus, ...] = ("canceled", "succeeded", "failed")
# Bounds one look for silent jobs; the next one comes within minutes.
LOOK_LIMIT = 500
# Some tens for each organization that has too few to be packed: with less room they would hide those of others.
FINISHED_LIMIT = 20_000
_INDEXES = (
    ("org", "_id"),  # rows
    ("status", "_id"),  # unfinished, finished, first_between
)
_OBSOLETE = ("org_1", "status_1", "org_1_task_type_1__id_1", "org_1_status_1__id_1", "org_1_task_type_1_status_1__id_1")


class JobIndex(Protocol):
    """Jobs by organization and status, with what a listing has to know of each."""

    async def enter(self, org: OrganizationId, job: Job) -> None:
        """Enter a job, or its new status. Again is harmless.

        Raises `Conflict` (`job_exists`) when another organization has a job with that id.
        """
        ...

    async def rows(self, org: OrganizationId) -> list[Row]:
        """What is known of the jobs of an organization, in no certain order; without apps in old entries."""
        ...

    async def first_between(self, after: str, before: str) -> tuple[OrganizationId, JobId] | None:
        """The oldest job that is over, of those with ids between these."""
        ...

    async def remove(self, org: OrganizationId, job_id: JobId) -> None:
        """Remove a job from the index: it is in the history, or no more. Again is harmless."""
        ...

    async def unfinished(self) -> list[tuple[OrganizationId, JobId]]:
        """Jobs of all organizations that are queued or running, oldest first, at most `LOOK_LIMIT` of each."""
        ...

    async def finished(self) -> list[tuple[OrganizationId, JobId]]:
        """Jobs of all organizations that are over, in no certain order, at most `FINISHED_LIMIT` in each status."""
        ...


@dataclass(frozen=True)
class MongoJobIndex:
    """`JobIndex` in a MongoDB collection."""

    collection: Collection

    async def setup(self) -> None:
        """Create the indexes."""
        await ensure_indexes(self.collection, *_INDEXES, obsolete=_OBSOLETE)

    async def enter(self, org: OrganizationId, job: Job) -> None:
        """See `JobIndex`."""
        line = {"_id": job.id, "org": org, **_facts(job)}
        try:
            await self.collection.replace_one({"_id": job.id, "org": org}, line, upsert=True)
        except DuplicateKeyError:
            raise _taken() from None

    async def rows(self, org: OrganizationId) -> list[Row]:
        """See `JobIndex`."""
        return [_row(line) async for line in self.collection.find({"org": org})]

    async def first_between(self, after: str, before: str) -> tuple[OrganizationId, JobId] | None:
        """See `JobIndex`."""
        lines: list[Document] = []
        for status in FINISHED:
            query = {"status": status, "_id": {"$gt": after, "$lt": before}}
            lines += await self.collection.find(query, {"org": 1}).sort("_id", 1).limit(1).to_list()
        first = min(lines, key=lambda line: str(line["_id"]), default=None)
        return (OrganizationId(first["org"]), JobId(first["_id"])) if first else None

    async def remove(self, org: OrganizationId, job_id: JobId) -> None:
        """See `JobIndex`."""
        await self.collection.delete_one({"_id": job_id, "org": org})

    async def unfinished(self) -> list[tuple[OrganizationId, JobId]]:
        """See `JobIndex`."""
        found: list[tuple[OrganizationId, JobId]] = []
        for status in UNFINISHED:
            cursor = self.collection.find({"status": status}, {"org": 1}).sort("_id", 1).limit(LOOK_LIMIT)
            found += [(OrganizationId(line["org"]), JobId(line["_id"])) async for line in cursor]
        return found

    async def finished(self) -> list[tuple[OrganizationId, JobId]]:
        """See `JobIndex`."""
        found: list[tuple[OrganizationId, JobId]] = []
        for status in FINISHED:
            # Not sorted: after an upgrade there may be a million, and a sort would read them all for each look.
            cursor = self.collection.find({"status": status}, {"org": 1}).limit(FINISHED_LIMIT)
            found += [(OrganizationId(line["org"]), JobId(line["_id"])) async for line in cursor]
        return found


@dataclass(frozen=True)
class MemoryJobIndex:
    """`JobIndex` in memory, for unit tests of use cases."""

    _lines: dict[JobId, Document] = field(default_factory=dict)

    async def enter(self, org: OrganizationId, job: Job) -> None:
        """See `JobIndex`."""
        if self._lines.get(job.id, {}).get("org", org) != org:
            raise _taken()
        self._lines[job.id] = {"_id": job.id, "org": org, **_facts(job)}

    async def rows(self, org: OrganizationId) -> list[Row]:
        """See `JobIndex`."""
        return [_row(line) for line in self._lines.values() if line["org"] == org]

    async def first_between(self, after: str, before: str) -> tuple[OrganizationId, JobId] | None:
        """See `JobIndex`."""
        ended = [job_id for job_id, line in self._lines.items() if line["status"] in FINISHED]
        first = min((job_id for job_id in ended if after < job_id < before), default=None)
        return (self._lines[first]["org"], first) if first else None

    async def remove(self, org: OrganizationId, job_id: JobId) -> None:
        """See `JobIndex`."""
        if self._lines.get(job_id, {}).get("org") == org:
            del self._lines[job_id]

    async def unfinished(self) -> list[tuple[OrganizationId, JobId]]:
        """See `JobIndex`."""
        return await self._with_status(UNFINISHED)

    async def finished(self) -> list[tuple[OrganizationId, JobId]]:
        """See `JobIndex`."""
        return await self._with_status(FINISHED)

    async def _with_status(self, statuses: tuple[JobStatus, ...]) -> list[tuple[OrganizationId, JobId]]:
        found: list[tuple[OrganizationId, JobId]] = []
        for status in statuses:
            lines = sorted((job_id, line["org"]) for job_id, line in self._lines.items() if line["status"] == status)
            found += [(org, job_id) for job_id, org in lines[:LOOK_LIMIT]]
        return found


def _taken() -> Conflict:
    return Conflict("job_exists", "There is a job with this id already.")


def _facts(job: Job) -> Document:
    row = row_of(job)
    return {"task_type": row.task_type, "status": row.status, "origin": row.origin, "target": row.target}


def _row(line: Document) -> Row:
    return Row(line["_id"], line["task_type"], line["status"], line.get("origin", ""), line.get("target", ""))
