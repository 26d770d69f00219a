"""What is too large for memory, in files without a name: only this process reaches them, and they are gone with it."""

import os
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from restic_reader.errors import NoScratch

_IDS_IN_MEMORY_BYTES = 1 << 20
ID_BYTES = 32


@contextmanager
def scratch_errors() -> Iterator[None]:
    """Raises `NoScratch` for what goes wrong with a file in the block."""
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        raise no_scratch(error) from error


def no_scratch(error: OSError | sqlite3.Error) -> NoScratch:
    """What to raise for what went wrong with a file."""
    return NoScratch(getattr(error, "strerror", None) or type(error).__name__)


def nameless_file(directory: Path | None) -> int:
    """The descriptor of a new file, for whoever gets it to close; without a directory it lies where the system says."""
    with scratch_errors(), tempfile.TemporaryFile(dir=made(directory)) as file:
        # `file` closes its own descriptor here; the second one keeps the nameless file alive.
        return os.dup(file.fileno())


class IdQueue:
    """Binary ids in the order they were added, 32 bytes each; of many, those beyond 32,768 lie on the disk."""

    def __init__(self, directory: Path | None) -> None:
        with scratch_errors():
            self._file = tempfile.SpooledTemporaryFile(_IDS_IN_MEMORY_BYTES, dir=made(directory))  # noqa: SIM115
        self._read_up_to = 0

    def add(self, ids: Iterable[bytes]) -> None:
        """Add some at the end."""
        with scratch_errors():
            self._file.seek(0, os.SEEK_END)
            self._file.write(b"".join(ids))

    def take(self, count: int) -> list[bytes]:
        """The next ones, at most so many; none at the end."""
        with scratch_errors():
            self._file.seek(self._read_up_to)
            read = self._file.read(count * ID_BYTES)
        self._read_up_to += len(read)
        return [read[start : start + ID_BYTES] for start in range(0, len(read), ID_BYTES)]

    def put_back(self, count: int) -> None:
        """Take the last ones once more."""
        self._read_up_to -= count * ID_BYTES

    def rewind(self) -> None:
        """Take all once more."""
        self._read_up_to = 0

    def close(self) -> None:
        """Give its room back."""
        self._file.close()


def made(directory: Path | None) -> str | None:
    """The directory, made if need be, for its owner only."""
    if directory is None:
        return None
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    return str(directory)
