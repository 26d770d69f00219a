"""Names, as searches read them: what one message brought of directories, in columns, each packed by itself.

A segment holds pages in the order in which they came: children before their parents. The columns, all in the order of
the entries:

`names`   the names, each with a NUL after it
`text`    the same names folded for comparing (`domain.folding`); empty where that is `names` in lower case
`columns` types (1 byte each), modes (4), sizes (8) and mtimes in milliseconds (8); of these numbers first all lowest
          bytes, then all second lowest ones, ..., which packs well
`links`   the targets of the symbolic links alone, as a MessagePack array
"""

import sys
import threading
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain, compress
from typing import NamedTuple

import msgspec
import zstandard
from contracts.errors import Conflict

from restore_index.domain.case_folding import fold
from restore_index.domain.entries import Entry

TREE_BYTES = 32
TYPES = ("file", "dir", "symlink", "dev", "chardev", "fifo", "socket", "irregular")
"""Types by their code; what is of no type known is irregular."""
_CODES = {name: code for code, name in enumerate(TYPES)}
_IRREGULAR, _SYMLINK = _CODES["irregular"], _CODES["symlink"]
_NUL = b"\\x00"
_SIDE_BY_SIDE = ("trees", "pages", "of", "files", "counts", "name_ends", "child_entries", "child_trees")
_LARGEST_SIZE = 2**64 - 1


class _Local(threading.local):
    """What a thread unpacks with: making that anew for each segment costs as much as unpacking a small one."""

    def __init__(self) -> None:
        self.unpacker = zstandard.ZstdDecompressor()


_LOCAL = _Local()


class NamesDamaged(Conflict):
    """A segment cannot be read."""

    def __init__(self) -> None:
        detail = "Names of this store are damaged in the index: refresh the store with `rebuild` set."
        super().__init__("names_damaged", detail)


class NamedPage(NamedTuple):
    """One page of a directory, out of how many, the files below the directory, and the entries of the page."""

    tree_id: bytes
    page: int
    pages: int
    files: int
    entries: Sequence[Entry]


@dataclass(frozen=True)
class Segment:
    """Some pages, packed. See above for what its columns are."""

    frame: bytes
    names: bytes
    text: bytes
    columns: bytes
    links: bytes


class _Packed(msgspec.Struct, array_like=True, frozen=True, gc=False):
    trees: bytes
    pages: bytes
    of: bytes
    files: bytes
    counts: bytes
    name_ends: bytes
    text_ends: bytes
    child_pages: bytes
    child_entries: bytes
    child_trees: bytes


@dataclass(frozen=True)
class Frame:
    """How the pages of a segment lie in its columns, and the directories below them. All arrays are of unsigned ints.

    `trees` has 32 bytes for each page; `pages` is its number, `of` how many the directory has, and `files` how many are
    below that. `entries`, `names` and `texts` have one element more than there are pages: page n has what is from
    element n up to element n + 1 (rows; bytes of `names`; bytes of what `text` stands for). Child m is entry
    `child_entries[m]` of page `child_pages[m]` and has the id `child_trees[32 * m:][:32]`; children come in the order
    of the pages.
    """

    trees: bytes
    pages: "array[int]"
    of: "array[int]"
    files: "array[int]"
    entries: "array[int]"
    names: "array[int]"
    texts: "array[int]"
    child_pages: "array[int]"
    child_entries: "array[int]"
    child_trees: bytes

    def __len__(self) -> int:
        """How many pages there are."""
        return len(self.pages)

    def tree(self, page: int) -> bytes:
        """The id of the directory that a page is of."""
        return self.trees[page * TREE_BYTES : (page + 1) * TREE_BYTES]

    def child(self, number: int) -> bytes:
        """The id of a child."""
        return self.child_trees[number * TREE_BYTES : (number + 1) * TREE_BYTES]

    def children(self) -> Iterator[list[bytes]]:
        """The ids of the children of each page."""
        start = 0
        for page in range(len(self)):
            end = bisect_right(self.child_pages, page, start)
            yield [self.child(number) for number in range(start, end)]
            start = end


@dataclass(frozen=True)
class Columns:
    """What is known of each entry beside its name."""

    types: bytes
    modes: "array[int]"
    sizes: "array[int]"
    mtimes: "array[int]"


