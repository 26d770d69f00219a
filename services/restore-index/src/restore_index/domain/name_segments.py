"""Segments of names, as searches read them: what one message brought of directories, each column packed by itself.

A segment holds pages in the order in which they came: children before their parents. The columns, all in the order of
the entries:

`names`   the names, each with a NUL after it
`text`    the same names folded for comparing (`domain.case_folding`); empty where that is `names` in lower case
`columns` types (1 byte each), modes (4), sizes (8) and mtimes in milliseconds (8), see `domain.segment_columns`
`links`   the targets of the symbolic links alone, as a MessagePack array

`frame` says which part of them belongs to which page, see `domain.segment_frame`.
"""

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain, compress
from typing import NamedTuple

import msgspec
import zstandard

from restore_index.domain.case_folding import fold
from restore_index.domain.entries import Entry
from restore_index.domain.packed_numbers import NamesDamaged, to_array, to_bytes, uints_to_bytes, unpack_bytes
from restore_index.domain.segment_columns import (
    SYMLINK,
    Columns,
    columns_of,
    interleave,
    join_columns,
    select_rows,
    unpack_columns,
)
from restore_index.domain.segment_frame import (
    TREE_BYTES,
    Frame,
    PackedFrame,
    select_from_frame,
    unpack_frame,
    unpack_packed_frame,
)

_SHOWN_NUL = b"\\x00"
_SIDE_BY_SIDE = ("trees", "pages", "of", "files", "counts", "name_ends", "child_entries", "child_trees")
"""Parts of a packed frame that can be joined as they are."""


class NamedPage(NamedTuple):
    """One page of a directory, out of how many, the files below the directory, and the entries of the page."""

    tree_id: bytes
    page: int
    pages: int
    files: int
    entries: Sequence[Entry]


@dataclass(frozen=True)
class Segment:
    """Some pages, packed. See above for what its columns are; they are stored under these names."""

    frame: bytes
    names: bytes
    text: bytes
    columns: bytes
    links: bytes


def pack_segment(pages: Sequence[NamedPage]) -> Segment:
    """Pages as a segment."""
    entries = list(chain.from_iterable(page.entries for page in pages))
    names = [_join_names([entry.name for entry in page.entries]) for page in pages]
    # Text that is all ASCII folds to its lower case, which readers make themselves: that saves a third of a segment.
    texts = [] if all(map(bytes.isascii, names)) else [fold(part) for part in names]
    columns = columns_of(entries)
    return _pack(_frame_of(pages, names, texts), b"".join(names), b"".join(texts), columns, _link_targets(entries))


def read_frame(segment: Segment) -> Frame:
    """The frame of a segment. Raises `NamesDamaged` when it cannot be read, as all readers here do."""
    return unpack_frame(segment.frame, has_text=bool(segment.text))


def read_whole(segment: Segment) -> Frame:
    """The frame of a segment, after all of it was read: whoever keeps the frame can rely on the rest."""
    frame, columns = read_frame(segment), read_columns(segment)
    if len(read_names(segment)) != frame.names[-1] or len(columns.types) != frame.entries[-1]:
        raise NamesDamaged
    if segment.text and len(read_text(segment)) != frame.texts[-1]:
        raise NamesDamaged
    if len(read_links(segment)) != columns.types.count(SYMLINK):
        raise NamesDamaged
    return frame


def read_names(segment: Segment) -> bytes:
    """All names, each with a NUL after it."""
    return unpack_bytes(segment.names)


def read_text(segment: Segment) -> bytes:
    """All names folded, each with a NUL after it."""
    return unpack_bytes(segment.text) if segment.text else unpack_bytes(segment.names).lower()


def read_columns(segment: Segment) -> Columns:
    """Types, modes, sizes and times."""
    return unpack_columns(segment.columns)


def read_links(segment: Segment) -> list[bytes]:
    """The targets of the symbolic links."""
    try:
        return msgspec.msgpack.decode(unpack_bytes(segment.links), type=list[bytes]) if segment.links else []
    except msgspec.MsgspecError:
        raise NamesDamaged from None


def select_pages(segment: Segment, kept: Sequence[bool]) -> Segment:
    """A segment with some of its pages; `kept` has one element for each."""
    frame, columns = read_frame(segment), read_columns(segment)
    pages = [number for number, keep in enumerate(kept) if keep]
    rows = _rows_of(frame, pages, len(columns.types))
    are_links = [row for row, code in zip(rows, columns.types, strict=True) if code == SYMLINK]
    return _pack(
        select_from_frame(frame, kept, has_text=bool(segment.text)),
        _cut(read_names(segment), frame.names, pages),
        _cut(read_text(segment), frame.texts, pages) if segment.text else b"",
        select_rows(columns, rows),
        list(compress(read_links(segment), are_links)),
    )


