"""What lies below each directory that a walk has met: in memory for the first million, on the disk beyond."""

import os
import sqlite3
import struct
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Self

from restic_reader.blobs import binary_id
from restic_reader.scratch import made, no_scratch, scratch_errors
from restic_reader.structs import Child, Entry

_RECENT = 1 << 15
# Sums stop there: a few directories that hold one another many times have more paths than there are atoms.
_MOST = (1 << 63) - 1
_SUMS = struct.Struct(">QQQ")
_PRAGMAS = ("journal_mode=OFF", "synchronous=OFF", "locking_mode=EXCLUSIVE", "cache_size=-16384")
_CREATE = "CREATE TABLE sums (id BLOB PRIMARY KEY, sums BLOB) WITHOUT ROWID"
_INSERT = "INSERT OR IGNORE INTO sums VALUES (?, ?)"
_SELECT = "SELECT sums FROM sums WHERE id = ?"


class Totals(NamedTuple):
    """What lies below a directory, at any depth: everything that is no directory, directories, bytes of files."""

    files: int
    dirs: int
    bytes: int


def sum_of(entries: Sequence[Entry | Child], below: Mapping[str, Totals]) -> Totals:
    """The totals of a directory with these entries; `below` has those of its directories, if they are to count."""
    dirs = sum(entry.type == "dir" for entry in entries)
    size = sum(entry.size for entry in entries if entry.type == "file")
    children = [below[entry.subtree] for entry in entries if entry.subtree is not None] if below else []
    return plus(Totals(len(entries) - dirs, dirs, size), children)


def plus(own: Totals, others: Sequence[Totals]) -> Totals:
    """The totals of a directory by what is directly in it, and by those of the directories in it."""
    return Totals(
        files=min(own.files + sum(each.files for each in others), _MOST),
        dirs=min(own.dirs + sum(each.dirs for each in others), _MOST),
        bytes=min(own.bytes + sum(each.bytes for each in others), _MOST),
    )


class DirectoryTotals:
    """Totals of directories by their ids. Close it after use. Raises `BlobMissing` for what is no id.

    The latest 32,768 are in a dictionary of some 7 MiB, which is all there is in most walks. Those before are in
    SQLite: some 75 bytes each in memory, and where a file takes over, 16 MiB in all.
    """

    def __init__(self, scratch: Path | None, *, in_memory: int, recent: int = _RECENT) -> None:
        """Those of `in_memory` directories are in memory; once there are more, all are in a file in `scratch`."""
        self._scratch = scratch
        self._in_memory = in_memory
        self._most_recent = min(recent, in_memory)
        self._recent: dict[bytes, bytes] = {}
        self._stored = 0
        self._is_on_disk = False
        self._database = _opened(":memory:")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    def __contains__(self, tree_id: str) -> bool:
        return self._get(tree_id) is not None

    def of(self, tree_ids: Iterable[str]) -> dict[str, Totals]:
        """The totals of these directories, as far as they are there."""
        found = ((each, self._get(each)) for each in tree_ids)
        return {each: Totals._make(_SUMS.unpack(sums)) for each, sums in found if sums is not None}

    def take(self, totals: Mapping[str, Totals]) -> None:
        """Keep totals. Raises `NoScratch` where they need a disk and there is no room on it."""
        for tree_id, each in totals.items():
            self._recent[binary_id(tree_id)] = _SUMS.pack(*each)
        if len(self._recent) > self._most_recent:
            self._store_recent()

    def _get(self, tree_id: str) -> bytes | None:
        found: tuple[bytes] | None
        key = binary_id(tree_id)
        sums = self._recent.get(key)
        if sums is not None or not self._stored:
            return sums
        try:  # Not `scratch_errors`, which takes as long as the query.
            found = self._database.execute(_SELECT, (key,)).fetchone()
        except sqlite3.Error as error:
            raise no_scratch(error) from error
        return None if found is None else found[0]

    def _store_recent(self) -> None:
        """Into the database, many at a time: one at a time takes twice as long."""
        with scratch_errors():
            self._stored += len(self._recent)
            if self._stored > self._in_memory and not self._is_on_disk:
                self._move_to_disk()
            # Sorted, so that neighbours in the tree of the database are written one after the other.
            self._database.executemany(_INSERT, sorted(self._recent.items()))
        self._recent.clear()

    def _move_to_disk(self) -> None:
        """Into a file whose name is gone before anything is in it."""
        descriptor, path = tempfile.mkstemp(dir=made(self._scratch), prefix="totals-")
        os.close(descriptor)
        try:
            on_disk = _opened(path)
        finally:
            Path(path).unlink()
        on_disk.executemany(_INSERT, self._database.execute("SELECT id, sums FROM sums"))
        self._database.close()
        self._database, self._is_on_disk = on_disk, True


def _opened(path: str) -> sqlite3.Connection:
    """A database with an open transaction: what is in it need not outlive this process."""
    database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    for pragma in _PRAGMAS:
        database.execute(f"PRAGMA {pragma}")
    database.execute(_CREATE)
    database.execute("BEGIN")
    return database
