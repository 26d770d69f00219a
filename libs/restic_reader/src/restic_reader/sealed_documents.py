"""Opens files that hold one sealed JSON document: a config, lock or snapshot; expands those of an index."""

import hashlib
from collections.abc import Iterator
from itertools import chain
from typing import IO, TypeVar, cast

import msgspec
import zstandard

from restic_reader.crypto import Box, NotAuthentic
from restic_reader.errors import Damaged
from restic_reader.storage import FileKind, RepositoryFiles

# msgspec raises RecursionError for JSON that is nested too deeply.
UNDECODABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What decoding raises for bytes that are not the document they should be."""
_COMPRESSED = b"\x02"
_PIECE_BYTES = 1 << 20

T = TypeVar("T")


def read_checked(files: RepositoryFiles, kind: FileKind, name: str) -> bytes:
    """The bytes of a file whose name is their SHA-256; raises `Damaged` where it is not."""
    data = files.read(kind, name)
    if hashlib.sha256(data).hexdigest() != name:
        raise Damaged(kind.word, name, why="its content does not match its name")
    return data


class SealedDocuments:
    """Opens the documents of one repository; one that expands to more than `most_bytes` is damaged."""

    def __init__(self, files: RepositoryFiles, box: Box, *, most_bytes: int) -> None:
        self._files = files
        self._box = box
        self._most_bytes = most_bytes

    def read(self, kind: FileKind, name: str, decoder: msgspec.json.Decoder[T]) -> T:
        """What is in a sealed file; raises `FileMissing` or `Damaged`."""
        return self.open(read_checked(self._files, kind, name), kind, name, decoder)

    def open(self, sealed: bytes, kind: FileKind, name: str, decoder: msgspec.json.Decoder[T]) -> T:
        """A sealed document, authenticated and decoded; raises `Damaged`."""
        try:
            plaintext = expanded(iter([self._box.open(sealed)]), most_bytes=self._most_bytes)
            return decoder.decode(b"".join(plaintext))
        except NotAuthentic:
            raise Damaged(kind.word, name, why="it was not sealed with the repository's key") from None
        except (zstandard.ZstdError, *UNDECODABLE) as error:
            raise Damaged(kind.word, name, why="it does not hold the document it should") from error


def expanded(plaintext: Iterator[bytes], *, most_bytes: int) -> Iterator[bytes]:
    """Format 2 puts one byte in front of what is compressed; anything else is the JSON itself.

    Raises `ZstdError`, also where it is more than `most_bytes`.
    """
    beginning = next(plaintext, b"")
    if beginning[:1] != _COMPRESSED:
        yield beginning
        yield from plaintext
        return
    source = _Source(chain((memoryview(beginning)[1:],), plaintext))
    size = 0
    with zstandard.ZstdDecompressor().stream_reader(cast(IO[bytes], source)) as reader:
        # In pieces, so that memory is taken for what is there and not for what a frame says is there.
        while piece := reader.read(_PIECE_BYTES):
            size += len(piece)
            if size > most_bytes:
                raise zstandard.ZstdError("too large")
            yield piece


class _Source:
    """Pieces as a file to read from."""

    def __init__(self, pieces: Iterator[bytes | memoryview]) -> None:
        self._pieces = pieces
        self._piece: bytes | memoryview = b""

    def read(self, size: int) -> bytes:
        if not self._piece:
            self._piece = memoryview(next(self._pieces, b""))
        part, self._piece = bytes(self._piece[:size]), self._piece[size:]
        return part
