"""What differs between two restore points: in pages, or as a stream."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from chassis.telemetry import semantic_conventions as semconv
from chassis.telemetry.tracing import span
from contracts.errors import NotFound
from contracts.paths import split_path
from contracts.values import OrganizationId, SnapshotId

from restore_index.domain import restore_points
from restore_index.domain.change_rows import (
    START,
    ChangePosition,
    cursor_mark,
    read_position,
    show_change,
    write_position,
)
from restore_index.domain.changes import Change, Moves, PathNames, Summary
from restore_index.domain.paths import show_path
from restore_index.domain.restore_points import Point
from restore_index.store import Directory, Store
from restore_index.usecases.browse import Browser
from restore_index.usecases.change_scan import ChangeScan, ChangeScans, ScanLimits
from restore_index.usecases.directory_pairs import ComparedTrees, DirectoryReader, TreePair
from restore_index.usecases.find_restore_points import get_point
from restore_index.usecases.tree_diff import Step, TreeDiff

PAGES_AN_ANSWER = 4000
ROWS_A_PART = 200
PAGES_A_PART = 64
PAGES_A_SIGN = 1000
Row = dict[str, Any]


class ChangePage(NamedTuple):
    """A part of a comparison. There may be more even after few rows or none: one answer looks at so much only."""

    items: list[Row]
    next_cursor: str | None
    summary: dict[str, dict[str, int]] | None
    moves_complete: bool


@dataclass
class Comparison:
    """Two directories that are compared, for one answer."""

    trees: ComparedTrees
    roots: TreePair
    base: list[bytes]
    scans: ChangeScans
    scan: ChangeScan | None = None
    """What was moved, once it had to be known."""

    @property
    def _mark(self) -> bytes:
        return cursor_mark(*self.trees.stores, *(str(root) for root in self.roots), show_path(self.base))

    def position(self, cursor: str | None) -> ChangePosition:
        """Where a cursor points to. Raises `Invalid` (`cursor_invalid`)."""
        return read_position(self._mark, cursor)

    async def page_of_changes(
        self, after: ChangePosition, *, limit: int, most_pages: int = PAGES_AN_ANSWER
    ) -> ChangePage:
        """Up to `limit` rows after a place. The summary comes with the only part, or once all has been looked at."""
        summary = Summary()
        async with DirectoryReader(self.trees) as reader, aclosing(self._steps(reader, after)) as steps:
            is_enough = partial(_has_read, reader, most_pages)
            items, reached = await self._some_rows(steps, limit=limit, is_enough=is_enough, summary=summary)
        cursor = write_position(self._mark, reached) if reached else None
        counted = summary if after == START and cursor is None else self._scanned_summary
        return ChangePage(items, cursor, counted.show() if counted else None, self._complete)

    async def _some_rows(
        self, steps: AsyncIterator[Step], *, limit: int, is_enough: Callable[[], bool], summary: Summary
    ) -> tuple[list[Row], ChangePosition | None]:
        """Up to `limit` rows, counted in `summary`, and the place from which there is more; None at the end."""
        items: list[Row] = []
        reached: ChangePosition | None = None
        async for step in steps:
            if step.change and len(items) == limit:
                return items, reached
            reached = step.place
            if step.change:
                items.append(self._row(step.place.names, step.change, summary))
            # Trees that differ in little are read for long without a row: the answer ends early, with a cursor.
            elif is_enough():
                return items, reached
        return items, None

    async def stream_rows(self) -> AsyncGenerator[list[Row], None]:
        """All rows, a few hundred at a time; from time to time how far it is; and, last of all, the summary."""
        summary, rows, sent_at, sign_at = Summary(), list[Row](), 0, PAGES_A_SIGN
        async with DirectoryReader(self.trees) as reader, aclosing(self._steps(reader, START)) as steps:
            async for step in steps:
                if step.change:
                    rows.append(self._row(step.place.names, step.change, summary))
                # A sign that the stream goes on, for clients that give up when nothing comes.
                elif reader.pages >= sign_at and not rows:
                    rows.append({"progress": {"pages": reader.pages}})
                if len(rows) >= ROWS_A_PART or (rows and reader.pages - sent_at >= PAGES_A_PART):
                    yield rows
                    rows, sent_at, sign_at = [], reader.pages, reader.pages + PAGES_A_SIGN
        yield [*rows, {"summary": summary.show(), "moves_complete": self._complete}]

    @property
    def _known(self) -> ChangeScan | None:
        return self.scan or self.scans.known(self.trees, self.roots)

    def _row(self, names: PathNames, change: Change, summary: Summary) -> Row:
        """A change as a row; it is counted in the summary, too."""
        summary.count(change)
        return show_change(self.base, names, change)

    @property
    def _scanned_summary(self) -> Summary | None:
        return self._known.summary if self._known else None

    @property
    def _complete(self) -> bool:
        return self._known is None or self._known.complete

    def _steps(self, reader: DirectoryReader, after: ChangePosition) -> AsyncGenerator[Step, None]:
        return TreeDiff(reader, self._find_moves).steps(self.roots, after=after)

    async def _find_moves(self) -> Moves:
        self.scan = await self.scans.make(self.trees, self.roots)
        return self.scan.moves


def _has_read(reader: DirectoryReader, pages: int) -> bool:
    return reader.pages >= pages


class Comparisons:
    """Compares restore points."""

    def __init__(self, store: Store, bounds: ScanLimits | None = None) -> None:
        self._store = store
        self._scans = ChangeScans(bounds or ScanLimits())

    async def list_changes(
        self,
        org: OrganizationId,
        pair: tuple[SnapshotId, SnapshotId],
        *,
        path: bytes,
        limit: int,
        cursor: str | None,
    ) -> ChangePage:
        """Some of what differs below a path, in the order of paths.

        Raises `NotFound` (`snapshot_not_found`, `path_not_found`), `Invalid` (`path_invalid`, `not_a_directory`,
        `cursor_invalid`), `TemporaryError` (`restore_point_not_browsable`) or `Conflict` (`restore_point_damaged`).
        """
        with span("restore-index.list_changes", attributes={semconv.ORGANIZATION: org}):
            comparison = await self.compare(org, pair, path=path)
            return await comparison.page_of_changes(comparison.position(cursor), limit=limit)

    async def compare(self, org: OrganizationId, pair: tuple[SnapshotId, SnapshotId], *, path: bytes) -> Comparison:
        """A comparison of everything below a path. Raises like `list_changes`."""
        wanted = split_path(path)
        old, new = [restore_points.require_browsable(await get_point(self._store, org, each)) for each in pair]
        # A path may be in one of the two only: then everything below it is new, or gone.
        sides = [await self._find(org, point, wanted) for point in (old, new)]
        found = sides[1] or sides[0]
        if found is None:
            detail = f"There is nothing at {show_path(wanted)} in either restore point."
            raise NotFound("path_not_found", detail)
        trees = ComparedTrees(self._store.directories, org, (old.restore_point.store_id, new.restore_point.store_id))
        roots = TreePair(*(side[1].tree_id or None if side else None for side in sides))
        return Comparison(trees, roots, found[0], self._scans)

    async def _find(
        self, org: OrganizationId, point: Point, wanted: list[bytes]
    ) -> tuple[list[bytes], Directory] | None:
        try:
            return await Browser(self._store, org, point).resolve(wanted)
        except NotFound:
            return None
