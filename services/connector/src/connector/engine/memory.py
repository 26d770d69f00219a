"""An engine that keeps its repositories in memory, for tests of what uses an engine."""

import asyncio
import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path

from contracts.messages.connector.stores import Compression
from contracts.task_types.backup import BackupResult
from integrations.sdk.errors import Cancelled, PassphraseMissing, PassphraseWrong, SourceMissing, WorkFailed
from integrations.sdk.job_log import OnLog
from integrations.sdk.locations import SourceTree, StoreLocation, UnreadablePath

from connector.engine.errors import (
    CopyFailed,
    Side,
    SourceEmpty,
    SourceIgnored,
    SourceInsideStore,
    SourceUnreadable,
    StoreNotInitialized,
)
from connector.engine.port import (
    BackupOptions,
    BackupOutcome,
    CheckOutcome,
    CleanUpOutcome,
    CopyOutcome,
    ForgetOutcome,
    FoundSnapshot,
    Initialized,
    OnProgress,
    Progress,
    Share,
)

Files = dict[str, bytes | None]
"""Content by path in the source; None for directories."""


@dataclass
class MemoryRepository:
    """What is at the address of a store."""

    id: str
    passphrase: str
    chunker: str
    snapshots: dict[str, tuple[FoundSnapshot, Files]] = field(default_factory=dict)
    unused_bytes: int = 0
    unreadable: set[str] = field(default_factory=set)
    """Restore points whose own description is damaged."""
    index_is_wrong: bool = False
    keeps_all: str = ""
    """Why nothing can be deleted, as in a store on append-only storage; empty where it can."""


