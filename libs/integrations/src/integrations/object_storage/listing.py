"""What a source listed: kept on disk, since it may be millions of objects."""

import os
import sqlite3
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from integrations.object_storage.kept_listings import HALF
from integrations.object_storage.key_paths import BESIDE_FOLDER, key_of, path_of
from integrations.object_storage.port import ListedObject, ObjectUnread
from integrations.object_storage.sqlite_file import Database
from integrations.sdk.locations import SavedFile, UnreadablePath
from integrations.sdk.text import shown_path

_TABLE = """
CREATE TABLE objects (
    key BLOB PRIMARY KEY, size INTEGER, modified INTEGER, etag TEXT, class TEXT, path BLOB, is_folder INTEGER
) WITHOUT ROWID
"""
_UNKNOWN = "?"
"""A tag that tells nothing, not even of another one like it."""
_HIDDEN = """
SELECT 1 FROM objects n JOIN earlier.objects e ON n.key = e.key
WHERE n.size = e.size AND n.modified = e.modified AND (n.etag <> e.etag OR n.etag = '?')
"""
_COLUMNS = "key, size, modified, etag, class, path"
_BATCH = 1000
BEFORE_ALL = 0
"""Less than any key or path, also than an empty one."""


@dataclass(frozen=True)
class Entry:
    """An object and the path that it has in the source's tree."""

    object: ListedObject
    path: str


def time_column(nanoseconds: int) -> int | bytes:
    """A time as a column takes it, also one that needs more than eight bytes; `int` makes it a number again."""
    return nanoseconds if abs(nanoseconds) < 1 << 63 else b"%d" % nanoseconds


