"""Directories of a destination that are looked into, opened beside those that writing holds open."""

import os
from threading import Lock, local

_PLACE = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class LookedUpDirectories:
    """Each thread keeps the last one, as neighbours are looked up one after the other."""

    def __init__(self, root: int) -> None:
        self._root = root
        self._kept = local()
        self._lock = Lock()
        self._open: set[int] = set()

    def at(self, path: bytes) -> int:
        """A descriptor of the directory, this thread's until it asks for another one. Raises `OSError`."""
        if not path:
            return self._root
        if getattr(self._kept, "path", None) == path:
            return int(self._kept.descriptor)
        self._drop()
        opened = self._descend(path)
        with self._lock:
            self._open.add(opened)
        self._kept.path, self._kept.descriptor = path, opened
        return opened

    def close(self) -> None:
        """Close those of all threads."""
        with self._lock:
            while self._open:
                os.close(self._open.pop())

    def _drop(self) -> None:
        if getattr(self._kept, "path", None) is not None:
            with self._lock:
                self._open.discard(self._kept.descriptor)
            os.close(self._kept.descriptor)
            self._kept.path = None

    def _descend(self, path: bytes) -> int:
        directory = os.dup(self._root)
        for name in path.split(b"/"):
            try:
                below = os.open(name, _PLACE, dir_fd=directory)
            finally:
                os.close(directory)
            directory = below
        return directory
