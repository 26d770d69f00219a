"""Segment maps: where the names of a store lie, kept in memory for the stores that were searched last.

A store's segments are read once, later ones as they appear. What a search needs of them is kept packed, and read again
where there was no room for it.
"""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import cast

from contracts.errors import Conflict
from contracts.values import OrganizationId

from restore_index.domain.name_segments import Segment, pack_segment, read_frame, read_whole
from restore_index.domain.packed_numbers import NamesDamaged
from restore_index.domain.search.scan import MatchMarks
from restore_index.domain.search.segment_map import MappedSegment, SegmentMap
from restore_index.store.byte_cache import ByteCache
from restore_index.store.name_segments import NameSegments

MARKS_BYTES = 8 << 20
SEARCHES_AT_ONCE = 2
READ_ANEW_MOST = 3
"""How often a store is read from its beginning for one search, in case it is rewritten meanwhile."""


# Stands for a segment that is lost or damaged, so that the numbers of the others stay right.
EMPTY_FRAME = read_frame(pack_segment([]))


class SegmentReplaced(Exception):
    """A segment is no longer what the map says: it has to be read again."""


@dataclass
class _Slot:
    segment_map: SegmentMap | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class SegmentMaps:
    """The maps of all stores; where matches were found a moment ago; and slots, as each search takes a thread."""

    def __init__(self, names: NameSegments, *, segment_map_bytes: int, packed_bytes: int) -> None:
        self._names = names
        self._limit_bytes = segment_map_bytes
        self._slots: OrderedDict[tuple[OrganizationId, str], _Slot] = OrderedDict()
        self._packed: ByteCache[Segment] = ByteCache(packed_bytes, getsizeof=_size_of)
        self._serials = count()
        self.marks: ByteCache[MatchMarks] = ByteCache(MARKS_BYTES, getsizeof=lambda marks: marks.size_bytes)
        self.search_slots = asyncio.Semaphore(SEARCHES_AT_ONCE)

    async def open(self, org: OrganizationId, store_id: str, tree_ids: Sequence[str]) -> tuple[SegmentMap, list[int]]:
        """The map of a store, and the numbers of some directories in it.

        Raises `Conflict` (`names_missing`) unless it has all of these with everything below them.
        """
        slot = self._slots.setdefault((org, store_id), _Slot())
        self._slots.move_to_end((org, store_id))
        # Two searches of one store would read all of its segments twice.
        async with slot.lock:
            numbers = await self._numbers(org, store_id, slot.segment_map, tree_ids) if slot.segment_map else None
            for _ in range(READ_ANEW_MOST):
                if numbers is None:
                    slot.segment_map = await self._read(org, store_id)
                    numbers = await self._numbers(org, store_id, slot.segment_map, tree_ids)
            found = slot.segment_map
        self._forget_oldest()
        if numbers is None or found is None:
            raise _missing(store_id)
        return found, numbers

    async def segment(self, org: OrganizationId, store_id: str, mapped: MappedSegment) -> Segment:
        """One segment. Raises `SegmentReplaced` when it is another than when it was first read."""
        key = _key(org, store_id, mapped.number)
        found = self._packed.get(key)
        if found is None or found.frame != mapped.mark:
            read = await self._names.get(org, store_id, mapped.number)
            if read is None:
                raise SegmentReplaced
            found = self._keep(key, read)
        if found.frame != mapped.mark:
            raise SegmentReplaced
        return found

    async def segments(
        self, org: OrganizationId, store_id: str, mapped_segments: Sequence[MappedSegment]
    ) -> list[Segment]:
        """Several segments, see `segment`; those that are in memory are not read again."""
        kept = [self._packed.get(_key(org, store_id, mapped.number)) for mapped in mapped_segments]
        wanting = [p for p, found in zip(mapped_segments, kept, strict=True) if found is None or found.frame != p.mark]
        read = iter(await asyncio.gather(*(self.segment(org, store_id, mapped) for mapped in wanting)))
        return [
            k if k and k.frame == mapped.mark else next(read) for mapped, k in zip(mapped_segments, kept, strict=True)
        ]

    def forget(self, org: OrganizationId, store_id: str) -> None:
        """Read the map of a store again when it is asked for next."""
        self._slots.pop((org, store_id), None)

    async def _read_on(self, org: OrganizationId, store_id: str, segment_map: SegmentMap) -> None:
        async for number, segment in self._names.read(org, store_id, start=len(segment_map.mapped_segments)):
            packed = self._keep(_key(org, store_id, number), segment)
            await asyncio.to_thread(_add_segment, segment_map, segment, packed.frame)

    async def _numbers(
        self, org: OrganizationId, store_id: str, segment_map: SegmentMap, tree_ids: Sequence[str]
    ) -> list[int] | None:
        """The numbers of some directories; None unless all are there. Segments are read only if some are missing."""
        numbers = _roots(segment_map, tree_ids)
        if numbers is None:
            await self._read_on(org, store_id, segment_map)
            numbers = _roots(segment_map, tree_ids)
        return numbers

    async def _read(self, org: OrganizationId, store_id: str) -> SegmentMap:
        """A store from its beginning. Where a segment was lost, what was in it may have come again behind the gap."""
        segment_map, following = SegmentMap(next(self._serials)), cast("int | None", 0)
        while following is not None:
            while len(segment_map.mapped_segments) < following:
                segment_map.add(EMPTY_FRAME, b"")
            await self._read_on(org, store_id, segment_map)
            following = await self._names.after_gap(org, store_id, len(segment_map.mapped_segments))
        return segment_map

    def _keep(self, key: str, segment: Segment) -> Segment:
        """The segment with a mark in place of its frame, which is not needed any more."""
        packed = replace(segment, frame=hashlib.sha256(segment.frame).digest()[:16])
        self._packed[key] = packed
        return packed

    def _forget_oldest(self) -> None:
        sizes = {name: s.segment_map.size_bytes if s.segment_map else 0 for name, s in self._slots.items()}
        used = sum(sizes.values())
        for name in list(sizes)[:-1]:
            if used <= self._limit_bytes:
                return
            used -= sizes[name]
            del self._slots[name]


def _roots(segment_map: SegmentMap, tree_ids: Sequence[str]) -> list[int] | None:
    found = [segment_map.root(tree_id) for tree_id in tree_ids]
    numbers = [number for number in found if number is not None]
    return numbers if len(numbers) == len(found) else None


def _add_segment(segment_map: SegmentMap, segment: Segment, mark: bytes) -> None:
    """One that is damaged counts as empty: what was in it is not whole then, unless it comes again."""
    try:
        frame = read_whole(segment)
    except NamesDamaged:
        frame = EMPTY_FRAME
    segment_map.add(frame, mark)


def _size_of(packed: Segment) -> int:
    return len(packed.names) + len(packed.text) + len(packed.columns) + len(packed.links)


def _key(org: OrganizationId, store_id: str, number: int) -> str:
    return f"{org}/{store_id}/{number}"


def _missing(store_id: str) -> Conflict:
    detail = f"NameSegments of store {store_id} are missing in the index: refresh the store with `rebuild` set."
    return Conflict("names_missing", detail)
