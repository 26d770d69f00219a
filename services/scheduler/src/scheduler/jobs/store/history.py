"""The jobs that are over, packed: segments of some tens of whole jobs, and chapters that say where many segments' are.

FerretDB reads every document that a query selects, so that a page of a million small documents takes seconds. A segment
is inserted once and never changed, so that each process reads it once; the page of a listing reads one or two. It is
the next number that is inserted: of several processes that pack at once one succeeds, and the others look again.
"""

import asyncio
import json
import re
import zlib
from base64 import b64decode, b64encode
from collections import OrderedDict
from collections.abc import Collection as Several
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Protocol

from chassis.persistence.mongo import Collection, Document, PyMongoError, ensure_indexes, insert_new
from chassis.runtime.supervision import begin
from contracts.values import OrganizationId

from scheduler.jobs.domain.history import History, Posting, Row, key_of, row_of
from scheduler.jobs.domain.job import Job

SEGMENT_JOBS = 50
CHAPTER_SEGMENTS = 100
ORGANIZATIONS_KNOWN = 32
SEGMENTS_KEPT = 400
SWEEP_LIMIT = 100
_READS_AT_ONCE = 16
_ID = re.compile(rb'\{"id":"([^"\\]+)"')


class JobHistory(Protocol):
    """Jobs that are over, each once, in segments by organization."""

    async def of(self, org: OrganizationId) -> History:
        """Where all jobs of an organization are that were added by now, by whichever process."""
        ...

    async def jobs_in(
        self, org: OrganizationId, segments: Several[int], *, keys: Several[int] | None = None
    ) -> list[Job]:
        """The jobs of some segments, those with one of the keys where there are any, in no certain order."""
        ...

    async def add(self, org: OrganizationId, jobs: Sequence[Job], *, number: int) -> bool:
        """Add the segment with a number, the next one when it was made sure that no segment has these jobs.

        False, and nothing was added, when another process added that one: look again.
        """
        ...

    async def ended_on(self, day: date) -> list[tuple[OrganizationId, int]]:
        """Segments of all organizations of which the last job ended on a day (UTC); at most `SWEEP_LIMIT`."""
        ...

    async def empty(self, org: OrganizationId, segment: int) -> None:
        """Remove the jobs of a segment. Its number stays, as no number is given twice. Again is harmless."""
        ...


@dataclass
class _Known:
    """What a process has read of an organization."""

    history: History = field(default_factory=History)
    chapters: int = 0


