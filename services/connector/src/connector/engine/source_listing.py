"""What a source listed when it was backed up: kept in a file without a name until it was compared with what arrived."""

import os
import tempfile
import weakref
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

_CHUNK_BYTES = 1 << 16


class ListedEntry(NamedTuple):
    """An entry of a directory."""

    name: str
    """Bytes that are no UTF-8 are surrogate escapes."""
    is_directory: bool
    inode: str
    modified: str
    """Both as they were noted, to be compared; empty where they could not be had."""

    def is_still_at(self, path: Path) -> bool:
        """Whether this very entry is there, and not another one that was made in its place since. Blocks."""
        try:
            now = path.lstat()
        except OSError:
            return False
        same_time = self.is_directory or f"{now.st_mtime_ns:x}" == self.modified
        return f"{now.st_ino:x}" == self.inode and same_time


class UnnamedFile:
    """An open file without a name in a directory, which is made if need be. Closed when nobody has it any more."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.descriptor, path = tempfile.mkstemp(dir=directory)
        weakref.finalize(self, os.close, self.descriptor)
        Path(path).unlink()


@dataclass(frozen=True)
class SourceListing:
    """Entries of directories, each directory before those in it; a large one may come in several parts.

    The file holds words that end in NUL, compressed by zlib: the path of a directory within the source, `/` being its
    root, then a word for each entry: its kind (`f` is a plain file, `d` a directory, `o` anything else), its inode and
    the time of its last change in nanoseconds (both hexadecimal), and its name, with dots between them.
    """

    files: int
    """How many plain files there are."""
    packed: UnnamedFile

    def parts(self) -> Iterator[tuple[str, list[ListedEntry]]]:
        """Directories, with some entries of each. Blocks."""
        directory, entries = "", list[ListedEntry]()
        for word in self._words():
            if word.startswith("/"):
                if entries:
                    yield directory, entries
                directory, entries = word, []
            else:
                inode, modified, name = word[1:].split(".", 2)
                entries.append(ListedEntry(name, word[0] == "d", inode, modified))
        if entries:
            yield directory, entries

    def _words(self) -> Iterator[str]:
        unpack, rest, offset = zlib.decompressobj(), b"", 0
        while packed := os.pread(self.packed.descriptor, _CHUNK_BYTES, offset):
            offset += len(packed)
            *whole, rest = (rest + unpack.decompress(packed)).split(b"\0")
            yield from map(os.fsdecode, whole)
