"""Finds files by their names, sizes and times, in one restore point or in many."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, NamedTuple

from chassis.telemetry import semantic_conventions as semconv
from chassis.telemetry.tracing import span
from contracts.errors import Invalid, NotFound
from contracts.paths import split_path
from contracts.values import AppId, OrganizationId, SnapshotId

from restore_index.domain import restore_points
from restore_index.domain.name_segments import Segment, read_columns, read_text
from restore_index.domain.packed_numbers import NamesDamaged
from restore_index.domain.restore_points import Point
from restore_index.domain.search.conditions import Conditions
from restore_index.domain.search.matcher import Matcher
from restore_index.domain.search.results import (
    HitFormatter,
    Hits,
    HitsAcrossPoints,
    read_cursor,
    show_match,
    write_cursor,
)
from restore_index.domain.search.scan import MatchMarks, scan
from restore_index.domain.search.searched_store import SearchedStore, UnpackedColumns
from restore_index.domain.search.segment_map import MappedSegment, SegmentMap
from restore_index.domain.search.traversal import DirectoryGroup, Match, Traversal
from restore_index.store import Store
from restore_index.store.segment_maps import SegmentMaps, SegmentReplaced
from restore_index.usecases.browse import Browser
from restore_index.usecases.find_restore_points import get_point

SCANNED_AT_ONCE = 32
TRIES = 3
"""How often one search is made, in case names are rewritten meanwhile."""


@dataclass(frozen=True)
class Question:
    """What to look for, below which directory, and which part of the answer."""

    conditions: Conditions
    path: bytes
    limit: int
    cursor: str | None


@dataclass
class _Start:
    """A directory of a store at which to begin, and the restore points that have it there."""

    store_id: AppId
    base: tuple[bytes, ...]
    tree_id: str
    points: list[Point] = field(default_factory=list)


class _Row(NamedTuple):
    """What was found, as it is shown, and its path."""

    path: list[bytes]
    shown: dict[str, Any]


_Show = Callable[[Match], dict[str, Any]]
"""Shows what was found. Reads columns, hence only to be called where a search reads them: not on the event loop."""


async def search_point(store: Store, org: OrganizationId, snapshot_id: SnapshotId, question: Question) -> Hits:
    """What matches in one restore point, in the order of paths.

    Raises `NotFound` (`snapshot_not_found`, `path_not_found`), `Invalid` (`path_invalid`, `not_a_directory`,
    `cursor_invalid`), `TemporaryError` (`restore_point_not_browsable`) or `Conflict` (`restore_point_damaged`;
    `names_missing`, `names_damaged`: the index of the store has to be rebuilt).
    """
    with span("restore-index.search_point", attributes={semconv.ORGANIZATION: org}):
        point = restore_points.require_browsable(await get_point(store, org, snapshot_id))
        digest = question.conditions.digest(snapshot_id, question.path.hex())
        starts = await _starts(store, org, [point], question.path)
        return await _find(store, org, starts, question, digest=digest, show=show_match)


async def search_points(
    store: Store, org: OrganizationId, question: Question, *, store_id: AppId | None, source_id: AppId | None
) -> HitsAcrossPoints:
    """What matches in any browsable restore point of a source, of a store or of the organization, each path once.

    Raises as `search_point` does; a path need not be in all of them.
    """
    with span("restore-index.search_points", attributes={semconv.ORGANIZATION: org}):
        chosen, closed = await _choose(store, org, store_id=store_id, source_id=source_id)
        digest = question.conditions.digest(store_id or "", source_id or "", question.path.hex())
        starts = await _starts(store, org, chosen, question.path)
        show = HitFormatter([start.points for start in starts]).show
        hits = await _find(store, org, starts, question, digest=digest, show=show)
        return HitsAcrossPoints(*hits, **restore_points.left_out(closed))


async def _choose(
    store: Store, org: OrganizationId, *, store_id: AppId | None, source_id: AppId | None
) -> tuple[list[Point], list[Point]]:
    """Restore points that can be browsed, newest first, and those that cannot.

    What several stores share is taken in the likeliest.
    """
    found = await store.points_of(org, store_id) if source_id is None else await store.points_from(org, source_id)
    same: dict[SnapshotId, list[Point]] = {}
    for point in found:
        if store_id in (None, point.restore_point.store_id):
            same.setdefault(point.restore_point.snapshot_id, []).append(point)
    chosen = [restore_points.likeliest_first(several)[0] for several in same.values()]
    closed = [point for point in chosen if not point.browsable]
    return restore_points.newest_first([point for point in chosen if point.browsable]), closed


async def _find(
    store: Store, org: OrganizationId, starts: Sequence[_Start], question: Question, *, digest: bytes, show: _Show
) -> Hits:
    """One page of the answer."""
    after = read_cursor(digest, question.cursor)
    search = _Search(store.segment_maps, org, question.conditions, show)
    for _ in range(TRIES):
        try:
            async with store.segment_maps.search_slots:
                # One more than is shown tells whether there is a next page.
                found = await search.find(starts, after=after, count=question.limit + 1)
            more = len(found) > question.limit
            last = found[question.limit - 1].path if more else []
            items = [each.shown for each in found[: question.limit]]
            return Hits(items, write_cursor(digest, last) if more else None)
        # Garbage collection rewrote segments since the map was read: read it anew and search again.
        except (SegmentReplaced, NamesDamaged):
            for store_id in {start.store_id for start in starts}:
                store.segment_maps.forget(org, store_id)
    raise NamesDamaged


async def _starts(store: Store, org: OrganizationId, chosen: Sequence[Point], path: bytes) -> list[_Start]:
    """Where to begin, newest restore points first. Raises `NotFound` or `Invalid` if the path is nowhere."""
    wanted, refusal = split_path(path), None
    starts: dict[tuple[AppId, str, tuple[bytes, ...]], _Start] = {}
    resolved: dict[tuple[AppId, str, str | None], tuple[tuple[bytes, ...], str] | None] = {}
    for point in chosen:
        restore_point = point.restore_point
        place = (restore_point.store_id, restore_point.tree_id, restore_point.source_root)
        if place not in resolved:
            try:
                resolved[place] = await _resolve(store, org, point, wanted)
            except (NotFound, Invalid) as error:
                resolved[place], refusal = None, error
        if (found := resolved[place]) and found[1]:
            start = _Start(restore_point.store_id, *found)
            starts.setdefault((restore_point.store_id, found[1], found[0]), start).points.append(point)
    if refusal and not any(resolved.values()):
        raise refusal
    return list(starts.values())


async def _resolve(
    store: Store, org: OrganizationId, point: Point, wanted: list[bytes]
) -> tuple[tuple[bytes, ...], str]:
    if not wanted:
        return (), point.restore_point.tree_id
    names_, directory = await Browser(store, org, point).resolve(wanted)
    return tuple(names_), directory.tree_id


class _Search:
    """One search through the names of some stores."""

    def __init__(self, segment_maps: SegmentMaps, org: OrganizationId, conditions: Conditions, show: _Show) -> None:
        self._segment_maps = segment_maps
        self._org = org
        self._conditions = conditions
        self._matcher = Matcher(conditions)
        self._show = show

    async def find(self, starts: Sequence[_Start], *, after: Sequence[bytes], count: int) -> list[_Row]:
        """The first so many matches behind a path."""
        groups: dict[tuple[bytes, ...], list[DirectoryGroup]] = {}
        for store_id in dict.fromkeys(start.store_id for start in starts):
            chosen = [(bit, start) for bit, start in enumerate(starts) if start.store_id == store_id]
            trees = [start.tree_id for _, start in chosen]
            segment_map, numbers = await self._segment_maps.open(self._org, store_id, trees)
            marks = await self._mark(store_id, segment_map, numbers)
            searched = SearchedStore(segment_map, marks, UnpackedColumns(self._fetching(store_id)))
            for (bit, start), number in zip(chosen, numbers, strict=True):
                groups.setdefault(start.base, []).append(DirectoryGroup(1 << bit, searched, number))
        return await asyncio.to_thread(lambda: list(islice(self._walk(groups, after), count)))

    async def _mark(self, store_id: str, segment_map: SegmentMap, roots: Sequence[int]) -> MatchMarks:
        """Where matches are below some roots; remembered for the next page of the answer."""
        key = f"{segment_map.serial}/{sorted(set(roots))}/{self._conditions}"
        found = self._segment_maps.marks.get(key)
        if found is None:
            mapped_segments = [
                segment_map.mapped_segments[n] for n in await asyncio.to_thread(segment_map.reached_segments, roots)
            ]
            found = MatchMarks(bytearray(len(segment_map)))
            for start in range(0, len(mapped_segments), SCANNED_AT_ONCE):
                some = mapped_segments[start : start + SCANNED_AT_ONCE]
                segments = await self._segment_maps.segments(self._org, store_id, some)
                await asyncio.to_thread(self._scan, found, some, segments)
            self._segment_maps.marks[key] = found
        return found

    def _scan(self, marks: MatchMarks, mapped_segments: Sequence[MappedSegment], segments: Sequence[Segment]) -> None:
        for mapped, segment in zip(mapped_segments, segments, strict=True):
            columns = read_columns(segment) if self._matcher.asks_columns else None
            marks.add(mapped, scan(mapped, read_text(segment), columns, self._matcher))

    def _fetching(self, store_id: str) -> Callable[[MappedSegment], Segment]:
        loop = asyncio.get_running_loop()

        def fetch(mapped: MappedSegment) -> Segment:
            # The traversal runs in a thread, while caches and database belong to the event loop.
            asked = asyncio.run_coroutine_threadsafe(self._segment_maps.segment(self._org, store_id, mapped), loop)
            return asked.result()

        return fetch

    def _walk(self, groups: dict[tuple[bytes, ...], list[DirectoryGroup]], after: Sequence[bytes]) -> Iterator[_Row]:
        for base in sorted(groups):
            for found in self._below(base, groups[base], after):
                yield _Row(found.path, self._show(found))

    def _below(self, base: tuple[bytes, ...], groups: list[DirectoryGroup], after: Sequence[bytes]) -> Iterable[Match]:
        walk = Traversal(self._matcher)
        if tuple(after[: len(base)]) == base:
            return walk.below(base, groups, after=after[len(base) :])
        return walk.below(base, groups) if base > tuple(after) else ()
