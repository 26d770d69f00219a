"""Makes one file, link or special file of a restore: whole under a name of its own first, then under the final one."""

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import suppress

from restic_reader import Node

from integrations.fs.destination_errors import named_errors
from integrations.fs.exclusive_rename import rename_unless_there
from integrations.fs.file_attributes import Attributes
from integrations.sdk.ports.destination import NotWritten
from integrations.sdk.ports.shared_destination import Compare, Place, Put

HOLE_BYTES = 64 << 10
"""Zeros that fill so much of a file, counted from its beginning, are left out of it as a hole."""
_ZEROS = bytes(HOLE_BYTES)
_SUPERSEDED = "its unfinished file was removed, as another attempt at the restore does when it takes over"
_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_PLACE = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC


class NewFiles:
    """Files of one attempt at a job. Safe to use from any thread."""

    def __init__(self, attributes: Attributes, *, job_id: str, attempt: int) -> None:
        self._attributes = attributes
        self._mark = hashlib.sha256(job_id.encode()).hexdigest()[:8]
        self._attempt = attempt

    def put(
        self, node: Node, name: bytes, directory: Place, pieces: Iterator[bytes], *, compare: Compare | None = None
    ) -> Put:
        """Put it in the place of what is there. Raises `NotWritten`."""
        place, unfinished = directory.descriptor, self._unfinished(name, self._attempt)
        with named_errors():
            self._remove_earlier(name, place)
        try:
            if node.type == "file":
                lacking = self._make_file(node, unfinished, directory, pieces, compare)
            elif node.type == "symlink":
                lacking = self._make_link(node, unfinished, place)
            else:
                lacking = self._make_special(node, unfinished, directory)
            with named_errors():
                was_there, is_sure = _move(unfinished, name, place)
        except BaseException:
            with suppress(OSError):
                os.unlink(unfinished, dir_fd=place)
            raise
        return Put(was_there, is_sure, lacking)

    def link(self, opened: int, name: bytes, directory: Place) -> bool:
        """Give an open file another name; returns as `was_there` of `Put`, raises as `put`."""
        place, unfinished = directory.descriptor, self._unfinished(name, self._attempt)
        with named_errors():
            self._remove_earlier(name, place)
            if _is_called(opened, name, place):
                return True  # To rename one name of a file to another one does nothing, and leaves both.
            os.link(f"/proc/self/fd/{opened}", unfinished, dst_dir_fd=place, follow_symlinks=True)
            was_there, _ = _move(unfinished, name, place)
            return was_there

    def _unfinished(self, name: bytes, attempt: int) -> bytes:
        # Made of the job, so that the next attempt finds what a killed one left, and of the attempt, so that one that
        # was only stopped does not move what the next one is writing.
        return f".cairn-restore-{self._mark}-{attempt}-{hashlib.sha256(name).hexdigest()[:16]}".encode()

    def _remove_earlier(self, name: bytes, directory: int) -> None:
        """What attempts before this one left of a file; never what a later one is writing."""
        for attempt in range(1, self._attempt):
            with suppress(FileNotFoundError):
                os.unlink(self._unfinished(name, attempt), dir_fd=directory)

    def _make_file(
        self, node: Node, name: bytes, directory: Place, pieces: Iterator[bytes], compare: Compare | None
    ) -> str:
        with named_errors():
            # For nobody else to read before it has its own owner and mode.
            file = os.open(name, _NEW, 0o600, dir_fd=directory.descriptor)
        try:
            # Errors of the reading side are not the destination's.
            if node.size < HOLE_BYTES:
                for piece in pieces:
                    with named_errors():
                        _write_all(file, piece)
            else:
                _write_sparsely(file, pieces)
            if compare is not None:
                compare(file)
            with named_errors():
                made = os.fstat(file)
                lacking = self._attributes.give(file, node, made=made, inherits=directory.inherits)
                _require_same(made, name, directory.descriptor)
            return lacking
        finally:
            os.close(file)

    def _make_link(self, node: Node, name: bytes, directory: int) -> str:
        with named_errors():
            os.symlink(node.link_target, name, dir_fd=directory)
            opened = os.open(name, _PLACE, dir_fd=directory)
            try:
                return self._attributes.give_to_link(opened, node)
            finally:
                os.close(opened)

    def _make_special(self, node: Node, name: bytes, directory: Place) -> str:
        with named_errors():
            os.mknod(name, stat.S_IFMT(node.st_mode) | 0o600, node.device, dir_fd=directory.descriptor)
            opened = os.open(name, _PLACE, dir_fd=directory.descriptor)
            try:
                return self._attributes.give_to_special(opened, node, inherits=directory.inherits)
            finally:
                os.close(opened)


def _move(unfinished: bytes, name: bytes, directory: int) -> tuple[bool, bool]:
    """Give it its name. Whether something was in its place, and whether that is sure; see `Put`."""
    try:
        was_there = rename_unless_there(unfinished, name, directory)
        if was_there is False:
            return False, True
        is_sure, was_there = was_there is not None, was_there or _is_there(name, directory)
        os.rename(unfinished, name, src_dir_fd=directory, dst_dir_fd=directory)
    except FileNotFoundError:
        raise NotWritten(_SUPERSEDED) from None
    return was_there, is_sure


def _is_there(name: bytes, directory: int) -> bool:
    try:
        os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _require_same(made: os.stat_result, name: bytes, directory: int) -> None:
    """Raise `NotWritten` where a name is not, or no longer, that of a file."""
    try:
        found = os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        raise NotWritten(_SUPERSEDED) from None
    if (found.st_dev, found.st_ino) != (made.st_dev, made.st_ino):
        raise NotWritten(_SUPERSEDED)


def _is_called(opened: int, name: bytes, directory: int) -> bool:
    try:
        return os.path.samestat(os.fstat(opened), os.stat(name, dir_fd=directory, follow_symlinks=False))
    except FileNotFoundError:
        return False


def _write_all(file: int, piece: bytes) -> None:
    left = memoryview(piece)
    while left:
        left = left[os.write(file, left) :]


def _write_sparsely(file: int, pieces: Iterator[bytes]) -> None:
    """Write all but the blocks of zeros."""
    end = 0
    for piece in pieces:
        with named_errors():
            end = _write_blocks(file, memoryview(piece), end)
    with named_errors():
        os.ftruncate(file, end)


def _write_blocks(file: int, piece: memoryview, begin: int) -> int:
    """A piece of a file at its offset; where it ends."""
    at, start = 0, 0
    while at < len(piece):
        size = min(HOLE_BYTES - (begin + at) % HOLE_BYTES, len(piece) - at)
        if not piece[at] and bytes(piece[at : at + size]) == _ZEROS[:size]:
            _write_at(file, piece[start:at], begin + start)
            start = at + size
        at += size
    _write_at(file, piece[start:], begin + start)
    return begin + len(piece)


def _write_at(file: int, left: memoryview, offset: int) -> None:
    while left:
        written = os.pwrite(file, left, offset)
        left, offset = left[written:], offset + written
