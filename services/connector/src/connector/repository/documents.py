"""Reading one file that holds a JSON document: config, key, snapshot or index."""

import hashlib
from typing import TypeVar

import msgspec
import zstandard

from connector.repository.crypto import Box, NotAuthentic
from connector.repository.errors import Damaged
from connector.repository.storage import FileKind, RepositoryFiles

EXPANDED_BYTES_MOST = 512 << 20
_COMPRESSED = b"\x02"
_PIECE_BYTES = 1 << 20

T = TypeVar("T")


def read_checked(files: RepositoryFiles, kind: FileKind, name: str) -> bytes:
    """The bytes of a file whose name is their SHA-256; raises `Damaged` where it is not."""
    data = files.read(kind, name)
    if hashlib.sha256(data).hexdigest() != name:
        raise Damaged(kind.word, name, why="its content does not match its name")
    return data


def read_document(
    files: RepositoryFiles, kind: FileKind, name: str, *, box: Box, decoder: msgspec.json.Decoder[T]
) -> T:
    """What is in a sealed file; raises `FileMissing` or `Damaged`."""
    return open_document(read_checked(files, kind, name), kind, name, box=box, decoder=decoder)


def open_document(sealed: bytes, kind: FileKind, name: str, *, box: Box, decoder: msgspec.json.Decoder[T]) -> T:
    """A sealed document, authenticated and decoded; raises `Damaged`."""
    try:
        return decoder.decode(_expanded(box.open(sealed)))
    except NotAuthentic:
        raise Damaged(kind.word, name, why="it was not sealed with the repository's key") from None
    except (zstandard.ZstdError, msgspec.MsgspecError) as error:
        raise Damaged(kind.word, name, why="it does not hold the document it should") from error


def _expanded(plaintext: bytes) -> bytes:
    """Format 2 puts one byte in front of what is compressed; anything else is the JSON itself.

    Expanded piece by piece, so that memory is taken for what is there and not for what a frame says is there.
    """
    if plaintext[:1] != _COMPRESSED:
        return plaintext
    expanded = bytearray()
    with zstandard.ZstdDecompressor().stream_reader(memoryview(plaintext)[1:]) as reader:
        while piece := reader.read(_PIECE_BYTES):
            expanded += piece
            if len(expanded) > EXPANDED_BYTES_MOST:
                raise zstandard.ZstdError("too large")
    return bytes(expanded)
