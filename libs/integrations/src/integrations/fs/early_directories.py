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
    """Makes empty directories. What it cannot make is left to whoever writes in it, and told then."""

    def __init__(
        self, root: int, *, mode: int, check_path: Callable[[bytes], None], check_opened: Callable[[int], None]
    ) -> None:
        """`mode`: what they have until they get their own; the checks are those of `OpenDirectories`."""
        self._root, self._mode = root, mode
        self._check_path, self._check_opened = check_path, check_opened
        self._way: list[tuple[bytes, int]] = []
        self._made: list[bytes] = []
        self._unused: set[bytes] = set()

    def make(self, paths: Iterable[bytes]) -> None:
        """Make those that are not there, in pre-order; nothing is made below what is no directory or off limits.

        Raises as `paths`.
        """
        try:
            for path in paths:
                above, _, name = path.rpartition(b"/")
                with suppress(OSError, NotWritten):
                    place = self._go_to(above)
                    self._check_path(path)
                    os.mkdir(name, self._mode, dir_fd=place)
                    self._made.append(path)
                    self._unused.add(path)
        finally:
            self._leave(0)

    def take(self, path: bytes) -> bool:
        """Whether a directory was made here, and nobody took it before: from now on somebody uses it."""
        if path not in self._unused:
            return False
        self._unused.remove(path)
        return True

    def close(self) -> None:
        """Remove those that nobody uses, the lower ones first."""
        for path in reversed(self._made):
            if path in self._unused:
                above, _, name = path.rpartition(b"/")
                with suppress(OSError, NotWritten):
                    os.rmdir(name, dir_fd=self._go_to(above))
        self._leave(0)

    def _go_to(self, path: bytes) -> int:
        """A directory, open until another one is gone to. Raises `NotWritten` for what is off limits."""
        names, shared = path.split(b"/") if path else [], 0
        while shared < min(len(names), len(self._way)) and self._way[shared][0] == names[shared]:
            shared += 1
        self._leave(shared)
        for depth in range(shared, len(names)):
            self._check_path(b"/".join(names[: depth + 1]))
            opened = os.open(names[depth], _DIRECTORY, dir_fd=self._here)
            try:
                self._check_opened(opened)
            except BaseException:
                os.close(opened)
                raise
            self._way.append((names[depth], opened))
        return self._here

    @property
    def _here(self) -> int:
        return self._way[-1][1] if self._way else self._root

    def _leave(self, depth: int) -> None:
        while len(self._way) > depth:
            os.close(self._way.pop()[1])
