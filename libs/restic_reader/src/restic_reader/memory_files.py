"""A repository in memory, for tests and for trying things out."""

from collections.abc import Iterator

from restic_reader.errors import FileMissing
from restic_reader.storage import FileKind, StoredFile, exactly


class MemoryFiles:
    """`RepositoryFiles` over a dictionary that its owner may change at any time."""

    def __init__(self, files: dict[tuple[FileKind, str], bytes] | None = None) -> None:
        self.files = {} if files is None else files

    def list(self, kind: FileKind) -> Iterator[StoredFile]:
        """See `RepositoryFiles.list`."""
        # A copy: the owner may change the dictionary while the listing is being read.
        names = [(name, len(data)) for (of_kind, name), data in self.files.items() if of_kind is kind]
        return (StoredFile(name, size) for name, size in names)

    def has_directory(self, kind: FileKind) -> None:
        """See `RepositoryFiles.has_directory`: there are no directories."""

    def read(self, kind: FileKind, name: str) -> bytes:
        """See `RepositoryFiles.read`."""
        try:
            return self.files[kind, name]
        except KeyError:
            raise FileMissing(kind.word, name) from None

    def read_range(self, kind: FileKind, name: str, *, offset: int, length: int) -> bytes:
        """See `RepositoryFiles.read_range`."""
        data = self.read(kind, name)[offset : offset + length]
        return exactly(data, length, kind=kind, name=name)

    def close(self) -> None:
        """See `RepositoryFiles.close`: nothing is kept open."""
