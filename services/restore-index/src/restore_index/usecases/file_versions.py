"""The versions of a file over all restore points of its source."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from chassis.telemetry import semantic_conventions as semconv
from chassis.telemetry.tracing import span
from contracts.errors import NotFound
from contracts.paths import split_path, without_prefix
from contracts.values import AppId, OrganizationId

from restore_index.domain import file_versions, restore_points
from restore_index.domain.entries import FullEntry, Rows, page_with
from restore_index.domain.file_versions import EntryAtPath, Observation, PointTime, Version
from restore_index.domain.paths import possible_names, show_path
from restore_index.domain.restore_points import Point
from restore_index.store import Store

LOOKUPS_AT_ONCE = 16
Parts = tuple[bytes, ...]


class Spot(NamedTuple):
    """A directory of a store. Restore points that have it in common are looked into once."""

    store_id: AppId
    tree_id: str


class Versions(NamedTuple):
    """Some versions, newest first, and how many there are."""

    path: str
    total: int
    items: list[dict[str, Any]]
    next_cursor: str | None
    left_out: list[dict[str, Any]]
    left_out_total: int
    """Restore points of the source that could not be looked into."""


async def list_versions(
    store: Store, org: OrganizationId, source_id: AppId, *, path: bytes, limit: int, cursor: str | None
) -> Versions:
    """The versions of what is, or was, at a path of a source, in all restore points that can be browsed.

    Raises `NotFound` (`path_not_found`) when none of them has it, `Invalid` (`path_invalid`, `cursor_invalid`), or
    when none can be browsed `TemporaryError` (`restore_point_not_browsable`) or `Conflict` (`restore_point_damaged`).
    """
    with span("restore-index.list_versions", attributes={semconv.ORGANIZATION: org}):
        wanted = split_path(path)
        mark = file_versions.cursor_mark_for(source_id, wanted)
        before = file_versions.read_moment(mark, cursor)
        known = _each_once(await store.points_from(org, source_id))
        browsable = [point for point in known if point.browsable]
        if known and not browsable:
            raise restore_points.refusal(restore_points.likeliest_first(known)[0])
        found = file_versions.versions_of(await _Finder(store, org).observe(browsable, tuple(wanted)))
        closed = restore_points.left_out([point for point in known if not point.browsable])
        items, more = _part(_older_than(before, found), mark, limit)
        return Versions(show_path(_latest(found, wanted).names), len(found), items, more, **closed)


def _latest(found: Sequence[Version], wanted: Sequence[bytes]) -> EntryAtPath:
    """What was at the path last."""
    for version in reversed(found):
        if version.seen:
            return version.seen
    raise NotFound("path_not_found", f"No restore point of this source has anything at {show_path(wanted)}.")


def _older_than(before: PointTime | None, found: Sequence[Version]) -> list[Version]:
    """Versions that ended before a moment, newest first; all without one."""
    return [version for version in reversed(found) if before is None or version.newest < before]


def _part(older: list[Version], mark: bytes, limit: int) -> tuple[list[dict[str, Any]], str | None]:
    shown = older[:limit]
    more = file_versions.write_moment(mark, shown[-1].oldest) if len(older) > limit else None
    return [file_versions.show_version(version) for version in shown], more


def _each_once(known: list[Point]) -> list[Point]:
    """Restore points, oldest first; one that several stores share as the likeliest of them has it."""
    by_id = {p.restore_point.snapshot_id: p for p in reversed(restore_points.likeliest_first(known))}
    return list(reversed(restore_points.newest_first(list(by_id.values()))))


class _Finder:
    """Looks for a path in many restore points at once."""

    def __init__(self, store: Store, org: OrganizationId) -> None:
        self._directories = store.directories
        self._org = org
        self._gate = asyncio.Semaphore(LOOKUPS_AT_ONCE)

    async def observe(self, known: list[Point], wanted: Parts) -> list[Observation]:
        """What each restore point has there; a path may begin with the root of the source."""
        seen = await self._look([(point, wanted) for point in known])
        # Only where the path as it is leads to nothing: a directory may be named like the root of the source.
        again = [
            (point, rest)
            for point, found in zip(known, seen, strict=True)
            if (rest := _rest(point, found, wanted)) is not None
        ]
        shorter = dict(zip((id(point) for point, _ in again), await self._look(again), strict=True))
        at_path = [shorter.get(id(point), found) for point, found in zip(known, seen, strict=True)]
        return [Observation(point.restore_point, found) for point, found in zip(known, at_path, strict=True)]

    async def _look(self, questions: list[tuple[Point, Parts]]) -> list[EntryAtPath | None]:
        """What is at a path of a restore point, for each of some questions."""
        roots: dict[Parts, set[Spot]] = defaultdict(set)
        for point, path in questions:
            roots[path].add(_spot(point))
        found = {path: await self._find(spots, path) for path, spots in roots.items()}
        return [found[path][_spot(point)] if path else _root(point) for point, path in questions]

    async def _find(self, roots: Iterable[Spot], wanted: Parts) -> dict[Spot, EntryAtPath | None]:
        """What is at a path below each of some roots. Goes down with all of them at once, level by level."""
        found: dict[Spot, EntryAtPath | None] = dict.fromkeys(roots)
        reached: dict[Spot, tuple[Spot, Parts]] = {root: (root, ()) for root in found}
        for depth, part in enumerate(wanted, 1):
            # A set: restore points share most directories, and each is opened once for all of them.
            entries = await self._children({spot for spot, _ in reached.values()}, part)
            at_end, further = depth == len(wanted), {}
            for root, (spot, path) in reached.items():
                entry = entries[spot]
                if entry is None:
                    continue
                if at_end:
                    found[root] = EntryAtPath((*path, entry.name), entry)
                elif entry.type == "dir" and entry.subtree:
                    further[root] = Spot(spot.store_id, entry.subtree.hex()), (*path, entry.name)
            reached = further
        return found

    async def _children(self, spots: Iterable[Spot], part: bytes) -> dict[Spot, FullEntry | None]:
        """What a part of a path means in each of some directories."""
        asked = list(spots)
        return dict(zip(asked, await asyncio.gather(*(self._child(spot, part) for spot in asked)), strict=True))

    async def _child(self, spot: Spot, part: bytes) -> FullEntry | None:
        async with self._gate:
            directory = await self._directories.get(self._org, spot.store_id, spot.tree_id)
            if directory is None:
                raise restore_points.not_browsable()
            for name in possible_names(part):
                page = page_with(directory.first_names, name)
                packed = await self._directories.packed(self._org, spot.store_id, directory, page=page)
                if not packed and page < directory.pages:
                    raise restore_points.not_browsable()
                if entry := Rows(packed).find(name):
                    return entry
        return None


def _spot(point: Point) -> Spot:
    return Spot(point.restore_point.store_id, point.restore_point.tree_id)


def _rest(point: Point, found: EntryAtPath | None, wanted: Parts) -> Parts | None:
    """The path to look for after one that was not found: without the root of the source, if that is its beginning."""
    rest = without_prefix(wanted, point.restore_point.source_root) if found is None else None
    return None if rest is None else tuple(rest)


def _root(point: Point) -> EntryAtPath:
    """The root of a restore point: no listing has an entry for it."""
    totals, tree_id = point.totals, bytes.fromhex(point.restore_point.tree_id)
    size, files = (totals.bytes, totals.files) if totals else (0, 0)
    return EntryAtPath((), FullEntry(b"", "dir", size, 0, 0, tree_id, None, files=files))
