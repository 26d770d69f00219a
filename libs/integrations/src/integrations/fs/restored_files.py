"""Writes files of a restore point below a directory that is held open; no link in it is ever followed."""

import errno
import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial

from restic_reader import Node

from integrations.fs.destination_errors import READ_ONLY, named_errors
from integrations.fs.file_attributes import Attributes
from integrations.fs.file_writer import FileWriter
from integrations.fs.hard_links import HardLinks, Named
from integrations.fs.looked_up_directories import LookedUpDirectories
from integrations.fs.new_files import NewFiles
from integrations.fs.nothing_there import require_allowed
from integrations.fs.open_directories import OpenDirectories, OpenDirectory
from integrations.fs.restorable_types import require_restorable
from integrations.sdk.errors import DestinationRefused
from integrations.sdk.locations import FileIdentity
from integrations.sdk.ports.destination import ExistingFile, NotWritten, RestoredNode, Write
from integrations.sdk.ports.shared_destination import HeldPlace, MakeWriter

_READ_BYTES = 1 << 20
# O_NONBLOCK: a pipe in the place of a file would otherwise wait for somebody who writes into it.
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_WRITERS = 3


class RestoredFiles:
    """See `OpenDestination`."""

    writers = _WRITERS

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
        self._off_limits = off_limits
        self._guarded = guarded
        self._attributes = attributes
        self._new = NewFiles(attributes, job_id=job_id, attempt=attempt)
        self._make_writer = partial(FileWriter, attributes, job_id=job_id, attempt=attempt)
        self._way = OpenDirectories(
            root, attributes=attributes, check_path=self._check_path, check_opened=self._check_identity
        )
        self._looked_up = LookedUpDirectories(root)
        self._is_read_only = bool(os.fstatvfs(root).f_flag & os.ST_RDONLY)
        self._links = HardLinks()

    def existing(self, restored: RestoredNode) -> ExistingFile | None:
        """See `OpenDestination.existing`."""
        above, _, name = restored.path.rpartition(b"/")
        require_allowed(restored.path, self._off_limits)
        try:
            directory = self._looked_up.at(above)
            found = os.stat(name, dir_fd=directory, follow_symlinks=False)
            target = os.readlink(name, dir_fd=directory) if stat.S_ISLNK(found.st_mode) else b""
        except FileNotFoundError:
            return None
        except OSError:
            with named_errors():
                raise
        size = found.st_size if stat.S_ISREG(found.st_mode) else None
        existing = ExistingFile(size, found.st_mtime_ns, kind=stat.S_IFMT(found.st_mode), link_target=target)
        if existing.is_like(restored.node):
            self._links.meet(restored.node, Named(restored.path, (found.st_dev, found.st_ino)))
        return existing

    def require_keepable(self, restored: RestoredNode) -> None:
        """See `OpenDestination.require_keepable`."""
        require_restorable(restored.node)
        if self._is_read_only:
            raise DestinationRefused(READ_ONLY)

    def give_attributes(self, restored: RestoredNode) -> bool:
        """See `OpenDestination.give_attributes`. A file with names that were not met as its own is written anew."""
        above, _, name = restored.path.rpartition(b"/")
        with named_errors():
            opened = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self._looked_up.at(above))
            try:
                self._check_identity(opened)
                return self._give_again(opened, restored.node)
            finally:
                os.close(opened)

    def make_directory(self, restored: RestoredNode, *, keep_attributes: bool) -> bool:
        """See `OpenDestination.make_directory`."""
        with named_errors():
            return self._way.make(restored.path, restored.node, keep_attributes=keep_attributes)

    def writing(self, restored: RestoredNode) -> Write:
        """See `OpenDestination.writing`."""
        directory = self._hold(restored)
        return partial(self._write, restored, restored.path.rpartition(b"/")[2], directory)

    def write(self, restored: RestoredNode, pieces: Iterator[bytes]) -> bool:
        """See `OpenDestination.write`: under a name of its own first, which then takes the place of the final one."""
        return self.writing(restored)(pieces)

    def file_writer(self) -> MakeWriter:
        """See `SharedDestination.file_writer`."""
        return self._make_writer

    def prepare(self, directories: Iterable[bytes]) -> None:
        """See `SharedDestination.prepare`."""
        self._way.make_early(directories)

    def held(self, restored: RestoredNode) -> HeldPlace:
        """See `SharedDestination.held`."""
        directory = self._hold(restored)
        write = partial(self._write, restored, restored.path.rpartition(b"/")[2], directory)
        return HeldPlace(directory.place, write, partial(self._way.release, directory))

    def finish(self) -> None:
        """See `OpenDestination.finish`."""
        with named_errors():
            self._way.go_to(b"")

    def lacking(self) -> Sequence[tuple[bytes, str]]:
        """See `OpenDestination.lacking`."""
        return self._way.lacking()

    def read(self, restored: RestoredNode) -> Iterator[bytes]:
        """See `OpenDestination.read`."""
        above, _, name = restored.path.rpartition(b"/")
        with named_errors():
            file = _open_to_read(name, self._looked_up.at(above))
        # One byte more than there should be, so that mostly the first reading tells the end.
        size = min(_READ_BYTES, restored.node.size + 1)
        try:
            while piece := os.read(file, size):
                yield piece
        finally:
            os.close(file)

    def close(self) -> None:
        """Close what is open, whatever became of the restore; what was begun is not left private or writable."""
        self._way.close()
        self._looked_up.close()

    def _give_again(self, opened: int, node: Node) -> bool:
        found = os.fstat(opened)
        identity, named = (found.st_dev, found.st_ino), self._links.known(node)
        if stat.S_IFMT(found.st_mode) != stat.S_IFMT(node.st_mode):
            return False
        if named is not None and named.identity != identity:
            return False  # It becomes another name of that one.
        if not self._attributes.differ(opened, node, found=found):
            return True
        is_strange = found.st_nlink > 1 and self._count_names(node, identity) < found.st_nlink
        lacking = None if is_strange else self._attributes.give_again(opened, node, found=found)
        if lacking is None:
            self._links.forget(node, identity)
        elif lacking:
            raise NotWritten(lacking)
        return lacking is not None

    def _count_names(self, node: Node, identity: FileIdentity) -> int:
        """How many names of a file were met as its own in the restore point; others may lead out of the destination."""
        return sum(self._identity_at(path) == identity for path in self._links.met_at(node, identity))

    def _identity_at(self, path: bytes) -> FileIdentity | None:
        above, _, name = path.rpartition(b"/")
        try:
            found = os.stat(name, dir_fd=self._looked_up.at(above), follow_symlinks=False)
        except OSError:
            return None  # It was met, and is gone.
        return found.st_dev, found.st_ino

    def _hold(self, restored: RestoredNode) -> OpenDirectory:
        # Before directories are made: what cannot be restored leaves nothing behind.
        require_restorable(restored.node)
        with named_errors():
            self._check_path(restored.path)
            directory = self._way.go_to(restored.path.rpartition(b"/")[0])
        self._way.hold(directory)
        return directory

    def _write(self, restored: RestoredNode, name: bytes, directory: OpenDirectory, pieces: Iterator[bytes]) -> bool:
        node, was_there = restored.node, bool(restored.is_there)
        try:
            if (linked := self._linked(node, name, directory)) is not None:
                return was_there or linked
            put = self._new.put(node, name, directory.place, pieces)
            was_there = was_there or put.was_there
            if node.may_have_other_names:
                found = os.stat(name, dir_fd=directory.descriptor, follow_symlinks=False)
                self._links.note(node, Named(restored.path, (found.st_dev, found.st_ino)))
        finally:
            self._way.release(directory)
        if put.lacking:
            raise NotWritten(put.lacking, has_replaced=was_there)
        return was_there

    def _linked(self, node: Node, name: bytes, directory: OpenDirectory) -> bool | None:
        """Give the file that is called so too this name as well; whether something was in the place of that.

        None where there is no such file, or it cannot have the name.
        """
        named = self._links.of(node)
        if named is None:
            return None
        above, _, first = named.path.rpartition(b"/")
        # Where it cannot be linked, on another file system for one, it is written once more.
        with suppress(OSError, NotWritten):
            opened = os.open(first, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self._looked_up.at(above))
            try:
                found = os.fstat(opened)
                if (found.st_dev, found.st_ino) == named.identity:
                    return self._new.link(opened, name, directory.place)
            finally:
                os.close(opened)
        return None

    def _check_path(self, path: bytes) -> None:
        if reason := self._off_limits.get(path):
            raise NotWritten(reason)

    def _check_identity(self, descriptor: int) -> None:
        found = os.fstat(descriptor)
        if (found.st_dev, found.st_ino) in self._guarded:
            raise NotWritten("it belongs to Cairn's own state")


def _open_to_read(name: bytes, directory: int) -> int:
    """A file, opened so that reading leaves its access time as it is; that of somebody else cannot be."""
    try:
        return os.open(name, _READ | os.O_NOATIME, dir_fd=directory)
    except OSError as error:
        if error.errno != errno.EPERM:
            raise
        return os.open(name, _READ, dir_fd=directory)
