"""Tar archives (POSIX.1-2001, "pax") compressed by zstd, written from front to back.

Sources: IEEE Std 1003.1, `pax`, for headers and records; GNU tar's manual for `SCHILY.xattr`.
"""

import os
from collections.abc import Generator, Iterator

import zstandard
from restic_reader import Node, ReadFile

MEDIA_TYPE = "application/zstd"
_FLAGS = {"file": b"0", "symlink": b"2", "chardev": b"3", "dev": b"4", "dir": b"5", "fifo": b"6"}
TYPES = frozenset(_FLAGS)
"""The types of nodes that have a place in a tar: all but sockets and what is no POSIX file."""

_BLOCK = 512
_RECORD = 20 * _BLOCK
_LEVEL = 1
_NAME_BYTES, _OWNER_BYTES = 100, 31
_ID_MAX, _SIZE_MAX = 0o7777777, 0o77777777777
_EXTENDED = b"x"
_DEVICES = (b"3", b"4")
_NOBODY = Node(quoted_name="", type="")


def tar_zst_pieces(files: Iterator[ReadFile]) -> Generator[bytes, None, None]:
    """A tar.zst of these files, in pieces of any size. Names and targets of links stand there byte for byte."""
    zstd = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).compressobj()
    for piece in _tar_pieces(files):
        if part := zstd.compress(piece):
            yield part
    yield zstd.flush()


def _tar_pieces(files: Iterator[ReadFile]) -> Iterator[bytes]:
    written = 0
    for file in files:
        head = _head(file)
        yield head
        yield from file.pieces
        yield bytes(-file.size % _BLOCK)
        written += len(head) + file.size + -file.size % _BLOCK
    # Two empty blocks end a tar, and readers of tapes expect whole records of 20 blocks.
    end = 2 * _BLOCK
    yield bytes(end + -(written + end) % _RECORD)


def _head(file: ReadFile) -> bytes:
    """The header of a node, after another one with what does not fit into it."""
    node = file.found.node
    name = file.found.path + (b"/" if node.type == "dir" else b"")
    target = node.link_target if node.type == "symlink" else b""
    records = dict(_records(node, name=name, target=target, size=file.size))
    header = _header(
        name, _FLAGS[node.type], mode=node.st_mode & 0o7777, size=file.size, seconds=node.mtime_ns // 1_000_000_000,
        target=target, node=node,
    )  # fmt: skip
    if not records:
        return header
    extended = b"".join(_record(keyword, value) for keyword, value in records.items())
    name = b"PaxHeaders/" + name.rstrip(b"/").rpartition(b"/")[2]
    before = _header(name, _EXTENDED, mode=0o644, size=len(extended), seconds=0)
    return before + extended + bytes(-len(extended) % _BLOCK) + header


def _owner_records(node: Node) -> Iterator[tuple[bytes, bytes]]:
    for keyword, number in ((b"uid", node.uid), (b"gid", node.gid)):
        if number > _ID_MAX:
            yield keyword, str(number).encode()
    for keyword, owner in ((b"uname", node.user.encode()), (b"gname", node.group.encode())):
        if len(owner) > _OWNER_BYTES:
            yield keyword, owner


def _records(node: Node, *, name: bytes, target: bytes, size: int) -> Iterator[tuple[bytes, bytes]]:
    """What the plain header has no room for."""
    seconds, fraction = divmod(node.mtime_ns, 1_000_000_000)
    if fraction or not 0 <= seconds <= _SIZE_MAX:
        yield b"mtime", _decimal(node.mtime_ns)
    if size > _SIZE_MAX:
        yield b"size", str(size).encode()
    for keyword, text in ((b"path", name), (b"linkpath", target)):
        if len(text) > _NAME_BYTES:
            yield keyword, text
    yield from _owner_records(node)
    for attribute in node.extended_attributes or ():
        keyword = attribute.name.replace("%", "%25").replace("=", "%3D").encode()
        yield b"SCHILY.xattr." + keyword, attribute.value or b""


def _decimal(nanoseconds: int) -> bytes:
    seconds, fraction = divmod(abs(nanoseconds), 1_000_000_000)
    text = f"{seconds}.{fraction:09}".rstrip("0").rstrip(".")
    return f"{'-' if nanoseconds < 0 else ''}{text}".encode()


def _record(keyword: bytes, value: bytes) -> bytes:
    """One record of an extended header."""
    # It begins with its own length in decimal digits, which counts those digits too: adding them may need one more.
    rest = len(keyword) + len(value) + 3
    length = rest + len(str(rest))
    length = rest + len(str(length))
    return b"%d %s=%s\n" % (length, keyword, value)


def _header(
    name: bytes, flag: bytes, *, mode: int, size: int, seconds: int, target: bytes = b"", node: Node | None = None
) -> bytes:
    node = node or _NOBODY
    major, minor = (os.major(node.device), os.minor(node.device)) if flag in _DEVICES else (0, 0)
    block = b"".join(
        (
            name[:_NAME_BYTES].ljust(_NAME_BYTES, b"\0"),
            _octal(mode, 8),
            _octal(node.uid, 8),
            _octal(node.gid, 8),
            _octal(size, 12),
            _octal(seconds, 12),
            b" " * 8,
            flag,
            target[:_NAME_BYTES].ljust(_NAME_BYTES, b"\0"),
            b"ustar\x0000",
            node.user.encode()[:_OWNER_BYTES].ljust(32, b"\0"),
            node.group.encode()[:_OWNER_BYTES].ljust(32, b"\0"),
            _octal(major, 8),
            _octal(minor, 8),
        )
    ).ljust(_BLOCK, b"\0")
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


def _octal(number: int, width: int) -> bytes:
    """A number in a field of the plain header; 0 where it does not fit and a record tells it."""
    most = (1 << 3 * (width - 1)) - 1
    return b"%0*o\0" % (width - 1, number if 0 <= number <= most else 0)
