"""Restore points, listings of their directories, and the events of the restore index."""

from typing import ClassVar

from pydantic import Base64Bytes, Field

from contracts import topics
from contracts.messages.base import Event
from contracts.messages.outcomes import Problem
from contracts.point_filters import PointFacts
from contracts.values import AppId, JobId, Moment, SnapshotId, TreeId, Value

# Codes of errors of the reader that mean lost data. Any other, such as an archived object, may pass without a repair.
LOSSES = frozenset({"repository_damaged", "blob_missing"})
PAGE_ENTRIES = 4096
"""Entries in one page of a directory, at most."""


class RestorePoint(Value):
    """One snapshot in a store."""

    snapshot_id: SnapshotId = Field(description="64 hex digits, as the engine names it")
    store_id: AppId = Field(description="The store that holds it")
    tree_id: TreeId = Field(description="Hash of the root directory, 64 hex digits")
    time: Moment = Field(description="When the backup began")
    source_id: AppId | None = Field(default=None, description="None for snapshots made without Cairn")
    job_id: JobId | None = Field(default=None, description="The job that made it, where Cairn did")
    hostname: str = Field(default="", description="host it was made on, as the engine reports it")
    paths: tuple[str, ...] = Field(default=(), description="Where the files were on the source")
    tags: tuple[str, ...] = Field(default=(), description="Labels, without Cairn's own `cairn:` tags")
    environment: str = Field(default="", description="Environment of the source when it was made")
    data_classes: tuple[str, ...] = Field(default=(), description="Data classes of the source when it was made")
    source_name: str = Field(default="", description="Name of the source when it was made")
    source_class: str = Field(default="", description="Class of the source's resource when it was made")
    source_protocol: str = Field(default="", description="Protocol of the source, e.g. `fs`")
    source_address: str = Field(default="", description="The address of the source that comes first, if it has one")
    files: int | None = Field(default=None, description="Files in it, where the engine reported it")
    bytes: int | None = Field(default=None, description="Sum of file sizes, where the engine reported it")
    original: SnapshotId | None = Field(
        default=None, description="Of a copy: the restore point that it was made of; of a copy of a copy, the first one"
    )
    origin_store_id: AppId | None = Field(
        default=None, description="The store that a sync copied it from, where that is known"
    )
    # Of what was copied before this field was there it is not known.
    origin_snapshot_id: SnapshotId | None = Field(
        default=None, description="Its id in the store that a sync copied it from, where that is known"
    )

    @property
    def source_root(self) -> str | None:
        """Where on its source the root of the tree was; None where a path of the tree is that of the source already.

        Only Cairn backs up from within the root of a source. Others may have begun anywhere, and at several places.
        """
        return self.paths[0] if self.source_id is not None and len(self.paths) == 1 else None

    @property
    def facts(self) -> PointFacts:
        """What filters look at."""
        return PointFacts(
            snapshot_id=self.snapshot_id,
            time=self.time,
            name=self.source_name,
            category=self.source_class,
            environment=self.environment,
            job=self.job_id or "",
            dataset=self.source_id or "",
            # A backup of ours runs under the id of its source: no host that a person knows.
            origin=self.source_address or ("" if self.source_id else self.hostname),
            type=self.source_protocol,
            root=self.paths[0] if self.paths else "",
            tags=self.tags,
            data_classes=self.data_classes,
        )


NOT_INDEXABLE = "not_indexable"
"""The code of a restore point that the index does not take in; nothing of the store's is wrong with it."""


class Damage(Value):
    """Why what is in a restore point could not be listed."""

    code: str = Field(
        description="`repository_damaged` and `blob_missing` where the store has lost something; other codes where it"
        " does not give it out, e.g. `thaw_required`; `not_indexable` where the index does not take it in"
    )
    detail: str = Field(description="What is missing or cannot be read, in words")

    @property
    def is_loss(self) -> bool:
        """Whether the store has lost something, rather than not given it out."""
        return self.code in LOSSES


def refusal_of(damage: Damage | None) -> Problem:
    """Why a restore point cannot be browsed: one wording for every service that answers."""
    if damage is None:
        detail = "This restore point is still being indexed; try again soon."
        return Problem(code="restore_point_not_browsable", kind="unavailable", detail=detail)
    if damage.is_loss:
        detail = f"This restore point is damaged. {damage.detail}"
        return Problem(code="restore_point_damaged", kind="conflict", detail=detail)
    return Problem(code=damage.code, kind="conflict", detail=damage.detail)


class Totals(Value):
    """Sums over a directory and everything below it."""

    files: int = Field(description="Entries that are not directories")
    directories: int = Field(description="Directories below, itself not counted")
    bytes: int = Field(description="Sum of the sizes of regular files")


