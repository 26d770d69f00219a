"""Traversal from the roots down to the matches, in the order of paths, through directories with matches only.

Several restore points are walked at once: at one path, those that have the same directory there are one group, so what
they share is looked at once. Which restore points are meant is a set of bits; bit 0 is the newest.
"""

from collections.abc import Iterable, Iterator, Sequence
from heapq import merge
from itertools import groupby
from typing import NamedTuple

from restore_index.domain.case_folding import fold
from restore_index.domain.entries import FullEntry
from restore_index.domain.search.matcher import Matcher
from restore_index.domain.search.scan import split
from restore_index.domain.search.searched_store import SearchedStore
from restore_index.domain.search.segment_map import MappedSegment
from restore_index.domain.segment_columns import TYPES

_DIRECTORY, _SYMLINK = TYPES.index("dir"), TYPES.index("symlink")


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
    mapped: MappedSegment
    row: int
    matches: bool
    directory: int | None

    @property
    def leads_on(self) -> bool:
        """Whether there are matches below."""
        return self.directory is not None and bool(self.searched.marks.directories[self.directory])

    def entry(self) -> FullEntry:
        """What is known of it, as far as a directory shows it."""
        columns, row = self.searched.columns_cache.columns(self.mapped), self.row
        code, link, files = columns.types[row], None, None
        if code == _SYMLINK:
            link = self.searched.columns_cache.links(self.mapped)[columns.types.count(_SYMLINK, 0, row)]
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
    entries: Iterator[tuple[bytes, list[FoundEntry]]]
    places: int
    after: bytes | None
    """The name where to go on, of the level and of all above; None from the beginning."""


class Traversal:
    """Finds the matches of one search."""

    def __init__(self, matcher: Matcher) -> None:
        self._matcher = matcher

    def below(
        self, base: Sequence[bytes], groups: Iterable[DirectoryGroup], *, after: Sequence[bytes] = ()
    ) -> Iterator[Match]:
        """What matches below a directory, in the order of paths, `base` included in these.

        Goes on after a path relative to the base.
        """
        rest = list(after)
        levels = [self._level(None, groups, self._start(base), rest)]
        while levels:
            level = levels[-1]
            name, entries = next(level.entries, (b"", []))
            if not entries:
                levels.pop()
                continue
            places = self._step(level.places, entries)
            was_shown = level.after is not None and name == level.after
            if not was_shown and (match := self._match([*base, *_names(level.trail), name], entries, places)):
                yield match
            if further := _below(entries) if places else []:
                left = rest[len(levels) :] if was_shown else []
                levels.append(self._level((level.trail, name), further, places, left))

    def _step(self, places: int, entries: Sequence[FoundEntry]) -> int:
        """Where a path with entries of one name stands in the pattern of paths; 1 without such a pattern."""
        glob = self._matcher.path
        return glob.step(places, entries[0].folded.decode()) if glob else 1

    def _match(self, path: list[bytes], entries: Sequence[FoundEntry], places: int) -> Match | None:
        """The match at a path, if any of its entries is one."""
        glob = self._matcher.path
        matching = [entry for entry in entries if entry.matches]
        return _to_match(path, matching) if matching and (glob is None or glob.accepts(places)) else None

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
        streams = [self._entries(group, after or b"", named=named) for group in groups]
        # A heap costs as much as reading the entries, and nearly always there is but one directory.
        merged = streams[0] if len(streams) == 1 else merge(*streams, key=_by_name)
        return _Level(trail, ((name, list(entries)) for name, entries in groupby(merged, _by_name)), places, after)

    def _entries(self, group: DirectoryGroup, start: bytes, *, named: bool) -> Iterator[FoundEntry]:
        """The entries of a directory to look at, sorted by name, from a name on; unless `named`, directories only."""
        searched, segment_map = group.searched, group.searched.segment_map
        records = segment_map.records_of(group.directory)
        for record in records[_first(searched, records, start) :] if start else records:
            mapped, page = segment_map.locate(record)
            if searched.marks.pages[mapped.number][page]:
                found = self._entries_of_page(group, mapped, page, named=named)
                yield from (entry for entry in found if entry.name >= start) if start else found

    def _entries_of_page(
        self, group: DirectoryGroup, mapped: MappedSegment, page: int, *, named: bool
    ) -> Iterator[FoundEntry]:
        searched, first = group.searched, mapped.entries[page]
        directories = dict(mapped.children(page))
        marked = searched.marks.directories
        # What is above a match has to be passed through though its own name does not match.
        leading_on = {place for place, number in directories.items() if marked[number]}
        if not (named or leading_on):
            return
        folded = split(searched.columns_cache.text(mapped), mapped.texts, page)
        matching = self._matching(searched, mapped, folded, first) if named else set()
        if not (matching or leading_on):
            return
        names = split(searched.columns_cache.names(mapped), mapped.names, page)
        for place in sorted(matching | leading_on):
            yield FoundEntry(
                names[place], folded[place], group.points, searched, mapped, first + place,
                place in matching, directories.get(place),
            )  # fmt: skip

    def _matching(
        self, searched: SearchedStore, mapped: MappedSegment, folded: Sequence[bytes], first: int
    ) -> set[int]:
        """The places of the entries of a page that match."""
        columns = searched.columns_cache.columns(mapped) if self._matcher.asks_columns else None
        return set(self._matcher.matching_places(folded, columns, first))


def _first(searched: SearchedStore, records: Sequence[int], name: bytes) -> int:
    """The number of the page in which a name must be, if it is anywhere."""
    low, high = 0, len(records)
    while high - low > 1:
        middle = (low + high) // 2
        mapped, page = searched.segment_map.locate(records[middle])
        begin = mapped.names[page]
        names = searched.columns_cache.names(mapped)
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


def _to_match(path: list[bytes], matching: Sequence[FoundEntry]) -> Match:
    # The lowest bit of a set stands for its newest restore point.
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