def pack_segment(pages: Sequence[NamedPage]) -> Segment:
    """Pages as a segment."""
    entries = list(chain.from_iterable(page.entries for page in pages))
    names = [_joined([entry.name for entry in page.entries]) for page in pages]
    texts = [] if all(map(bytes.isascii, names)) else [fold(part) for part in names]
    children = [
        (number, place, entry.subtree)
        for number, page in enumerate(pages)
        for place, entry in enumerate(page.entries)
        if entry.subtree is not None
    ]
    frame = _Packed(
        trees=b"".join(page.tree_id for page in pages),
        pages=_numbers(page.page for page in pages),
        of=_numbers(page.pages for page in pages),
        files=_raw(array("Q", [page.files for page in pages])),
        counts=_numbers(len(page.entries) for page in pages),
        name_ends=_numbers(map(len, names)),
        text_ends=_numbers(map(len, texts)),
        child_pages=_numbers(child[0] for child in children),
        child_entries=_numbers(child[1] for child in children),
        child_trees=b"".join(child[2] for child in children),
    )
    types = bytes([_CODES.get(entry.type, _IRREGULAR) for entry in entries])
    links = [entry.link_target or b"" for entry in entries if entry.type == "symlink"] if _SYMLINK in types else []
    return _segment(frame, b"".join(names), b"".join(texts), _columns(entries, types), links)


def read_frame(segment: Segment) -> Frame:
    """The frame of a segment. Raises `NamesDamaged` when it cannot be read, as all readers here do."""
    packed = _frame(segment)
    names = _ends(packed.name_ends)
    frame = Frame(
        trees=packed.trees,
        pages=_array("I", packed.pages),
        of=_array("I", packed.of),
        files=_array("Q", packed.files),
        entries=_ends(packed.counts),
        names=names,
        texts=_ends(packed.text_ends) if segment.text else names,
        child_pages=_array("I", packed.child_pages),
        child_entries=_array("I", packed.child_entries),
        child_trees=packed.child_trees,
    )
    pages, children = len(frame), len(frame.child_pages)
    lengths = (
        len(frame.of),
        len(frame.files),
        len(frame.entries) - 1,
        len(names) - 1,
        len(frame.texts) - 1,
        len(frame.trees) / TREE_BYTES,
    )
    if set(lengths) - {pages} or {len(frame.child_entries), len(frame.child_trees) / TREE_BYTES} - {children}:
        raise NamesDamaged
    return frame


def read_whole(segment: Segment) -> Frame:
    """The frame of a segment, after all of it was read: whoever keeps the frame can rely on the rest."""
    frame, columns = read_frame(segment), read_columns(segment)
    if len(read_names(segment)) != frame.names[-1] or len(columns.types) != frame.entries[-1]:
        raise NamesDamaged
    if segment.text and len(read_text(segment)) != frame.texts[-1]:
        raise NamesDamaged
    if len(read_links(segment)) != columns.types.count(_SYMLINK):
        raise NamesDamaged
    return frame


def read_names(segment: Segment) -> bytes:
    """All names, each with a NUL after it."""
    return _unpacked(segment.names)


def read_text(segment: Segment) -> bytes:
    """All names folded, each with a NUL after it."""
    return _unpacked(segment.text) if segment.text else _unpacked(segment.names).lower()


def read_columns(segment: Segment) -> Columns:
    """Types, modes, sizes and times."""
    packed = _unpacked(segment.columns)
    count, rest = divmod(len(packed), 21)
    if rest:
        raise NamesDamaged
    planes = [packed[start : start + count] for start in range(count, len(packed), count)] if count else [b""] * 20
    return Columns(packed[:count], _woven("I", planes[:4]), _woven("Q", planes[4:12]), _woven("q", planes[12:]))


def read_links(segment: Segment) -> list[bytes]:
    """The targets of the symbolic links."""
    try:
        return msgspec.msgpack.decode(_unpacked(segment.links), type=list[bytes]) if segment.links else []
    except msgspec.MsgspecError:
        raise NamesDamaged from None


def select_pages(segment: Segment, kept: Sequence[bool]) -> Segment:
    """A segment with some of its pages; `kept` has one element for each."""
    frame, columns = read_frame(segment), read_columns(segment)
    pages = [number for number, keep in enumerate(kept) if keep]
    renumbered = {old: new for new, old in enumerate(pages)}
    children = [m for m, page in enumerate(frame.child_pages) if kept[page]]
    rows = bytearray(len(columns.types))
    for n in pages:
        rows[frame.entries[n] : frame.entries[n + 1]] = b"\1" * (frame.entries[n + 1] - frame.entries[n])
    left = _Packed(
        trees=b"".join(frame.tree(n) for n in pages),
        pages=_numbers(frame.pages[n] for n in pages),
        of=_numbers(frame.of[n] for n in pages),
        files=_raw(array("Q", [frame.files[n] for n in pages])),
        counts=_numbers(frame.entries[n + 1] - frame.entries[n] for n in pages),
        name_ends=_numbers(frame.names[n + 1] - frame.names[n] for n in pages),
        text_ends=_numbers(frame.texts[n + 1] - frame.texts[n] for n in pages) if segment.text else b"",
        child_pages=_numbers(renumbered[frame.child_pages[m]] for m in children),
        child_entries=_numbers(frame.child_entries[m] for m in children),
        child_trees=b"".join(frame.child(m) for m in children),
    )
    links = compress(
        read_links(segment), [kept for kept, code in zip(rows, columns.types, strict=True) if code == _SYMLINK]
    )
    return _segment(
        left,
        _parts(read_names(segment), frame.names, pages),
        _parts(read_text(segment), frame.texts, pages) if segment.text else b"",
        _woven_apart(
            bytes(compress(columns.types, rows)),
            array("I", compress(columns.modes, rows)),
            array("Q", compress(columns.sizes, rows)),
            array("q", compress(columns.mtimes, rows)),
        ),
        list(links),
    )


