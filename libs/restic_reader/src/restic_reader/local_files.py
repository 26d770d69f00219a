"""A repository in a directory of this machine."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from restic_reader.errors import AccessDenied, FileMissing, RootNotADirectory, StoreUnavailable
from restic_reader.storage import FileKind, StoredFile, exactly, is_storage_name, relative_path


class LocalFiles:
    """`RepositoryFiles` over a directory. A file is open only while it is read, so pruned packs free their space."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def list(self, kind: FileKind) -> Iterator[StoredFile]:
        """See `RepositoryFiles.list`."""
        with self._translated(kind, ""):
            yield from _files_below(self._root / kind.value, nested=kind is FileKind.PACK)

    def has_directory(self, kind: FileKind) -> bool:
        """See `RepositoryFiles.has_directory`."""
        return (self._root / kind.value).is_dir()

    def read(self, kind: FileKind, name: str) -> bytes:
        """See `RepositoryFiles.read`."""
        with self._translated(kind, name):
            return (self._root / relative_path(kind, name)).read_bytes()

    def read_range(self, kind: FileKind, name: str, *, offset: int, length: int) -> bytes:
        """See `RepositoryFiles.read_range`."""
        with self._translated(kind, name):
            data = _pread(f"{self._root}/{relative_path(kind, name)}", length, offset)
        return exactly(data, length, kind=kind, name=name)

    def close(self) -> None:
        """See `RepositoryFiles.close`: nothing is kept open."""

    @contextmanager
    def _translated(self, kind: FileKind, name: str) -> Iterator[None]:
        try:
            yield
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
            # A root that is a file raises the same errors as a missing file: only a look at the root tells them apart.
            if os.path.lexists(self._root) and not self._root.is_dir():
                raise RootNotADirectory(str(self._root)) from None
            raise FileMissing(kind.word, name) from error
        except PermissionError as error:
            raise AccessDenied(f"{kind.word} {name}".rstrip()) from error
        except OSError as error:
            raise StoreUnavailable(error.strerror or type(error).__name__) from error


def _pread(path: str, length: int, offset: int) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        data = os.pread(descriptor, length, offset)
        # One call may give fewer bytes than it was asked for, also before the end of the file.
        while len(data) < length and (more := os.pread(descriptor, length - len(data), offset + len(data))):
            data += more
        return data
    finally:
        os.close(descriptor)


def _files_below(directory: Path, *, nested: bool) -> Iterator[StoredFile]:
    try:
        entries = os.scandir(directory)
    except FileNotFoundError:
        return
    with entries:
        for entry in entries:
            if nested and entry.is_dir():
                yield from _files_below(Path(entry.path), nested=False)
            elif is_storage_name(entry.name) and (size := _size(entry)) is not None:
                yield StoredFile(entry.name, size)


def _size(entry: os.DirEntry[str]) -> int | None:
    try:
        return entry.stat().st_size
    except FileNotFoundError:
        # A prune may remove a file at any time, also between reading its directory and looking at the file.
        return None
