"""One function per verb."""

import logging
from collections.abc import Sequence
from typing import Any

from chassis import names
from chassis.errors import Invalid, NotFound
from chassis.paths import split_path, without_prefix
from chassis.telemetry import span
from contracts.connector import RestorePointCreated, RestorePointRemoved
from contracts.envelope import Envelope
from contracts.restore_index import DirectoriesListed, RestorePointBrowsable, RestorePointListed
from contracts.values import AppId, OrganizationId, SnapshotId

from restore_index.domain import listing, paths, points
from restore_index.domain.entries import Below, Entry, find_entry, page_with
from restore_index.domain.listing import Part, Place
from restore_index.domain.points import Point
from restore_index.store import EMPTY, Directory, Store, point_id

log = logging.getLogger(__name__)


async def keep_directories(store: Store, event: Envelope[DirectoriesListed]) -> None:
    """Keep directories that were not known before."""
    data = event.data
    with span("restore-index.keep_directories", attributes=_ids(data.organization_id, data.store_id)):
        await store.directories.add(data.organization_id, data.store_id, data.directories)


async def note_created(store: Store, event: Envelope[RestorePointCreated]) -> None:
    """There is a restore point. One that was removed stays removed, whatever arrives late."""
    data, told = event.data, event.data.restore_point
    with span("restore-index.note_created", attributes=_ids(data.organization_id, data.store_id)):
        record = await store.points.load(data.organization_id, point_id(data.store_id, told.snapshot_id), cause=event)
        if record.value is None and record.revision > 0:
            return
        point = points.note_point(record.value, told)
        if point != record.value:
            await store.points.save(record, point, cause=event)
            log.info("restore point noted", extra=_extra(data.store_id, told.snapshot_id))


async def note_removed(store: Store, event: Envelope[RestorePointRemoved]) -> None:
    """A restore point is gone; also when nobody has heard of it yet."""
    data = event.data
    with span("restore-index.note_removed", attributes=_ids(data.organization_id, data.store_id)):
        record = await store.points.load(data.organization_id, point_id(data.store_id, data.snapshot_id), cause=event)
        if record.value is not None or record.revision == 0:
            await store.points.save(record, None, cause=event)
            log.info("restore point removed", extra=_extra(data.store_id, data.snapshot_id))


async def open_restore_point(store: Store, event: Envelope[RestorePointListed]) -> None:
    """All directories of a restore point have been sent: it can be browsed from now on.

    Raises `Conflict` (`directories_missing`) when its root is not known.
    """
    data, org, told = event.data, event.data.organization_id, event.data.restore_point
    with span("restore-index.open_restore_point", attributes=_ids(org, data.store_id)):
        record = await store.points.load(org, point_id(data.store_id, told.snapshot_id), cause=event)
        if (record.value is None and record.revision > 0) or (record.value and record.value.browsable):
            return
        root = await store.directories.get(org, data.store_id, told.tree_id)
        totals = points.measure(told, root.totals if root else None)
        point = Point(restore_point=told, browsable=True, totals=totals)
        browsable = RestorePointBrowsable(
            organization_id=org, store_id=data.store_id, snapshot_id=told.snapshot_id, totals=totals
        )
        await store.points.save(record, point, events=[browsable], cause=event)
    log.info("restore point can be browsed", extra=_extra(data.store_id, told.snapshot_id))


async def list_points(store: Store, org: OrganizationId, store_id: AppId | None) -> list[Point]:
    """The restore points of one store or of all, newest first."""
    with span("restore-index.list_points", attributes={names.ORGANIZATION: org}):
        return points.newest_first(await store.points_of(org, store_id))


async def list_same(store: Store, org: OrganizationId, snapshot_id: SnapshotId) -> list[Point]:
    """A restore point as each store has it through which its repository is used, the likeliest to be usable first."""
    with span("restore-index.list_same", attributes={names.ORGANIZATION: org}):
        return points.likeliest_first(await store.points_named(org, snapshot_id))


async def get_point(store: Store, org: OrganizationId, snapshot_id: SnapshotId) -> Point:
    """One restore point. Raises `NotFound` (`snapshot_not_found`)."""
    with span("restore-index.get_point", attributes={names.ORGANIZATION: org}):
        return points.choose_point(await store.points_named(org, snapshot_id), snapshot_id)


