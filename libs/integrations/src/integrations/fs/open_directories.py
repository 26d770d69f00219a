"""The directories on the way to what is being restored, held open; no link in them is ever followed."""

import os
import stat
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from threading import Lock

from restic_reader import Node

from integrations.fs.destination_errors import named_errors
from integrations.fs.early_directories import EarlyDirectories
from integrations.fs.file_attributes import DEFAULT_ACL, Attributes
from integrations.sdk.errors import DestinationFull, DestinationRefused
from integrations.sdk.ports.destination import NotWritten
from integrations.sdk.ports.shared_destination import Place

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(slots=True, eq=False)
class OpenDirectory:
    """A directory on the way to what is being written."""

    path: bytes
    name: bytes
    descriptor: int
    node: Node | None
    """What it should be like once all is written in it; None: as it is."""
    inherits: bool
    """Whether what is made in it gets an access list of its own."""
    mode: int
    """Its mode where that of the node is not kept."""
    has_inherited: bool = False
    """Whether it was made with the access lists of the directory above."""
    users: int = 0
    """How many write in it now."""
    is_left: bool = False
    """Whether all that is in it was begun."""

    @property
    def place(self) -> Place:
        """What is written in it needs to know."""
        return Place(self.descriptor, self.inherits)


class OpenDirectories:
    """Goes down and up in the order of the restore, in one thread; what is written in them may be in others."""

    def __init__(
        self,
        root: int,
        *,
        attributes: Attributes,
        check_path: Callable[[bytes], None],
        check_opened: Callable[[int], None],
    ) -> None:
        """`check_path` and `check_opened` raise `NotWritten` for what must not be written."""
        self._root = OpenDirectory(b"", b"", root, None, inherits=_has_default_acl(root), mode=0)
        self._attributes = attributes
        self._check_path, self._check_opened = check_path, check_opened
        self._early = EarlyDirectories(
            root, mode=attributes.early_directory_mode, check_path=check_path, check_opened=check_opened
        )
        self._way: list[OpenDirectory] = []
        self._lock = Lock()
        self._busy: set[OpenDirectory] = set()
        """Those that were left while somebody wrote in them."""
        self._lacking: list[tuple[bytes, str]] = []

    def make_early(self, paths: Iterable[bytes]) -> None:
        """See `EarlyDirectories.make`: to those who enter them, they are new."""
        self._early.make(paths)

    def go_to(self, path: bytes) -> OpenDirectory:
        """The directory at a path, made where it is not there; those that are left get their attributes."""
        if self._here.path == path:
            return self._here
        names, shared = path.split(b"/") if path else [], 0
        while shared < min(len(names), len(self._way)) and self._way[shared].name == names[shared]:
            shared += 1
        while len(self._way) > shared:
            self._leave()
        for name in names[shared:]:
            self._enter(name, None)
        return self._here

    def make(self, path: bytes, node: Node, *, keep_attributes: bool) -> bool:
        """Make sure that a directory is there; whether it was not.

        With `keep_attributes` one that was there stays as it is.
        """
        above, _, name = path.rpartition(b"/")
        self.go_to(above)
        is_new = self._enter(name, None if keep_attributes else node)
        if is_new and keep_attributes:
            self._here.node = node
            self._give_early(self._here, node)
        return is_new

    def hold(self, directory: OpenDirectory) -> None:
        """Somebody will write in it: it keeps its descriptor, and gets its attributes only after `release`."""
        with self._lock:
            directory.users += 1

    def release(self, directory: OpenDirectory) -> None:
        """Somebody wrote in it. From any thread."""
        with self._lock:
            directory.users -= 1
            is_over = directory.is_left and not directory.users
            if is_over:
                self._busy.discard(directory)
        if is_over:
            self._end(directory)

    def lacking(self) -> list[tuple[bytes, str]]:
        """What directories had to do without, by path; told once."""
        with self._lock:
            told, self._lacking = self._lacking, []
        return told

    def close(self) -> None:
        """Leave all; what was begun is not left private or writable."""
        # First, since it changes the times of those above.
        self._early.close()
        while self._way:
            with suppress(DestinationFull, DestinationRefused):
                self._leave()
        for left in list(self._busy):
            with suppress(DestinationFull, DestinationRefused):
                self._end(left)
        self._busy.clear()

    @property
    def _here(self) -> OpenDirectory:
        return self._way[-1] if self._way else self._root

    def _enter(self, name: bytes, node: Node | None) -> bool:
        """Go into a directory below this one; whether it was made. Raises `NotWritten` where it may not be written."""
        here = self._here
        path = here.path + b"/" + name if here.path else name
        self._check_path(path)
        is_new = is_early = self._early.take(path)
        with suppress(FileExistsError):
            os.mkdir(name, 0o700, dir_fd=here.descriptor)
            is_new = True
        opened = os.open(name, _DIRECTORY, dir_fd=here.descriptor)
        try:
            self._check_opened(opened)
            mode = self._attributes.new_directory_mode if is_new else stat.S_IMODE(os.fstat(opened).st_mode)
            if node is not None and not is_new:
                # An earlier attempt may have made it read-only; it gets its own mode when it is left.
                with suppress(PermissionError):
                    os.fchmod(opened, mode | 0o700)
        except BaseException:
            os.close(opened)
            raise
        # Made early, it may have got the access lists that the directory above had then.
        inherits = here.inherits if is_new and not is_early else _has_default_acl(opened)
        has_inherited = is_early or (is_new and here.inherits)
        self._way.append(OpenDirectory(path, name, opened, node, inherits, mode, has_inherited=has_inherited))
        return is_new

    def _give_early(self, made: OpenDirectory, node: Node) -> None:
        """Attributes for a directory that the next attempt will leave as it finds it, should this one be killed."""
        # What it must do without is told when it is left.
        with suppress(OSError, OverflowError, ValueError):
            self._attributes.give_to_directory(
                made.descriptor, node, mode_otherwise=made.mode, inherits=made.has_inherited
            )
            os.fchmod(made.descriptor, stat.S_IMODE(os.fstat(made.descriptor).st_mode) | stat.S_IRWXU)
        # Its access list for what is made in it may be there by now, or the one from above gone.
        made.inherits = _has_default_acl(made.descriptor)

    def _leave(self) -> None:
        left = self._way.pop()
        with self._lock:
            left.is_left = True
            if left.users:
                self._busy.add(left)
                return
        self._end(left)

    def _end(self, left: OpenDirectory) -> None:
        lacking = ""
        try:
            if left.node is not None:
                with named_errors():
                    lacking = self._attributes.give_to_directory(
                        left.descriptor, left.node, mode_otherwise=left.mode, inherits=left.has_inherited
                    )
        except NotWritten as error:
            # Not raised: what is being written now is another path.
            lacking = f"restored without all of its owner, mode and times: {error.reason}"
        finally:
            os.close(left.descriptor)
        if lacking:
            with self._lock:
                self._lacking.append((left.path, lacking))


def _has_default_acl(directory: int) -> bool:
    try:
        # Its path in `/proc`: a root is open as a place only, of which no attribute can be asked.
        return bool(os.getxattr(f"/proc/self/fd/{directory}", DEFAULT_ACL))
    except OSError:
        return False
