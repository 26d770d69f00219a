"""A look at all that differs between two trees: it tells what was moved before anything is told as gone or new."""

import asyncio
from collections import deque
from dataclasses import dataclass
from itertools import islice
from weakref import WeakValueDictionary

from chassis.caches import ByteBoundedCache

from restore_index.domain.differences import NO_MOVES, Moves, Summary, opens
from restore_index.domain.moves import Census, Found
from restore_index.usecases.walking import READS_AT_ONCE, Both, Reader, Trees, both_of

KEPT_BYTES = 64 << 20
SURVEYS_AT_ONCE = 2
_MOVED_BYTES = 1000


@dataclass(frozen=True)
class Bounds:
    """How far a survey goes: pages of directories that it reads, and things on one side only that it keeps."""

    pages: int = 10_000
    found: int = 100_000


@dataclass(frozen=True)
class Survey:
    """What was moved; and how many rows there are, unless there was too much to look at all of it."""

    moves: Moves
    summary: Summary | None

    @property
    def complete(self) -> bool:
        """Whether it looked at all that differs."""
        return self.summary is not None

    @property
    def size_bytes(self) -> int:
        """About what it takes in memory."""
        return _MOVED_BYTES * (1 + len(self.moves.arrived))


async def survey(reader: Reader, roots: Both, bounds: Bounds) -> Survey:
    """Look at two trees, as far as the bounds allow; equal trees and bounds give equal surveys."""
    if roots.old == roots.new:
        return Survey(NO_MOVES, Summary())
    census = Census(same_store=reader.trees.same_store)
    whole = await _look_at_both(reader, census, roots, bounds) and await _look_at_one_sided(reader, census, bounds)
    if not whole:
        await asyncio.to_thread(census.decide)
    return await asyncio.to_thread(lambda: Survey(census.moves(), census.summary() if whole else None))


async def _look_at_both(reader: Reader, census: Census, roots: Both, bounds: Bounds) -> bool:
    """Note what differs in the directories that both sides have; whether that was all of them."""
    ahead = deque([(Found(None), roots)])
    while ahead:
        reader.want(both for _, both in islice(ahead, READS_AT_ONCE))
        parent, both = ahead.popleft()
        opened = await reader.open(both)
        while (pairs := await opened.pairs()) is not None:
            for pair in pairs:
                census.note(parent, pair)
                further = opens((), pair, NO_MOVES)
                if further and not pair.one_sided:
                    ahead.append((Found(parent, pair.name), both_of(further)))
            if reader.pages + len(ahead) > bounds.pages or len(census.found) > bounds.found:
                return False
    return True


async def _look_at_one_sided(reader: Reader, census: Census, bounds: Bounds) -> bool:
    """Open what has nothing that is the same on the other side, until it is known what was moved."""
    while True:
        while found := census.next():
            reader.want([_alone(found), *map(_alone, census.glance(READS_AT_ONCE))])
            opened = await reader.open(_alone(found))
            while (pairs := await opened.pairs()) is not None:
                for pair in pairs:
                    census.note(found, pair)
                if reader.pages > bounds.pages or len(census.found) > bounds.found:
                    return False
        if await asyncio.to_thread(census.decide):
            return True


def _alone(found: Found) -> Both:
    tree_id = found.subtree.hex() if found.subtree else None
    return Both(tree_id, None) if found.gone else Both(None, tree_id)


class Surveys:
    """Surveys of trees that were compared lately. Many who ask for one at the same time wait for the same."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._kept: ByteBoundedCache[Survey] = ByteBoundedCache(KEPT_BYTES)
        self._under_way: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._turns = asyncio.Semaphore(SURVEYS_AT_ONCE)

    def known(self, trees: Trees, roots: Both) -> Survey | None:
        """The survey of two trees, if it was made."""
        return self._kept.get(_key(trees, roots))

    async def make(self, trees: Trees, roots: Both) -> Survey:
        """The survey of two trees."""
        key = _key(trees, roots)
        async with self._under_way.setdefault(key, asyncio.Lock()):
            found = self._kept.get(key)
            if found is None:
                async with self._turns, Reader(trees) as reader:
                    found = await survey(reader, roots, self._bounds)
                self._kept.put(key, found, size_bytes=found.size_bytes)
            return found


def _key(trees: Trees, roots: Both) -> str:
    return "/".join([trees.org, *trees.stores, *map(str, roots)])