def join_segments(segments: Sequence[Segment]) -> Segment:
    """The pages of several segments in one, in their order."""
    frames, columns = [_frame(each) for each in segments], [read_columns(each) for each in segments]
    starts = accumulate((len(frame.trees) // TREE_BYTES for frame in frames), initial=0)
    numbered = zip(frames, starts, strict=False)
    folded = any(each.text for each in segments)
    text_ends = [f.text_ends if s.text else f.name_ends for f, s in zip(frames, segments, strict=True)]
    joined = _Packed(
        **{part: b"".join(getattr(frame, part) for frame in frames) for part in _SIDE_BY_SIDE},
        text_ends=b"".join(text_ends) if folded else b"",
        child_pages=_numbers(start + page for frame, start in numbered for page in _array("I", frame.child_pages)),
    )
    return _segment(
        joined,
        b"".join(map(read_names, segments)),
        b"".join(map(read_text, segments)) if folded else b"",
        _woven_apart(
            b"".join(each.types for each in columns),
            array("I", chain.from_iterable(each.modes for each in columns)),
            array("Q", chain.from_iterable(each.sizes for each in columns)),
            array("q", chain.from_iterable(each.mtimes for each in columns)),
        ),
        list(chain.from_iterable(map(read_links, segments))),
    )


def _joined(names: Sequence[bytes]) -> bytes:
    joined = b"\0".join([*names, b""])
    return joined if joined.count(b"\0") == len(names) else b"\0".join([*(n.replace(b"\0", _NUL) for n in names), b""])


def _columns(entries: Sequence[Entry], types: bytes) -> bytes:
    mtimes = array("q", [entry.mtime_ns // 1_000_000 for entry in entries])
    try:
        modes, sizes = array("I", [entry.mode for entry in entries]), array("Q", [entry.size for entry in entries])
    except OverflowError:
        modes = array("I", [entry.mode & 0xFFFFFFFF for entry in entries])
        sizes = array("Q", [min(max(entry.size, 0), _LARGEST_SIZE) for entry in entries])
    return _woven_apart(types, modes, sizes, mtimes)


def _woven_apart(types: bytes, *numbers: "array[int]") -> bytes:
    planes = [types]
    for column in numbers:
        raw = _raw(column)
        planes += [raw[place :: column.itemsize] for place in range(column.itemsize)]
    return b"".join(planes)


def _woven(code: str, planes: Sequence[bytes]) -> "array[int]":
    raw = bytearray(len(planes) * len(planes[0]))
    for place, plane in enumerate(planes):
        raw[place :: len(planes)] = plane
    return _array(code, raw)


def _segment(frame: _Packed, names: bytes, text: bytes, columns: bytes, links: list[bytes]) -> Segment:
    pack = zstandard.ZstdCompressor(level=1, write_checksum=True).compress
    return Segment(
        frame=pack(msgspec.msgpack.encode(frame)),
        names=pack(names),
        text=pack(text) if text else b"",
        columns=pack(columns),
        links=pack(msgspec.msgpack.encode(links)) if links else b"",
    )


def _frame(segment: Segment) -> _Packed:
    try:
        return msgspec.msgpack.decode(_unpacked(segment.frame), type=_Packed)
    except msgspec.MsgspecError:
        raise NamesDamaged from None


def _unpacked(packed: bytes) -> bytes:
    try:
        return _LOCAL.unpacker.decompress(packed)
    except zstandard.ZstdError:
        raise NamesDamaged from None


def _parts(joined: bytes, ends: "array[int]", pages: Iterable[int]) -> bytes:
    return b"".join(joined[ends[n] : ends[n + 1]] for n in pages)


def _numbers(values: Iterable[int]) -> bytes:
    return _raw(array("I", values))


def _ends(lengths: bytes) -> "array[int]":
    return array("I", accumulate(_array("I", lengths), initial=0))


def _raw(numbers: "array[int]") -> bytes:
    if sys.byteorder == "big":
        numbers = numbers[:]
        numbers.byteswap()
    return numbers.tobytes()


def _array(code: str, raw: bytes | bytearray) -> "array[int]":
    numbers = array(code)
    try:
        numbers.frombytes(raw)
    except ValueError:
        raise NamesDamaged from None
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers
