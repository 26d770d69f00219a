"""The blobs of many files as they are stored, read ahead across the borders between the files."""

from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from typing import Generic, NamedTuple, TypeVar

from restic_reader.blob_runs import Wanted
from restic_reader.blobs import Blobs
from restic_reader.errors import BlobMissing
from restic_reader.read_windows import WINDOW_BYTES, WINDOWS_AHEAD, Window
from restic_reader.sealed_blobs import SealedBlob

T = TypeVar("T")


class Asked(NamedTuple, Generic[T]):
    """Blobs that are asked for together."""

    of: T
    """Whose they are."""
    ids: Sequence[str]
    size: int
    """How many bytes they are together."""


_WINDOW_ITEMS = 1024
"""Of items without blobs, or with small ones: bounds what is in memory."""


def locate_all(blobs: Blobs, asked: Iterable[Asked[T]]) -> Iterator[tuple[T, list[Wanted] | None]]:
    """Each of what was asked for with where its blobs lie. Raises as `asked`.

    None where one is in no index, or they have another size: that may be more than fits into memory.
    """
    for of, ids, size in asked:
        yield of, _located(blobs, ids, size)


def _located(blobs: Blobs, ids: Sequence[str], size: int) -> list[Wanted] | None:
    found = []
    try:
        for blob_id in ids:
            found.append(Wanted(blob_id, blobs.locate(blob_id)))
            size -= found[-1].location.plain_length
            if size < 0:
                return None
    except BlobMissing:
        return None
    return None if size else found


def read_all_sealed(
    blobs: Blobs, asked: Iterable[Asked[T]], *, pool: Executor
) -> Generator[tuple[T, list[SealedBlob] | None], None, None]:
    """The same with what is stored of each blob; about 16 MiB are in memory. Raises what concerns all the store, too.

    Neighbours in a pack share a read, whosever they are.
    """
    windows = _windows(locate_all(blobs, asked))
    ahead: deque[tuple[list[tuple[T, list[Wanted] | None]], Window[SealedBlob]]] = deque()
    try:
        while True:
            while len(ahead) < WINDOWS_AHEAD and (items := next(windows, None)):
                ahead.append((items, Window(blobs.sealed_run, _wanted(items), pool)))
            if not ahead:
                return
            items, window = ahead.popleft()
            found = window.contents()
            for each, wanted in items:
                yield each, None if wanted is None else [found[blob.blob_id] for blob in wanted]
    finally:
        # Whoever stops early closes this generator: what was asked for ahead would be read for nothing.
        for _, window in ahead:
            window.cancel()


def _windows(located: Iterator[tuple[T, list[Wanted] | None]]) -> Iterator[list[tuple[T, list[Wanted] | None]]]:
    items: list[tuple[T, list[Wanted] | None]] = []
    size = 0
    for each, wanted in located:
        items.append((each, wanted))
        size += sum(blob.location.length for blob in wanted or ())
        if size >= WINDOW_BYTES or len(items) >= _WINDOW_ITEMS:
            yield items
            items, size = [], 0
    if items:
        yield items


def _wanted(items: list[tuple[T, list[Wanted] | None]]) -> Iterator[Wanted]:
    for _, wanted in items:
        yield from wanted or ()
