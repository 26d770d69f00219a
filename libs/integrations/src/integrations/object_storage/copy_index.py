"""The index of a local copy: for each file, of which object and version it is."""

import os
import stat
from collections.abc import Sequence
from pathlib import Path

from integrations.object_storage.listing import Entry, time_column
from integrations.object_storage.port import ListedObject
from integrations.object_storage.sqlite_file import Database

_TABLE = """
CREATE TABLE IF NOT EXISTS copied (
    path BLOB PRIMARY KEY, key BLOB, size INTEGER, modified INTEGER, etag TEXT
) WITHOUT ROWID
"""


class CopyIndex:
    """Kept from run to run beside the copy. A file without an entry is not trusted. Its calls block.

    No entry has another version than its file, wherever a run is cut off.
    """

    def __init__(self, file: Path) -> None:
        self._db = Database(file)
        self._db.run(_TABLE)

    def outdated(self, entries: Sequence[Entry], directory: Path) -> list[Entry]:
        """Those whose file in the copy is another version, or of which nothing is known; their entries go."""
        found = [entry for entry in entries if not self._has(entry, directory)]
        # Before the files are replaced: a run that is cut off leaves files without an entry, which are fetched anew.
        self._db.run_each("DELETE FROM copied WHERE path = ?", [(os.fsencode(each.path),) for each in found])
        return found

    def add(self, copied: Sequence[Entry]) -> None:
        """Files that are in place now."""
        rows = [(os.fsencode(e.path), *_version(e.object)) for e in copied]
        self._db.run_each("INSERT OR REPLACE INTO copied VALUES (?, ?, ?, ?, ?)", rows)

    def close(self) -> None:
        """Nothing can be asked of it any more."""
        self._db.close()

    def _has(self, entry: Entry, directory: Path) -> bool:
        kept = "SELECT key, size, modified, etag FROM copied WHERE path = ?"
        row = self._db.first(kept, [os.fsencode(entry.path)])
        # The file may have been changed or removed since its entry was written, so it is looked at as well.
        return row == _version(entry.object) and _is_there(entry.object, directory / entry.path)


def _version(found: ListedObject) -> tuple[bytes, int, int | bytes, str]:
    return os.fsencode(found.key), found.size, time_column(found.modified_ns), found.etag


def _is_there(found: ListedObject, file: Path) -> bool:
    try:
        status = file.lstat()
    except OSError:
        return False
    return stat.S_ISREG(status.st_mode) and (status.st_size, status.st_mtime_ns) == (found.size, found.modified_ns)
