"""The lines of workers."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

from chassis.persistence.mongo import Collection, Document, ensure_indexes, insert_new
from contracts.values import JobId, OrganizationId

from scheduler.jobs.domain.log import LINES_READ, LogPart

PARTS_READ = 20_000


class LogParts(Protocol):
    """The lines of workers, one part per message. Parts are never changed."""

    async def add(self, org: OrganizationId, job_id: JobId, part: LogPart) -> None:
        """Keep a part. The same attempt and sequence a second time changes nothing."""
        ...

    async def of(self, org: OrganizationId, job_id: JobId) -> list[LogPart]:
        """The parts of a job, in no certain order; at most `PARTS_READ`."""
        ...

    async def are_placed(self, org: OrganizationId, job_id: JobId) -> bool:
        """Whether each part of a job says where in the log it ends; those that versions before kept do not."""
        ...

    async def last(self, org: OrganizationId, job_id: JobId) -> LogPart | None:
        """The part that ends last, of those that say where."""
        ...

    async def after(self, org: OrganizationId, job_id: JobId, offset: int) -> list[LogPart]:
        """The parts that end beyond an offset, in their order; at most `LINES_READ` lines, one part at least."""
        ...

    async def count_lines(self, org: OrganizationId, job_id: JobId) -> int:
        """How many lines all parts of a job have."""
        ...

    async def first_between(self, after: str, before: str) -> tuple[OrganizationId, JobId] | None:
        """The oldest job that has parts, of those with ids between these."""
        ...

    async def remove(self, org: OrganizationId, job_id: JobId) -> None:
        """Remove all parts of a job."""
        ...


@dataclass(frozen=True)
class MongoLogParts:
    """`LogParts` in a MongoDB collection, one document per part: `<job>:<attempt>:<sequence>`, its lines as JSON."""

    collection: Collection

    async def setup(self) -> None:
        """Create the index."""
        index = ("org", "job_id", "end")  # of, are_placed, last, after
        await ensure_indexes(self.collection, index, obsolete=("job_id_1", "org_1_job_id_1"))

    async def add(self, org: OrganizationId, job_id: JobId, part: LogPart) -> None:
        """See `LogParts`."""
        name = f"{job_id}:{part.attempt}:{part.sequence}"
        line = {"_id": name, "org": org, "job_id": job_id, "end": part.end, "part": part.model_dump_json()}
        await insert_new(self.collection, line)

    async def of(self, org: OrganizationId, job_id: JobId) -> list[LogPart]:
        """See `LogParts`."""
        cursor = self.collection.find({"job_id": job_id, "org": org}).limit(PARTS_READ)
        return [LogPart.model_validate_json(document["part"]) async for document in cursor]

    async def are_placed(self, org: OrganizationId, job_id: JobId) -> bool:
        """See `LogParts`."""
        # Those of versions before have no such field, which is asked for as if it were null.
        return await self.collection.find_one({"org": org, "job_id": job_id, "end": None}, {"_id": 1}) is None

    async def last(self, org: OrganizationId, job_id: JobId) -> LogPart | None:
        """See `LogParts`."""
        found = await self.collection.find(_beyond(org, job_id, 0)).sort("end", -1).limit(1).to_list()
        return LogPart.model_validate_json(found[0]["part"]) if found else None

    async def after(self, org: OrganizationId, job_id: JobId, offset: int) -> list[LogPart]:
        """See `LogParts`."""
        parts: list[LogPart] = []
        room = LINES_READ
        async for document in self.collection.find(_beyond(org, job_id, offset)).sort("end", 1):
            part = LogPart.model_validate_json(document["part"])
            room -= len(part.lines)
            if parts and room < 0:
                break
            parts.append(part)
        return parts

    async def count_lines(self, org: OrganizationId, job_id: JobId) -> int:
        """See `LogParts`."""
        last = await self.last(org, job_id)
        return _lines_up_to(last) if last else _count(await self.of(org, job_id))

    async def first_between(self, after: str, before: str) -> tuple[OrganizationId, JobId] | None:
        """See `LogParts`."""
        # A part has the job's id and a colon before its own numbers: what follows is behind all parts of that job.
        query = {"_id": {"$gt": f"{after};" if after else "", "$lt": before}}
        found = await self.collection.find(query, {"org": 1, "job_id": 1}).sort("_id", 1).limit(1).to_list()
        return (OrganizationId(found[0]["org"]), JobId(found[0]["job_id"])) if found else None

    async def remove(self, org: OrganizationId, job_id: JobId) -> None:
        """See `LogParts`."""
        await self.collection.delete_many({"org": org, "job_id": job_id})


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

    async def are_placed(self, org: OrganizationId, job_id: JobId) -> bool:
        """See `LogParts`."""
        return all(part.end is not None for part in await self.of(org, job_id))

    async def last(self, org: OrganizationId, job_id: JobId) -> LogPart | None:
        """See `LogParts`."""
        return max((part for part in await self.of(org, job_id) if part.end), key=lambda p: p.end or 0, default=None)

    async def after(self, org: OrganizationId, job_id: JobId, offset: int) -> list[LogPart]:
        """See `LogParts`."""
        beyond = sorted((p for p in await self.of(org, job_id) if (p.end or 0) > offset), key=lambda p: p.end or 0)
        fits = [at for at in range(1, len(beyond) + 1) if _count(beyond[:at]) <= LINES_READ]
        return beyond[: max(fits, default=1)]

    async def count_lines(self, org: OrganizationId, job_id: JobId) -> int:
        """See `LogParts`."""
        last = await self.last(org, job_id)
        return _lines_up_to(last) if last else _count(await self.of(org, job_id))

    async def first_between(self, after: str, before: str) -> tuple[OrganizationId, JobId] | None:
        """See `LogParts`."""
        between = [kept for kept in self._kept if after < kept[1] < before]
        return min(between, key=lambda kept: kept[1], default=None)

    async def remove(self, org: OrganizationId, job_id: JobId) -> None:
        """See `LogParts`."""
        self._kept.pop((org, job_id), None)


def _beyond(org: OrganizationId, job_id: JobId, offset: int) -> Document:
    return {"org": org, "job_id": job_id, "end": {"$gt": offset}}


def _lines_up_to(part: LogPart) -> int:
    return (part.end or 0) - (part.notes or 0)


def _count(parts: Iterable[LogPart]) -> int:
    return sum(len(part.lines) for part in parts)
