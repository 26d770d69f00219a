"""What every engine does. Secrets reach an engine through `StoreLocation` only and leave it nowhere."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, Protocol

from contracts.messages.connector.stores import Compression
from contracts.task_types.backup import BackupResult
from integrations.sdk.job_log import OnLog
from integrations.sdk.locations import SourceTree, StoreLocation, UnreadablePath

from connector.engine.source_listing import SourceListing

PROBLEMS_MAX = 1000


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far an engine is. CPU and memory are those of its processes."""

    fraction: float = 0.0
    files_done: int = 0
    files_total: int = 0
    bytes_done: int = 0
    bytes_total: int = 0
    current: tuple[str, ...] = ()
    """Paths being worked on, absolute within the source."""
    failed: tuple[str, ...] = ()
    """Paths that could not be handled, the latest ones."""
    cpu_percent: float = 0.0
    """Of one core."""
    memory_bytes: int = 0
    process_id: int = 0
    """The engine's process, which its locks name; 0 where it has none."""


OnProgress = Callable[[Progress], None]
"""Called at most twice a second or so; the latest wins. Must not block."""


@dataclass(frozen=True)
class Initialized:
    """A store has a repository."""

    repository_id: str
    adopted: bool
    """True when it was there already."""


@dataclass(frozen=True, kw_only=True)
class BackupOptions:
    """How a backup is made and marked."""

    host: str
    """Recorded as the restore point's host. Use the source app's id."""
    parent: str = ""
    """The snapshot that files are compared with; empty: the last one with the same host."""
    reread: bool = False
    """Compare files with nothing, read them all."""
    tags: tuple[str, ...] = ()
    """None may be empty, hold a comma, or have white space at its ends, which restic cuts off."""
    ignores: tuple[str, ...] = ()
    """Patterns of files to leave out. `*.log` matches anywhere; a leading `/` is the root of the source; `**`
    matches any number of directories; a leading `!` takes in again what an earlier pattern left out."""
    compression: Compression = "auto"
    """An engine that does not know a level takes the next lower one that it knows."""
    one_file_system: bool = False
    """Leave out what is on another file system than the source's root; mount points are kept, empty."""
    allow_empty: bool = False
    """Make a restore point also where there is nothing to put into it."""
    concurrency: int = 0
    """How many files are read at once; 0: as many as the engine reads by itself."""
    cores: int = 0
    """How many cores it may use at once; 0: all."""
    more_memory: bool = False
    """May take more memory than the engine does by itself, to be faster."""


@dataclass(frozen=True, kw_only=True)
class BackupOutcome:
    """A restore point was made; with `problems`, not everything is in it."""

    snapshot_id: str
    summary: BackupResult
    problems: tuple[UnreadablePath, ...] = ()
    """What should be in it and is not: the source's own problems, then unreadable files; the first 1000."""
    problem_count: int = 0
    """How many there were in all."""
    is_left_out: Callable[[str], bool] = field(default=lambda _: False, repr=False, compare=False)
    """Whether a path within the source, `/` being its root, was left out on purpose."""
    listed: SourceListing | None = field(default=None, repr=False, compare=False)
    """What the source listed, where the engine does not tell what went before it was read."""


class Share(NamedTuple):
    """One of several parts of a repository's data, which have nothing in common and are all of it together."""

    number: int
    """Counted from 1."""
    of: int


@dataclass(frozen=True, kw_only=True)
class CheckOutcome:
    """What a check of a repository found, in words; none: the repository is sound."""

    findings: tuple[str, ...] = ()
    """The first 1000."""
    finding_count: int = 0
    """How many there were in all."""


@dataclass(frozen=True, kw_only=True)
class ForgetOutcome:
    """Which of the restore points that were to go are still there."""

    kept: tuple[str, ...] = ()
    """Those that the store does not delete, as one with Object Lock or one that is append-only, and those that
    cannot be read; in the order given."""
    why: str = ""
    """In the store's words; empty where it deleted all."""


@dataclass(frozen=True, kw_only=True)
class CleanUpOutcome:
    """What became of data that no restore point needs."""

    unused_bytes: int = 0
    """How much of it there was to go; rounded to four digits or so."""
    remaining_bytes: int = 0
    """How much the repository is to have afterwards; rounded likewise."""
    index_was_wrong: bool = False
    """Of a repair: whether the index did not say what the data is."""
    kept_files: int = 0
    """Files with such data that the store does not delete. They harm nothing, and a later call tries them again."""
    why: str = ""
    """In the store's words; empty where it deleted all."""


@dataclass(frozen=True, kw_only=True)
class CopyOutcome:
    """Restore points were copied; those that the target had already are passed over."""

    bytes_copied: int = 0
    """Data of the origin that the target lacked, as it is stored there: compressed."""


@dataclass(frozen=True, kw_only=True)
class FoundSnapshot:
    """A restore point as it stands in a store."""

    snapshot_id: str
    tree_id: str
    time: datetime
    host: str
    paths: tuple[str, ...]
    tags: tuple[str, ...]
    original: str = ""
    """The one that this one was made of, if any; of a copy of a copy: the first."""