class MongoJobHistory:
    """`JobHistory` in two collections of MongoDB; ids are `<organization>/<number>`."""

    def __init__(self, segments: Collection, chapters: Collection) -> None:
        self._segments = segments
        self._chapters = chapters
        self._known: OrderedDict[OrganizationId, _Known] = OrderedDict()
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._taking: set[asyncio.Task[_Known]] = set()
        self._lock = asyncio.Lock()
        self._reads = asyncio.Semaphore(_READS_AT_ONCE)

    async def setup(self) -> None:
        """Create the indexes."""
        await ensure_indexes(self._segments, ("day",))  # ended_on
        await ensure_indexes(self._chapters, ("org", "_id"))  # _load

    async def of(self, org: OrganizationId) -> History:
        """See `JobHistory`."""
        return (await self._up_to_date(org)).history

    async def jobs_in(
        self, org: OrganizationId, segments: Several[int], *, keys: Several[int] | None = None
    ) -> list[Job]:
        """See `JobHistory`."""
        packed = await asyncio.gather(*(self._read(_name(org, number)) for number in segments))
        return [job for each in packed if each is not None for job in _unpacked(each, keys)]

    async def add(self, org: OrganizationId, jobs: Sequence[Job], *, number: int) -> bool:
        """See `JobHistory`."""
        added = await insert_new(self._segments, segment_document(org, number, jobs))
        await self._up_to_date(org)
        return added

    async def ended_on(self, day: date) -> list[tuple[OrganizationId, int]]:
        """See `JobHistory`."""
        found = await self._segments.find({"day": day.isoformat()}, {"org": 1}).limit(SWEEP_LIMIT).to_list()
        return [(OrganizationId(each["org"]), int(each["_id"].rpartition("/")[2])) for each in found]

    async def empty(self, org: OrganizationId, segment: int) -> None:
        """See `JobHistory`."""
        # Whoever knows its jobs by their keys lists them no more, by their end.
        name = _name(org, segment)
        await self._segments.replace_one({"_id": name}, {"_id": name, "org": org, "jobs": _packed([])})
        self._kept.pop(name, None)

    async def _up_to_date(self, org: OrganizationId) -> _Known:
        # A request that gives up must not end it: the next one would begin anew, and none might ever be done.
        taking = begin("history of jobs", self._take_in(org), foreseen=(PyMongoError,))
        self._taking.add(taking)
        taking.add_done_callback(self._taking.discard)
        return await asyncio.shield(taking)

    async def _take_in(self, org: OrganizationId) -> _Known:
        # One at a time: two that read the same segment would count its jobs twice.
        async with self._lock:
            known = self._known.pop(org, None) or await self._load(org)
            self._known[org] = known
            while len(self._known) > ORGANIZATIONS_KNOWN:
                self._known.popitem(last=False)
            # Numbers are asked for one after the other, as each is read once; in most cases there is no next one.
            while (packed := await self._read(_name(org, known.history.next_segment))) is not None:
                _add(known.history, packed, known.history.next_segment)
                known.history.next_segment += 1
                if known.history.next_segment >= (known.chapters + 1) * CHAPTER_SEGMENTS:
                    await self._write_chapter(org, known)
            return known

    async def _load(self, org: OrganizationId) -> _Known:
        known = _Known()
        async for chapter in self._chapters.find({"org": org}).sort("_id", 1):
            # A process that died before it wrote a chapter leaves a gap: what follows is read segment by segment.
            if chapter["_id"] != _name(org, known.chapters):
                break
            for *posting, keys, segments in json.loads(zlib.decompress(chapter["postings"])):
                known.history.add_all(Posting(*posting), b64decode(keys), b64decode(segments))
            for number, day in await self._ends(org, chapter, number=known.chapters):
                known.history.note_end(number, day)
            known.chapters += 1
        # Not in the event loop: a million jobs take seconds, in which nothing else would be answered.
        await asyncio.to_thread(known.history.sort)
        known.history.next_segment = known.chapters * CHAPTER_SEGMENTS
        return known

    async def _ends(self, org: OrganizationId, chapter: Document, *, number: int) -> list[tuple[int, str]]:
        """On which day the last job of each segment of a chapter ended; of those that are emptied: long ago."""
        if chapter.get("ends"):
            return [(segment, day) for segment, day in json.loads(zlib.decompress(chapter["ends"]))]
        # It was written by a version that did not say.
        segments = range(number * CHAPTER_SEGMENTS, (number + 1) * CHAPTER_SEGMENTS)
        found = [await self._segments.find_one({"_id": _name(org, each)}, {"day": 1}) for each in segments]
        return [(segment, each.get("day") or "") for segment, each in zip(segments, found, strict=True) if each]

    async def _write_chapter(self, org: OrganizationId, known: _Known) -> None:
        """Say in one document where the jobs of the next many segments are, so that others read them at once."""
        first, chapter = known.chapters * CHAPTER_SEGMENTS, History()
        for number in range(first, first + CHAPTER_SEGMENTS):
            _add(chapter, await self._read(_name(org, number)) or _packed([]), number)
        await insert_new(self._chapters, chapter_document(org, known.chapters, chapter))
        known.chapters += 1

    async def _read(self, name: str) -> bytes | None:
        """The jobs of a segment, packed; None where there is none of this name."""
        if name in self._kept:
            self._kept.move_to_end(name)
            return self._kept[name]
        async with self._reads:
            found = await self._segments.find_one({"_id": name})
        if found is None:
            return None
        self._keep(name, bytes(found["jobs"]))
        return bytes(found["jobs"])

    def _keep(self, name: str, packed: bytes) -> None:
        self._kept[name] = packed
        while len(self._kept) > SEGMENTS_KEPT:
            self._kept.popitem(last=False)


