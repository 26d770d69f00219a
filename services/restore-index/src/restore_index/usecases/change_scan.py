"""A scan of all that differs between two trees: it finds what was moved before anything is reported as gone or new."""

import asyncio
from collections import deque
from dataclasses import dataclass
from itertools import islice
from weakref import WeakValueDictionary

from restore_index.domain.changes import NO_MOVES, Moves, Summary, subtrees_to_compare
from restore_index.domain.move_detection import MoveDetector, OneSidedEntry
from restore_index.store.byte_cache import ByteCache
from restore_index.usecases.directory_pairs import READS_AT_ONCE, ComparedTrees, DirectoryReader, TreePair, to_tree_pair

KEPT_BYTES = 64 << 20
SCANS_AT_ONCE = 2
_MOVED_BYTES = 1000


@dataclass(frozen=True)
class ScanLimits:
    """How far a scan goes: pages of directories that it reads, and one-sided entries that it keeps."""

    pages: int = 10_000
    found: int = 100_000


@dataclass(frozen=True)
class ChangeScan:
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


async def scan_changes(reader: DirectoryReader, roots: TreePair, bounds: ScanLimits) -> ChangeScan:
    """Scan two trees, as far as the limits allow; equal trees and limits give equal scans."""
    if roots.old == roots.new:
        return ChangeScan(NO_MOVES, Summary())
    detector = MoveDetector(same_store=reader.trees.same_store)
    whole = await _scan_common(reader, detector, roots, bounds) and await _scan_one_sided(reader, detector, bounds)
    if not whole:
        # In a thread, as matching 100,000 entries takes long enough to hold up other requests.
        await asyncio.to_thread(detector.match_moves)
    return await asyncio.to_thread(lambda: ChangeScan(detector.moves(), detector.summary() if whole else None))


async def _scan_common(reader: DirectoryReader, detector: MoveDetector, roots: TreePair, bounds: ScanLimits) -> bool:
    """Note what differs in the directories that both sides have; whether that was all of them."""
    ahead = deque([(OneSidedEntry(None), roots)])
    while ahead:
        reader.prefetch(both for _, both in islice(ahead, READS_AT_ONCE))
        parent, both = ahead.popleft()
        opened = await reader.open(both)
        while (pairs := await opened.pairs()) is not None:
            for pair in pairs:
                detector.note(parent, pair)
                further = subtrees_to_compare((), pair, NO_MOVES)
                if further and not pair.one_sided:
                    ahead.append((OneSidedEntry(parent, pair.name), to_tree_pair(further)))
            # Counted in pages, not in time: the next page of the answer has to come to the same result.
            if reader.pages + len(ahead) > bounds.pages or len(detector.found) > bounds.found:
                return False
    return True


async def _scan_one_sided(reader: DirectoryReader, detector: MoveDetector, bounds: ScanLimits) -> bool:
    """Open what has nothing that is the same on the other side, until it is known what was moved."""
    while True:
        while found := detector.next():
            reader.prefetch([_alone(found), *map(_alone, detector.peek(READS_AT_ONCE))])
            opened = await reader.open(_alone(found))
            while (pairs := await opened.pairs()) is not None:
                for pair in pairs:
                    detector.note(found, pair)
                if reader.pages > bounds.pages or len(detector.found) > bounds.found:
                    return False
        if await asyncio.to_thread(detector.match_moves):
            return True


def _alone(found: OneSidedEntry) -> TreePair:
    tree_id = found.subtree.hex() if found.subtree else None
    return TreePair(tree_id, None) if found.gone else TreePair(None, tree_id)


class ChangeScans:
    """Scans of trees that were compared lately. Requests for the same scan at the same time wait for one."""

    def __init__(self, bounds: ScanLimits) -> None:
        self._bounds = bounds
        self._kept: ByteCache[ChangeScan] = ByteCache(KEPT_BYTES, getsizeof=lambda scan: scan.size_bytes)
        # Weak: a lock is gone when the last request that holds it ends.
        self._under_way: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._scan_slots = asyncio.Semaphore(SCANS_AT_ONCE)

    def known(self, trees: ComparedTrees, roots: TreePair) -> ChangeScan | None:
        """The scan of two trees, if it was made."""
        return self._kept.get(_key(trees, roots))

    async def make(self, trees: ComparedTrees, roots: TreePair) -> ChangeScan:
        """The scan of two trees."""
        key = _key(trees, roots)
        async with self._under_way.setdefault(key, asyncio.Lock()):
            found = self._kept.get(key)
            if found is None:
                async with self._scan_slots, DirectoryReader(trees) as reader:
                    found = await scan_changes(reader, roots, self._bounds)
                self._kept[key] = found
            return found


def _key(trees: ComparedTrees, roots: TreePair) -> str:
    return "/".join([trees.org, *trees.stores, *map(str, roots)])
