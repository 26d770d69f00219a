"""Bringing the index in memory up to the index files of the repository."""

from concurrent.futures import ThreadPoolExecutor

import msgspec

from connector.repository.crypto import OVERHEAD, Box
from connector.repository.documents import read_document
from connector.repository.errors import Damaged, FileMissing
from connector.repository.index import BlobIndex, Segment
from connector.repository.storage import FileKind, RepositoryFiles
from connector.repository.structs import IndexFile

_ATTEMPTS = 3
_PARALLEL = 4

_index_file = msgspec.json.Decoder(IndexFile)


def empty_index() -> BlobIndex:
    """An index that knows no blob."""
    return BlobIndex({}, overhead=OVERHEAD)


def load_index(files: RepositoryFiles, box: Box, *, known: BlobIndex) -> BlobIndex:
    """The index as the repository has it now; index files that `known` has are not read again.

    Returns `known` itself when nothing changed. Raises `Damaged` for an index file that cannot be read.
    """
    for _ in range(_ATTEMPTS - 1):
        try:
            return _load_once(files, box, known)
        except FileMissing:  # replaced by a prune between our listing and our reading
            continue
    return _load_once(files, box, known)


def _load_once(files: RepositoryFiles, box: Box, known: BlobIndex) -> BlobIndex:
    names = {found.name for found in files.list(FileKind.INDEX)}
    if names == known.segments.keys():
        return known
    kept = {name: segment for name, segment in known.segments.items() if name in names}
    new = sorted(names - kept.keys())
    with ThreadPoolExecutor(max_workers=min(_PARALLEL, max(1, len(new)))) as pool:
        loaded = pool.map(lambda name: _segment(files, box, name), new)
        return BlobIndex({**kept, **dict(zip(new, loaded, strict=True))}, overhead=OVERHEAD)


def _segment(files: RepositoryFiles, box: Box, name: str) -> Segment:
    document = read_document(files, FileKind.INDEX, name, box=box, decoder=_index_file)
    try:
        return Segment(document)
    except (ValueError, OverflowError) as error:
        raise Damaged(FileKind.INDEX.word, name, why="it has ids or numbers that no repository has") from error
