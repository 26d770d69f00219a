"""Zip archives, written from front to back.

Sources: PKWARE's APPNOTE.TXT 6.3 for the records and the NTFS times, Info-ZIP's `proginfo/extrafld.txt` for the
extended timestamp.
"""

import stat
import struct
import time
import zlib
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import zstandard
from contracts.errors import PermanentError
from restic_reader import Node, ReadFile

MEDIA_TYPE = "application/zip"
TYPES = frozenset({"file", "dir", "symlink"})
"""The types of nodes that have a place in a zip; what a device, pipe or socket is, it cannot tell."""

_SMALL_BYTES = 1 << 20
_BEHIND_ZIP64, _COUNT_BEHIND_ZIP64 = 0xFFFF_FFFF, 0xFFFF
"""What a plain field holds where the value stands in a record of zip64."""
_LONGEST_NAME = 0xFFFF
_STORED, _DEFLATED = 0, 8
_LEVEL = 1
_UTF8, _SIZES_FOLLOW = 0x800, 0x08
_PLAIN_VERSION, _ZIP64_VERSION = 20, 45
_MADE_BY_UNIX = 3 << 8 | _ZIP64_VERSION
_DIRECTORY_ATTRIBUTE = 0x10
_EARLIEST, _LATEST = 315_532_800, 4_354_819_198
"""Times that a zip's own fields can hold: 1980-01-01 to 2107-12-31T23:59:58, in UTC."""

_LOCAL = struct.Struct("<4s5H3L2H")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_FOLLOWING = struct.Struct("<4s3L")
_FOLLOWING_64 = struct.Struct("<4sL2Q")
_END = struct.Struct("<4s4H2LH")
_END_64 = struct.Struct("<4sQ2H2L4Q")
_END_64_LOCATOR = struct.Struct("<4sLQL")
_EXTENDED_TIME = struct.Struct("<2sHBl")
_NTFS_TIMES = struct.Struct("<2H4x2H3Q")
_NTFS_EPOCH_NS = 11_644_473_600 * 1_000_000_000
"""From 1601 to 1970."""


@dataclass(frozen=True)
class Limits:
    """From where on a number stands in the wider fields of zip64. Smaller ones than `FORMAT_LIMITS` make sound zips."""

    plain: int = _BEHIND_ZIP64
    """Sizes and offsets, in bytes."""
    entries: int = _COUNT_BEHIND_ZIP64
    zip64_from: int = 0xF000_0000
    """Content whose packed size, not known when its header is written, may exceed the plain field: deflate can add."""


FORMAT_LIMITS = Limits()
Rename = Callable[[bytes], bytes]
"""Another path for one that a zip's readers could not make a file of; no two may become one."""


def zip_pieces(
    files: Iterator[ReadFile], *, rename: Rename = bytes, limits: Limits = FORMAT_LIMITS
) -> Generator[bytes, None, None]:
    """A zip of these files, in pieces of any size.

    A name that is not UTF-8 stands there as its bytes, without the flag that says UTF-8; where `rename` changed a path,
    the one before is the entry's comment. Content up to 1 MiB follows its length and checksum; of larger files they
    come behind it. The directory at the end waits in memory, compressed. A zip has no place for times before 1601:
    those are shown as 1980. Raises `name_too_long` beside what reading raises.
    """
    directory = _Directory(limits)
    for file in files:
        for piece in _entry(file, directory, rename):
            directory.offset += len(piece)
            yield piece
    yield from directory.pieces()


class _Content(NamedTuple):
    """What the records of an entry tell of its content."""

    method: int
    crc: int
    packed: int
    size: int


class _Head(NamedTuple):
    """What the records of an entry tell of anything else."""

    name: bytes
    flags: int
    time: tuple[int, int]
    extra: bytes
    attributes: int
    comment: bytes = b""


def _entry(file: ReadFile, directory: "_Directory", rename: Rename) -> Iterator[bytes]:
    head, offset = _head(file, rename), directory.offset
    if file.size <= _SMALL_BYTES:
        content, packed = _packed_small(_bytes_of(file), shrinks=file.shrinks)
        yield _local(head, content, zip64=False) + packed
    else:
        zip64 = file.size >= directory.limits.zip64_from
        head = head._replace(flags=head.flags | _SIZES_FOLLOW)
        yield _local(head, _Content(_DEFLATED, 0, 0, 0), zip64=zip64)
        content = yield from _packed_large(file)
        following = _FOLLOWING_64 if zip64 else _FOLLOWING
        yield following.pack(b"PK\x07\x08", content.crc, content.packed, content.size)
    directory.add(head, content, offset)


def _bytes_of(file: ReadFile) -> bytes:
    return file.found.node.link_target if file.found.node.type == "symlink" else b"".join(file.pieces)


def _packed_small(data: bytes, *, shrinks: bool) -> tuple[_Content, bytes]:
    packed = _deflated(data) if shrinks and data else data
    crc = zlib.crc32(data)
    if len(packed) < len(data):
        return _Content(_DEFLATED, crc, len(packed), len(data)), packed
    return _Content(_STORED, crc, len(data), len(data)), data


def _deflated(data: bytes) -> bytes:
    deflate = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    return deflate.compress(data) + deflate.flush()


