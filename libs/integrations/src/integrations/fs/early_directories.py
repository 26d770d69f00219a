"""Directories that are made before anything is written in them.

File systems spread directories that are made together, as ext4 does over its groups of inodes. Where each is filled
before the next is made, they come to lie in a few groups, and to find a free inode in those takes ever longer.
"""

import os
from collections.abc import Callable, Iterable
from contextlib import suppress

from integrations.sdk.ports.destination import NotWritten

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class EarlyDirectories:
    """Makes directories private and empty. What it cannot make is left to whoever writes in it, and told then."""

    def __init__(self, root: int, *, check_path: Callable[[bytes], None], check_opened: Callable[[int], None]) -> None:
        """The checks are those of `OpenDirectories`."""
        self._root = root
        self._check_path, self._check_opened = check_path, check_opened
        self._way: list[tuple[bytes, int]] = []
        self._unused: dict[bytes, None] = {}

    def make(self, paths: Iterable[bytes]) -> None:
        """Make those that are not there, in pre-order; of one below something else than a directory nothing is made."""
        for path in paths:
            *above, name = path.split(b"/")
            with suppress(OSError, NotWritten):
                self._check_path(path)
                os.mkdir(name, 0o700, dir_fd=self._go_to(above))
                self._unused[path] = None
        self._leave(0)

    def take(self, path: bytes) -> bool:
        """Whether a directory was made here; somebody uses it from now on."""
        return self._unused.pop(path, self) is None

    def close(self) -> None:
        """Remove those that nobody uses."""
        for path in reversed(self._unused):
            *above, name = path.split(b"/")
            with suppress(OSError, NotWritten):
                os.rmdir(name, dir_fd=self._go_to(above))
        self._leave(0)

    def _go_to(self, names: list[bytes]) -> int:
        shared = 0
        while shared < min(len(names), len(self._way)) and self._way[shared][0] == names[shared]:
            shared += 1
        self._leave(shared)
        for name in names[shared:]:
            opened = os.open(name, _DIRECTORY, dir_fd=self._here)
            self._way.append((name, opened))
            self._check_opened(opened)
        return self._here

    @property
    def _here(self) -> int:
        return self._way[-1][1] if self._way else self._root

    def _leave(self, depth: int) -> None:
        while len(self._way) > depth:
            os.close(self._way.pop()[1])
