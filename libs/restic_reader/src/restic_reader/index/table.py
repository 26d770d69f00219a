"""A sorted table of blobs, 48 bytes for each, searched where it lies: in a file or in memory.

In memory are, beside the names of packs and index files, one word and a checksum for each block of 64 records: 0.2
bytes a blob. A file is read by blocks and never mapped, since the pages of a mapping count as memory of the process.
"""

import hashlib
import os
import struct
import weakref
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import NamedTuple, Protocol
from zlib import crc32

ID_BYTES = 32
RECORD = struct.Struct("=32sIIII")
"""Blob id, number of the pack (its highest bit is set for trees), offset, length, and length before compression."""
TREE = 1 << 31
BLOCK_BYTES = RECORD.size * 64
_BLOCKS_AT_ONCE = 256


class Unusable(Exception):
    """A table is not what was written; it has to be rebuilt."""


class Names(NamedTuple):
    """The names behind the numbers of a table."""

    packs: bytes
    """Names of packs, 32 bytes each, in the order of their numbers."""
    pack_files: "array[int]"
    """For each pack the number of the index file that it is in."""
    files: tuple[str, ...]
    """Names of the index files the table was made from."""
    blobs: "array[int]"
    """How many blobs are in each of these."""


class Fences(NamedTuple):
    """The beginning of each block's first id, and the checksum of each block."""

    starts: "array[int]"
    sums: "array[int]"

    def add(self, block: bytes | memoryview) -> None:
        """The next block."""
        self.starts.append(int.from_bytes(block[:8], "big"))
        self.sums.append(crc32(block))


class Content(Protocol):
    """The records, wherever they are."""

    def block(self, number: int) -> bytes:
        """The records of one block. Raises `Unusable`."""
        ...


class Held:
    """Records in memory."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def block(self, number: int) -> bytes:
        """See `Content.block`."""
        return self._data[number * BLOCK_BYTES : (number + 1) * BLOCK_BYTES]


class Filed:
    """Records at the beginning of an open file, which may have lost its name; closed with the last who reads it."""

    def __init__(self, descriptor: int, *, size_bytes: int, sums: "array[int]") -> None:
        self._descriptor, self._size_bytes, self._sums = descriptor, size_bytes, sums
        weakref.finalize(self, os.close, descriptor)

    def block(self, number: int) -> bytes:
        """See `Content.block`."""
        offset = number * BLOCK_BYTES
        try:
            block = os.pread(self._descriptor, min(BLOCK_BYTES, self._size_bytes - offset), offset)
        except OSError:
            block = b""
        if crc32(block) != self._sums[number]:
            raise Unusable
        return block


class Table:
    """Immutable; safe to read from any thread. `name` follows from the index files that it was made from."""

    def __init__(self, content: Content, starts: "array[int]", names: Names) -> None:
        self.names = names
        self.name = table_name(names.files)
        self.is_sound = True
        self._content, self._starts = content, starts

    def __len__(self) -> int:
        return sum(self.names.blobs)

    def find(self, blob_id: bytes) -> list[bytes]:
        """The records with this id. Raises `Unusable`."""
        prefix, starts, found = int.from_bytes(blob_id[:8], "big"), self._starts, list[bytes]()
        number = bisect_left(starts, prefix)
        # The block before may hold it too: its first id is smaller, and its last may be this one.
        if number:
            _collect(self._block(number - 1), blob_id, found)
        while number < len(starts) and starts[number] == prefix:
            _collect(self._block(number), blob_id, found)
            number += 1
        return found

    def pieces(self) -> Iterator[bytes]:
        """All records in the order of their ids, many at a time. Raises `Unusable`."""
        for first in range(0, len(self._starts), _BLOCKS_AT_ONCE):
            numbers = range(first, min(first + _BLOCKS_AT_ONCE, len(self._starts)))
            yield b"".join(map(self._block, numbers))

    def _block(self, number: int) -> bytes:
        try:
            return self._content.block(number)
        except Unusable:
            self.is_sound = False
            raise


def note_tree_ends(records: bytes, ends: "array[int]") -> None:
    """Raise the end that `ends` has for a pack, by its number, to those of the trees among some records."""
    words: array[int] = array("I", records)
    each = RECORD.size // 4
    numbers, offsets, lengths = (words[ID_BYTES // 4 + column :: each] for column in range(3))
    for at, number in enumerate(numbers):
        if number >= TREE:
            pack, end = number & ~TREE, offsets[at] + lengths[at]
            ends[pack] = max(ends[pack], end)


def table_name(files: Iterable[str]) -> str:
    """The name of the table made from these index files."""
    return hashlib.sha256("\n".join(sorted(files)).encode()).hexdigest()


def _collect(block: bytes, blob_id: bytes, found: list[bytes]) -> None:
    at = block.find(blob_id)
    while at > 0 and at % RECORD.size:  # by chance, across two fields
        at = block.find(blob_id, at + 1)
    while at >= 0 and block.startswith(blob_id, at):
        found.append(block[at : at + RECORD.size])
        at += RECORD.size
