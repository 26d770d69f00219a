"""Reads index files in bounded memory, however large one of them is."""

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from functools import partial
from itertools import chain
from pathlib import Path
from typing import IO

import msgspec
import zstandard
from cryptography.exceptions import InvalidSignature

from restic_reader.crypto import MAC_SIZE, NONCE_SIZE, OVERHEAD, Box, NotAuthentic
from restic_reader.errors import Damaged
from restic_reader.index.large_index_files import split_packs
from restic_reader.index.table_builder import scratch_file
from restic_reader.limits import IndexLimits
from restic_reader.sealed_documents import UNDECODABLE, expanded, read_checked
from restic_reader.storage import FileKind, RepositoryFiles, StoredFile
from restic_reader.structs import IndexFile, IndexPack

# Most index files are small and a round trip is long, so that some are asked for at a time.
_AHEAD = 4

_index_file = msgspec.json.Decoder(IndexFile)

Batches = Iterator[list[IndexPack]]


class IndexFiles:
    """Reads index files of one repository."""

    def __init__(self, files: RepositoryFiles, box: Box, limits: IndexLimits) -> None:
        self._files = files
        self._box = box
        self._limits = limits

    def read(
        self, wanted: Iterable[StoredFile], *, directory: Path | None
    ) -> Iterator[tuple[str, Callable[[], Batches]]]:
        """Names of index files, and what gives the packs of each, many at a time; some are read ahead.

        What gives the packs raises `FileMissing` before the first of them, `Damaged` at any time. Of a large file what
        was read is put aside in `directory`, or in memory without one.
        """
        with ThreadPoolExecutor(_AHEAD, thread_name_prefix="index") as pool:
            ahead: deque[tuple[StoredFile, Future[bytes] | None]] = deque()
            todo = iter(wanted)
            while True:
                while len(ahead) < _AHEAD and (stored := next(todo, None)) is not None:
                    ahead.append((stored, self._begun(stored, pool)))
                if not ahead:
                    return
                stored, small = ahead.popleft()
                yield stored.name, partial(self._batches_of, stored, small, directory)

    def _begun(self, stored: StoredFile, pool: Executor) -> "Future[bytes] | None":
        """The file while it is being read; a large one is read when it is its turn, piece by piece."""
        if stored.size > self._limits.large_file_bytes:
            return None
        return pool.submit(read_checked, self._files, FileKind.INDEX, stored.name)

    def _batches_of(self, stored: StoredFile, small: "Future[bytes] | None", directory: Path | None) -> Batches:
        try:
            if small is not None:
                yield from self._batches(iter([self._box.open(small.result())]))
            else:
                with scratch_file(directory, held_bytes=self._limits.table_bytes) as aside:
                    self._put_aside(stored, aside)
                    yield from self._batches(self._opened(aside, stored.size))
        except NotAuthentic:
            raise _damaged(stored, "it was not sealed with the repository's key") from None
        except (zstandard.ZstdError, *UNDECODABLE, ValueError) as error:
            raise _damaged(stored, "it does not hold the document it should") from error

    def _batches(self, plaintext: Iterator[bytes]) -> Batches:
        """Decoded at once where it is of a usual size, else split first."""
        pieces = expanded(plaintext, most_bytes=self._limits.expanded_bytes)
        beginning = bytearray()
        for piece in pieces:
            beginning += piece
            if len(beginning) > self._limits.whole_bytes:
                yield from split_packs(chain((bytes(beginning),), pieces))
                return
        yield _index_file.decode(beginning).packs or []

    def _put_aside(self, stored: StoredFile, aside: IO[bytes]) -> None:
        digest = hashlib.sha256()
        for offset, length in self._pieces(stored.size):
            piece = self._files.read_range(FileKind.INDEX, stored.name, offset=offset, length=length)
            digest.update(piece)
            aside.write(piece)
        if digest.hexdigest() != stored.name:
            raise _damaged(stored, "its content does not match its name")

    def _opened(self, sealed: IO[bytes], size: int) -> Iterator[bytes]:
        """The plaintext piece by piece; the file is read twice. Raises `NotAuthentic` before a byte is decrypted."""
        if size < OVERHEAD:
            raise NotAuthentic
        sealed.seek(0)
        nonce = sealed.read(NONCE_SIZE)
        authenticator, decryptor = self._box.authenticator(nonce), self._box.decryptor(nonce)
        for _, length in self._pieces(size - OVERHEAD):
            authenticator.update(sealed.read(length))
        try:
            authenticator.verify(sealed.read(MAC_SIZE))
        except InvalidSignature:
            raise NotAuthentic from None
        sealed.seek(NONCE_SIZE)
        for _, length in self._pieces(size - OVERHEAD):
            yield decryptor.update(sealed.read(length))

    def _pieces(self, size: int) -> Iterator[tuple[int, int]]:
        """Offset and length of each piece of so many bytes."""
        step = self._limits.piece_bytes
        return ((offset, min(step, size - offset)) for offset in range(0, size, step))


def _damaged(stored: StoredFile, why: str) -> Damaged:
    return Damaged(FileKind.INDEX.word, stored.name, why=why)
