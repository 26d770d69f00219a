"""The lines of workers."""

from dataclasses import dataclass, field
from typing import Protocol

from chassis.persistence.mongo import Collection, ensure_indexes, insert_new
from contracts.values import JobId, OrganizationId

from scheduler.jobs.domain.log import LogPart

PARTS_READ = 20_000


class LogParts(Protocol):
    """The lines of workers, one part per message. Parts are never changed."""

    async def add(self, org: OrganizationId, job_id: JobId, part: LogPart) -> None:
        """Keep a part. The same attempt and sequence a second time changes nothing."""
        ...

    async def of(self, org: OrganizationId, job_id: JobId) -> list[LogPart]:
        """The parts of a job, in no certain order; at most `PARTS_READ`."""
        ...


@dataclass(frozen=True)
class MongoLogParts:
    """`LogParts` in a MongoDB collection, one document per part: `<job>:<attempt>:<sequence>`, its lines as JSON."""

    collection: Collection

    async def setup(self) -> None:
        """Create the index."""
        await ensure_indexes(self.collection, ("org", "job_id"), obsolete=("job_id_1",))  # of

    async def add(self, org: OrganizationId, job_id: JobId, part: LogPart) -> None:
        """See `LogParts`."""
        name = f"{job_id}:{part.attempt}:{part.sequence}"
        line = {"_id": name, "org": org, "job_id": job_id, "part": part.model_dump_json()}
        await insert_new(self.collection, line)

    async def of(self, org: OrganizationId, job_id: JobId) -> list[LogPart]:
        """See `LogParts`."""
        cursor = self.collection.find({"job_id": job_id, "org": org}).limit(PARTS_READ)
        return [LogPart.model_validate_json(document["part"]) async for document in cursor]


@dataclass(frozen=True)
class MemoryLogParts:
    """`LogParts` in memory, for unit tests of use cases."""

    _kept: dict[tuple[OrganizationId, JobId], dict[tuple[int, int], LogPart]] = field(default_factory=dict)

    async def add(self, org: OrganizationId, job_id: JobId, part: LogPart) -> None:
        """See `LogParts`."""
        self._kept.setdefault((org, job_id), {}).setdefault((part.attempt, part.sequence), part)

    async def of(self, org: OrganizationId, job_id: JobId) -> list[LogPart]:
        """See `LogParts`."""
        return list(self._kept.get((org, job_id), {}).values())[:PARTS_READ]
