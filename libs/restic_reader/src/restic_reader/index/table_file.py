"""A table in a file: the records, then what is kept in memory of it, then sizes and a checksum of the latter."""

import hashlib
import os
import struct
import sys
from array import array
from pathlib import Path
from typing import IO, NamedTuple

from restic_reader.index.table import BLOCK_BYTES, ID_BYTES, RECORD, Fences, Filed, Held, Names, Table, Unusable

# Numbers lie in the file as in memory: a table from a machine of the other byte order must not open.
_MAGIC = b"blobs" + bytes((1, sys.byteorder == "big", 0))
_TRAILER = struct.Struct("=8sQQQ32s")


class _Sizes(NamedTuple):
    records: int
    packs: int
    files: int

    @property
    def blocks(self) -> int:
        return -(-self.records * RECORD.size // BLOCK_BYTES)

    @property
    def parts(self) -> list[int]:
        """Bytes of each part that follows the records."""
        return [
            8 * self.blocks,
            4 * self.blocks,
            ID_BYTES * self.packs,
            4 * self.packs,
            ID_BYTES * self.files,
            8 * self.files,
        ]


def finish_file(file: IO[bytes], fences: Fences, names: Names, *, scope: str) -> None:
    """Writes what follows the records. `scope` says whose table it is: it opens for nobody else."""
    files = bytes.fromhex("".join(names.files))
    parts = [fences.starts, fences.sums, names.packs, names.pack_files, files, names.blobs]
    body = b"".join(bytes(part) for part in parts)
    sizes = sum(names.blobs), len(names.pack_files), len(names.files)
    file.write(body + _TRAILER.pack(_MAGIC, *sizes, _digest(body, _Sizes(*sizes), scope)))
    file.flush()


def open_file(path: Path, *, scope: str, held_bytes: int) -> Table:
    """A table that was written before; one of no more bytes is held in memory. Raises `Unusable` or `OSError`."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    return read_file(descriptor, scope=scope, held_bytes=held_bytes)


def read_file(descriptor: int, *, scope: str, held_bytes: int) -> Table:
    """The table in an open file, which is the table's from now on; see `open_file`. Raises `Unusable` or `OSError`."""
    try:
        sizes, body = _tail(descriptor, scope)
        fences, names = _parsed(body, sizes)
        records = sizes.records * RECORD.size
        filed = Filed(descriptor, size_bytes=records, sums=fences.sums)
    except BaseException:
        os.close(descriptor)
        raise
    if records > held_bytes:
        return Table(filed, fences.starts, names)
    return Table(Held(b"".join(map(filed.block, range(sizes.blocks)))), fences.starts, names)


def _tail(descriptor: int, scope: str) -> tuple[_Sizes, bytes]:
    """What follows the records, if it is what was written."""
    end = os.fstat(descriptor).st_size
    trailer = os.pread(descriptor, _TRAILER.size, max(0, end - _TRAILER.size))
    if len(trailer) != _TRAILER.size:
        raise Unusable
    magic, *numbers, digest = _TRAILER.unpack(trailer)
    sizes = _Sizes(*numbers)
    length = sum(sizes.parts)
    if magic != _MAGIC or sizes.records * RECORD.size + length + _TRAILER.size != end:
        raise Unusable
    body = os.pread(descriptor, length, end - _TRAILER.size - length)
    if _digest(body, sizes, scope) != digest:
        raise Unusable
    return sizes, body


def _parsed(body: bytes, sizes: _Sizes) -> tuple[Fences, Names]:
    starts, sums, packs, pack_files, files, blobs = _cut(body, sizes.parts)
    fences = Fences(array("Q", starts), array("I", sums))
    names = files.hex()
    each = tuple(names[at : at + 2 * ID_BYTES] for at in range(0, len(names), 2 * ID_BYTES))
    return fences, Names(packs, array("I", pack_files), each, array("Q", blobs))


def _cut(body: bytes, lengths: list[int]) -> list[bytes]:
    parts, at = [], 0
    for length in lengths:
        parts.append(body[at : at + length])
        at += length
    return parts


def _digest(body: bytes, sizes: _Sizes, scope: str) -> bytes:
    head = f"{scope} {sizes.records} {sizes.packs} {sizes.files}\n".encode()
    return hashlib.sha256(head + body).digest()
