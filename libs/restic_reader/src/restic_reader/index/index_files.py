"""Reading index files in bounded memory, however large one of them is."""

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import IO

import msgspec
import zstandard
from cryptography.exceptions import InvalidSignature

from restic_reader.crypto import MAC_SIZE, NONCE_SIZE, OVERHEAD, Box, NotAuthentic
from restic_reader.documents import UNDECODABLE, expanded, read_checked
from restic_reader.errors import Damaged
from restic_reader.index.large_index_files import split_packs
from restic_reader.index.table_builder import scratch_file
from restic_reader.storage import FileKind, RepositoryFiles, StoredFile
from restic_reader.structs import IndexFile, IndexPack

_LARGE_BYTES = 16 << 20
_PIECE_BYTES = 4 << 20
_WHOLE_BYTES = 32 << 20
_EXPANDED_BYTES_MOST = 4 << 30
_AHEAD = 4

_index_file = msgspec.json.Decoder(IndexFile)

Batches = Iterator[list[IndexPack]]


def read_index_files(
    files: RepositoryFiles, box: Box, wanted: Iterable[StoredFile], *, directory: Path | None
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
                is_large = stored.size > _LARGE_BYTES
                small = None if is_large else pool.submit(read_checked, files, FileKind.INDEX, stored.name)
                ahead.append((stored, small))
            if not ahead:
                return
            yield ahead[0][0].name, _reader(files, box, *ahead.popleft(), directory)


def _reader(
    files: RepositoryFiles, box: Box, stored: StoredFile, small: "Future[bytes] | None", directory: Path | None
) -> Callable[[], Batches]:
    def read() -> Batches:
        try:
            if small is not None:
                yield from _batches(iter([box.open(small.result())]))
            else:
                with scratch_file(directory) as aside:
                    _put_aside(files, stored, aside)
                    yield from _batches(_opened(aside, stored.size, box))
        except NotAuthentic:
            raise _damaged(stored, "it was not sealed with the repository's key") from None
        except (zstandard.ZstdError, *UNDECODABLE, ValueError) as error:
            raise _damaged(stored, "it does not hold the document it should") from error

    return read


def _batches(plaintext: Iterator[bytes]) -> Batches:
    """Decoded at once where it is of a usual size, else split first."""
    pieces = expanded(plaintext, most_bytes=_EXPANDED_BYTES_MOST)
    beginning = bytearray()
    for piece in pieces:
        beginning += piece
        if len(beginning) > _WHOLE_BYTES:
            yield from split_packs(chain((bytes(beginning),), pieces))
            return
    yield _index_file.decode(beginning).packs or []


def _put_aside(files: RepositoryFiles, stored: StoredFile, aside: IO[bytes]) -> None:
    digest = hashlib.sha256()
    for offset in range(0, stored.size, _PIECE_BYTES):
        length = min(_PIECE_BYTES, stored.size - offset)
        piece = files.read_range(FileKind.INDEX, stored.name, offset=offset, length=length)
        digest.update(piece)
        aside.write(piece)
    if digest.hexdigest() != stored.name:
        raise _damaged(stored, "its content does not match its name")


def _opened(sealed: IO[bytes], size: int, box: Box) -> Iterator[bytes]:
    """The plaintext piece by piece; the file is read twice. Raises `NotAuthentic` before a byte is decrypted."""
    if size < OVERHEAD:
        raise NotAuthentic
    sealed.seek(0)
    nonce = sealed.read(NONCE_SIZE)
    authenticator, decryptor = box.authenticator(nonce), box.decryptor(nonce)
    for piece in _pieces(sealed, size - OVERHEAD):
        authenticator.update(piece)
    try:
        authenticator.verify(sealed.read(MAC_SIZE))
    except InvalidSignature:
        raise NotAuthentic from None
    sealed.seek(NONCE_SIZE)
    yield from map(decryptor.update, _pieces(sealed, size - OVERHEAD))


def _pieces(file: IO[bytes], size: int) -> Iterator[bytes]:
    for offset in range(0, size, _PIECE_BYTES):
        yield file.read(min(_PIECE_BYTES, size - offset))


def _damaged(stored: StoredFile, why: str) -> Damaged:
    return Damaged(FileKind.INDEX.word, stored.name, why=why)
