"""Stores: initialize, refresh and unlock them; what they hold and what is wrong with them."""

from typing import ClassVar, Literal

from pydantic import Field

from contracts.messages.assignment import AppRef
from contracts.messages.connector.base import ConnectorCommand, ConnectorEvent
from contracts.messages.restore_index import RestorePoint
from contracts.values import AppId, Moment, SnapshotId, Value

Compression = Literal["auto", "fastest", "better", "max"]
"""How much effort goes into compressing; the algorithm is always Zstandard."""


class StoreWarning(Value):
    """Something about a store that people should know although backups into it work."""

    code: str = Field(
        description="`restore_points_damaged`: the store has lost something; `restore_points_unreadable`: it does not"
        " give something out; `restore_points_not_indexable`: nothing is lost, but they cannot be browsed;"
        " `restore_points_unknown`: the index did not answer"
    )
    detail: str = Field(description="What is wrong, in words")
    snapshot_ids: tuple[SnapshotId, ...] = Field(default=(), description="The first of the restore points in question")
    total: int = Field(default=0, description="How many restore points there are in question")


class InitializedStore(Value):
    """Result of `InitializeStore`."""

    adopted: bool = Field(default=False, description="Whether the repository was there before")
    repository_id: str = Field(default="", description="Id of the repository")
    # Outcomes that were kept before stores had a level lack it.
    compression: Compression = Field(default="auto", description="How later backups into the store compress")


class InitializeStore(ConnectorCommand):
    """Create the repository of a store, or adopt the one that is there.

    Result: an `InitializedStore`. Rejected with: `passphrase_missing`,
    `passphrase_wrong`, `store_unreachable`, `root_forbidden`, and, unless forced, `repository_missing` or
    `repository_changed` where the store had another repository before, `snapshots_missing` where it lost what it
    had, ... What is wrong with the store in `chunker_of` is said of that one.
    """

    TYPE: ClassVar[str] = "cairn.connector.store.initialize.v1"

    force: bool = Field(
        default=False, description="Take what is there, or make a repository, though the store had another one before"
    )
    compression: Compression | None = Field(
        default=None, description="How later backups into the store compress; None: as before"
    )
    chunker_of: AppRef | None = Field(
        default=None,
        description="A store whose way of dividing files a new repository takes over, so that copies from one to the"
        " other share what both hold; without effect where a repository is adopted",
    )


class StoreDifference(Value):
    """Result of `RefreshStore`: how many restore points the restore index differs by."""

    added: int = Field(default=0, description="Restore points that the index lacks")
    removed: int = Field(default=0, description="Restore points that the index has and the store has no more")
    listed: int = Field(default=0, description="Restore points whose listings will be sent to the index")
    damaged: int = Field(default=0, description="Restore points that the index knows as damaged")
    warnings: tuple[StoreWarning, ...] = Field(default=(), description="What is wrong with the damaged ones")


class RefreshStore(ConnectorCommand):
    """Compare a store with the restore index, and have the index follow it.

    Result: a `StoreDifference`. The rest happens after the answer, and ends with `StoreRefreshed`. A store that cannot
    be opened changes nothing. Rejected with: `store_not_initialized`, `repository_missing`, `repository_changed`,
    `repository_damaged`, `snapshots_missing`, `passphrase_wrong`, `store_unreachable`, ...
    """

    TYPE: ClassVar[str] = "cairn.connector.store.refresh.v1"

    rebuild: bool = Field(
        default=False, description="Send listings of all restore points, whatever the index has of them already"
    )
    force: bool = Field(
        default=False, description="Accept that a store has no restore point any more, although data of some is there"
    )
    look_for_loss: bool = Field(
        default=False, description="Also find out whether the store has lost directories that the index has already"
    )
    suspects: tuple[SnapshotId, ...] = Field(
        default=(), description="Restore points in which something could not be read: their directories are read again"
    )