class Listing:
    """One listing of a source, in a file of its own. Its calls block."""

    def __init__(self, file: Path) -> None:
        self.file = file
        file.unlink(missing_ok=True)
        self.database = Database(file)
        self.database.run(_TABLE)
        self.database.run("CREATE TABLE snapshot (id TEXT)")

    def add(self, page: Sequence[ListedObject]) -> None:
        """Take in a page. An object that is listed again counts once, as it was listed last."""
        rows = [
            (os.fsencode(o.key), o.size, time_column(o.modified_ns), o.etag, o.storage_class, o.is_folder) for o in page
        ]
        self.database.run_each("INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?, ?, x'', ?)", rows)

    def settle(self) -> None:
        """Give each object its path, once all are there."""
        for rows in self._batches("SELECT key, is_folder FROM objects WHERE key > ? ORDER BY key LIMIT ?"):
            paths = [(self._path(key, is_folder=bool(is_folder)), key) for key, is_folder in rows]
            self.database.run_each("UPDATE objects SET path = ? WHERE key = ?", paths)
        # Made at the end, as an index that grows with each of millions of rows takes much longer.
        self.database.run("CREATE INDEX paths ON objects (path)")

    def __len__(self) -> int:
        return self.database.count("SELECT count(*) FROM objects")

    @property
    def has_files(self) -> bool:
        """Whether there is anything but markers of folders."""
        return self.database.first("SELECT 1 FROM objects WHERE NOT is_folder LIMIT 1") is not None

    def folders(self) -> Iterator[Entry]:
        """The folders that are listed as such."""
        wanted = f"SELECT {_COLUMNS} FROM objects WHERE key > ? AND is_folder ORDER BY key LIMIT ?"  # noqa: S608
        return (entry_of(row) for rows in self._batches(wanted) for row in rows)

    def batches(self) -> Iterator[list[Entry]]:
        """All objects that are no folders, in the order of their keys."""
        wanted = f"SELECT {_COLUMNS} FROM objects WHERE key > ? AND NOT is_folder ORDER BY key LIMIT ?"  # noqa: S608
        return (list(map(entry_of, rows)) for rows in self._batches(wanted))

    def at(self, path: str) -> Entry | None:
        """The object that has a path."""
        wanted = f"SELECT {_COLUMNS} FROM objects WHERE path = ? AND NOT is_folder"  # noqa: S608
        row = self.database.first(wanted, [os.fsencode(path)])
        return entry_of(row) if row else None

    def has_folder(self, path: str) -> bool:
        """Whether anything lies below a path, or it is listed as a folder."""
        raw = os.fsencode(path)
        below = "SELECT 1 FROM objects WHERE (path > ? AND path < ?) OR (path = ? AND is_folder) LIMIT 1"
        # `0` follows `/` in ASCII: what begins with the path and a slash lies between the two.
        return self.database.first(below, [raw + b"/", raw + b"0", raw]) is not None

    def parent_of(self, earlier: Path) -> str | None:
        """The snapshot of a listing that was kept, if sizes and times tell every change since then.

        None where an object has another tag with the same size and time, and where nothing usable was kept.
        """
        if not earlier.is_file():
            return None
        self.database.run("ATTACH ? AS earlier", [str(earlier)])
        try:
            hidden = self.database.first(f"{_HIDDEN} LIMIT 1")
            kept = self.database.first("SELECT id FROM earlier.snapshot")
            return None if hidden or not kept else str(kept[0])
        except sqlite3.DatabaseError:
            return None
        finally:
            self.database.run("DETACH earlier")

    def folders_beside_objects(self, count: int) -> list[str]:
        """Paths that a folder and an object share; the first ones."""
        sign = os.fsencode(BESIDE_FOLDER)
        wanted = "SELECT path FROM objects WHERE substr(path, -?) = ? LIMIT ?"
        found = self.database.all(wanted, [len(sign), sign, count])
        return [os.fsdecode(path).removesuffix(BESIDE_FOLDER) for (path,) in found]

    def correct(self, key: str, *, size: int, modified_ns: int) -> None:
        """Take in that an object was another by the time it was read: which one is not known."""
        change = "UPDATE objects SET size = ?, modified = ?, etag = ? WHERE key = ?"
        self.database.run(change, [size, time_column(modified_ns), _UNKNOWN, os.fsencode(key)])

    def correct_as_saved(self, files: Sequence[SavedFile]) -> None:
        """Take in what a snapshot has in place of what was listed: which version of the objects is not known."""
        change = "INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?, '', ?, 0)"
        facts = [(key_of(f.path), f.size_bytes, time_column(f.modified_ns), f.path) for f in files]
        rows = [(os.fsencode(key), size, at, _UNKNOWN, os.fsencode(path)) for key, size, at, path in facts]
        self.database.run_each(change, rows)

    def keep_as(self, file: Path, *, snapshot_id: str) -> None:
        """Leave a copy in place of an earlier one, as what a snapshot was made of."""
        fresh = file.with_suffix(HALF)
        fresh.unlink(missing_ok=True)
        # Made here, since the umask decides who may read a file that SQLite makes.
        os.close(os.open(fresh, os.O_CREAT | os.O_WRONLY, 0o600))
        self.database.run("DELETE FROM snapshot")
        self.database.run("INSERT INTO snapshot VALUES (?)", [snapshot_id])
        self.database.run("VACUUM INTO ?", [str(fresh)])
        # In one step: a run that is cut off before it leaves the earlier listing whole.
        fresh.replace(file)

    def close(self) -> None:
        """Remove it, once no call uses it any more."""
        self.database.close()
        self.file.unlink(missing_ok=True)

    def _path(self, key: bytes, *, is_folder: bool) -> bytes:
        if is_folder:
            return os.fsencode(path_of(os.fsdecode(key[:-1]))) if key else b""
        wanted = "SELECT 1 FROM objects WHERE key >= ? AND key < ? LIMIT 1"
        below = self.database.first(wanted, [key + b"/", key + b"0"])
        return os.fsencode(path_of(os.fsdecode(key), beside_folder=below is not None))

    def _batches(self, wanted: str) -> Iterator[list[tuple[Any, ...]]]:
        last: bytes | int = BEFORE_ALL
        # From the last key on: with OFFSET, SQLite would walk over all earlier rows for each batch.
        while rows := self.database.all(wanted, [last, _BATCH]):
            last = rows[-1][0]
            yield rows


class Problems(Collection[UnreadablePath]):
    """What cannot be had of a source, kept in the file of its listing."""

    def __init__(self, listing: Listing) -> None:
        self._db = listing.database
        self._db.run("CREATE TABLE problems (key BLOB PRIMARY KEY, code TEXT, reason TEXT) WITHOUT ROWID")

    def add(self, key: str, why: ObjectUnread) -> None:
        """Add an object."""
        self._db.run("INSERT OR REPLACE INTO problems VALUES (?, ?, ?)", [os.fsencode(key), why.code, why.reason])

    def __len__(self) -> int:
        return self._db.count("SELECT count(*) FROM problems")

    def __iter__(self) -> Iterator[UnreadablePath]:
        wanted, last = "SELECT key, code, reason FROM problems WHERE key > ? ORDER BY key LIMIT ?", BEFORE_ALL
        while rows := self._db.all(wanted, [last, _BATCH]):
            last = rows[-1][0]
            for key, code, reason in rows:
                yield UnreadablePath(shown(os.fsdecode(key)), reason, code)

    def __contains__(self, problem: object) -> bool:
        return any(problem == each for each in self)


def shown(key: str) -> str:
    """A key as a path for people, whole."""
    return "/" + shown_path(key)


def entry_of(row: tuple[Any, ...]) -> Entry:
    """The object of a row with its key, size, time, tag, class and path."""
    key, size, modified, etag, storage_class, path = row
    at = int(modified)
    found = ListedObject(key=os.fsdecode(key), size=size, modified_ns=at, etag=etag, storage_class=storage_class)
    return Entry(found, os.fsdecode(path))
