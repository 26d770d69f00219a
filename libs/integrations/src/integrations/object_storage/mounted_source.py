"""Reads a source through a mount: what the mount does not show is named, and what restic cannot see is remembered."""

import asyncio
import hashlib
import logging
import os
import re
import sqlite3
import stat
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from integrations.object_storage.kept_listings import LISTING, STORE
from integrations.object_storage.key_paths import can_be_mounted, key_of
from integrations.object_storage.listing import Entry, Listing, Problems, shown
from integrations.object_storage.port import NOT_SHOWN, UNREADABLE, ObjectGone, ObjectStore, ObjectUnread
from integrations.object_storage.snapshot_files import SnapshotFiles
from integrations.sdk.cancellation import unless_cancelled
from integrations.sdk.errors import Cancelled
from integrations.sdk.job_log import OnLog, in_few_lines
from integrations.sdk.locations import SavedFile, UnreadablePath

log = logging.getLogger(__name__)
_NOT_FOR_MOUNTS = ("//**", "/**//**", "/{{.*/}}", "/{{(.*/)?[^/]{256,}(/.*)?}}")
"""rclone's patterns of keys that it shows at another key's place, or that keep it from listing a folder at all."""
_CLASHES_MAX = 100
"""Each costs a pattern that every object is compared with; folders beyond may be hidden by an object, and are named."""
_SPECIAL = re.compile(r"[^\w/]", re.ASCII)
_LOOKS_AT_ONCE = 8
_BEYOND = "has a name that a mount cannot show, only a copy can"
_HIDDEN = "is listed, but the mount does not show it"
_REMOVED = "was removed while the source was read"
_ALL_REMOVED = "Removed while the source was read"
T = TypeVar("T")
S = TypeVar("S")


def excludes(listing: Listing) -> list[str]:
    """What a mount has to leave out so that it shows the rest."""
    clashes = listing.folders_beside_objects(_CLASHES_MAX)
    return [*_NOT_FOR_MOUNTS, *("/{{" + _escape(path) + "}}" for path in clashes)]


def compare(listing: Listing, problems: Problems, directory: Path, *, cancel: asyncio.Event) -> None:
    """Add to the problems what is listed and does not show. Blocks. Raises `Cancelled`."""
    for batch in listing.batches():
        if cancel.is_set():
            raise Cancelled
        for entry in batch:
            if not can_be_mounted(entry.path):
                problems.add(entry.object.key, ObjectUnread(NOT_SHOWN, _BEYOND))
            else:
                _look(entry, listing, problems, directory)
    for folder in listing.folders():
        if not os.path.isdir(directory / folder.path):  # noqa: PTH112 - a Path raises where the mount has an error.
            problems.add(folder.object.key, ObjectUnread(NOT_SHOWN, _BEYOND))


