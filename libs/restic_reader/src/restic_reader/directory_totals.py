"""What lies below each directory that a walk has met: in memory for the first million, on the disk beyond."""

import os
import sqlite3
import struct
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple, Self

from restic_reader.blobs import binary_id
from restic_reader.scratch import made, scratch_errors

IN_MEMORY = 1_000_000
_SUMS = struct.Struct(">QQQ")
_PRAGMAS = ("journal_mode=OFF", "synchronous=OFF", "locking_mode=EXCLUSIVE", "cache_size=-16384")
_CREATE = "CREATE TABLE sums (id BLOB PRIMARY KEY, sums BLOB) WITHOUT ROWID"


class Totals(NamedTuple):
    """What lies below a directory, at any depth: everything that is no directory, directories, bytes of files."""

    files: int
    dirs: int
    bytes: int


class DirectoryTotals:
    """Totals of directories by their ids. Close it after use. Raises `BlobMissing` for what is no id.

    SQLite keeps them: some 80 bytes each in memory, and where a file takes over, 16 MiB in all.
    """

    def __init__(self, scratch: Path | None, *, in_memory: int = IN_MEMORY) -> None:
        self._scratch = scratch
        self._in_memory = in_memory
        self._count = 0
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
        rows = [(binary_id(tree_id), _SUMS.pack(*each)) for tree_id, each in totals.items()]
        with scratch_errors():
            self._database.executemany("INSERT OR IGNORE INTO sums VALUES (?, ?)", rows)
            self._count += len(rows)
            if self._count > self._in_memory and not self._is_on_disk:
                self._move_to_disk()

    def _get(self, tree_id: str) -> bytes | None:
        with scratch_errors():
            found = self._database.execute("SELECT sums FROM sums WHERE id = ?", (binary_id(tree_id),)).fetchone()
        return None if found is None else bytes(found[0])

    def _move_to_disk(self) -> None:
        """Into a file whose name is gone before anything is in it."""
        descriptor, path = tempfile.mkstemp(dir=made(self._scratch), prefix="totals-")
        os.close(descriptor)
        try:
            on_disk = _opened(path)
        finally:
            Path(path).unlink()
        on_disk.executemany("INSERT INTO sums VALUES (?, ?)", self._database.execute("SELECT id, sums FROM sums"))
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
