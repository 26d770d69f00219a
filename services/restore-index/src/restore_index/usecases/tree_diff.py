"""Walking through two trees at once, in the order of their paths, along what differs only."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from types import TracebackType
from typing import NamedTuple, Self

from contracts.values import OrganizationId

from restore_index.domain import restore_points
from restore_index.domain.change_rows import ALL_ROWS, ChangePosition
from restore_index.domain.changes import (
    NO_MOVES,
    Change,
    Moves,
    PathNames,
    SubtreePair,
    changes_at,
    subtrees_to_compare,
)
from restore_index.domain.directory_merge import DirectoryMerge, EntryPair, MergeSide
from restore_index.store import EMPTY, Directories, Directory

READS_AT_ONCE = 16
_REMEMBERED = 10_000
_BREATHES_EVERY = 8
_LOOKS_AHEAD = 64


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
        """Whether contents can be told apart."""
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
            self._wanted.clear()
        self._wanted.add((side, tree_id))
        task = asyncio.create_task(self._warm(side, tree_id))
        self._under_way[side, tree_id] = task

        def done(ended: asyncio.Task[None]) -> None:
            self._under_way.pop((side, tree_id), None)
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
        """The next names that differ, perhaps none of them; None when all have been told."""
        sides_to_read = self._seam.sides_to_read()
        if not sides_to_read:
            return None
        for number, side in enumerate(self._seam.sides):
            if side in sides_to_read:
                side.take(await self._reader.page(number, self._directories[number], side.page))
        return self._seam.pairs()

    @property
    def passed(self) -> bytes | None:
        """All names before this one have been told; None at the end, and when it began there."""
        until = self._seam.until
        return until if until is not None and until > self._start else None


class Step(NamedTuple):
    """A row, and how far the walk is with it; without a row, only how far it is."""

    place: ChangePosition
    change: Change | None = None


class _Stop(NamedTuple):
    """A name on the way: its rows, and the directories it leads to."""

    names: PathNames
    changes: list[Change]
    subtrees: TreePair | None


@dataclass
class _Level:
    """A pair of directories that the walk is in."""

    names: PathNames
    opened: DirectoryPair
    stops: list[_Stop] = field(default_factory=list)
    reached: int = 0

    def ahead(self) -> Iterable[TreePair]:
        near = islice(self.stops, self.reached, self.reached + _LOOKS_AHEAD)
        return (stop.subtrees for stop in near if stop.subtrees)


class TreeDiff:
    """All rows of a comparison, in the order of their paths, each part of a path by its bytes."""

    def __init__(self, reader: DirectoryReader, find_moves: Callable[[], Awaitable[Moves]]) -> None:
        """`find_moves` is asked once, when something is met that only one side has."""
        self._reader = reader
        self._find_moves = find_moves
        self._moves: Moves | None = None
        self._levels: list[_Level] = []

    async def steps(self, roots: TreePair, *, after: ChangePosition) -> AsyncGenerator[Step, None]:
        """What comes after a place. Directories and pages without a row have a step, too: it is on with the walk."""
        if roots.old == roots.new:
            return
        await self._enter((), roots, after)
        while self._levels:
            level = self._levels[-1]
            if level.reached == len(level.stops):
                async for step in self._read_on(level):
                    yield step
                continue
            stop = level.stops[level.reached]
            told = _told(stop.names, after)
            for number, change in enumerate(stop.changes[told:], told + 1):
                yield Step(ChangePosition(stop.names, number), change)
            level.reached += 1
            if stop.subtrees:
                if told < ALL_ROWS:
                    yield Step(ChangePosition(stop.names, ALL_ROWS))
                await self._enter(stop.names, stop.subtrees, after)

    async def _enter(self, names: PathNames, both: TreePair, after: ChangePosition) -> None:
        depth = len(names)
        on_the_way = names == after.names[:depth] and len(after.names) > depth
        for level in reversed(self._levels):
            self._reader.prefetch(level.ahead())
        opened = await self._reader.open(both, start=after.names[depth] if on_the_way else b"")
        self._levels.append(_Level(names, opened))

    async def _read_on(self, level: _Level) -> AsyncGenerator[Step, None]:
        """The next stops of a level; leave it when there are none left."""
        pairs = await level.opened.pairs()
        if pairs is None:
            self._levels.pop()
            return
        if self._moves is None and any(pair.one_sided for pair in pairs):
            self._moves = await self._find_moves()
        stops = map(partial(self._stop, level.names), pairs)
        level.stops, level.reached = [stop for stop in stops if stop.changes or stop.subtrees], 0
        if not level.stops and level.opened.passed is not None:
            yield Step(ChangePosition((*level.names, level.opened.passed), 0))

    def _stop(self, parent: PathNames, pair: EntryPair) -> _Stop:
        at, moves = (*parent, pair.name), self._moves or NO_MOVES
        rows = changes_at(at, pair, moves, same_store=self._reader.trees.same_store)
        further = subtrees_to_compare(at, pair, moves)
        return _Stop(at, rows, further and to_tree_pair(further))


def _told(names: PathNames, after: ChangePosition) -> int:
    """How many rows of a name were told before."""
    if names == after.names:
        return after.rows
    return ALL_ROWS if names == after.names[: len(names)] else 0