class MemoryEngine:
    """See `Engine`. Reads real trees; knows regular files and directories only."""

    def __init__(self) -> None:
        self.repositories: dict[str, MemoryRepository] = {}
        """By address. Taken out of it, a repository is lost."""
        self.shares_read: list[Share] = []

    async def initialize(self, store: StoreLocation, *, chunker_of: StoreLocation | None = None) -> Initialized:
        """See `Engine.initialize`."""
        try:
            return Initialized(self._open(store).id, adopted=True)
        except StoreNotInitialized:
            chunker = self._open_side("origin", chunker_of).chunker if chunker_of else _new_id()
            made = MemoryRepository(_new_id(), store.passphrase, chunker)
            self.repositories[store.address] = made
            return Initialized(made.id, adopted=False)

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
        """See `Engine.backup`."""
        repository = self._open(store)
        files, problems = _read(source, store, options)
        await _checkpoint(cancel)
        for problem in problems:
            on_log("error", problem.as_line)
        if not files and problems:
            raise SourceUnreadable(", ".join(problem.in_words for problem in problems))
        if not files and not options.allow_empty:
            raise SourceIgnored if any(source.directory.iterdir()) else SourceEmpty
        found = _describe(source, options, files)
        contents = [content for content in files.values() if content is not None]
        size = sum(map(len, contents))
        on_progress(Progress(fraction=1.0, files_done=len(contents), files_total=len(contents), bytes_done=size))
        repository.snapshots[found.snapshot_id] = (found, files)
        summary = BackupResult(
            snapshot_id=found.snapshot_id,
            files_new=len(contents),
            files_processed=len(contents),
            bytes_processed=size,
            bytes_added=size,
        )
        return BackupOutcome(
            snapshot_id=found.snapshot_id, summary=summary, problems=problems, problem_count=len(problems)
        )

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
        """See `Engine.copy`: nothing is compressed."""
        del compression
        there, here = self._open_side("origin", origin), self._open_side("target", target)
        await _checkpoint(cancel)
        held = {_mark(each) for each, _ in here.snapshots.values()}
        size = 0
        for found, files in [there.snapshots[each] for each in snapshot_ids if each in there.snapshots]:
            if _mark(found) in held:
                continue
            made = replace(found, snapshot_id=_new_id(), original=found.original or found.snapshot_id)
            here.snapshots[made.snapshot_id] = (made, files)
            size += sum(len(content or b"") for content in files.values())
            on_log("info", f"Copied restore point {found.snapshot_id} as {made.snapshot_id}.")
        on_progress(Progress(fraction=1.0, bytes_done=size, bytes_total=size))
        return CopyOutcome(bytes_copied=size)

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
        """See `Engine.check`: memory is always sound."""
        self._open(store)
        await _checkpoint(cancel)
        on_progress(Progress())
        self.shares_read += [share] if share else []
        on_log("info", "every byte was read" if read_percent or share else "the structure is sound")
        return CheckOutcome()

    async def forget(
        self,
        store: StoreLocation,
        snapshot_ids: Sequence[str],
        *,
        on_progress: OnProgress = lambda _: None,
        on_log: OnLog,
        cancel: asyncio.Event,
    ) -> ForgetOutcome:
        """See `Engine.forget`."""
        repository = self._open(store)
        await _checkpoint(cancel)
        there = [each for each in snapshot_ids if each in repository.snapshots]
        if repository.keeps_all:
            return ForgetOutcome(kept=tuple(there), why=repository.keeps_all if there else "")
        on_progress(Progress())
        kept = tuple(each for each in there if each in repository.unreadable)
        for each in [each for each in there if each not in kept]:
            _, files = repository.snapshots.pop(each)
            repository.unused_bytes += _size(files)
            on_log("info", f"{each} removed")
        return ForgetOutcome(kept=kept, why="it cannot be read" if kept else "")

    async def free_unused(
        self,
        store: StoreLocation,
        *,
        repack: bool = True,  # noqa: ARG002 - nothing is packed
        on_progress: OnProgress,
        on_log: OnLog,
        cancel: asyncio.Event,
    ) -> CleanUpOutcome:
        """See `Engine.free_unused`."""
        repository = self._open(store)
        await _checkpoint(cancel)
        unused, remaining = repository.unused_bytes, sum(_size(files) for _, files in repository.snapshots.values())
        if repository.keeps_all:
            kept = int(unused > 0)
            why = repository.keeps_all if kept else ""
            return CleanUpOutcome(unused_bytes=unused, remaining_bytes=remaining, kept_files=kept, why=why)
        repository.unused_bytes = 0
        on_progress(Progress(fraction=1.0))
        on_log("info", f"{unused} bytes freed")
        return CleanUpOutcome(unused_bytes=unused, remaining_bytes=remaining)

    async def repair_index(
        self, store: StoreLocation, *, on_progress: OnProgress, on_log: OnLog, cancel: asyncio.Event
    ) -> CleanUpOutcome:
        """See `Engine.repair_index`: of the index there is only whether it is right."""
        repository = self._open(store)
        await _checkpoint(cancel)
        on_progress(Progress(fraction=1.0))
        on_log("info", "the index is whole")
        was_wrong, repository.index_is_wrong = repository.index_is_wrong, False
        return CleanUpOutcome(index_was_wrong=was_wrong)

    async def undeletable(self, store: StoreLocation, *, cancel: asyncio.Event | None = None) -> str:
        """See `Engine.undeletable`: there are no locks to be removed."""
        self._open(store)
        await _checkpoint(cancel or asyncio.Event())
        return ""

    async def find_snapshots(self, store: StoreLocation, *, tags: Sequence[str] = ()) -> list[FoundSnapshot]:
        """See `Engine.find_snapshots`."""
        repository = self._open(store)
        found = (
            each
            for each, _ in repository.snapshots.values()
            if each.snapshot_id not in repository.unreadable and set(tags) <= set(each.tags)
        )
        return sorted(found, key=lambda each: (each.time, each.snapshot_id))

    async def snapshot_ids(self, store: StoreLocation, *, quickly: bool = False) -> frozenset[str]:  # noqa: ARG002
        """See `Engine.snapshot_ids`."""
        return frozenset(self._open(store).snapshots)

    async def unlock_stale(self, store: StoreLocation) -> None:
        """See `Engine.unlock_stale`: there are no locks."""
        self._open(store)

    def _open_side(self, side: Side, store: StoreLocation) -> MemoryRepository:
        try:
            return self._open(store)
        except WorkFailed as error:
            raise CopyFailed(side, error) from None

    def _open(self, store: StoreLocation) -> MemoryRepository:
        if not store.passphrase:
            raise PassphraseMissing
        repository = self.repositories.get(store.address)
        if repository is None:
            raise StoreNotInitialized
        if repository.passphrase != store.passphrase:
            raise PassphraseWrong
        return repository