@dataclass(frozen=True)
class MountComparison:
    """See `SourceComparison`: keeps one listing for each store, that of the last restore point there."""

    store: ObjectStore
    listing: Listing
    place: Path
    cancel: asyncio.Event = field(default_factory=asyncio.Event)
    """Of the run: what asks the store raises `Cancelled` once it is set."""

    def parent_in(self, store_id: str) -> str | None:
        """See `SourceComparison.parent_in`."""
        return self.listing.parent_of(self._file(store_id))

    def keep(self, store_id: str, snapshot_id: str) -> None:
        """See `SourceComparison.keep`."""
        try:
            self.place.mkdir(mode=0o700, exist_ok=True)
            self._file(store_id).with_suffix(STORE).write_text(store_id, "utf-8")
            self.listing.keep_as(self._file(store_id), snapshot_id=snapshot_id)
        except (OSError, sqlite3.Error) as error:  # What is kept from before is still right about its snapshot.
            log.warning("listing not kept", extra={"reason": type(error).__name__})

    def adds_up(self, *, files: int, size_bytes: int) -> bool:
        """See `SourceComparison.adds_up`."""
        return SnapshotFiles(self.listing).adds_up(files=files, size_bytes=size_bytes)

    def take_in(self, saved: Iterable[SavedFile]) -> None:
        """See `SourceComparison.take_in`."""
        SnapshotFiles(self.listing).take_in(saved)

    async def differences(
        self, named: Sequence[UnreadablePath], *, is_left_out: Callable[[str], bool], on_log: OnLog
    ) -> AsyncIterator[UnreadablePath]:
        """See `SourceComparison.differences`."""
        saved, known = SnapshotFiles(self.listing), {problem.path for problem in named if not problem.code}
        others, lacking = saved.other(), saved.lacking()
        while files := await asyncio.to_thread(next, others, None):
            for problem in await self._some_at_once(self._judge_saved, files):
                yield problem
            # What arrived is what the next run is compared with, whatever was listed.
            await asyncio.to_thread(self.listing.correct_as_saved, files)
        while entries := await asyncio.to_thread(next, lacking, None):
            unexplained = await asyncio.to_thread(_unexplained, entries, known, is_left_out)
            for problem in await self._judge_lacking(unexplained, on_log):
                yield problem
        await asyncio.to_thread(saved.forget)

    async def explain(self, problems: Sequence[UnreadablePath]) -> tuple[UnreadablePath, ...]:
        """See `SourceComparison.explain`: asks the source for each object, a few at a time."""
        return tuple(await self._some_at_once(self._explain, problems))

    async def _judge_saved(self, saved: SavedFile) -> UnreadablePath | None:
        """What is wrong with a file that is not what was listed; nothing where the object was another meanwhile."""
        key = key_of(saved.path)
        try:
            now = await self.store.look_up(key)
            if now.size == saved.size_bytes:
                return None
            why = await self.store.why_unread(now)
        except ObjectGone:
            return UnreadablePath(shown(key), _REMOVED)
        sizes = f"has {saved.size_bytes} bytes in the restore point, but {now.size} in the source"
        return UnreadablePath(shown(key), f"{why.reason}; {sizes}" if why else sizes, why.code if why else UNREADABLE)

    async def _judge_lacking(self, entries: Sequence[Entry], on_log: OnLog) -> list[UnreadablePath]:
        """Those that the source still has, as problems; the others are logged as removed."""
        there = await self._some_at_once(self._is_there, entries)
        asked = [(shown(entry.object.key), is_there) for entry, is_there in zip(entries, there, strict=True)]
        for line in in_few_lines(_ALL_REMOVED, (path for path, is_there in asked if not is_there)):
            on_log("info", line)
        return [UnreadablePath(path, _HIDDEN, NOT_SHOWN) for path, is_there in asked if is_there]

    async def _is_there(self, entry: Entry) -> bool:
        """Whether the source still has an object that did not arrive."""
        try:
            await self.store.look_up(entry.object.key)
        except ObjectGone:
            return False
        return True

    async def _explain(self, problem: UnreadablePath) -> UnreadablePath:
        entry = None if problem.code else await asyncio.to_thread(self.listing.at, problem.path.removeprefix("/"))
        if entry is None:
            return problem
        path = shown(entry.object.key)
        try:
            why = await self.store.why_unread(entry.object)
        except ObjectGone:
            return UnreadablePath(path, _REMOVED)
        return UnreadablePath(path, why.reason, why.code) if why else UnreadablePath(path, problem.reason)

    async def _some_at_once(self, ask: Callable[[T], Awaitable[S | None]], about: Sequence[T]) -> list[S]:
        """The answers that there are, in order. Raises `Cancelled`."""
        turns = asyncio.Semaphore(_LOOKS_AT_ONCE)

        async def one(each: T) -> S | None:
            async with turns:
                return await ask(each)

        async def each_one() -> list[S | None]:
            return await asyncio.gather(*map(one, about))

        return [answer for answer in await unless_cancelled(each_one(), self.cancel) if answer is not None]

    def _file(self, store_id: str) -> Path:
        # Hashed, as an id may hold what no file name can.
        return self.place / f"{hashlib.sha256(store_id.encode()).hexdigest()}{LISTING}"


def _unexplained(entries: list[Entry], known: Collection[str], is_left_out: Callable[[str], bool]) -> list[Entry]:
    """Those that were neither left out on purpose nor are among the problems; patterns take a while to judge."""
    return [each for each in entries if not is_left_out(f"/{each.path}") and not _is_in(each.path, known)]


def _is_in(path: str, problems: Collection[str]) -> bool:
    """Whether a path, or a folder above it, is among the paths of problems, which are written as they are shown."""
    whole = shown(path)
    return any(whole[:at] in problems for at, sign in enumerate(f"{whole}/") if sign == "/" and at)


def _look(entry: Entry, listing: Listing, problems: Problems, directory: Path) -> None:
    found = entry.object
    try:
        status = (directory / entry.path).lstat()
    except FileNotFoundError:
        problems.add(found.key, ObjectUnread(NOT_SHOWN, _HIDDEN))
        return
    except OSError as error:
        problems.add(found.key, ObjectUnread(NOT_SHOWN, f"{_HIDDEN}: {(error.strerror or '').lower()}"))
        return
    if not stat.S_ISREG(status.st_mode):
        problems.add(found.key, ObjectUnread(NOT_SHOWN, _HIDDEN))
    elif (status.st_size, status.st_mtime_ns) != (found.size, found.modified_ns):
        listing.correct(found.key, size=status.st_size, modified_ns=status.st_mtime_ns)


def _escape(path: str) -> str:
    """A regular expression that needs no braces: rclone ends it at two of them."""
    return _SPECIAL.sub(lambda found: found[0] if ord(found[0]) > 127 else f"\\x{ord(found[0]):02x}", path)