class MemoryJobHistory:
    """`JobHistory` in memory, for unit tests of use cases."""

    def __init__(self) -> None:
        self._histories: dict[OrganizationId, History] = {}
        self._segments: dict[OrganizationId, list[list[Job]]] = {}

    async def of(self, org: OrganizationId) -> History:
        """See `JobHistory`."""
        return self._histories.setdefault(org, History())

    async def jobs_in(
        self, org: OrganizationId, segments: Several[int], *, keys: Several[int] | None = None
    ) -> list[Job]:
        """See `JobHistory`."""
        jobs = (job for number in segments for job in self._segments[org][number])
        return [job for job in jobs if keys is None or row_of(job).key in keys]

    async def add(self, org: OrganizationId, jobs: Sequence[Job], *, number: int) -> bool:
        """See `JobHistory`."""
        kept = self._segments.setdefault(org, [])
        if number != len(kept):
            return False
        history = await self.of(org)
        for job in jobs:
            history.add(row_of(job), number)
        history.note_end(number, _last_day(jobs))
        kept.append(list(jobs))
        history.next_segment = len(kept)
        return True

    async def ended_on(self, day: date) -> list[tuple[OrganizationId, int]]:
        """See `JobHistory`."""
        return [
            (org, number)
            for org, segments in self._segments.items()
            for number, jobs in enumerate(segments)
            if max((job.stopped_at.date() for job in jobs if job.stopped_at), default=None) == day
        ]

    async def empty(self, org: OrganizationId, segment: int) -> None:
        """See `JobHistory`."""
        self._segments[org][segment] = []


def segment_document(org: OrganizationId, number: int, jobs: Sequence[Job]) -> Document:
    """A segment as it is kept."""
    return {"_id": _name(org, number), "org": org, "day": _last_day(jobs), "jobs": _packed(jobs)}


def chapter_document(org: OrganizationId, number: int, history: History) -> Document:
    """A chapter as it is kept, of the history of its segments."""
    postings = [
        [*posting, b64encode(keys).decode(), b64encode(segments).decode()] for posting, keys, segments in history.dump()
    ]
    # Bytes, both: arrays in arrays cannot be kept everywhere (0001).
    return {
        "_id": _name(org, number),
        "org": org,
        "postings": zlib.compress(json.dumps(postings).encode(), 1),
        "ends": zlib.compress(json.dumps(list(history.ends.items())).encode(), 1),
    }


def _name(org: OrganizationId, number: int) -> str:
    return f"{org}/{number:08}"


def _packed(jobs: Sequence[Job]) -> bytes:
    return zlib.compress(b"\n".join(job.model_dump_json().encode() for job in jobs))


def _unpacked(packed: bytes, keys: Several[int] | None) -> list[Job]:
    lines = zlib.decompress(packed).splitlines()
    if keys is not None:
        # Reading a job takes much longer than its id, and most of a segment may not be asked for.
        lines = [line for line in lines if key_of(_id(line)) in keys]
    return [Job.model_validate_json(line) for line in lines]


def _id(line: bytes) -> str:
    # A job begins with it, as its fields are written in their order.
    found = _ID.match(line)
    return found[1].decode() if found else str(json.loads(line)["id"])


def _last_day(jobs: Sequence[Job]) -> str | None:
    return max((job.stopped_at.date().isoformat() for job in jobs if job.stopped_at), default=None)


def _add(history: History, packed: bytes, segment: int) -> None:
    jobs = [json.loads(line) for line in zlib.decompress(packed).splitlines()]
    for job in jobs:
        history.add(_row(job), segment)
    # Times are kept as UTC, the day first.
    history.note_end(segment, max((job["stopped_at"][:10] for job in jobs if job["stopped_at"]), default=None))


def _row(job: Document) -> Row:
    """What `row_of` says of a job, without checking all of it."""
    task = job["task"]
    return Row(
        job["id"], task["type"], job["status"], task["origin"]["id"], task["target"]["id"] if task["target"] else ""
    )