class DirectoryPage(Value):
    """Up to `PAGE_ENTRIES` entries of one directory, sorted by the bytes of their names.

    `entries` is zstd over a MessagePack array with one array per entry, in this order: name (bytes), type (`file`,
    `dir`, `symlink`, `dev`, `chardev`, `fifo`, `socket`, `irregular`), size (bytes; of a directory: the bytes below
    it), mtime (nanoseconds since the epoch), POSIX mode, subtree id (32 bytes, or nil), link target (bytes, or nil),
    uid, gid, number of hard links, user, group, of a directory the files below it (else nil). Then, missing in pages of
    older workers: of a file with content 8 bytes that tell it from other contents of the same store (else nil), ctime
    and atime in nanoseconds after mtime (or nil), and extended attributes (or nil), each an array of name (bytes),
    value (bytes; nil if longer than 1 KiB) and length of the value. Last, and only where one of the times needs more
    than 8 bytes (it stands above as the nearest that fits, +-(2^63 - 1)): an array of mtime, ctime and atime, each in
    nanoseconds since the epoch as big-endian signed bytes (or nil).
    """

    tree_id: TreeId = Field(description="Hash of the directory's content, 64 hex digits")
    page: int = Field(ge=0, description="Number of the page, from 0")
    pages: int = Field(ge=1, description="How many pages the directory has; equal in all of them")
    count: int = Field(description="Entries in this page")
    total: int = Field(description="Entries in the directory")
    first_names: tuple[Base64Bytes, ...] = Field(
        default=(), description="Not needed, and left out: the first name of a page is that of its first entry"
    )
    totals: Totals = Field(description="Of the whole directory; equal in all pages")
    entries: Base64Bytes = Field(description="The entries, packed as described above; base64")


class DirectoriesListed(Event):
    """Directories of a store that were not known before; or known ones `again`, to replace what is kept of them.

    Directories are sent after everything below them, pages in order; so a directory that is known whole has everything
    below it known too.
    """

    TYPE: ClassVar[str] = "cairn.connector.directories.listed.v1"
    TOPIC: ClassVar[str] = topics.LISTINGS
    KEY: ClassVar[str] = "store_id"

    store_id: AppId = Field(description="The store")
    directories: tuple[DirectoryPage, ...] = Field(description="Pages, children before their parents")
    again: bool = Field(
        default=False, description="Whether what is kept of these directories may be damaged and is to be written anew"
    )


class RestorePointListed(Event):
    """All directories of a restore point have been sent; follows them on the same partition."""

    TYPE: ClassVar[str] = "cairn.connector.restore-point.listed.v1"
    TOPIC: ClassVar[str] = topics.LISTINGS
    KEY: ClassVar[str] = "store_id"

    store_id: AppId = Field(description="The store")
    restore_point: RestorePoint = Field(description="What was listed")
    seen_at: Moment | None = Field(
        default=None,
        description="When the store was seen to hold it, at the earliest; if None at the time of the event",
    )


class RestorePointDamaged(Event):
    """A restore point is in its store, and what is in it cannot be listed. Listing it later mends that."""

    TYPE: ClassVar[str] = "cairn.connector.restore-point.damaged.v1"
    TOPIC: ClassVar[str] = topics.LISTINGS
    KEY: ClassVar[str] = "store_id"

    store_id: AppId = Field(description="The store")
    snapshot_id: SnapshotId = Field(description="The restore point")
    restore_point: RestorePoint | None = Field(
        default=None, description="What is known of it; None where the snapshot itself cannot be read"
    )
    damage: Damage = Field(description="What is wrong with it")
    seen_at: Moment | None = Field(
        default=None,
        description="When the store was seen to hold it, at the earliest; if None at the time of the event",
    )


class StoreSweepDue(Event):
    """The next step towards forgetting what no restore point of a store needs can be taken.

    The restore index tells itself, so that the step is taken in the order of all that it hears of the store.
    """

    TYPE: ClassVar[str] = "cairn.restore-index.store.sweep-due.v1"
    TOPIC: ClassVar[str] = topics.RESTORE_INDEX_EVENTS
    KEY: ClassVar[str] = "store_id"

    store_id: AppId = Field(description="The store")


class RestorePointBrowsable(Event):
    """Every directory of a restore point can be browsed."""

    TYPE: ClassVar[str] = "cairn.restore-index.restore-point.browsable.v1"
    TOPIC: ClassVar[str] = topics.RESTORE_INDEX_EVENTS
    KEY: ClassVar[str] = "store_id"

    store_id: AppId = Field(description="The store")
    snapshot_id: SnapshotId = Field(description="The restore point")
    totals: Totals = Field(description="Sums over all that is in it")
    source_id: AppId | None = Field(default=None, description="What it was made of, where that is known")