def _packed_large(file: ReadFile) -> Generator[bytes, None, _Content]:
    """Deflated, at level 0 where it does not shrink."""
    # Its length is not known beforehand, and deflate marks its own end: readers of a stream could not find the end of
    # content that is merely stored.
    deflate = zlib.compressobj(_LEVEL if file.shrinks else 0, zlib.DEFLATED, -zlib.MAX_WBITS)
    crc = packed = size = 0
    for piece in file.pieces:
        crc, size = zlib.crc32(piece, crc), size + len(piece)
        if part := deflate.compress(piece):
            packed += len(part)
            yield part
    part = deflate.flush()
    yield part
    return _Content(_DEFLATED, crc, packed + len(part), size)


def _head(file: ReadFile, rename: Rename) -> _Head:
    node, path = file.found.node, file.found.path
    is_dir = node.type == "dir"
    renamed = rename(path)
    name = renamed + (b"/" if is_dir else b"")
    if len(name) > _LONGEST_NAME:
        raise PermanentError("name_too_long", "A zip cannot hold a path of more than 65,535 bytes; a tar.zst can.")
    seconds = node.mtime_ns // 1_000_000_000
    attributes = _mode(node) << 16 | (_DIRECTORY_ATTRIBUTE if is_dir else 0)
    comment = b"" if renamed == path else path
    return _Head(name, _name_flag(name), _dos_time(seconds), _further_time(node.mtime_ns), attributes, comment)


def _mode(node: Node) -> int:
    return node.st_mode & (stat.S_IFMT(0xFFFF) | 0o7777)


def _name_flag(name: bytes) -> int:
    if name.isascii():
        return 0
    try:
        name.decode()
    except UnicodeDecodeError:
        return 0
    return _UTF8


def _dos_time(seconds: int) -> tuple[int, int]:
    year, month, day, hour, minute, second, *_ = time.gmtime(min(max(seconds, _EARLIEST), _LATEST))
    return hour << 11 | minute << 5 | second // 2, (year - 1980) << 9 | month << 5 | day


def _further_time(nanoseconds: int) -> bytes:
    """The time to the second from 1901 to 2038, to 100 ns from 1601 to the end of the calendar; nothing before."""
    seconds = nanoseconds // 1_000_000_000
    if -(1 << 31) <= seconds < 1 << 31:
        return _EXTENDED_TIME.pack(b"UT", 5, 1, seconds)
    ticks = (nanoseconds + _NTFS_EPOCH_NS) // 100
    return _NTFS_TIMES.pack(0x000A, 32, 1, 24, ticks, ticks, ticks) if ticks >= 0 else b""


def _local(head: _Head, content: _Content, *, zip64: bool) -> bytes:
    extra, packed, size = head.extra, content.packed, content.size
    if zip64:
        extra, packed, size = extra + struct.pack("<2H2Q", 1, 16, packed, size), _BEHIND_ZIP64, _BEHIND_ZIP64
    version = _ZIP64_VERSION if zip64 else _PLAIN_VERSION
    fields = version, head.flags, content.method, *head.time, content.crc, packed, size, len(head.name), len(extra)
    return _LOCAL.pack(b"PK\x03\x04", *fields) + head.name + extra


@dataclass
class _Directory:
    """The directory at the end of a zip."""

    # Compressed while it grows: uncompressed, a million entries are more than 100 MB of memory.

    limits: Limits
    offset: int = 0

    def __post_init__(self) -> None:
        self._compressor = zstandard.ZstdCompressor(level=1).compressobj()
        self._parts: list[bytes] = []
        self._count = self._size = 0

    def add(self, head: _Head, content: _Content, offset: int) -> None:
        numbers = (content.size, content.packed, offset)
        wide = [value for value in numbers if value >= self.limits.plain]
        size, packed, start = (_BEHIND_ZIP64 if value >= self.limits.plain else value for value in numbers)
        extra = head.extra + (struct.pack(f"<2H{len(wide)}Q", 1, 8 * len(wide), *wide) if wide else b"")
        version = _ZIP64_VERSION if wide else _PLAIN_VERSION
        entry = _CENTRAL.pack(
            b"PK\x01\x02", _MADE_BY_UNIX, version, head.flags, content.method, *head.time,
            content.crc, packed, size,
            len(head.name), len(extra), len(head.comment), 0, 0, head.attributes, start,
        ) + head.name + extra + head.comment  # fmt: skip
        self._count += 1
        self._size += len(entry)
        if part := self._compressor.compress(entry):
            self._parts.append(part)

    def pieces(self) -> Iterator[bytes]:
        start = self.offset
        self._parts.append(self._compressor.flush())
        expand = zstandard.ZstdDecompressor().decompressobj()
        yield from (piece for part in self._parts if (piece := expand.decompress(part)))
        yield self._end(start)

    def _end(self, start: int) -> bytes:
        count, size, wide = self._count, self._size, b""
        if count >= self.limits.entries or max(size, start) >= self.limits.plain:
            versions = _MADE_BY_UNIX, _ZIP64_VERSION
            wide = _END_64.pack(b"PK\x06\x06", _END_64.size - 12, *versions, 0, 0, count, count, size, start)
            wide += _END_64_LOCATOR.pack(b"PK\x06\x07", 0, start + size, 1)
        count = _COUNT_BEHIND_ZIP64 if count >= self.limits.entries else count
        size, start = (_BEHIND_ZIP64 if value >= self.limits.plain else value for value in (size, start))
        return wide + _END.pack(b"PK\x05\x06", 0, 0, count, count, size, start, 0)
