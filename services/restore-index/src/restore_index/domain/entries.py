"""What a directory's page holds, packed and unpacked."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from operator import lt
from typing import NamedTuple, TypeVar

import msgspec
import zstandard
from contracts.errors import Invalid
from contracts.messages.restore_index import PAGE_ENTRIES, DirectoryPage

# Messages are packed: without a bound a forged page of some kilobytes would fill the memory.
UNPACKED_BYTES_MOST = 64 << 20
_MOST_NS = (1 << 63) - 1
_AT_THE_END = (_MOST_NS.to_bytes(8), (-_MOST_NS).to_bytes(8, signed=True))
"""How a time that follows further on, or is the last that fits, is written in a packed page."""
_BEYOND_BYTES_MOST = 10
_TREE_ID = re.compile("[0-9a-f]{64}")
T = TypeVar("T")
E = TypeVar("E", "Entry", "SortFields")


# gc=False here and below: rows come by the million and cannot form cycles, so they need no garbage collector.
class Entry(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What is shown of a file or directory; a packed entry goes on after these fields (see `DirectoryPage`)."""

    name: bytes
    type: str
    size: int
    mtime_ns: int
    mode: int
    subtree: bytes | None
    link_target: bytes | None


class FullEntry(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """All about a file or directory, see `DirectoryPage`; fields that older workers did not send have defaults."""

    name: bytes
    type: str
    size: int
    mtime_ns: int
    mode: int
    subtree: bytes | None = None
    link_target: bytes | None = None
    uid: int = 0
    gid: int = 0
    links: int = 1
    user: str = ""
    group: str = ""
    files: int | None = None
    content: bytes | None = None
    ctime_since: int | None = None
    atime_since: int | None = None
    attributes: tuple[tuple[bytes, bytes | None, int], ...] | None = None
    beyond: tuple[bytes | None, bytes | None, bytes | None] | None = None
    """Only while a row is being read: afterwards the times themselves are what they are, however far away."""


class SortFields(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What entries are sorted by: quick to read by the million."""

    name: bytes
    type: str
    size: int
    mtime_ns: int


class Below(msgspec.Struct, frozen=True, gc=False):
    """`contracts.messages.base.restore_index.Totals` of a directory, in a form that is quick by the thousand."""

    files: int
    directories: int
    bytes: int


class PageContents(NamedTuple):
    """The first name in a page, the ids of the directories right below it, and its entries."""

    first_name: bytes
    subtrees: set[str]
    entries: list[Entry]


_entries = msgspec.msgpack.Decoder(list[Entry])
_rows = msgspec.msgpack.Decoder(list[msgspec.Raw])
_measured = msgspec.msgpack.Decoder(list[SortFields])
_full_entry = msgspec.msgpack.Decoder(FullEntry)


def unpack(packed: bytes) -> list[Entry]:
    """The entries of a page. Raises `Invalid` (`page_damaged`) when these are not the bytes of a page."""
    return _with_real_times(_entries, packed)


def unpack_rows(packed: bytes) -> list[bytes]:
    """The entries of a page, each still packed: quick to be compared. Raises as `unpack` does."""
    return [bytes(row) for row in _decoded(_rows, packed)]


def unpack_sort_fields(packed: bytes) -> list[SortFields]:
    """What the entries of a page are sorted by. Raises as `unpack` does."""
    return _with_real_times(_measured, packed)


def read_row(row: bytes | msgspec.Raw) -> FullEntry:
    """One of `unpack_rows`, read whole. Raises `Invalid` (`page_damaged`)."""
    try:
        entry = _full_entry.decode(row)
    except msgspec.MsgspecError:
        raise _damaged("an entry cannot be unpacked") from None
    return entry if entry.beyond is None else _with_times(entry, *entry.beyond)


def _with_times(entry: FullEntry, mtime: bytes | None, ctime: bytes | None, atime: bytes | None) -> FullEntry:
    mtime_ns = _moment(mtime)
    if mtime_ns is None:
        raise _damaged("an entry has no time")
    since = [None if each is None else each - mtime_ns for each in map(_moment, (ctime, atime))]
    return msgspec.structs.replace(
        entry, mtime_ns=mtime_ns, ctime_since=since[0], atime_since=since[1], beyond=None
    )  # fmt: skip


def _moment(packed: bytes | None) -> int | None:
    if packed is not None and len(packed) > _BEYOND_BYTES_MOST:
        raise _damaged("an entry has a time that nothing has")
    return None if packed is None else int.from_bytes(packed, signed=True)


def _with_real_times(decoder: msgspec.msgpack.Decoder[list[E]], packed: bytes) -> list[E]:
    """Beginnings of entries. A time that does not fit into eight bytes is taken from the end of its row.

    Whether there is any is found in the bytes: looking at each entry would cost as much as unpacking it.
    """
    data = _expanded(packed)
    entries = _read(decoder, data)
    if any(end in data for end in _AT_THE_END):
        rows: list[msgspec.Raw] = _read(_rows, data)
        for place, row in enumerate(rows):
            if abs(entries[place].mtime_ns) == _MOST_NS:
                entries[place] = msgspec.structs.replace(entries[place], mtime_ns=read_row(row).mtime_ns)
    return entries


def _decoded(decoder: msgspec.msgpack.Decoder[T], packed: bytes) -> T:
    return _read(decoder, _expanded(packed))


def _expanded(packed: bytes) -> bytes:
    try:
        # The size is written in front of what is packed: that is looked at before anything is unpacked.
        if zstandard.frame_content_size(packed) > UNPACKED_BYTES_MOST:
            raise _damaged("it would be too large")
        return zstandard.decompress(packed, max_output_size=UNPACKED_BYTES_MOST)
    except zstandard.ZstdError:
        raise _damaged("its entries cannot be unpacked") from None


def _read(decoder: msgspec.msgpack.Decoder[T], data: bytes) -> T:
    try:
        return decoder.decode(data)
    except msgspec.MsgspecError:
        raise _damaged("its entries cannot be unpacked") from None


def check_page(page: DirectoryPage) -> PageContents:
    """What a page that was received holds, after checking that it is what it says.

    Raises `Invalid` (`page_damaged`).
    """
    if not _TREE_ID.fullmatch(page.tree_id):
        raise _damaged("its id is not 64 hex digits")
    entries = unpack(page.entries)
    _check_numbers(page, len(entries))
    names = [entry.name for entry in entries]
    # Browsing bisects names and comparing merges them: an order that is only nearly right would hide files.
    if not all(map(lt, names, names[1:])):
        raise _damaged("its entries are not sorted")
    subtrees = [entry.subtree for entry in entries if entry.subtree is not None]
    if any(len(subtree) != 32 for subtree in subtrees):
        raise _damaged("an id of a directory below it is not 32 bytes long")
    return PageContents(names[0] if names else b"", {subtree.hex() for subtree in subtrees}, entries)


def _check_numbers(page: DirectoryPage, count: int) -> None:
    """Raise `Invalid` unless the numbers of a page fit each other and the `count` of its entries."""
    if page.page >= page.pages or page.count != count or count > PAGE_ENTRIES:
        raise _damaged("its numbers do not fit")
    if page.pages == 1 and page.total != count:
        raise _damaged("its numbers do not fit")
    if page.pages > 1 and not count:
        raise _damaged("a page among others is empty")


class Rows:
    """The entries of a page, sorted by name, each read when it is asked for. Raises as `unpack` does."""

    def __init__(self, packed: bytes) -> None:
        self._rows = _decoded(_rows, packed) if packed else []

    def __len__(self) -> int:
        """How many there are."""
        return len(self._rows)

    def __getitem__(self, place: int) -> FullEntry:
        """One of them."""
        return read_row(self._rows[place])

    def find(self, name: bytes) -> FullEntry | None:
        """The entry of that name."""
        place = bisect_left(range(len(self)), name, key=lambda number: self[number].name)
        found = self[place] if place < len(self) else None
        return found if found and found.name == name else None


def page_with(first_names: Sequence[bytes], name: bytes) -> int:
    """The number of the page in which a name must be, if it is anywhere."""
    return max(bisect_right(first_names, name) - 1, 0)


def _damaged(why: str) -> Invalid:
    return Invalid("page_damaged", f"A page of a directory is not what it says: {why}.")