def join_segments(segments: Sequence[Segment]) -> Segment:
    """The pages of several segments in one, in their order."""
    folded = any(each.text for each in segments)
    return _pack(
        _join_frames(segments, folded=folded),
        b"".join(map(read_names, segments)),
        b"".join(map(read_text, segments)) if folded else b"",
        join_columns([read_columns(each) for each in segments]),
        list(chain.from_iterable(map(read_links, segments))),
    )


def _frame_of(pages: Sequence[NamedPage], names: Sequence[bytes], texts: Sequence[bytes]) -> PackedFrame:
    children = [
        (number, place, entry.subtree)
        for number, page in enumerate(pages)
        for place, entry in enumerate(page.entries)
        if entry.subtree is not None
    ]
    return PackedFrame(
        trees=b"".join(page.tree_id for page in pages),
        pages=uints_to_bytes(page.page for page in pages),
        of=uints_to_bytes(page.pages for page in pages),
        files=to_bytes(array("Q", [page.files for page in pages])),
        counts=uints_to_bytes(len(page.entries) for page in pages),
        name_ends=uints_to_bytes(map(len, names)),
        text_ends=uints_to_bytes(map(len, texts)),
        **_pack_children(children),
    )


def _pack_children(children: Sequence[tuple[int, int, bytes]]) -> dict[str, bytes]:
    """Columns of what is below some pages: number of the page, place of the entry in it, and its id."""
    return {
        "child_pages": uints_to_bytes(page for page, _, _ in children),
        "child_entries": uints_to_bytes(place for _, place, _ in children),
        "child_trees": b"".join(tree for _, _, tree in children),
    }


def _join_frames(segments: Sequence[Segment], *, folded: bool) -> PackedFrame:
    frames = [unpack_packed_frame(each.frame) for each in segments]
    # Where one segment needs a text of its own, the others are given theirs, too: it lies as their names do.
    text_ends = [f.text_ends if s.text else f.name_ends for f, s in zip(frames, segments, strict=True)]
    return PackedFrame(
        **{part: b"".join(getattr(frame, part) for frame in frames) for part in _SIDE_BY_SIDE},
        text_ends=b"".join(text_ends) if folded else b"",
        child_pages=uints_to_bytes(_child_pages(frames)),
    )


def _child_pages(frames: Sequence[PackedFrame]) -> Iterator[int]:
    """The pages that directories are below, counted through all of the frames."""
    starts = accumulate((len(frame.trees) // TREE_BYTES for frame in frames), initial=0)
    for frame, start in zip(frames, starts, strict=False):
        for page in to_array("I", frame.child_pages):
            yield start + page


def _join_names(names: Sequence[bytes]) -> bytes:
    joined = b"\0".join([*names, b""])
    if joined.count(b"\0") == len(names):
        return joined
    # No file system has a NUL in a name, but a repository may be forged: it must not shift all names behind it.
    return b"\0".join([*(name.replace(b"\0", _SHOWN_NUL) for name in names), b""])


def _link_targets(entries: Sequence[Entry]) -> list[bytes]:
    return [entry.link_target or b"" for entry in entries if entry.type == "symlink"]


def _rows_of(frame: Frame, pages: Sequence[int], count: int) -> bytearray:
    """For each of `count` rows of a segment 1 if it is in one of the pages, else 0."""
    rows = bytearray(count)
    for page in pages:
        start, end = frame.entries[page], frame.entries[page + 1]
        rows[start:end] = b"\1" * (end - start)
    return rows


def _cut(joined: bytes, ends: "array[int]", pages: Sequence[int]) -> bytes:
    return b"".join(joined[ends[page] : ends[page + 1]] for page in pages)


def _pack(frame: PackedFrame, names: bytes, text: bytes, columns: Columns, links: list[bytes]) -> Segment:
    # Level 1: packing is most of what indexing costs here, and higher levels save little on short names.
    pack = zstandard.ZstdCompressor(level=1, write_checksum=True).compress
    return Segment(
        frame=pack(msgspec.msgpack.encode(frame)),
        names=pack(names),
        text=pack(text) if text else b"",
        columns=pack(interleave(columns)),
        links=pack(msgspec.msgpack.encode(links)) if links else b"",
    )
