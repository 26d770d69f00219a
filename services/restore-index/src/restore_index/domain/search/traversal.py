"""From the roots down to the matches, in the order of paths, by way of marked directories only.

Several restore points are walked at once: at one path, those that have the same directory there are one group, so what
they share is looked at once. Which restore points are meant is a set of bits; bit 0 is the newest.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import merge
from itertools import groupby
from typing import NamedTuple, TypeVar, cast

from restore_index.domain.case_folding import fold
from restore_index.domain.entries import FullEntry
from restore_index.domain.name_segments import TYPES, Columns, Segment, read_columns, read_links, read_names, read_text
from restore_index.domain.search.conditions import Matcher
from restore_index.domain.search.scan import MatchMarks, split
from restore_index.domain.search.segment_map import MappedSegment, SegmentMap

UNPACKED_KEPT = 16
_DIRECTORY, _SYMLINK = TYPES.index("dir"), TYPES.index("symlink")
T = TypeVar("T")


class UnpackedColumns:
    """Columns of segments, the last few of them kept."""

    def __init__(self, fetch: Callable[[MappedSegment], Segment]) -> None:
        self._fetch = fetch
        self._kept: OrderedDict[tuple[object, int], object] = OrderedDict()

    def names(self, part: MappedSegment) -> bytes:
        """The names as they are."""
        return self._read(part, read_names)

    def text(self, part: MappedSegment) -> bytes:
        """The names folded."""
        return self._read(part, read_text)

    def columns(self, part: MappedSegment) -> Columns:
        """Types, modes, sizes and times."""
        return self._read(part, read_columns)

    def links(self, part: MappedSegment) -> list[bytes]:
        """Targets of symbolic links."""
        return self._read(part, read_links)

    def _read(self, part: MappedSegment, read: Callable[[Segment], T]) -> T:
        key = (read, part.number)
        if key not in self._kept:
            self._kept[key] = read(self._fetch(part))
            if len(self._kept) > UNPACKED_KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return cast("T", self._kept[key])


@dataclass(frozen=True, eq=False)
class SearchedStore:
    """One store, as it is walked: its catalogue, where matches are, and how to read its segments."""

    segment_map: SegmentMap
    marks: MatchMarks
    columns_cache: UnpackedColumns


class DirectoryGroup(NamedTuple):
    """A directory, and the restore points that have it."""

    points: int
    searched: SearchedStore
    directory: int


class FoundEntry(NamedTuple):
    """An entry that matches, or a directory with matches below, or both; `directory` is its number if it is one."""

    name: bytes
    folded: bytes
    points: int
    searched: SearchedStore
    part: MappedSegment
    row: int
    matches: bool
    directory: int | None

    @property
    def leads_on(self) -> bool:
        """Whether there are matches below."""
        return self.directory is not None and bool(self.searched.marks.directories[self.directory])

    def entry(self) -> FullEntry:
        """What is known of it, as far as a directory shows it."""
        columns, row = self.searched.columns_cache.columns(self.part), self.row
        code, link, files = columns.types[row], None, None
        if code == _SYMLINK:
            link = self.searched.columns_cache.links(self.part)[columns.types.count(_SYMLINK, 0, row)]
        if code == _DIRECTORY:
            files = 0 if self.directory is None else self.searched.segment_map.files_below(self.directory)
        return FullEntry(
            self.name, TYPES[code], columns.sizes[row], columns.mtimes[row] * 1_000_000, columns.modes[row],
            link_target=link, files=files,
        )  # fmt: skip


class Match(NamedTuple):
    """A path with a match: where, in which restore points, and what it is in the newest of these."""

    path: list[bytes]
    points: int
    newest: FoundEntry


_Trail = tuple["_Trail", bytes] | None


class _Level(NamedTuple):
    trail: _Trail
    items: Iterator[tuple[bytes, list[FoundEntry]]]
    places: int
    after: bytes | None
    """The name where to go on, of the level and of all above; None from the beginning."""


class Traversal:
    """One search on its way."""

    def __init__(self, matcher: Matcher) -> None:
        self._matcher = matcher

    def below(
        self, base: Sequence[bytes], groups: Iterable[DirectoryGroup], *, after: Sequence[bytes] = ()
    ) -> Iterator[Match]:
        """What matches below a directory, in the order of paths, `base` included in these.

        Goes on after a path relative to the base.
        """
        glob, rest = self._matcher.path, list(after)
        levels = [self._level(None, groups, self._start(base), rest)]
        while levels:
            level = levels[-1]
            name, items = next(level.items, (b"", []))
            if not items:
                levels.pop()
                continue
            places = glob.step(level.places, items[0].folded.decode()) if glob else 1
            again = level.after is not None and name == level.after
            matching = [item for item in items if item.matches]
            if matching and not again and (glob is None or glob.accepts(places)):
                yield _found([*base, *_names(level.trail), name], matching)
            groups = _below(items) if places else []
            if groups:
                left = rest[len(levels) :] if again else []
                levels.append(self._level((level.trail, name), groups, places, left))

    def _start(self, base: Sequence[bytes]) -> int:
        glob = self._matcher.path
        if glob is None:
            return 1
        places = glob.start()
        for name in base:
            places = glob.step(places, fold(name).decode())
        return places

    def _level(self, trail: _Trail, groups: Iterable[DirectoryGroup], places: int, rest: Sequence[bytes]) -> _Level:
        after = rest[0] if rest else None
        named = self._matcher.path is None or self._matcher.path.may_end(places)
        streams = [self._items(group, after or b"", named=named) for group in groups]
        merged = streams[0] if len(streams) == 1 else merge(*streams, key=_by_name)
        return _Level(trail, ((name, list(items)) for name, items in groupby(merged, _by_name)), places, after)

    def _items(self, group: DirectoryGroup, start: bytes, *, named: bool) -> Iterator[FoundEntry]:
        """What is to be looked at in a directory, sorted by name, from a name on; unless `named`, directories alone."""
        searched, segment_map = group.searched, group.searched.segment_map
        records = segment_map.records_of(group.directory)
        for record in records[_first(searched, records, start) :] if start else records:
            part, page = segment_map.place(record)
            if searched.marks.pages[part.number][page]:
                yield from self._items_of_page(group, part, page, start, named=named)

    def _items_of_page(
        self, group: DirectoryGroup, part: MappedSegment, page: int, start: bytes, *, named: bool
    ) -> Iterator[FoundEntry]:
        searched, columns_cache, first = group.searched, group.searched.columns_cache, part.entries[page]
        directories = dict(part.children(page))
        leading_on = {place for place, number in directories.items() if searched.marks.directories[number]}
        if not (named or leading_on):
            return
        folded = split(columns_cache.text(part), part.texts, page)
        columns = columns_cache.columns(part) if named and self._matcher.asks_columns else None
        matching = set(self._matcher.lookup(folded, columns, first)) if named else set()
        if not (matching or leading_on):
            return
        names = split(columns_cache.names(part), part.names, page)
        for place in sorted(matching | leading_on):
            if names[place] >= start:
                yield FoundEntry(
                    names[place], folded[place], group.points, searched, part, first + place,
                    place in matching, directories.get(place),
                )  # fmt: skip


def _first(searched: SearchedStore, records: Sequence[int], name: bytes) -> int:
    """The number of the page in which a name must be, if it is anywhere."""
    low, high = 0, len(records)
    while high - low > 1:
        middle = (low + high) // 2
        part, page = searched.segment_map.place(records[middle])
        begin = part.names[page]
        names = searched.columns_cache.names(part)
        low, high = (middle, high) if names[begin : names.index(b"\0", begin)] <= name else (low, middle)
    return low


def _by_name(item: FoundEntry) -> bytes:
    return item.name


def _below(items: Sequence[FoundEntry]) -> list[DirectoryGroup]:
    """The directories below the entries of one name, equal ones together."""
    points: dict[tuple[SearchedStore, int], int] = {}
    for item in items:
        if item.leads_on and item.directory is not None:
            key = (item.searched, item.directory)
            points[key] = points.get(key, 0) | item.points
    return [DirectoryGroup(several, searched, directory) for (searched, directory), several in points.items()]


def _found(path: list[bytes], matching: Sequence[FoundEntry]) -> Match:
    newest = min(matching, key=lambda item: item.points & -item.points)
    points = 0
    for item in matching:
        points |= item.points
    return Match(path, points, newest)


def _names(trail: _Trail) -> list[bytes]:
    names = []
    while trail:
        trail, name = trail
        names.append(name)
    return names[::-1]
