"""Trees of files as a worker lists them, and the news of restore points."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import msgspec
import zstandard
from chassis.ids import new_id
from chassis.messaging.envelopes import envelope
from contracts.envelope import Envelope
from contracts.messages.base import Message
from contracts.messages.connector.stores import RestorePointCreated, RestorePointRemoved
from contracts.messages.restore_index import (
    PAGE_ENTRIES,
    DirectoriesListed,
    DirectoryPage,
    RestorePoint,
    RestorePointListed,
    Totals,
)
from contracts.values import AppId, OrganizationId, SnapshotId, TreeId

ORG = OrganizationId("org")
NOON = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
MTIME_NS = 1_795_435_200_123_456_789
_MOST_NS = (1 << 63) - 1
_NONE = (None, 0, 0, None)
M = TypeVar("M", bound=Message)


@dataclass(frozen=True)
class Link:
    """A symbolic link."""

    target: bytes


@dataclass(frozen=True)
class File:
    """A file; files with equal `content` have the same bytes."""

    size: int
    content: bytes | None = None
    mtime_ns: int = MTIME_NS
    mode: int = 0o100640
    attributes: tuple[tuple[bytes, bytes | None, int], ...] | None = None


Node = int | File | Link | Mapping[bytes, "Node"]
"""A file of so many bytes (that no other file has), a file, a link, or a directory."""


@dataclass
class Tree:
    """A tree of files, its directories as pages: children before parents, pages in order."""

    root: Mapping[bytes, Node]
    page_entries: int = PAGE_ENTRIES
    pages: list[DirectoryPage] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.tree_id, self.totals = self._list(self.root)

    def _list(self, directory: Mapping[bytes, Node]) -> tuple[TreeId, Totals]:
        rows, totals = [], Totals(files=0, directories=0, bytes=0)
        for name, node in sorted(directory.items()):
            row, below = self._row(name, node)
            rows.append(row)
            totals = Totals(**{k: v + getattr(below, k) for k, v in dict(totals).items()})
        tree_id = TreeId(hashlib.sha256(msgspec.msgpack.encode(rows)).hexdigest())
        if all(page.tree_id != tree_id for page in self.pages):
            self.pages += pages_of(tree_id, rows, totals, page_entries=self.page_entries)
        return tree_id, totals

    def _row(self, name: bytes, node: Node) -> tuple[list[Any], Totals]:
        owner = [1000, 1000, 1, "me", "us"]
        if isinstance(node, int):
            node = File(node, node.to_bytes(8) if node else None)
        if isinstance(node, File):
            further = [node.content and node.content.rjust(8, b"\0"), 2_000_000, 0, node.attributes]
            nearest = min(max(node.mtime_ns, -_MOST_NS), _MOST_NS)
            row = [name, "file", node.size, nearest, node.mode, None, None, *owner, None, *further]
            if nearest != node.mtime_ns:
                row.append([t.to_bytes(10, signed=True) for t in (node.mtime_ns, node.mtime_ns + 2_000_000, 0)])
            return row, Totals(files=1, directories=0, bytes=node.size)
        if isinstance(node, Link):
            row = [name, "symlink", 0, MTIME_NS, 0o120777, None, node.target, *owner, None, None, 0, 0, None]
            return row, Totals(files=1, directories=0, bytes=0)
        tree_id, below = self._list(node)
        row = [name, "dir", below.bytes, MTIME_NS, 0o040755, bytes.fromhex(tree_id), None, *owner, below.files, *_NONE]
        return row, Totals(files=below.files, directories=below.directories + 1, bytes=below.bytes)


def pages_of(
    tree_id: TreeId, rows: Sequence[Any], totals: Totals, *, page_entries: int = PAGE_ENTRIES
) -> Iterator[DirectoryPage]:
    """A directory as pages, made as a worker makes them."""
    parts = [rows[start : start + page_entries] for start in range(0, len(rows), page_entries)] or [[]]
    for number, part in enumerate(parts):
        yield page(
            tree_id,
            part,
            totals=totals,
            page=number,
            pages=len(parts),
            total=len(rows),
        )


def page(tree_id: str, rows: Sequence[Any], **facts: Any) -> DirectoryPage:
    """A page with certain facts; they need not fit."""
    usual = {"page": 0, "pages": 1, "count": len(rows), "total": len(rows), "first_names": ()}
    packed = zstandard.compress(msgspec.msgpack.encode(rows), 1)
    totals = Totals(files=0, directories=0, bytes=0)
    return DirectoryPage.model_construct(
        tree_id=TreeId(tree_id), **{"entries": packed, "totals": totals, **usual, **facts}
    )


def new_store() -> AppId:
    return AppId(new_id())


def a_point(store_id: AppId, tree: Tree | str, *, age_minutes: int = 0, **facts: Any) -> RestorePoint:
    usual: dict[str, Any] = {
        "snapshot_id": SnapshotId(hashlib.sha256(new_id().encode()).hexdigest()),
        "store_id": store_id,
        "tree_id": tree.tree_id if isinstance(tree, Tree) else tree,
        "time": NOON - timedelta(minutes=age_minutes),
        "source_id": AppId("source"),
        "paths": ("/srv/data",),
        "tags": ("nightly",),
    }
    return RestorePoint.model_validate(usual | facts)


def created(point: RestorePoint, *, org: OrganizationId = ORG) -> RestorePointCreated:
    return RestorePointCreated(organization_id=org, store_id=point.store_id, restore_point=point)


def removed(point: RestorePoint, *, org: OrganizationId = ORG) -> RestorePointRemoved:
    return RestorePointRemoved(organization_id=org, store_id=point.store_id, snapshot_id=point.snapshot_id)


def listed(point: RestorePoint, *, org: OrganizationId = ORG) -> RestorePointListed:
    return RestorePointListed(organization_id=org, store_id=point.store_id, restore_point=point)


def directories(
    store_id: AppId, pages: Sequence[DirectoryPage], *, each: int = 100, org: OrganizationId = ORG
) -> list[DirectoriesListed]:
    """Messages with so many pages each."""
    return [
        DirectoriesListed.model_construct(
            organization_id=org, store_id=store_id, directories=tuple(pages[start : start + each])
        )
        for start in range(0, len(pages), each)
    ]


def wrapped(message: M) -> Envelope[M]:
    return envelope(message, service="test")  # type: ignore[return-value]
