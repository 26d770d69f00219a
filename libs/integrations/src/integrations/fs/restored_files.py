"""Writes files of a restore point below a directory that is held open; no link in it is ever followed."""

import hashlib
import os
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import NamedTuple

from restic_reader import Node

from integrations.fs.destination_errors import named_errors
from integrations.fs.file_attributes import Attributes
from integrations.sdk.errors import DestinationFull, DestinationRefused
from integrations.sdk.locations import FileIdentity
from integrations.sdk.ports.destination import ExistingFile, NotWritten, RestoredNode

_READ_BYTES = 1 << 20
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_SUPERSEDED = "its unfinished file was removed, as another attempt at the restore does when it takes over"


class _OpenDirectory(NamedTuple):
    """A directory on the way to what is being written."""

    name: bytes
    descriptor: int
    node: Node | None
    """What it should be like once all is written in it; None: as it is."""


class RestoredFiles:
    """See `OpenDestination`."""

    # One at a time: the descriptors of the directories on the way are kept for the next file.
    writers = 1

    def __init__(
        self,
        root: int,
        *,
        job_id: str,
        attempt: int,
        off_limits: Mapping[bytes, str],
        guarded: frozenset[FileIdentity],
        attributes: Attributes,
    ) -> None:
        """`off_limits`: paths below the root that are never written, with the reason; `guarded`: more by identity."""
        self._root = root
        self._mark = hashlib.sha256(job_id.encode()).hexdigest()[:8]
        self._attempt = attempt
        self._off_limits = off_limits
        self._guarded = guarded
        self._attributes = attributes
        self._way: list[_OpenDirectory] = []
        self._lacking: list[tuple[bytes, str]] = []

    def existing(self, restored: RestoredNode) -> ExistingFile | None:
        """See `OpenDestination.existing`."""
        *above, name = restored.path.split(b"/")
        try:
            with self._descend(above) as directory:
                found = os.stat(name, dir_fd=directory, follow_symlinks=False)
                target = os.readlink(name, dir_fd=directory) if stat.S_ISLNK(found.st_mode) else b""
        except OSError:
            return None  # Writing will meet the same obstacle and name it.
        size = found.st_size if stat.S_ISREG(found.st_mode) else None
        return ExistingFile(size, found.st_mtime_ns, kind=stat.S_IFMT(found.st_mode), link_target=target)

    def make_directory(self, restored: RestoredNode, *, keep_attributes: bool) -> None:
        """See `OpenDestination.make_directory`."""
        with named_errors():
            *above, name = restored.path.split(b"/")
            self._go_to(above)
            is_new = self._enter(name, None if keep_attributes else restored.node)
            if is_new and keep_attributes:
                self._way[-1] = self._way[-1]._replace(node=restored.node)
                self._give_early(self._way[-1].descriptor, restored.node)

    def write(self, restored: RestoredNode, pieces: Iterator[bytes]) -> None:
        """See `OpenDestination.write`: under a name of its own first, which then takes the place of the final one."""
        # Before directories are made: what cannot be restored leaves nothing behind.
        make = self._maker(restored.node)
        *above, name = restored.path.split(b"/")
        with named_errors():
            self._check_path(restored.path)
            directory = self._go_to(above)
            self._remove_unfinished(name, directory)
        unfinished = self._unfinished(name, self._attempt)
        try:
            lacking = make(unfinished, directory, pieces)
            with named_errors():
                _move(unfinished, name, directory)
        except BaseException:
            with suppress(OSError):
                os.unlink(unfinished, dir_fd=directory)
            raise
        if lacking:
            raise NotWritten(lacking)

    def finish(self) -> None:
        """See `OpenDestination.finish`."""
        with named_errors():
            self._go_to([])

    def lacking(self) -> Sequence[tuple[bytes, str]]:
        """See `OpenDestination.lacking`."""
        told, self._lacking = self._lacking, []
        return told

    def read(self, restored: RestoredNode) -> Iterator[bytes]:
        """See `OpenDestination.read`."""
        with named_errors():
            *above, name = restored.path.split(b"/")
            with self._descend(above) as directory:
                # O_NONBLOCK: a pipe in the place of the file would otherwise wait for somebody who writes into it.
                file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=directory)
            try:
                while piece := os.read(file, _READ_BYTES):
                    yield piece
            finally:
                os.close(file)

    def close(self) -> None:
        """Close what is open, whatever became of the restore; what was begun is not left private or writable."""
        while self._way:
            with suppress(DestinationFull, DestinationRefused):
                self._leave()

    def _unfinished(self, name: bytes, attempt: int) -> bytes:
        # Made of the job, so that the next attempt finds what a killed one left, and of the attempt, so that one that
        # was only stopped does not move what the next one is writing.
        return f".cairn-restore-{self._mark}-{attempt}-{hashlib.sha256(name).hexdigest()[:16]}".encode()

    def _remove_unfinished(self, name: bytes, directory: int) -> None:
        """What this attempt and those before it left of a file; never what a later one is writing."""
        for attempt in range(1, self._attempt + 1):
            with suppress(FileNotFoundError):
                os.unlink(self._unfinished(name, attempt), dir_fd=directory)

    def _maker(self, node: Node) -> "Callable[[bytes, int, Iterator[bytes]], str]":
        match node.type:
            case "file":
                return lambda name, directory, pieces: self._make_file(node, name, directory, pieces)
            case "symlink":
                return lambda name, directory, _: self._make_link(node, name, directory)
            case "fifo" | "dev" | "chardev":
                return lambda name, directory, _: self._make_special(node, name, directory)
        raise NotWritten(f"something of the type {node.type!r} cannot be restored")

    def _make_file(self, node: Node, name: bytes, directory: int, pieces: Iterator[bytes]) -> str:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with named_errors():
            # For nobody else to read before it has its own owner and mode.
            file = os.open(name, flags, 0o600, dir_fd=directory)
        try:
            # Errors of the reading side are not the destination's.
            for piece in pieces:
                with named_errors():
                    _write_all(file, piece)
            with named_errors():
                lacking = self._attributes.give(file, node)
                _require_same(file, name, directory)
            return lacking
        finally:
            os.close(file)

    def _make_link(self, node: Node, name: bytes, directory: int) -> str:
        with named_errors():
            os.symlink(node.link_target, name, dir_fd=directory)
            self._attributes.give_to_link(name, directory, node)
        return ""

    def _make_special(self, node: Node, name: bytes, directory: int) -> str:
        with named_errors():
            os.mknod(name, stat.S_IFMT(node.st_mode) | 0o600, node.device, dir_fd=directory)
            opened = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
            try:
                return self._attributes.give_to_special(opened, node)
            finally:
                os.close(opened)

    def _go_to(self, names: list[bytes]) -> int:
        """The directory with these names, made where it is not there; those that are left get their attributes."""
        shared = 0
        while shared < min(len(names), len(self._way)) and self._way[shared].name == names[shared]:
            shared += 1
        while len(self._way) > shared:
            self._leave()
        for name in names[shared:]:
            self._enter(name, None)
        return self._here

    @property
    def _here(self) -> int:
        return self._way[-1].descriptor if self._way else self._root

    def _enter(self, name: bytes, node: Node | None) -> bool:
        """Go into a directory below this one; whether it was made. Raises `NotWritten` where it may not be written."""
        self._check_path(b"/".join((*(each.name for each in self._way), name)))
        is_new = False
        with suppress(FileExistsError):
            os.mkdir(name, 0o700, dir_fd=self._here)
            is_new = True
        opened = os.open(name, _DIRECTORY, dir_fd=self._here)
        try:
            self._check_identity(opened)
            if node is not None and not is_new:
                # An earlier attempt may have made it read-only; it gets its own mode when it is left.
                with suppress(PermissionError):
                    os.fchmod(opened, stat.S_IMODE(os.fstat(opened).st_mode) | 0o700)
        except BaseException:
            os.close(opened)
            raise
        self._way.append(_OpenDirectory(name, opened, node))
        return is_new

    def _give_early(self, opened: int, node: Node) -> None:
        """Attributes for a directory that the next attempt will leave as it finds it, should this one be killed."""
        # What it must do without is told when it is left.
        with suppress(OSError, OverflowError, ValueError):
            self._attributes.give(opened, node)
            os.fchmod(opened, stat.S_IMODE(os.fstat(opened).st_mode) | stat.S_IRWXU)

    def _leave(self) -> None:
        path = b"/".join(each.name for each in self._way)
        left = self._way.pop()
        try:
            if left.node is not None:
                with named_errors():
                    lacking = self._attributes.give(left.descriptor, left.node)
                if lacking:
                    self._lacking.append((path, lacking))
        except NotWritten as error:
            # Not raised: what is being written now is another path.
            self._lacking.append((path, f"restored without all of its owner, mode and times: {error.reason}"))
        finally:
            os.close(left.descriptor)

    @contextmanager
    def _descend(self, names: list[bytes]) -> Iterator[int]:
        """A directory that is there, opened beside the way that writing keeps open."""
        directory = os.dup(self._root)
        try:
            for name in names:
                below = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
                os.close(directory)
                directory = below
            yield directory
        finally:
            os.close(directory)

    def _check_path(self, path: bytes) -> None:
        if reason := self._off_limits.get(path):
            raise NotWritten(reason)

    def _check_identity(self, descriptor: int) -> None:
        found = os.fstat(descriptor)
        if (found.st_dev, found.st_ino) in self._guarded:
            raise NotWritten("it belongs to Cairn's own state")


def _require_same(file: int, name: bytes, directory: int) -> None:
    """Raise `NotWritten` where a name is not, or no longer, that of an open file."""
    opened = os.fstat(file)
    try:
        found = os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        raise NotWritten(_SUPERSEDED) from None
    if (found.st_dev, found.st_ino) != (opened.st_dev, opened.st_ino):
        raise NotWritten(_SUPERSEDED)


def _move(unfinished: bytes, name: bytes, directory: int) -> None:
    try:
        os.rename(unfinished, name, src_dir_fd=directory, dst_dir_fd=directory)
    except FileNotFoundError:
        raise NotWritten(_SUPERSEDED) from None


def _write_all(file: int, piece: bytes) -> None:
    left = memoryview(piece)
    while left:
        left = left[os.write(file, left) :]
