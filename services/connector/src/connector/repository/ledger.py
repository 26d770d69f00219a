"""What lies below each directory that a walk has met: some 60 bytes each in memory, beyond a million on the disk."""

import os
import sqlite3
import struct
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, Protocol, Self

from chassis.digests import DigestTable

from connector.repository.blobs import binary_id
from connector.repository.scratch import made, scratch_errors

IN_MEMORY = 1_000_000
_SUMS = struct.Struct(">QQQ")
_PRAGMAS = ("journal_mode=OFF", "synchronous=OFF", "locking_mode=EXCLUSIVE", "cache_size=-16384")


class Totals(NamedTuple):
    """What lies below a directory, at any depth: directories, everything else, and the bytes of its files."""

    files: int
    dirs: int
    bytes: int


class Ledger:
    """Totals of directories by their ids. Close it after use. Raises `BlobMissing` for what is no id."""

    def __init__(self, scratch: Path | None) -> None:
        self._scratch = scratch
        self._table: _Table = DigestTable(_SUMS.size)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if isinstance(self._table, _DiskTable):
            self._table.close()

    def __contains__(self, tree_id: str) -> bool:
        return self._table.get(binary_id(tree_id)) is not None

    def of(self, tree_ids: Iterable[str]) -> dict[str, Totals]:
        """The totals of these directories, as far as they are there."""
        found = ((each, self._table.get(binary_id(each))) for each in tree_ids)
        return {each: Totals._make(_SUMS.unpack(sums)) for each, sums in found if sums is not None}

    def take(self, totals: Mapping[str, Totals]) -> None:
        """Keep totals. Raises `NoScratch` where they need a disk and there is no room on it."""
        for tree_id, each in totals.items():
            self._table.put(binary_id(tree_id), _SUMS.pack(*each))
        if isinstance(self._table, DigestTable) and len(self._table) > IN_MEMORY:
            with scratch_errors():
                self._table = _DiskTable(self._scratch, self._table.records())


class _Table(Protocol):
    def get(self, digest: bytes) -> bytes | None: ...

    def put(self, digest: bytes, value: bytes) -> None: ...


class _DiskTable:
    """A table in a database of its own, whose file has no name any more."""

    def __init__(self, directory: Path | None, records: Iterator[tuple[bytes, bytes]]) -> None:
        descriptor, path = tempfile.mkstemp(dir=made(directory), prefix="ledger-")
        os.close(descriptor)
        self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        try:
            for pragma in _PRAGMAS:
                self._database.execute(f"PRAGMA {pragma}")
            self._database.execute("CREATE TABLE sums (id BLOB PRIMARY KEY, sums BLOB) WITHOUT ROWID")
        finally:
            Path(path).unlink()
        self._database.execute("BEGIN")
        self._database.executemany("INSERT INTO sums VALUES (?, ?)", records)

    def get(self, digest: bytes) -> bytes | None:
        with scratch_errors():
            found = self._database.execute("SELECT sums FROM sums WHERE id = ?", (digest,)).fetchone()
        return None if found is None else bytes(found[0])

    def put(self, digest: bytes, value: bytes) -> None:
        with scratch_errors():
            self._database.execute("INSERT OR IGNORE INTO sums VALUES (?, ?)", (digest, value))

    def close(self) -> None:
        self._database.close()
