"""The difference of two trees: walks both at once, in the order of paths, and enters only what differs."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import NamedTuple

from restore_index.domain.change_rows import ALL_ROWS, ChangePosition
from restore_index.domain.changes import (
    NO_MOVES,
    Change,
    Moves,
    PathNames,
    changes_at,
    subtrees_to_compare,
)
from restore_index.domain.directory_merge import EntryPair
from restore_index.usecases.directory_pairs import DirectoryPair, DirectoryReader, TreePair, to_tree_pair

_LOOKS_AHEAD = 64


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
        """`find_moves` is asked once, when something turns up that only one side has."""
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
            shown = _shown(stop.names, after)
            for number, change in enumerate(stop.changes[shown:], shown + 1):
                yield Step(ChangePosition(stop.names, number), change)
            level.reached += 1
            if stop.subtrees:
                if shown < ALL_ROWS:
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
            # Not before it is needed: where nothing is one-sided nothing was moved, and a scan is expensive.
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


def _shown(names: PathNames, after: ChangePosition) -> int:
    """How many rows of a name were answered before."""
    if names == after.names:
        return after.rows
    return ALL_ROWS if names == after.names[: len(names)] else 0
