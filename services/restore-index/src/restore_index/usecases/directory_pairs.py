"""Reads the directories of two trees in pairs, ahead of a comparison."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import NamedTuple, Self

from contracts.values import OrganizationId

from restore_index.domain import restore_points
from restore_index.domain.changes import SubtreePair
from restore_index.domain.directory_merge import DirectoryMerge, EntryPair, MergeSide
from restore_index.store import EMPTY, Directories, Directory

READS_AT_ONCE = 16
_REMEMBERED = 10_000
_BREATHES_EVERY = 8


class TreePair(NamedTuple):
    """The directories that are compared; None where there is none, or none that could be read."""

    old: str | None
    new: str | None


def to_tree_pair(further: SubtreePair) -> TreePair:
    """The ids of directories that rows name."""
    return TreePair(*(None if subtree is None else subtree.hex() for subtree in further))


@dataclass(frozen=True)
class ComparedTrees:
    """Where the directories of the two sides are kept."""

    directories: Directories
    org: OrganizationId
    stores: tuple[str, str]

    @property
    def same_store(self) -> bool:
        """Whether contents can be compared."""
        return self.stores[0] == self.stores[1]

    async def directory(self, side: int, tree_id: str | None) -> Directory:
        """A directory of one side. Raises `TemporaryError` (`restore_point_not_browsable`) when it is not there."""
        if tree_id is None:
            return EMPTY
        found = await self.directories.get(self.org, self.stores[side], tree_id)
        if found is None:
            raise restore_points.not_browsable()
        return found

    async def page(self, side: int, directory: Directory, number: int) -> bytes:
        """A page of a directory. Raises like `directory`."""
        packed = await self.directories.packed(self.org, self.stores[side], directory, page=number)
        if not packed:
            raise restore_points.not_browsable()
        return packed


class DirectoryReader:
    """Opens directories, several ahead of what is asked for; counts the pages it reads. To be closed."""

    def __init__(self, trees: ComparedTrees) -> None:
        self.trees = trees
        self.pages = 0
        self._under_way: dict[tuple[int, str], asyncio.Task[None]] = {}
        self._wanted: set[tuple[int, str]] = set()

    async def __aenter__(self) -> Self:
        """Nothing is under way yet."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End what is under way."""
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def prefetch(self, wanted: Iterable[TreePair]) -> None:
        """Begin to fetch directories, as far as there is room: they are asked for soon."""
        for both in wanted:
            for side, tree_id in enumerate(both):
                if len(self._under_way) >= READS_AT_ONCE:
                    return
                if tree_id is not None and (side, tree_id) not in self._wanted:
                    self._fetch(side, tree_id)

    def _fetch(self, side: int, tree_id: str) -> None:
        if len(self._wanted) >= _REMEMBERED:
            # Only saves fetching twice, and what is fetched again comes from the cache.
            self._wanted.clear()
        self._wanted.add((side, tree_id))
        task = asyncio.create_task(self._warm(side, tree_id))
        self._under_way[side, tree_id] = task

        def done(ended: asyncio.Task[None]) -> None:
            self._under_way.pop((side, tree_id), None)
            # Retrieved so that asyncio does not report it: whoever needs the directory reads it again and fails.
            _ = ended.cancelled() or ended.exception()

        task.add_done_callback(done)

    async def _warm(self, side: int, tree_id: str) -> None:
        await self.trees.directories.get(self.trees.org, self.trees.stores[side], tree_id)

    async def open(self, both: TreePair, *, start: bytes = b"") -> "DirectoryPair":
        """Two directories side by side, from a name on."""
        under_way = [self._under_way[key] for key in enumerate(both) if key in self._under_way]
        if under_way:
            await asyncio.wait(under_way)
        old, new = [await self.trees.directory(side, tree_id) for side, tree_id in enumerate(both)]
        return DirectoryPair(self, old, new, start=start)

    async def page(self, side: int, directory: Directory, number: int) -> bytes:
        """A page. Lets others have their turn now and then, as what is in memory is not waited for."""
        self.pages += 1
        if self.pages % _BREATHES_EVERY == 0:
            await asyncio.sleep(0)
        return await self.trees.page(side, directory, number)


class DirectoryPair:
    """Two directories side by side."""

    def __init__(self, reader: DirectoryReader, old: Directory, new: Directory, *, start: bytes) -> None:
        self._reader = reader
        self._directories = (old, new)
        sides = [MergeSide(each.pages, each.first_names) for each in self._directories]
        self._seam = DirectoryMerge(sides[0], sides[1], start=start)
        self._start = start

    async def pairs(self) -> list[EntryPair] | None:
        """The next names that differ, possibly none; None at the end."""
        sides_to_read = self._seam.sides_to_read()
        if not sides_to_read:
            return None
        for number, side in enumerate(self._seam.sides):
            if side in sides_to_read:
                side.add_page(await self._reader.page(number, self._directories[number], side.page))
        return self._seam.pairs()

    @property
    def passed(self) -> bytes | None:
        """All names before this one have been returned; None at the end, and before the first names were."""
        until = self._seam.until
        return until if until is not None and until > self._start else None
