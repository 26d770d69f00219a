"""The names of a store, as searches read them: segments `<store>/<number>`, numbered without gaps.

A segment is written before the directories it is of (see `store.directories`), so whoever removes both removes the
directories first: whatever is known can be found. A segment that was written twice, or whose directories never became
known, is harmless. Segments are never deleted; one that nothing of is needed any more is replaced by an empty one, so
that the numbers stay without gaps.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import asdict, fields

from chassis.errors import Conflict
from chassis.mongo import Document
from contracts.values import OrganizationId

from restore_index.domain.segments import Segment
from restore_index.store.documents import Documents

READS_AT_ONCE = 8
GAP_MOST = 16
_PARTS = tuple(field.name for field in fields(Segment))


class Names:
    """The segments of all stores."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._next: dict[tuple[OrganizationId, str], int] = {}

    async def append(self, org: OrganizationId, store_id: str, segment: Segment) -> None:
        """Keep a segment behind all others.

        Raises `Conflict` (`store_foreign`) when another organization has names of that store.
        """
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

    async def replace(self, org: OrganizationId, store_id: str, number: int, segment: Segment) -> None:
        """Put a smaller segment in place of one that is there. Readers that have read the old one go on with it."""
        await self._documents.replace(_document(org, store_id, number, segment))

    async def _end(self, org: OrganizationId, store_id: str, start: int) -> int:
        """The number after the last segment, found without reading them all."""
        step = 1
        while await self.get(org, store_id, start + step - 1):
            start, step = start + step, step * 2
        end = start + step - 1
        while start < end:
            middle = (start + end) // 2
            start, end = (middle + 1, end) if await self.get(org, store_id, middle) else (start, middle)
        return start


def _document(org: OrganizationId, store_id: str, number: int, segment: Segment) -> Document:
    return {"_id": f"{store_id}/{number}", "org": org, "store": store_id, "number": number, **asdict(segment)}
