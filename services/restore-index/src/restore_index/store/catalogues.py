"""Where the names of stores lie, kept in memory for the stores that were searched last.

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

from chassis.caches import ByteBoundedCache
from contracts.errors import Conflict
from contracts.values import OrganizationId

from restore_index.domain.search.catalogue import Catalogue, Part
from restore_index.domain.search.scan import Marks
from restore_index.domain.segments import DamagedNames, Segment, pack_segment, read_frame, read_whole
from restore_index.store.names import Names

MARKS_BYTES = 8 << 20
SEARCHES_AT_ONCE = 2
READ_ANEW_MOST = 3
"""How often a store is read from its beginning for one search, in case it is rewritten meanwhile."""


NOTHING = read_frame(pack_segment([]))


class Replaced(Exception):
    """A segment is no longer what the catalogue says: it has to be read again."""


@dataclass
class _Shelf:
    catalogue: Catalogue | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Catalogues:
    """The catalogues of all stores; where matches were found a moment ago; and turns, as each search has a thread."""

    def __init__(self, names: Names, *, catalogue_bytes: int, packed_bytes: int) -> None:
        self._names = names
        self._limit_bytes = catalogue_bytes
        self._shelves: OrderedDict[tuple[OrganizationId, str], _Shelf] = OrderedDict()
        self._packed: ByteBoundedCache[Segment] = ByteBoundedCache(packed_bytes)
        self._serials = count()
        self.marks: ByteBoundedCache[Marks] = ByteBoundedCache(MARKS_BYTES)
        self.turns = asyncio.Semaphore(SEARCHES_AT_ONCE)

    async def open(self, org: OrganizationId, store_id: str, tree_ids: Sequence[str]) -> tuple[Catalogue, list[int]]:
        """The catalogue of a store, and the numbers of some directories in it.

        Raises `Conflict` (`names_missing`) unless it has all of these with everything below them.
        """
        shelf = self._shelves.setdefault((org, store_id), _Shelf())
        self._shelves.move_to_end((org, store_id))
        async with shelf.lock:
            numbers = await self._numbers(org, store_id, shelf.catalogue, tree_ids) if shelf.catalogue else None
            for _ in range(READ_ANEW_MOST):
                if numbers is None:
                    shelf.catalogue = await self._read(org, store_id)
                    numbers = await self._numbers(org, store_id, shelf.catalogue, tree_ids)
            found = shelf.catalogue
        self._forget_oldest()
        if numbers is None or found is None:
            raise _missing(store_id)
        return found, numbers

    async def segment(self, org: OrganizationId, store_id: str, part: Part) -> Segment:
        """One segment. Raises `Replaced` when it is another than when it was first read."""
        key = _key(org, store_id, part.number)
        found = self._packed.get(key)
        if found is None or found.frame != part.mark:
            read = await self._names.get(org, store_id, part.number)
            if read is None:
                raise Replaced
            found = self._keep(key, read)
        if found.frame != part.mark:
            raise Replaced
        return found

    async def segments(self, org: OrganizationId, store_id: str, parts: Sequence[Part]) -> list[Segment]:
        """Several segments, see `segment`; those that are in memory without ado."""
        kept = [self._packed.get(_key(org, store_id, part.number)) for part in parts]
        wanting = [p for p, found in zip(parts, kept, strict=True) if found is None or found.frame != p.mark]
        read = iter(await asyncio.gather(*(self.segment(org, store_id, part) for part in wanting)))
        return [k if k and k.frame == part.mark else next(read) for part, k in zip(parts, kept, strict=True)]

    def forget(self, org: OrganizationId, store_id: str) -> None:
        """Read the catalogue of a store anew when it is asked for next."""
        self._shelves.pop((org, store_id), None)

    async def _read_on(self, org: OrganizationId, store_id: str, catalogue: Catalogue) -> None:
        async for number, segment in self._names.read(org, store_id, start=len(catalogue.parts)):
            packed = self._keep(_key(org, store_id, number), segment)
            await asyncio.to_thread(_take, catalogue, segment, packed.frame)

    async def _numbers(
        self, org: OrganizationId, store_id: str, catalogue: Catalogue, tree_ids: Sequence[str]
    ) -> list[int] | None:
        """The numbers of some directories; None unless all are there. Only for those that lack, segments are read."""
        numbers = _roots(catalogue, tree_ids)
        if numbers is None:
            await self._read_on(org, store_id, catalogue)
            numbers = _roots(catalogue, tree_ids)
        return numbers

    async def _read(self, org: OrganizationId, store_id: str) -> Catalogue:
        """A store from its beginning. Where a segment was lost, what was in it may have come again behind the gap."""
        catalogue, following = Catalogue(next(self._serials)), cast("int | None", 0)
        while following is not None:
            while len(catalogue.parts) < following:
                catalogue.take(NOTHING, b"")
            await self._read_on(org, store_id, catalogue)
            following = await self._names.after_gap(org, store_id, len(catalogue.parts))
        return catalogue

    def _keep(self, key: str, segment: Segment) -> Segment:
        """The segment with a mark in place of its frame, which is not needed any more."""
        packed = replace(segment, frame=hashlib.sha256(segment.frame).digest()[:16])
        size = len(packed.names) + len(packed.text) + len(packed.columns) + len(packed.links)
        self._packed.put(key, packed, size_bytes=size)
        return packed

    def _forget_oldest(self) -> None:
        sizes = {name: s.catalogue.size_bytes if s.catalogue else 0 for name, s in self._shelves.items()}
        used = sum(sizes.values())
        for name in list(sizes)[:-1]:
            if used <= self._limit_bytes:
                return
            used -= sizes[name]
            del self._shelves[name]


def _roots(catalogue: Catalogue, tree_ids: Sequence[str]) -> list[int] | None:
    found = [catalogue.root(tree_id) for tree_id in tree_ids]
    numbers = [number for number in found if number is not None]
    return numbers if len(numbers) == len(found) else None


def _take(catalogue: Catalogue, segment: Segment, mark: bytes) -> None:
    """One that is damaged counts as empty: what was in it is not whole then, unless it comes again."""
    try:
        frame = read_whole(segment)
    except DamagedNames:
        frame = NOTHING
    catalogue.take(frame, mark)


def _key(org: OrganizationId, store_id: str, number: int) -> str:
    return f"{org}/{store_id}/{number}"


def _missing(store_id: str) -> Conflict:
    detail = f"Names of store {store_id} are missing in the index: refresh the store with `rebuild` set."
    return Conflict("names_missing", detail)
