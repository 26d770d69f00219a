"""Lists directories of a restore point and shows entries of them."""

import asyncio
from typing import Any

from chassis.telemetry import semantic_conventions as semconv
from chassis.telemetry.tracing import span
from contracts.errors import Invalid, NotFound
from contracts.paths import split_path, without_prefix
from contracts.values import OrganizationId, SnapshotId

from restore_index.domain import directory_listing, entry_details, paths, restore_points
from restore_index.domain.directory_listing import ListPage, ListPosition
from restore_index.domain.entries import FullEntry, Rows, page_with
from restore_index.domain.restore_points import Point
from restore_index.domain.sort_order import BY_NAME, Order, split_position
from restore_index.store import EMPTY, Directory, Store
from restore_index.usecases.find_restore_points import get_point

PAGES_AT_ONCE = 8


async def list_files(
    store: Store,
    org: OrganizationId,
    snapshot_id: SnapshotId,
    *,
    path: bytes,
    limit: int,
    cursor: str | None,
    order: Order = BY_NAME,
) -> ListPage:
    """A directory and some of its entries, sorted.

    Raises `NotFound` (`snapshot_not_found`, `path_not_found`), `Invalid` (`path_invalid`, `not_a_directory`,
    `cursor_invalid`), `TemporaryError` (`restore_point_not_browsable`, `directory_being_sorted`) or `Conflict`
    (`restore_point_damaged`).
    """
    with span("restore-index.list_files", attributes={semconv.ORGANIZATION: org}):
        browser, wanted = await _open(store, org, snapshot_id, path)
        found, directory = await browser.resolve(wanted)
        start = directory_listing.read_cursor(directory.tree_id, order, cursor)
        return await browser.list_page(found, directory, start, order=order, limit=limit)


async def show_entry(store: Store, org: OrganizationId, snapshot_id: SnapshotId, *, path: bytes) -> dict[str, Any]:
    """All that is known of what is at a path. Raises like `list_files`."""
    with span("restore-index.show_entry", attributes={semconv.ORGANIZATION: org}):
        browser, wanted = await _open(store, org, snapshot_id, path)
        found, entry = await browser.look(wanted)
        if entry is None:
            return entry_details.show_root((await browser.inside(None)).totals)
        totals = (await browser.inside(entry)).totals if entry.type == "dir" else None
        return entry_details.show_details(found, entry, totals)


async def _open(
    store: Store, org: OrganizationId, snapshot_id: SnapshotId, path: bytes
) -> tuple["Browser", list[bytes]]:
    wanted = split_path(path)
    point = restore_points.require_browsable(await get_point(store, org, snapshot_id))
    return Browser(store, org, point), wanted


class Browser:
    """Finds its way in one restore point."""

    def __init__(self, store: Store, org: OrganizationId, point: Point) -> None:
        self._directories = store.directories
        self._sorted_directories = store.sorted_directories
        self._org = org
        self._point = point.restore_point

    async def resolve(self, wanted: list[bytes]) -> tuple[list[bytes], Directory]:
        """The directory a path means, and its names; a path may begin with the root of the source."""
        found, entry = await self.look(wanted)
        if entry is not None and entry.type != "dir":
            raise Invalid("not_a_directory", f"{paths.show_path(wanted)} is not a directory.")
        return found, await self.inside(entry)

    async def look(self, wanted: list[bytes]) -> tuple[list[bytes], FullEntry | None]:
        """The names that lead to what a path means, see `resolve`, and its entry; the root has none."""
        try:
            # As it is first: a directory of the restore point may be named like the root of the source.
            return await self._walk(wanted)
        except NotFound:
            rest = without_prefix(wanted, self._point.source_root)
            if rest is None:
                raise
            return await self._walk(rest)

    async def list_page(
        self, found: list[bytes], directory: Directory, start: ListPosition, *, order: Order = BY_NAME, limit: int
    ) -> ListPage:
        """Up to `limit` entries from a place on."""
        read = self._by_name if order.sort == "name" else self._by_measure
        entries, place = await read(directory, start, order, limit)
        return ListPage(
            path=paths.show_path(found),
            breadcrumbs=directory_listing.show_breadcrumbs(found),
            total=directory.total,
            totals=directory.totals,
            items=[directory_listing.show_entry(found, entry) for entry in entries],
            next_cursor=directory_listing.write_cursor(directory.tree_id, order, place) if place else None,
        )

    async def _by_name(
        self, directory: Directory, place: ListPosition, order: Order, limit: int
    ) -> tuple[list[FullEntry], ListPosition | None]:
        entries: list[FullEntry] = []
        backwards = order.direction == "desc"
        while place.page < directory.pages and len(entries) < limit:
            rows = await self.rows(directory, directory.pages - 1 - place.page if backwards else place.page)
            end = min(len(rows), place.entry + limit - len(entries))
            entries += [rows[-1 - number if backwards else number] for number in range(place.entry, end)]
            place = ListPosition(place.page, end) if end < len(rows) else ListPosition(place.page + 1, 0)
        return entries, place if place.page < directory.pages else None

    async def _by_measure(
        self, directory: Directory, place: ListPosition, order: Order, limit: int
    ) -> tuple[list[FullEntry], ListPosition | None]:
        sorted_places = await self._sorted_directories.get(self._org, self._point.store_id, directory, order)
        end = place.entry + limit
        chosen = [split_position(number) for number in sorted_places[place.entry : end]]
        # Entries of one page lie apart in this order, and each page is read once.
        pages = sorted({page for page, _ in chosen})
        rows: dict[int, Rows] = {}
        for start in range(0, len(pages), PAGES_AT_ONCE):
            some = pages[start : start + PAGES_AT_ONCE]
            rows |= zip(some, await asyncio.gather(*(self.rows(directory, page) for page in some)), strict=True)
        return [rows[page][number] for page, number in chosen], ListPosition(0, end) if end < len(
            sorted_places
        ) else None

    async def _walk(self, wanted: list[bytes]) -> tuple[list[bytes], FullEntry | None]:
        found: list[bytes] = []
        entry: FullEntry | None = None
        for part in wanted:
            is_directory = entry is None or entry.type == "dir"
            entry = await self.child(await self.inside(entry), part) if is_directory else None
            if entry is None:
                raise NotFound(
                    "path_not_found", f"There is nothing at {paths.show_path(wanted)} in this restore point."
                )
            found.append(entry.name)
        return found, entry

    async def child(self, directory: Directory, part: bytes) -> FullEntry | None:
        """The entry of a directory that a part of a path means."""
        for name in paths.possible_names(part):
            rows = await self.rows(directory, page_with(directory.first_names, name))
            if entry := rows.find(name):
                return entry
        return None

    async def rows(self, directory: Directory, page: int) -> Rows:
        """The entries of one page of a directory, sorted by name; none beyond the last page."""
        packed = await self._directories.packed(self._org, self._point.store_id, directory, page=page)
        if not packed and page < directory.pages:
            raise restore_points.not_browsable()
        return Rows(packed)

    async def inside(self, entry: FullEntry | None) -> Directory:
        """The directory an entry is of; without an entry, the root."""
        if entry is None:
            return await self.directory(self._point.tree_id)
        return await self.directory(entry.subtree.hex()) if entry.subtree else EMPTY

    async def directory(self, tree_id: str) -> Directory:
        """A directory by its id. Raises `TemporaryError` (`restore_point_not_browsable`) when it is not there."""
        found = await self._directories.get(self._org, self._point.store_id, tree_id)
        if found is None:
            raise restore_points.not_browsable()
        return found
