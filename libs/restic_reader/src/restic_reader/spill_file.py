"""Blobs too large for memory: copied, still sealed, into a file without a name, and streamed from there."""

import hashlib
import os
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Protocol, Self, cast

import zstandard
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.ciphers import CipherContext

from restic_reader.crypto import MAC_SIZE, NONCE_SIZE, OVERHEAD, Box
from restic_reader.errors import Damaged
from restic_reader.index import Location
from restic_reader.scratch import nameless_file, scratch_errors
from restic_reader.storage import FileKind, RepositoryFiles

_COPIED_BYTES = 4 << 20
_FED_BYTES = 256 << 10
_HASHED_BYTES = 1 << 20


class Stream(Protocol):
    """Bytes from front to back."""

    def read(self, size: int, /) -> bytes:
        """The next bytes, at most so many; none at the end."""
        ...


class SpilledBlob:
    """A blob whose content was compared with its id, to be streamed as often as needed, by any threads.

    Of its content nothing is written to the disk: the file holds what the store holds. It is gone when it is closed or
    nobody holds it any more, and when the process ends.
    """

    def __init__(self, descriptor: int, *, nonce: bytes, box: Box, compressed: bool) -> None:
        self._descriptor = descriptor
        self._nonce = nonce
        self._box = box
        self._compressed = compressed
        # `finalize` closes once, whichever comes first: a call, the garbage collector or the end of the process.
        self.close = weakref.finalize(self, os.close, descriptor)

    @classmethod
    def copy(cls, blob_id: str, location: Location, *, files: RepositoryFiles, box: Box, scratch: Path | None) -> Self:
        """The blob that lies there. Raises `Damaged` unless it is authentic and what its id says, or `NoScratch`."""

        def part(offset: int, length: int) -> bytes:
            return files.read_range(FileKind.PACK, location.pack, offset=offset, length=length)

        if location.length < OVERHEAD:
            raise damaged_blob(location, blob_id, "is not authentic")
        nonce, tag = part(location.offset, NONCE_SIZE), part(location.end - MAC_SIZE, MAC_SIZE)
        blob = cls(nameless_file(scratch), nonce=nonce, box=box, compressed=location.compressed)
        authenticator = box.authenticator(nonce)
        for start, length in _pieces(location.offset + NONCE_SIZE, location.end - MAC_SIZE):
            piece = part(start, length)
            authenticator.update(piece)
            blob._write(piece)
        try:
            authenticator.verify(tag)
        except InvalidSignature:
            raise damaged_blob(location, blob_id, "is not authentic") from None
        blob._compare(blob_id, location)
        return blob

    def open(self) -> Stream:
        """The content from its beginning."""
        decrypted = _Decrypted(self, self._box.decryptor(self._nonce))
        if not self._compressed:
            return decrypted
        return zstandard.ZstdDecompressor().stream_reader(cast("IO[bytes]", decrypted), read_size=_FED_BYTES)

    def sealed_at(self, offset: int, length: int) -> bytes:
        """A part of the ciphertext; shorter at its end. Raises `ValueError` once it is closed."""
        # The number of a closed descriptor may belong to another file by now.
        if not self.close.alive:
            raise ValueError("the blob is closed")
        return os.pread(self._descriptor, length, offset)

    def _write(self, piece: bytes) -> None:
        view = memoryview(piece)
        with scratch_errors():
            # One call may take fewer bytes than it is given.
            while view:
                view = view[os.write(self._descriptor, view) :]

    def _compare(self, blob_id: str, location: Location) -> None:
        stream, digest, left = self.open(), hashlib.sha256(), location.plain_length
        try:
            # A damaged frame may expand to far more than the index says: stop after the first piece that is too much.
            while left >= 0 and (piece := stream.read(_HASHED_BYTES)):
                digest.update(piece)
                left -= len(piece)
        except zstandard.ZstdError:
            raise damaged_blob(location, blob_id, "cannot be expanded") from None
        if left or digest.hexdigest() != blob_id:
            raise damaged_blob(location, blob_id, "has another content than its id says")


class _Decrypted:
    """The plaintext of a spilled blob, as it was sealed: compressed or not."""

    def __init__(self, blob: SpilledBlob, decryptor: CipherContext) -> None:
        self._blob = blob
        self._decryptor = decryptor
        self._offset = 0

    def read(self, size: int, /) -> bytes:
        """See `Stream`."""
        piece = self._blob.sealed_at(self._offset, size)
        self._offset += len(piece)
        return self._decryptor.update(piece)


def damaged_blob(location: Location, blob_id: str, what: str) -> Damaged:
    """What to raise for a blob of which `what` is to be said."""
    return Damaged(FileKind.PACK.word, location.pack, why=f"its blob {blob_id} {what}")


def _pieces(start: int, end: int) -> Iterator[tuple[int, int]]:
    for offset in range(start, end, _COPIED_BYTES):
        yield offset, min(_COPIED_BYTES, end - offset)