async def known_directories(
    store: Store, org: OrganizationId, store_id: AppId, tree_ids: Sequence[str]
) -> dict[str, Below]:
    """Which directories need not be sent again: they are known to the last leaf."""
    with span("restore-index.known_directories", attributes=_ids(org, store_id)):
        return await store.directories.known(org, store_id, tree_ids)


async def list_files(
    store: Store, org: OrganizationId, snapshot_id: SnapshotId, *, path: bytes, limit: int, cursor: str | None
) -> tuple[str, Part]:
    """The path of a directory as it is shown, and some of its entries, sorted by the bytes of their names.

    Raises `NotFound` (`snapshot_not_found`, `path_not_found`), `Invalid` (`path_invalid`, `not_a_directory`,
    `cursor_invalid`) or `TemporaryError` (`restore_point_not_browsable`).
    """
    with span("restore-index.list_files", attributes={names.ORGANIZATION: org}):
        wanted = split_path(path)
        point = points.require_browsable(await get_point(store, org, snapshot_id))
        browser = _Browser(store, org, point)
        found, directory = await browser.resolve(wanted)
        start = listing.read_cursor(directory.tree_id, cursor)
        return paths.show_path(found), await browser.part(found, directory, start, limit=limit)


class _Browser:
    """Finds its way in one restore point."""

    def __init__(self, store: Store, org: OrganizationId, point: Point) -> None:
        self._directories = store.directories
        self._org = org
        self._point = point.restore_point

    async def resolve(self, wanted: list[bytes]) -> tuple[list[bytes], Directory]:
        """The directory a path means, and its names; a path may begin with where the files were on the source."""
        try:
            return await self._walk(wanted)
        except NotFound:
            rest = without_prefix(wanted, self._point.paths[0]) if self._point.paths else None
            if rest is None:
                raise
            return await self._walk(rest)

    async def part(self, found: list[bytes], directory: Directory, start: Place, *, limit: int) -> Part:
        """Up to `limit` entries from a place on."""
        items: list[dict[str, Any]] = []
        place = start
        while place.page < directory.pages and len(items) < limit:
            entries = await self._entries(directory, place.page)
            end = place.entry + limit - len(items)
            items += [listing.show_entry(found, entry) for entry in entries[place.entry : end]]
            place = Place(place.page, end) if end < len(entries) else Place(place.page + 1, 0)
        more = place.page < directory.pages
        return Part(directory.total, items, listing.write_cursor(directory.tree_id, place) if more else None)

    async def _walk(self, wanted: list[bytes]) -> tuple[list[bytes], Directory]:
        found: list[bytes] = []
        directory = await self._directory(self._point.tree_id)
        for depth, part in enumerate(wanted):
            entry = await self._child(directory, part)
            if entry is None or (entry.type != "dir" and depth < len(wanted) - 1):
                raise NotFound(
                    "path_not_found", f"There is nothing at {paths.show_path(wanted)} in this restore point."
                )
            if entry.type != "dir":
                raise Invalid("not_a_directory", f"{paths.show_path(wanted)} is not a directory.")
            found.append(entry.name)
            directory = await self._directory(entry.subtree.hex()) if entry.subtree else EMPTY
        return found, directory

    async def _child(self, directory: Directory, part: bytes) -> Entry | None:
        for name in paths.readings(part):
            entries = await self._entries(directory, page_with(directory.first_names, name))
            if entry := find_entry(entries, name):
                return entry
        return None

    async def _entries(self, directory: Directory, page: int) -> list[Entry]:
        return await self._directories.entries(self._org, self._point.store_id, directory, page=page)

    async def _directory(self, tree_id: str) -> Directory:
        found = await self._directories.get(self._org, self._point.store_id, tree_id)
        if found is None:
            raise points.not_browsable()
        return found


def _ids(org: OrganizationId, store_id: str) -> dict[str, str | int | float | bool]:
    return {names.ORGANIZATION: org, names.STORE: store_id}


def _extra(store_id: str, snapshot_id: str) -> dict[str, str]:
    return {"store_id": store_id, "snapshot_id": snapshot_id}
