"""Directories as the restore index keeps them: sorted pages of entries, each one compressed.

The form of an entry is that of `contracts.restore_index.DirectoryPage`.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from operator import itemgetter

import msgspec
import zstandard
from contracts.restore_index import PAGE_ENTRIES, DirectoryPage, Totals
from contracts.values import TreeId

from connector.repository import Directory, Entry
from connector.repository import Totals as Below

Attributes = list[tuple[bytes, bytes | None, int]]
Row = tuple[
    bytes, str, int, int, int, bytes | None, bytes | None, int, int, int, str, str, int | None,
    bytes | None, int | None, int | None, Attributes | None,
]  # fmt: skip
PAGE_BYTES_MAX = 500_000
ATTRIBUTE_BYTES_MAX = 1024
_CONTENT_BYTES = 8
_NOTHING = Below(0, 0, 0)
_by_name = itemgetter(0)


@dataclass(frozen=True)
class _Part:
    count: int
    packed: bytes


class PageMaker:
    """Makes pages; remembers the totals of every directory it has met, as parents show those of their children."""

    def __init__(self) -> None:
        self._totals: dict[str, Below] = {}
        self._pack = msgspec.msgpack.Encoder().encode
        self._compress = zstandard.ZstdCompressor(level=1, write_checksum=False).compress

    def remember(self, totals: Mapping[str, Below]) -> None:
        """Take in totals of directories that are known already."""
        self._totals.update(totals)

    def pages(self, directory: Directory) -> Iterator[DirectoryPage]:
        """The pages of a directory, in order. Everything below it must have been met before."""
        tree_id, entries, below = directory
        self._totals[tree_id] = below
        rows = sorted(map(self._row, entries), key=_by_name)
        starts = range(0, len(rows), PAGE_ENTRIES) if rows else (0,)
        parts = [part for start in starts for part in self._parts(rows[start : start + PAGE_ENTRIES])]
        totals = Totals.model_construct(files=below.files, directories=below.dirs, bytes=below.bytes)
        for number, part in enumerate(parts):
            yield DirectoryPage.model_construct(
                tree_id=TreeId(tree_id),
                page=number,
                pages=len(parts),
                count=part.count,
                total=len(rows),
                first_names=(),
                totals=totals,
                entries=part.packed,
            )

    def _parts(self, rows: list[Row]) -> list["_Part"]:
        """These rows as one part, or as several where long names that do not compress would make it too large."""
        packed = self._compress(self._pack(rows))
        if len(packed) <= PAGE_BYTES_MAX or len(rows) == 1:
            return [_Part(len(rows), packed)]
        middle = len(rows) // 2
        return self._parts(rows[:middle]) + self._parts(rows[middle:])

    def _row(self, entry: Entry) -> Row:
        size, subtree, files, target = entry.size, None, None, None
        if entry.type == "dir":
            below = self._totals.get(entry.subtree or "", _NOTHING)
            size, files = below.bytes, below.files
            subtree = bytes.fromhex(entry.subtree) if entry.subtree else None
        elif entry.type == "symlink":
            target = entry.link_target
        mtime_ns = entry.mtime_ns
        owner = (entry.uid, entry.gid, entry.links, entry.user, entry.group)
        times = (_since(mtime_ns, entry.ctime_ns), _since(mtime_ns, entry.atime_ns))
        return (
            entry.name, entry.type, size, mtime_ns, entry.st_mode, subtree, target, *owner, files,
            _digest(entry.content), *times, _attributes(entry),
        )  # fmt: skip


def _since(mtime_ns: int, moment_ns: int | None) -> int | None:
    return None if moment_ns is None else moment_ns - mtime_ns


def _digest(content: tuple[str, ...] | None) -> bytes | None:
    """What tells the content of a file from others: of one blob its own id, of more a hash over their ids."""
    if not content:
        return None
    if len(content) == 1:
        return bytes.fromhex(content[0][: 2 * _CONTENT_BYTES])
    return hashlib.sha256("".join(content).encode()).digest()[:_CONTENT_BYTES]


def _attributes(entry: Entry) -> Attributes | None:
    if not entry.extended_attributes:
        return None
    values = [(each.name.encode(), each.value or b"") for each in entry.extended_attributes]
    return [(name, value if len(value) <= ATTRIBUTE_BYTES_MAX else None, len(value)) for name, value in values]