class Engine(Protocol):
    """Writes repositories in restic's format. Calls may run at the same time, also on one store.

    Every call raises `PassphraseMissing`, `PassphraseWrong`, `StoreNotInitialized` (except `initialize`),
    `StoreLocked`, `StoreUnreachable`, `StoreRefused`, `StoreFull`, `EngineKilled` or `EngineFailed`. Calls with
    `cancel` raise `Cancelled` soon after it is set and leave the repository consistent and unlocked. A call whose
    task is cancelled kills its processes; processes die with the worker in any case.
    """

    async def initialize(self, store: StoreLocation, *, chunker_of: StoreLocation | None = None) -> Initialized:
        """Create the repository, unless one is there that the passphrase opens: that is adopted, unchanged.

        A new one divides files as the repository of `chunker_of` does: what both hold is then equal piece by piece, so
        that copies from one to the other add nothing for it. Two of these calls on one store at once may destroy it:
        callers see to it that there is one at a time. Raises also `StoreHalfMade`, and `CopyFailed` where
        `chunker_of` cannot be read.
        """
        ...

    async def backup(
        self,
        store: StoreLocation,
        source: SourceTree,
        *,
        options: BackupOptions,
        on_progress: OnProgress,
        on_log: OnLog,
        cancel: asyncio.Event,
    ) -> BackupOutcome:
        """Make one restore point of the tree; its root is the content of `source.directory`.

        What cannot be in it is among its problems: unreadable files, and sockets of a source that is surveyed. They
        do not stop it, unless nothing else is there. Raises also `SourceMissing`, `SourceEmpty`, `SourceIgnored`,
        `SourceUnreadable`, `SourceInsideStore`, `StateExposed`, `PatternInvalid`, and `SnapshotMissing` when the parent
        that is asked for is not there.
        """
        ...

    async def copy(
        self,
        origin: StoreLocation,
        target: StoreLocation,
        snapshot_ids: Sequence[str],
        *,
        compression: Compression = "auto",
        on_progress: OnProgress,
        on_log: OnLog,
        cancel: asyncio.Event,
    ) -> CopyOutcome:
        """Copy restore points to another repository, with what that lacks of their data.

        A copy has a new id and the time, tags and tree of its original, which it names. Those that the target has
        already, and unknown ids, are passed over. Cancelled or killed, it leaves whole copies only. What goes wrong
        in one of the two is a `CopyFailed`, which says in which; raises also `StoresAtOdds`.
        """
        ...

    async def check(
        self,
        store: StoreLocation,
        *,
        read_percent: float = 0,
        share: Share | None = None,
        on_progress: OnProgress,
        on_log: OnLog,
        cancel: asyncio.Event,
    ) -> CheckOutcome:
        """Verify the repository's structure, and read a part of its data: a share of it, or so many percent that are
        chosen anew each time; 100 is every byte of it.

        Keeps everybody else out of the repository meanwhile. Progress tells what the engine uses, not how far it is.
        """
        ...

    async def forget(
        self,
        store: StoreLocation,
        snapshot_ids: Sequence[str],
        *,
        on_progress: OnProgress = lambda _: None,
        on_log: OnLog,
        cancel: asyncio.Event,
    ) -> ForgetOutcome:
        """Remove restore points; their data stays until `free_unused`. Unknown ids are passed over.

        What is still there afterwards is told, and no error.
        """
        ...

    async def free_unused(
        self,
        store: StoreLocation,
        *,
        repack: bool = True,
        on_progress: OnProgress,
        on_log: OnLog,
        cancel: asyncio.Event,
    ) -> CleanUpOutcome:
        """Delete data that no restore point needs. Keeps everybody else out of the repository meanwhile.

        With `repack`, what is still needed of files with much unused data is written anew, so that they can go;
        without, only files go of which nothing is needed. What the store does not delete is told, and no error. A call
        that was killed has lost nothing, and the next one goes on.
        """
        ...

    async def repair_index(
        self, store: StoreLocation, *, on_progress: OnProgress, on_log: OnLog, cancel: asyncio.Event
    ) -> CleanUpOutcome:
        """Write the repository's index anew from the data that is there. Keeps everybody else out meanwhile.

        `kept_files` are those of the former index that the store does not delete; they harm nothing.
        """
        ...

    async def undeletable(self, store: StoreLocation, *, cancel: asyncio.Event | None = None) -> str:
        """Why the store deletes nothing at all, not even the engine's own locks; empty where it does.

        Asked before a call that would leave a lock behind which keeps everybody else out.
        """
        ...

    async def find_snapshots(self, store: StoreLocation, *, tags: Sequence[str] = ()) -> list[FoundSnapshot]:
        """Restore points that carry all these tags, oldest first; takes no lock."""
        ...

    async def snapshot_ids(self, store: StoreLocation, *, quickly: bool = False) -> frozenset[str]:
        """Ids of all restore points, also of those that cannot be read; takes no lock.

        `quickly`: somebody waits for the answer, and a store that does not answer is soon given up.
        """
        ...

    async def unlock_stale(self, store: StoreLocation) -> None:
        """Remove locks of processes that no longer run, as a killed worker leaves them. Others stay."""
        ...
