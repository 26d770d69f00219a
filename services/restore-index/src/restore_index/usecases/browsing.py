"""Opening directories of a restore point."""

from typing import Any

from chassis import names
from chassis.errors import Invalid, NotFound
from chassis.paths import split_path, without_prefix
from chassis.telemetry import span
from contracts.values import OrganizationId, SnapshotId

from restore_index.domain import listing, paths, points
from restore_index.domain.entries import Entry, find_entry, page_with
from restore_index.domain.listing import Part, Place
from restore_index.domain.points import Point
from restore_index.store import EMPTY, Directory, Store
from restore_index.usecases.finding import get_point


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
        browser = Browser(store, org, point)
        found, directory = await browser.resolve(wanted)
        start = listing.read_cursor(directory.tree_id, cursor)
        return paths.show_path(found), await browser.part(found, directory, start, limit=limit)


class Browser:
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
            entries = await self.entries(directory, place.page)
            end = place.entry + limit - len(items)
            items += [listing.show_entry(found, entry) for entry in entries[place.entry : end]]
            place = Place(place.page, end) if end < len(entries) else Place(place.page + 1, 0)
        more = place.page < directory.pages
        return Part(directory.total, items, listing.write_cursor(directory.tree_id, place) if more else None)

    async def _walk(self, wanted: list[bytes]) -> tuple[list[bytes], Directory]:
        found: list[bytes] = []
        directory = await self.directory(self._point.tree_id)
        for depth, part in enumerate(wanted):
            entry = await self.child(directory, part)
            if entry is None or (entry.type != "dir" and depth < len(wanted) - 1):
                raise NotFound(
                    "path_not_found", f"There is nothing at {paths.show_path(wanted)} in this restore point."
                )
            if entry.type != "dir":
                raise Invalid("not_a_directory", f"{paths.show_path(wanted)} is not a directory.")
            found.append(entry.name)
            directory = await self.directory(entry.subtree.hex()) if entry.subtree else EMPTY
        return found, directory

    async def child(self, directory: Directory, part: bytes) -> Entry | None:
        """The entry of a directory that a part of a path means."""
        for name in paths.readings(part):
            entries = await self.entries(directory, page_with(directory.first_names, name))
            if entry := find_entry(entries, name):
                return entry
        return None

    async def entries(self, directory: Directory, page: int) -> list[Entry]:
        """The entries of one page of a directory, sorted by name."""
        return await self._directories.entries(self._org, self._point.store_id, directory, page=page)

    async def directory(self, tree_id: str) -> Directory:
        """A directory by its id. Raises `TemporaryError` (`restore_point_not_browsable`) when it is not there."""
        found = await self._directories.get(self._org, self._point.store_id, tree_id)
        if found is None:
            raise points.not_browsable()
        return found
