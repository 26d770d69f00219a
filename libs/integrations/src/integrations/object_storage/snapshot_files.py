"""The files of a snapshot, beside what the source listed: where the two differ, the source is asked again."""

import os
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from integrations.object_storage.listing import BEFORE_ALL, Entry, Listing, entry_of, time_column
from integrations.sdk.locations import SavedFile

_BATCH = 1000
_TABLE = "CREATE TABLE saved (path BLOB PRIMARY KEY, size INTEGER, modified INTEGER) WITHOUT ROWID"
_UNNAMED = "o.path > ? AND NOT o.is_folder AND o.key NOT IN (SELECT key FROM problems)"
_LACKING = f"""
SELECT o.key, o.size, o.modified, o.etag, o.class, o.path FROM objects o LEFT JOIN saved s ON s.path = o.path
WHERE {_UNNAMED} AND s.path IS NULL ORDER BY o.path LIMIT ?
"""  # noqa: S608 - it is made of the text above.
_OTHER = """
SELECT s.path, s.size, s.modified FROM saved s LEFT JOIN objects o ON o.path = s.path AND NOT o.is_folder
WHERE s.path > ? AND (o.key IS NULL OR o.size <> s.size) ORDER BY s.path LIMIT ?
"""
# `total` is 0 where there are no rows, and `sum` would be NULL; as a float it is exact up to 9 PB.
_AMOUNT = """
SELECT count(*), total(size) FROM objects WHERE NOT is_folder AND key NOT IN (SELECT key FROM problems)
"""


class SnapshotFiles:
    """The files of one snapshot, in the database of the listing that it was made from. Its calls block."""

    def __init__(self, listing: Listing) -> None:
        self._db = listing.database

    def adds_up(self, *, files: int, size_bytes: int) -> bool:
        """See `SourceComparison.adds_up`."""
        [(listed, listed_bytes)] = self._db.all(_AMOUNT)
        return (int(listed), int(listed_bytes)) == (files, size_bytes)

    def take_in(self, saved: Iterable[SavedFile]) -> None:
        """Take these in, and nothing that was taken in before."""
        self._db.run("DROP TABLE IF EXISTS saved")
        self._db.run(_TABLE)
        rows = ((os.fsencode(each.path), each.size_bytes, time_column(each.modified_ns)) for each in saved)
        while batch := list(islice(rows, _BATCH)):
            self._db.run_each("INSERT OR REPLACE INTO saved VALUES (?, ?, ?)", batch)

    def lacking(self) -> Iterator[list[Entry]]:
        """Objects that are listed and that the snapshot lacks, but for those among the problems."""
        for rows in self._batches(_LACKING, path_at=5):
            yield list(map(entry_of, rows))

    def other(self) -> Iterator[list[SavedFile]]:
        """Files of the snapshot that are not listed, or with another size."""
        for rows in self._batches(_OTHER, path_at=0):
            yield [SavedFile(os.fsdecode(path), size, int(modified)) for path, size, modified in rows]

    def forget(self) -> None:
        """Drop what was taken in."""
        self._db.run("DROP TABLE IF EXISTS saved")

    def _batches(self, wanted: str, *, path_at: int) -> Iterator[list[tuple[Any, ...]]]:
        last: bytes | int = BEFORE_ALL
        while rows := self._db.all(wanted, [last, _BATCH]):
            last = rows[-1][path_at]
            yield rows
