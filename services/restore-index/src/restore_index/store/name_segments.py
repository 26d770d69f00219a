"""The names of a store, as searches read them: segments `<store>/<number>`, numbered without gaps.

A segment is written before the directories it is of (see `store.directories`), and loses them after these are gone:
whatever is known can be found. One that was written twice, or whose directories never became known, is harmless.
Garbage collection drops pages from their segments and joins small segments, so that the numbers stay without gaps.
Readers that have read other segments before find out: what they look for is not there, or no longer the same.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import asdict, fields

from chassis.persistence.mongo import Document
from contracts.errors import Conflict
from contracts.values import OrganizationId

from restore_index.domain.hash_table import HashTable
from restore_index.domain.name_segments import Segment, join_segments, read_frame, select_pages
from restore_index.domain.reachability import ChildrenFirstPages
from restore_index.store.documents import Documents
from restore_index.store.numbered_documents import find_end

READS_AT_ONCE = 8
SEGMENT_LEAST_PAGES = 256
GAP_MOST = 16
_PARTS = tuple(field.name for field in fields(Segment))


class NameSegments:
    """The segments of all stores."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._next: dict[tuple[OrganizationId, str], int] = {}

    async def append(self, org: OrganizationId, store_id: str, segment: Segment) -> None:
        """Keep a segment behind all others.

        Raises `Conflict` (`store_foreign`) when another organization has names of that store.
        """
        # Remembered, as finding the end takes a lookup for each doubling of the number of segments.
        number = self._next.get((org, store_id))
        if number is None:
            number = await self._end(org, store_id, 0)
        while not await self._documents.insert_new(_document(org, store_id, number, segment)):
            if await self.get(org, store_id, number) is None:
                raise Conflict("store_foreign", f"Store {store_id} belongs to another organization.")
            number = await self._end(org, store_id, number + 1)
        self._next[org, store_id] = number + 1

    async def get(self, org: OrganizationId, store_id: str, number: int) -> Segment | None:
        """One segment."""
        found = await self._documents.get(f"{store_id}/{number}")
        return Segment(**{part: bytes(found[part]) for part in _PARTS}) if found and found["org"] == org else None

    async def read(self, org: OrganizationId, store_id: str, *, start: int = 0) -> AsyncIterator[tuple[int, Segment]]:
        """The segments from a number on, in order, with their numbers; some are read ahead."""
        # One at first: nearly always nothing is new. A store that is read for the first time is read ahead.
        width = 1
        while True:
            numbers = range(start, start + width)
            for number, segment in zip(
                numbers, await asyncio.gather(*(self.get(org, store_id, n) for n in numbers)), strict=True
            ):
                if segment is None:
                    return
                yield number, segment
            start, width = start + width, min(width * 2, READS_AT_ONCE)

    async def after_gap(self, org: OrganizationId, store_id: str, lost: int) -> int | None:
        """The next segment behind some that are missing; None where there is none, or it is too far."""
        numbers = range(lost + 1, lost + 1 + GAP_MOST)
        found = await asyncio.gather(*(self.get(org, store_id, number) for number in numbers))
        return next((n for n, segment in zip(numbers, found, strict=True) if segment is not None), None)

    async def count(self, org: OrganizationId, store_id: str) -> int:
        """How many segments there are."""
        return await self._end(org, store_id, 0)

    async def rewrite(self, org: OrganizationId, store_id: str, gone: HashTable) -> None:
        """Drop the pages of some directories, pages that are there twice and damaged segments, and join small ones.

        Of equal pages the first one stays that came behind all that is below it: searches cannot use an earlier one.
        What was read is written before anything of it is replaced, and what is not needed is removed from the end:
        a process that dies on the way leaves all names, some of them twice. Nothing may be appended meanwhile.
        """
        self.forget(org, store_id)
        number = written = pages = 0
        kept, left = ChildrenFirstPages(), list[Segment]()
        while (segment := await self.get(org, store_id, number)) is not None:
            # In a thread: unpacking and packing segments would hold up every request of this process.
            rest, count = await asyncio.to_thread(_without, segment, gone, kept)
            number, pages = number + 1, pages + count
            left += [rest] if count else []
            if pages >= SEGMENT_LEAST_PAGES:
                if rest is not segment or len(left) > 1 or written != number - 1:
                    await self._put(org, store_id, written, left)
                written, pages, left = written + 1, 0, []
        if left:
            await self._put(org, store_id, written, left)
            written += 1
        for spare in range(number - 1, written - 1, -1):
            await self._documents.delete([f"{store_id}/{spare}"])

    async def clear(self, org: OrganizationId, store_id: str) -> None:
        """Drop all segments of a store, the last ones first."""
        self.forget(org, store_id)
        for number in range(await self.count(org, store_id) - 1, -1, -1):
            await self._documents.delete([f"{store_id}/{number}"])

    def forget(self, org: OrganizationId, store_id: str) -> None:
        """Look up again where the segments of a store end: they may have been rewritten."""
        self._next.pop((org, store_id), None)

    async def _put(self, org: OrganizationId, store_id: str, number: int, segments: list[Segment]) -> None:
        joined = await asyncio.to_thread(join_segments, segments)
        await self._documents.put([_document(org, store_id, number, joined)])

    async def _end(self, org: OrganizationId, store_id: str, start: int) -> int:
        """The number after the last segment, found without reading them all."""
        return await find_end(lambda number: self.get(org, store_id, number), start)


def _document(org: OrganizationId, store_id: str, number: int, segment: Segment) -> Document:
    return {"_id": f"{store_id}/{number}", "org": org, "store": store_id, "number": number, **asdict(segment)}


def _without(segment: Segment, gone: HashTable, kept: ChildrenFirstPages) -> tuple[Segment, int]:
    """A segment without what is gone or kept of others, and how many pages that has."""
    try:
        frame = read_frame(segment)
    except Conflict:
        return segment, 0
    wanted = []
    for number, below in enumerate(frame.children()):
        tree, page, of = frame.tree(number), frame.pages[number], frame.of[number]
        stays = gone.get(tree) is None
        wanted.append(stays and (tree, page, of) not in kept)
        if stays:
            kept.add(tree, page, of, below)
    return segment if all(wanted) else select_pages(segment, wanted), sum(wanted)
