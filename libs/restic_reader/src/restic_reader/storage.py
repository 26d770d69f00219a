"""Where the files of a repository are kept: the port, and what is common to its adapters."""

import re
from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple, Protocol

from restic_reader.errors import Damaged

_STORAGE_NAME = re.compile(r"[0-9a-f]{64}\Z")


class FileKind(StrEnum):
    """The kinds of files; the value is the directory (for `CONFIG`, the file) that holds them."""

    CONFIG = "config"
    KEY = "keys"
    SNAPSHOT = "snapshots"
    INDEX = "index"
    PACK = "data"
    LOCK = "locks"

    @property
    def word(self) -> str:
        """How an error text calls one file of this kind."""
        return {"keys": "key", "snapshots": "snapshot", "data": "pack", "locks": "lock"}.get(self.value, self.value)


class StoredFile(NamedTuple):
    """One file of a listing: its name (64 hex digits) and its size in bytes, less than 0 where it is not known."""

    name: str
    size: int


class RepositoryFiles(Protocol):
    """Read access to the files of one repository.

    All calls may be made from any thread, at the same time, and any number of times. Only `config` has no name of
    its own: its name is "". Beside the errors named below each call raises `StoreUnavailable` where the place did
    not answer, `AccessDenied` where it refused, and `ThawRequired` where it has put a file into an archive.
    """

    def list(self, kind: FileKind) -> Iterable[StoredFile]:
        """All files of a kind, in no order; files that do not belong to a repository are left out.

        A directory that does not exist holds no files.
        """
        ...

    def has_directory(self, kind: FileKind) -> bool | None:
        """Whether the directory of a kind is there, even if empty; None where a place has none or does not say."""
        ...

    def read(self, kind: FileKind, name: str) -> bytes:
        """The whole file; raises `FileMissing`."""
        ...

    def read_range(self, kind: FileKind, name: str, *, offset: int, length: int) -> bytes:
        """Exactly `length` bytes from `offset`; raises `FileMissing`, or `Damaged` where the file ends before."""
        ...

    def close(self) -> None:
        """Gives up connections and helpers and returns at once; nothing is read afterwards. May be repeated."""
        ...


def is_storage_name(name: str) -> bool:
    """Whether a file name is one that a repository gives (lower-case SHA-256)."""
    return _STORAGE_NAME.match(name) is not None


def relative_path(kind: FileKind, name: str) -> str:
    """The path of a file below the repository's root, in the default layout."""
    if kind is FileKind.CONFIG:
        return kind.value
    if kind is FileKind.PACK:
        return f"{kind.value}/{name[:2]}/{name}"
    return f"{kind.value}/{name}"


def exactly(data: bytes, length: int, *, kind: FileKind, name: str) -> bytes:
    """`data` if it is as long as it should be, else raises `Damaged`."""
    if len(data) != length:
        raise Damaged(kind.word, name, why="it is shorter than the index says")
    return data
