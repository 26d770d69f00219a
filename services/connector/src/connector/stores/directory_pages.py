"""Directories as the restore index keeps them: sorted pages of entries, each one compressed.

The form of an entry is that of `contracts.messages.restore_index.DirectoryPage`.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from operator import itemgetter

import msgspec
import zstandard
from contracts.messages.restore_index import PAGE_ENTRIES, DirectoryPage, Totals
from contracts.values import TreeId
from restic_reader import Directory, Entry, LargeDirectory, Walked, check_names
from restic_reader import Totals as Below

Attributes = list[tuple[bytes, bytes | None, int]]
Beyond = tuple[bytes | None, bytes | None, bytes | None]
NearRow = tuple[
    bytes, str, int, int, int, bytes | None, bytes | None, int, int, int, str, str, int | None,
    bytes | None, int | None, int | None, Attributes | None,
]  # fmt: skip
Row = NearRow | tuple[*NearRow, Beyond]
PAGE_BYTES_MAX = 500_000
ATTRIBUTE_BYTES_MAX = 1024
_CONTENT_BYTES = 8
_NANOSECONDS_MOST = (1 << 63) - 1
# Of a page of a large directory, before it is compressed: Kafka accepts it even if it does not become smaller.
_ROWS_BYTES_MAX = 640_000
_ROW_BYTES_MOST = 120
"""Numbers, times, digest and the marks between them."""
_BEYOND_BYTES = 10
_BEYOND_ROW_BYTES_MOST = 40
_NEAR_YEARS = ("1900", "2190")
"""Times between these fit into eight bytes, and so does what is between them."""
_SUBTREE_BYTES_MOST = 44
_ATTRIBUTE_ROW_BYTES_MOST = 20
_NOTHING = Below(0, 0, 0)
_by_name = itemgetter(0)


@dataclass(frozen=True)
class _Part:
    count: int
    packed: bytes


Arrived = Callable[[str, int], int]
"""How many of the pages of a directory, of so many, need not be made."""


class PageMaker:
    """Makes the pages of directories; of large ones those that have not `arrived`."""

    def __init__(self, arrived: Arrived = lambda _tree_id, _pages: 0, *, entries_per_page: int = PAGE_ENTRIES) -> None:
        self._arrived = arrived
        self._entries_per_page = entries_per_page
        self._pack = msgspec.msgpack.Encoder().encode
        self._compress = zstandard.ZstdCompressor(level=1, write_checksum=False).compress

    def pages(self, directory: Walked) -> Iterator[DirectoryPage]:
        """The pages of a directory, in order. Raises `Damaged` for names that no files of one directory can have."""
        if isinstance(directory, LargeDirectory):
            return self._stream(directory)
        return self._split(directory)

    def _split(self, directory: Directory) -> Iterator[DirectoryPage]:
        rows = sorted((_row(entry, directory.below) for entry in directory.entries), key=_by_name)
        check_names(directory.tree_id, list(map(_by_name, rows)))
        most = self._entries_per_page
        starts = range(0, len(rows), most) if rows else (0,)
        parts = [part for start in starts for part in self._parts(rows[start : start + most])]
        return _numbered(directory, parts, len(parts))

    def _parts(self, rows: list[Row]) -> list[_Part]:
        """These rows as one part, or as several where long names that do not compress would make it too large."""
        packed = self._compress(self._pack(rows))
        if len(packed) <= PAGE_BYTES_MAX or len(rows) == 1:
            return [_Part(len(rows), packed)]
        middle = len(rows) // 2
        return self._parts(rows[:middle]) + self._parts(rows[middle:])

    def _stream(self, directory: LargeDirectory) -> Iterator[DirectoryPage]:
        """The pages of a directory that does not fit into memory."""
        # Read twice, because each page says how many there are. Where pages end is decided by upper bounds of the sizes
        # of rows, so that the first pass need not pack and compress anything.
        entries = (entry for part in directory.parts() for entry in part)
        counts = list(_page_counts(entries, self._entries_per_page))
        first = self._arrived(directory.tree_id, len(counts))
        rows = _rows(directory, skipped=sum(counts[:first]))
        parts = (_Part(count, self._compress(self._pack(list(islice(rows, count))))) for count in counts[first:])
        return _numbered(directory, parts, len(counts), first=first)


def _rows(directory: LargeDirectory, *, skipped: int) -> Iterator[Row]:
    for part in directory.parts():
        entries = part[skipped:]
        skipped = max(skipped - len(part), 0)
        below = directory.below(entries)
        rows = [_row(entry, below) for entry in entries]
        check_names(directory.tree_id, list(map(_by_name, rows)))
        yield from rows


def _numbered(directory: Walked, parts: Iterable[_Part], pages: int, *, first: int = 0) -> Iterator[DirectoryPage]:
    below = directory.totals
    totals = Totals.model_construct(files=below.files, directories=below.dirs, bytes=below.bytes)
    for number, part in enumerate(parts, first):
        yield DirectoryPage.model_construct(
            tree_id=TreeId(directory.tree_id),
            page=number,
            pages=pages,
            count=part.count,
            total=directory.size,
            first_names=(),
            totals=totals,
            entries=part.packed,
        )


def _page_counts(entries: Iterable[Entry], entries_per_page: int) -> Iterator[int]:
    """How many entries each page has, so that none can be too large even if nothing in it can be compressed."""
    count = size = 0
    for entry in entries:
        most = _bytes_most(entry)
        if count == entries_per_page or (count and size + most > _ROWS_BYTES_MAX):
            yield count
            count = size = 0
        count, size = count + 1, size + most
    if count:
        yield count


def _bytes_most(entry: Entry) -> int:
    """At least what the packed row of an entry takes."""
    size = _ROW_BYTES_MOST + sum(map(_utf8_most, (entry.quoted_name, entry.type, entry.user, entry.group)))
    if entry.subtree is not None:
        size += _SUBTREE_BYTES_MOST
    elif entry.type == "symlink":
        size += _utf8_most(entry.linktarget) + len(entry.linktarget_raw or b"")
    if any(text and not _NEAR_YEARS[0] <= text < _NEAR_YEARS[1] for text in (entry.mtime, entry.ctime, entry.atime)):
        size += _BEYOND_ROW_BYTES_MOST
    for attribute in entry.extended_attributes or ():
        value = attribute.value or b""
        size += _ATTRIBUTE_ROW_BYTES_MOST + _utf8_most(attribute.name) + min(len(value), ATTRIBUTE_BYTES_MAX)
    return size


def _utf8_most(text: str) -> int:
    return len(text) if text.isascii() else 4 * len(text)


def _row(entry: Entry, below: Mapping[str, Below]) -> Row:
    # Not split: it runs once for each new entry of a store, of which there may be millions, and each call costs.
    size, subtree, files, target = entry.size, None, None, None
    if entry.type == "dir":
        of_child = below.get(entry.subtree or "", _NOTHING)
        size, files = of_child.bytes, of_child.files
        subtree = bytes.fromhex(entry.subtree) if entry.subtree else None
    elif entry.type == "symlink":
        target = entry.link_target
    mtime, mtime_ns = entry.mtime, entry.mtime_ns
    owner = (entry.uid, entry.gid, entry.links, entry.user, entry.group)
    # Most texts are equal, and then need not be read.
    ctime = 0 if entry.ctime == mtime else _since(mtime_ns, entry.ctime_ns)
    atime = 0 if entry.atime == mtime else _since(mtime_ns, entry.atime_ns)
    beyond = None
    if not _fits(mtime_ns) or (ctime and not _fits(ctime)) or (atime and not _fits(atime)):
        beyond = _beyond(mtime_ns, ctime, atime)
        mtime_ns, ctime, atime = _nearest(mtime_ns, ctime, atime)
    row = (
        entry.name, entry.type, size, mtime_ns, entry.st_mode, subtree, target, *owner, files,
        _digest(entry.content), ctime, atime, _attributes(entry),
    )  # fmt: skip
    return row if beyond is None else (*row, beyond)


def _since(mtime_ns: int, moment_ns: int | None) -> int | None:
    return None if moment_ns is None else moment_ns - mtime_ns


def _fits(nanoseconds: int) -> bool:
    return -_NANOSECONDS_MOST <= nanoseconds <= _NANOSECONDS_MOST


def _beyond(mtime_ns: int, *since: int | None) -> Beyond:
    """Times as they are, where one of them does not fit into eight bytes: restic has the years 0 to 9999."""
    ctime, atime = ((None if each is None else mtime_ns + each) for each in since)
    return _packed_moment(mtime_ns), _packed_moment(ctime), _packed_moment(atime)


def _packed_moment(nanoseconds: int | None) -> bytes | None:
    return None if nanoseconds is None else nanoseconds.to_bytes(_BEYOND_BYTES, signed=True)


def _nearest(mtime_ns: int, *since: int | None) -> tuple[int, int | None, int | None]:
    """The nearest times that fit into eight bytes."""
    # For readers of versions before the exact times stood at the end of a row.
    nearest = _in_range(mtime_ns)
    ctime, atime = (None if each is None else _in_range(mtime_ns + each - nearest) for each in since)
    return nearest, ctime, atime


def _in_range(nanoseconds: int) -> int:
    return min(max(nanoseconds, -_NANOSECONDS_MOST), _NANOSECONDS_MOST)


def _digest(content: tuple[str, ...] | None) -> bytes | None:
    """What tells the content of a file from others: of one blob its own id, of more a hash over their ids."""
    if not content:
        return None
    if len(content) == 1:
        try:
            return bytes.fromhex(content[0][: 2 * _CONTENT_BYTES])
        except ValueError:  # not an id: reading the file will say so
            pass
    return hashlib.sha256("".join(content).encode()).digest()[:_CONTENT_BYTES]


def _attributes(entry: Entry) -> Attributes | None:
    if not entry.extended_attributes:
        return None
    values = [(each.name.encode(), each.value or b"") for each in entry.extended_attributes]
    return [(name, value if len(value) <= ATTRIBUTE_BYTES_MAX else None, len(value)) for name, value in values]
