"""Where each blob lies. Compact: below 60 bytes per blob, and no Python object for any of them.

Each index file becomes one immutable segment of columns. One table over all segments, sorted by the first four
bytes of the blob ids, finds a blob by bisection. Tables are replaced, never changed, so lookups need no lock.
"""

import sys
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from itertools import accumulate, chain
from typing import NamedTuple

from connector.repository.structs import IndexFile

_ID_BYTES = 32
_PIECE = 1 << 15
_LOW, _HIGH = (0, 1) if sys.byteorder == "little" else (1, 0)


class Location(NamedTuple):
    """Where one copy of a blob lies, and how long it is there and once it is opened (bytes)."""

    pack: str
    offset: int
    length: int
    plain_length: int
    compressed: bool
    tree: bool

    @property
    def end(self) -> int:
        """The first byte of the pack after this blob."""
        return self.offset + self.length


class Segment:
    """The blobs of one index file, in columns."""

    def __init__(self, document: IndexFile) -> None:
        """Raises `ValueError` or `OverflowError` for ids and numbers that no repository has."""
        packs = [(pack.id, pack.blobs) for pack in document.packs or () if pack.blobs]
        blobs = [blob for _, of_pack in packs for blob in of_pack]
        self.ids = _joined([blob.id for blob in blobs])
        self._packs = _joined([name for name, _ in packs])
        self._pack = array("I", (number for number, (_, of_pack) in enumerate(packs) for _ in of_pack))
        self._offset = array("I", [blob.offset for blob in blobs])
        self._length = array("I", [blob.length for blob in blobs])
        self._uncompressed = array("I", [blob.uncompressed_length for blob in blobs])
        self._tree = bytes([blob.type == "tree" for blob in blobs])

    def __len__(self) -> int:
        return len(self._offset)

    def is_at(self, position: int, blob_id: bytes) -> bool:
        """Whether the blob at this position has this id."""
        return self.ids.startswith(blob_id, position * _ID_BYTES)

    def location(self, position: int, *, overhead: int) -> Location:
        """The location at this position; `overhead` is what sealing adds to a blob."""
        pack = self._pack[position] * _ID_BYTES
        uncompressed, length = self._uncompressed[position], self._length[position]
        return Location(
            pack=self._packs[pack : pack + _ID_BYTES].hex(),
            offset=self._offset[position],
            length=length,
            plain_length=uncompressed or length - overhead,
            compressed=uncompressed > 0,
            tree=self._tree[position] == 1,
        )


class BlobIndex:
    """All blobs of a repository at one moment; safe to read from any thread."""

    def __init__(self, segments: Mapping[str, Segment], *, overhead: int) -> None:
        self.segments = dict(segments)
        self._overhead = overhead
        self._parts = [segment for segment in self.segments.values() if len(segment)]
        self._bases = [0, *accumulate(len(part) for part in self._parts)]
        table = _sorted_table(self._parts, self._bases)
        self._prefixes, self._positions = _half(table, _HIGH), _half(table, _LOW)

    def __len__(self) -> int:
        return self._bases[-1]

    def locations(self, blob_id: bytes) -> Iterator[Location]:
        """Every known copy of a blob; nothing for one that is not known."""
        prefix = int.from_bytes(blob_id[:4], sys.byteorder)
        slot = bisect_left(self._prefixes, prefix)
        while slot < len(self._prefixes) and self._prefixes[slot] == prefix:
            part, position = self._part(self._positions[slot])
            if part.is_at(position, blob_id):
                yield part.location(position, overhead=self._overhead)
            slot += 1

    def _part(self, position: int) -> tuple[Segment, int]:
        number = bisect_left(self._bases, position + 1) - 1
        return self._parts[number], position - self._bases[number]


def _joined(names: list[str]) -> bytes:
    joined = bytes.fromhex("".join(names))
    if len(joined) != len(names) * _ID_BYTES:
        raise ValueError("an id has not the length of a SHA-256")
    return joined


def _sorted_table(parts: list[Segment], bases: list[int]) -> "array[int]":
    """For each blob the beginning of its id (upper half) and its position over all parts (lower half), ascending.

    Sorted in pieces, because one sort of millions would stop all other threads for as long as it takes.
    """
    runs = [_sorted_keys(part, base) for part, base in zip(parts, bases, strict=False)]
    pieces = 1 << (bases[-1] // _PIECE).bit_length()
    table, starts = array("Q"), [0] * len(runs)
    for piece in range(1, pieces + 1):
        ends = [bisect_left(run, (piece << 64) // pieces) for run in runs]
        table.extend(sorted(chain.from_iterable(run[s:e] for run, s, e in zip(runs, starts, ends, strict=True))))
        starts = ends
    return table


def _sorted_keys(part: Segment, base: int) -> "array[int]":
    """The keys of one part; both halves are filled by single calls of the interpreter, whatever the number of blobs."""
    keys = array("Q", bytes(8 * len(part)))
    halves = memoryview(keys).cast("B").cast("I")
    halves[_HIGH::2] = memoryview(part.ids).cast("I")[::8]
    halves[_LOW::2] = array("I", range(base, base + len(part)))
    halves.release()
    return array("Q", sorted(keys))


def _half(table: "array[int]", which: int) -> "array[int]":
    return array("I", memoryview(table).cast("B").cast("I")[which::2].tobytes())