class StoreLock(Value):
    """The lock of a process that works on the repository of a store. An unreadable lock has only its id."""

    id: str = Field(description="Name of its file; changes as the process renews it")
    exclusive: bool = Field(description="Whether it excludes all other processes")
    host: str = Field(default="", description="The machine it runs on")
    process: int = Field(default=0, description="Its process id there")
    user: str = Field(default="", description="The user it runs as")
    since: Moment | None = Field(
        default=None, description="When it was last renewed; a live process renews it every 5 minutes"
    )
    stale: bool = Field(
        default=False,
        description="Proved abandoned: not renewed for 30 minutes, or of a dead process on the worker's host",
    )

    # The id of a lock changes each time its process renews it, so it cannot tell whether a lock was seen before.
    @property
    def holder(self) -> tuple[str, int]:
        """The process, whatever lock it has at the moment."""
        return self.host, self.process

    @property
    def in_words(self) -> str:
        """The process, its host and since when."""
        if not self.host:
            return f"a lock that cannot be read ({self.id[:8]})"
        since = f" since {self.since:%Y-%m-%d %H:%M:%S} UTC" if self.since else ""
        return f"process {self.process} of {self.user or 'somebody'} on the host {self.host}{since}"


class UnlockedStore(Value):
    """Result of `UnlockStore`."""

    removed: tuple[StoreLock, ...] = Field(default=(), description="Locks that were there and are no more")
    remaining: tuple[StoreLock, ...] = Field(default=(), description="Locks that are still there")


class UnlockStore(ConnectorCommand):
    """Remove the locks of a store that are proved stale.

    Result: an `UnlockedStore`. Rejected with: `lock_not_stale` where there are locks and none of them is,
    `store_not_initialized`, `passphrase_wrong`, `store_unreachable`, ...
    """

    TYPE: ClassVar[str] = "cairn.connector.store.unlock.v1"


class StoreInitialized(ConnectorEvent):
    """A store has a repository."""

    TYPE: ClassVar[str] = "cairn.connector.store.initialized.v1"
    KEY: ClassVar[str] = "app_id"

    app_id: AppId = Field(description="The store")
    adopted: bool = Field(description="True when a repository was there already")
    repository_id: str = Field(description="Id that the engine gave the repository")
    # Events that were sent before this field was there lack it.
    revision: int = Field(default=0, description="Revision of the store that has it; 0: not told")


class StoreRefreshed(ConnectorEvent):
    """A store was compared with the restore index, and the index got what differed."""

    TYPE: ClassVar[str] = "cairn.connector.store.refreshed.v1"
    KEY: ClassVar[str] = "app_id"

    app_id: AppId = Field(description="The store")
    rebuild: bool = Field(default=False, description="Whether everything was listed again")
    added: int = Field(description="Restore points that the index lacked")
    removed: int = Field(description="Restore points that the store has no more")
    listed: int = Field(description="Restore points whose directories were sent, as far as the index lacked them")
    unlisted: int = Field(
        default=0, description="Restore points that cannot be browsed all the same; the next refresh tries them again"
    )
    damaged: int = Field(
        default=0,
        description="Those of them that are damaged, or that the store does not give out; an event was sent for each",
    )


class RestorePointCreated(ConnectorEvent):
    """A store holds a restore point (made by a backup, or found in an adopted store)."""

    TYPE: ClassVar[str] = "cairn.connector.restore-point.created.v1"
    KEY: ClassVar[str] = "store_id"

    store_id: AppId = Field(description="The store")
    restore_point: RestorePoint = Field(description="What it now holds")
    # Between the look into the store and this event another job may have deleted it, and said so.
    seen_at: Moment | None = Field(
        default=None,
        description="When the store was seen to hold it, at the earliest; if None at the time of the event",
    )


class RestorePointRemoved(ConnectorEvent):
    """A restore point is gone from its store."""

    TYPE: ClassVar[str] = "cairn.connector.restore-point.removed.v1"
    KEY: ClassVar[str] = "store_id"

    store_id: AppId = Field(description="The store")
    snapshot_id: str = Field(description="The restore point that is gone")
