"""Brings a source into a directory that is kept for the next run: only what changed is read."""

import asyncio
import errno
import os
import stat
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from time import monotonic

from integrations.object_storage.copy_index import CopyIndex
from integrations.object_storage.folders import make_folders, remove_tree, remove_unlisted
from integrations.object_storage.listing import Entry, Listing, Problems
from integrations.object_storage.port import UNNAMEABLE, ObjectGone, ObjectStore, ObjectUnread
from integrations.sdk.errors import Cancelled, ScratchFull
from integrations.sdk.job_log import OnLog

_AT_ONCE = 16
# Bounds memory: a source may list millions of objects.
_ENTRIES_AHEAD = 64
_COMMIT_EVERY = 500
_LOGGED_EVERY_SECONDS = 10.0
_MIB = 1 << 20
# With these nothing more can be copied; any other error is about the name of one object.
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO})


class LocalCopy:
    """One run that makes a directory like a listing; what cannot be had goes to the problems."""

    def __init__(self, store: ObjectStore, listing: Listing, problems: Problems, *, place: Path, on_log: OnLog) -> None:
        self._store = store
        self._listing = listing
        self._problems = problems
        self._directory = place / "copy"
        self._incoming = place / "incoming"
        self._index_file = place / "copied.db"
        self._on_log = on_log
        self._copied: list[Entry] = []
        self._logged_at, self._count, self._bytes = monotonic(), 0, 0

    async def run(self, cancel: asyncio.Event) -> Path:
        """The directory. What is copied stays for the next run, also when this one is cut off.

        Raises `Cancelled`, `ScratchFull`, or what the store raises when it is gone as a whole.
        """
        self._on_log("info", "copying what changed")
        await asyncio.to_thread(self._prepare)
        index = CopyIndex(self._index_file)
        try:
            await self._bring_all(index, cancel)
        finally:
            await asyncio.to_thread(_end, index, self._copied)
        return self._directory

    def _prepare(self) -> None:
        """Take away what is listed no more, and make the folders that are."""
        remove_tree(self._incoming)
        for directory in (self._directory, self._incoming):
            directory.mkdir(mode=0o700, exist_ok=True)
        remove_unlisted(self._directory, self._listing)
        for folder in self._listing.folders():
            try:
                make_folders(self._directory / folder.path)
            except OSError as error:
                self._problems.add(folder.object.key, _unnameable(error))

    async def _bring_all(self, index: CopyIndex, cancel: asyncio.Event) -> None:
        queue: asyncio.Queue[Entry | None] = asyncio.Queue(_ENTRIES_AHEAD)
        try:
            async with asyncio.TaskGroup() as group:
                stopper = group.create_task(_raise_when(cancel))
                readers = [group.create_task(self._reader(queue, index)) for _ in range(_AT_ONCE)]
                await self._plan(queue, index)
                for _ in readers:
                    await queue.put(None)
                await asyncio.gather(*readers)
                stopper.cancel()
        except BaseExceptionGroup as group_error:
            raise _first(group_error) from None

    async def _plan(self, queue: "asyncio.Queue[Entry | None]", index: CopyIndex) -> None:
        batches = self._listing.batches()
        while batch := await asyncio.to_thread(next, batches, None):
            for entry in await asyncio.to_thread(index.outdated, batch, self._directory):
                await queue.put(entry)

    async def _reader(self, queue: "asyncio.Queue[Entry | None]", index: CopyIndex) -> None:
        while entry := await queue.get():
            try:
                await self._bring(entry)
            except ObjectUnread as why:
                await asyncio.to_thread(self._leave_out, entry, why)
            except ObjectGone:
                await asyncio.to_thread(_remove, self._directory / entry.path)
                self._on_log("info", f"{entry.object.key} was removed from the source while it was read")
            # Many at a time, as each is a commit; what is lost when the worker is killed is read again.
            if len(self._copied) >= _COMMIT_EVERY:
                done, self._copied = self._copied, []
                await asyncio.to_thread(index.add, done)

    async def _bring(self, entry: Entry) -> None:
        target = self._directory / entry.path
        # Beside the copy first: a run that is cut off must not leave half an object under its name.
        incoming = self._incoming / str(self._count)
        self._count += 1
        try:
            read = await self._store.fetch(entry.object, incoming)
            await asyncio.to_thread(_put_in_place, incoming, target, read.modified_ns)
        except OSError as error:
            if error.errno in _FULL:
                raise ScratchFull(error.strerror or "it cannot be written") from None
            raise _unnameable(error) from None
        finally:
            incoming.unlink(missing_ok=True)
        self._copied.append(replace(entry, object=read))
        self._log_progress(read.size)

    def _leave_out(self, entry: Entry, why: ObjectUnread) -> None:
        # An old version must not stand in for one that cannot be read.
        _remove(self._directory / entry.path)
        self._problems.add(entry.object.key, why)

    def _log_progress(self, size: int) -> None:
        self._bytes += size
        if monotonic() - self._logged_at >= _LOGGED_EVERY_SECONDS:
            self._logged_at = monotonic()
            self._on_log("info", f"{self._count} objects copied, {self._bytes / _MIB:.0f} MiB")


def _end(index: CopyIndex, copied: Sequence[Entry]) -> None:
    try:
        index.add(copied)
    finally:
        index.close()


def _put_in_place(incoming: Path, target: Path, modified_ns: int) -> None:
    os.utime(incoming, ns=(modified_ns, modified_ns))
    make_folders(target.parent)
    incoming.replace(target)


def _remove(file: Path) -> None:
    with suppress(OSError):
        if stat.S_ISREG(file.lstat().st_mode):
            file.unlink()


def _unnameable(error: OSError) -> ObjectUnread:
    return ObjectUnread(UNNAMEABLE, f"cannot be a file here: {(error.strerror or '').lower()}")


async def _raise_when(cancel: asyncio.Event) -> None:
    await cancel.wait()
    raise Cancelled


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    first = group.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first