def _size(files: Files) -> int:
    return sum(len(content) for content in files.values() if content is not None)


async def _checkpoint(cancel: asyncio.Event) -> None:
    await asyncio.sleep(0)
    if cancel.is_set():
        raise Cancelled


def _mark(found: FoundSnapshot) -> tuple[object, ...]:
    """What a snapshot and its copies have in common."""
    return found.original or found.snapshot_id, found.tree_id, found.time, found.host, found.paths


def _describe(source: SourceTree, options: BackupOptions, files: Files) -> FoundSnapshot:
    content = repr(sorted((path, hashlib.sha256(data or b"").digest()) for path, data in files.items()))
    return FoundSnapshot(
        snapshot_id=_new_id(),
        tree_id=hashlib.sha256(content.encode()).hexdigest(),
        time=datetime.now(UTC),
        host=options.host,
        paths=(str(source.directory),),
        tags=options.tags,
    )


def _is_passed_over(path: Path, source: SourceTree, options: BackupOptions) -> bool:
    if options.one_file_system and _is_elsewhere(path, source.directory.stat().st_dev):
        return True
    return any(path.is_relative_to(each) and path != each for each in source.hollow)


def _require_source(source: SourceTree, store: StoreLocation) -> None:
    if not source.directory.is_dir():
        raise SourceMissing(f"The source is not there: {source.origin or source.directory}")
    if store.local_path and source.directory.is_relative_to(store.local_path):
        raise SourceInsideStore


def _read(source: SourceTree, store: StoreLocation, options: BackupOptions) -> tuple[Files, tuple[UnreadablePath, ...]]:
    _require_source(source, store)
    files: Files = {}
    problems = list(source.problems)
    excluded = {*source.excludes, *([store.local_path] if store.local_path else [])}
    for path in _walk(source.directory, excluded, options.ignores):
        if _is_passed_over(path, source, options):
            continue
        shown = "/" + str(path.relative_to(source.directory))
        try:
            files[shown] = None if path.is_dir() else path.read_bytes()
        except OSError as error:
            problems.append(UnreadablePath(shown, (error.strerror or "unreadable").lower()))
    return files, tuple(problems)


def _walk(root: Path, excluded: set[Path], ignores: Sequence[str]) -> Iterator[Path]:
    for folder, directories, names in os.walk(root):
        here = Path(folder)
        directories[:] = [name for name in directories if _is_taken(root, here / name, excluded, ignores=ignores)]
        yield from (here / name for name in directories)
        for name in names:
            path = here / name
            if path.is_file() and not path.is_symlink() and _is_taken(root, path, excluded, ignores=ignores):
                yield path


def _is_taken(root: Path, path: Path, excluded: set[Path], *, ignores: Sequence[str]) -> bool:
    inside = "/" + str(path.relative_to(root))
    patterns = (pattern.rstrip("/") for pattern in ignores)
    return path not in excluded and not any(
        fnmatchcase(inside if pattern.startswith("/") else path.name, pattern) for pattern in patterns
    )


def _is_elsewhere(path: Path, device: int) -> bool:
    is_other = path.lstat().st_dev != device
    return path.parent.stat().st_dev != device or (is_other and not path.is_dir())


def _new_id() -> str:
    return hashlib.sha256(os.urandom(32)).hexdigest()
