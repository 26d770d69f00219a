"""A small file system of our own, for what no disk does: names that are listed and are not there, folders that fail.

It speaks the kernel's protocol (linux/fuse.h, version 7.31) over what `fusermount3` opens.
"""

import errno
import os
import socket
import stat
import struct
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

LOOKUP, FORGET, GETATTR, OPEN, READ, STATFS, RELEASE, FLUSH, INIT = 1, 2, 3, 14, 15, 17, 18, 25, 26
OPENDIR, READDIR, RELEASEDIR, INTERRUPT, BATCH_FORGET = 27, 28, 29, 36, 42
_SILENT = (FORGET, BATCH_FORGET, INTERRUPT)
_ROOT = 1
_HEADER, _REPLY = struct.Struct("<IIQQIIII"), struct.Struct("<IiQ")


class Unseen:
    """A file that is listed and there, but not for one program; for nobody after that, where it goes `for_good`."""

    def __init__(self, content: bytes, *, by: str, for_good: bool = False) -> None:
        self.content = content
        self._by = by
        self._for_good = for_good
        self._is_gone = False

    def seen_by(self, process_id: int) -> bytes:
        if self._is_gone or Path(f"/proc/{process_id}/comm").read_text("utf-8").strip() == self._by:
            self._is_gone = self._for_good
            raise FileNotFoundError(errno.ENOENT, "not for this one")
        return self.content


Content = bytes | int | Unseen | Mapping[str, "Content"]
"""Of a file its bytes, of a folder what is in it; a number: the error of a name that is listed and cannot be had."""


@contextmanager
def mounted(directory: Path, tree: Mapping[str, Content]) -> Iterator[None]:
    """Show the tree in an empty directory. A folder with `""` among its names answers listing with that error."""
    device = _mount(directory)
    threading.Thread(target=_serve, args=(device, _Nodes(tree)), daemon=True).start()
    try:
        yield
    finally:
        subprocess.run(["fusermount3", "-u", "-z", str(directory)], check=True)


def _mount(directory: Path) -> int:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        environment = {**os.environ, "_FUSE_COMMFD": str(theirs.fileno())}
        command = ["fusermount3", "-o", "ro,fsname=tests", "--", str(directory)]
        subprocess.run(command, env=environment, pass_fds=[theirs.fileno()], check=True)
        (device,) = socket.recv_fds(ours, 1, 1)[1]
        return device


class _Nodes:
    """The tree by the kernel's numbers."""

    def __init__(self, tree: Mapping[str, Content]) -> None:
        self._contents: list[Content] = [b"", tree]

    def at(self, number: int) -> Content:
        return self._contents[number]

    def below(self, number: int) -> Mapping[str, Content]:
        folder = self.at(number)
        assert isinstance(folder, Mapping)
        return folder

    def find(self, number: int, name: str, *, process_id: int) -> int:
        found = self.below(number).get(name, errno.ENOENT)
        if isinstance(found, Unseen):
            found = found.seen_by(process_id)
        if isinstance(found, int):
            raise OSError(found, name)
        for known, content in enumerate(self._contents):
            if content is found and known:
                return known
        self._contents.append(found)
        return len(self._contents) - 1


def _serve(device: int, nodes: _Nodes) -> None:
    """Answer until it is unmounted."""
    with os.fdopen(device, "r+b", buffering=0) as kernel:
        while True:
            try:
                request = os.read(kernel.fileno(), 1 << 18)
            except OSError:
                return
            _, operation, unique, node, _, _, asker, _ = _HEADER.unpack_from(request)
            if operation in _SILENT:
                continue
            try:
                error, answer = 0, _answer(operation, nodes, node, asker, body=request[_HEADER.size :])
            except OSError as failed:
                error, answer = failed.errno or errno.EIO, b""
            os.write(kernel.fileno(), _REPLY.pack(_REPLY.size + len(answer), -error, unique) + answer)


def _answer(operation: int, nodes: _Nodes, node: int, asker: int, *, body: bytes) -> bytes:
    if operation == INIT:
        return struct.pack("<IIIIHHIIHHI28x", 7, 31, 1 << 17, 0, 16, 12, 1 << 17, 1, 32, 0, 0)
    if operation == LOOKUP:
        found = nodes.find(node, body.rstrip(b"\0").decode(), process_id=asker)
        return struct.pack("<QQQQII", found, 0, 0, 0, 0, 0) + _attributes(nodes, found)
    if operation == GETATTR:
        return struct.pack("<QII", 0, 0, 0) + _attributes(nodes, node)
    if operation == READDIR:
        return _listing(nodes.below(node), offset=struct.unpack_from("<QQ", body)[1])
    if operation == READ:
        _, offset, size = struct.unpack_from("<QQI", body)
        content = nodes.at(node)
        assert isinstance(content, bytes)
        return content[offset : offset + size]
    plain = {OPEN: bytes(16), OPENDIR: bytes(16), STATFS: bytes(80), RELEASE: b"", RELEASEDIR: b"", FLUSH: b""}
    if operation not in plain:
        raise OSError(errno.ENOSYS, "not offered")
    return plain[operation]


def _listing(folder: Mapping[str, Content], *, offset: int) -> bytes:
    if isinstance(failure := folder.get(""), int):
        raise OSError(failure, "a folder that fails")
    listed = b""
    for number, (name, content) in enumerate(list(folder.items())[offset:], offset + 1):
        kind = stat.S_IFDIR if isinstance(content, Mapping) else stat.S_IFREG
        raw = name.encode()
        listed += struct.pack("<QQII", number + 1, number, len(raw), kind >> 12) + raw + bytes(-len(raw) % 8)
    return listed


def _attributes(nodes: _Nodes, number: int) -> bytes:
    content = nodes.at(number)
    is_folder = isinstance(content, Mapping)
    size = len(content) if isinstance(content, bytes) else 0
    mode = (stat.S_IFDIR | 0o755) if is_folder else (stat.S_IFREG | 0o644)
    numbers = (number, size, 0, 0, 0, 0, 0, 0, 0, mode, 1, os.geteuid(), os.getegid(), 0, 4096, 0)
    return struct.pack("<6Q10I", *numbers)
