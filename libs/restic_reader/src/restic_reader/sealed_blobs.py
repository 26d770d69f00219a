"""Blobs as they are stored: authenticated, encrypted and maybe compressed."""

from collections.abc import Iterable
from typing import NamedTuple

from restic_reader.blob_runs import Wanted, runs
from restic_reader.errors import Damaged, ThawRequired
from restic_reader.limits import BLOB_BYTES_MOST, RUN_BYTES, RUN_GAP
from restic_reader.storage import FileKind, RepositoryFiles


class SealedBlob(NamedTuple):
    """A blob and what is stored of it; None where it cannot be read in that place: there may be other copies."""

    wanted: Wanted
    sealed: memoryview | None


def read_sealed(files: RepositoryFiles, wanted: Iterable[Wanted]) -> list[SealedBlob]:
    """All of them, each once, in the order of the store; neighbours share a read. Raises what the store does."""
    in_place = sorted(set(wanted), key=lambda item: item.location)
    return [
        blob for run in runs(in_place, max_bytes=RUN_BYTES, max_gap=RUN_GAP) for blob in read_sealed_run(files, run)
    ]


def read_sealed_run(files: RepositoryFiles, run: list[Wanted]) -> list[SealedBlob]:
    """The blobs of one pack, given in ascending order of offset, with one read for all of them."""
    base = run[0].location.offset
    try:
        data = memoryview(read_pack(files, run[0].location.pack, offset=base, length=run[-1].location.end - base))
    except (Damaged, ThawRequired):
        return [SealedBlob(each, None) for each in run]
    return [SealedBlob(each, data[each.location.offset - base : each.location.end - base]) for each in run]


def read_pack(files: RepositoryFiles, pack: str, *, offset: int, length: int) -> bytes:
    """Bytes of a pack. Raises as `RepositoryFiles.read_range`, and `Damaged` for more than any blob has."""
    if length > BLOB_BYTES_MOST:
        raise Damaged(FileKind.PACK.word, pack, why="a blob in it is said to be larger than any is")
    return files.read_range(FileKind.PACK, pack, offset=offset, length=length)
