"""The bytes of a file, from anywhere in it, read ahead while they are being consumed."""

import hashlib
import sys
from array import array
from bisect import bisect_right
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Executor
from itertools import accumulate, islice
from typing import TypeAlias

from restic_reader.blob_runs import Wanted
from restic_reader.blobs import Blobs
from restic_reader.byte_cache import ByteCache
from restic_reader.read_windows import WINDOW_BYTES, WINDOWS_AHEAD, Window

_MANY_BLOBS = 16
Ends: TypeAlias = "array[int]"
_Ahead: TypeAlias = tuple[list[Wanted], Window[bytes]]


class Layouts:
    """Where the blobs of files end in them, kept for large files: a terabyte has a million, each to be looked up.

    Of what the index says only lengths are kept, and these belong to the blobs, wherever they come to lie.
    """

    def __init__(self, blobs: Blobs, *, cache_bytes: int) -> None:
        self._blobs = blobs
        self._kept: ByteCache[Ends] = ByteCache(cache_bytes)

    def ends(self, ids: Sequence[str]) -> Ends:
        """For each blob of a file, the offset in the file after its last byte; raises `BlobMissing`."""
        if len(ids) < _MANY_BLOBS:
            return self._measured(ids)
        # restic gives files no id: the list of blobs names one. Its hash does too, without 64 bytes for each blob.
        key = hashlib.sha256("".join(ids).encode()).hexdigest()
        found = self._kept.get(key)
        if found is None:
            found = self._measured(ids)
            self._kept.put(key, found, size_bytes=found.itemsize * len(found))
        return found

    def _measured(self, ids: Sequence[str]) -> Ends:
        return array("Q", accumulate(self._blobs.locate(blob_id).plain_length for blob_id in ids))


def read_content(
    blobs: Blobs, ids: Sequence[str], ends: Ends, *, pool: Executor, offset: int, length: int | None
) -> Generator[bytes, None, None]:
    """Bytes `offset` to `offset + length` (to the end without one) of the file that these blobs make up.

    Blobs before `offset` are not read. Raises as `Blobs.load` does, in the middle if need be.
    """
    left = sys.maxsize if length is None else length
    if left == 0:
        return
    number = bisect_right(ends, offset)
    skip = offset - (ends[number - 1] if number else 0)
    wanted = (Wanted(each, blobs.locate(each)) for each in islice(ids, number, None))
    for content in _contents(blobs, _until(wanted, skip + left), pool):
        part = content[skip : skip + left]
        skip = 0
        left -= len(part)
        yield part


def _until(wanted: Iterator[Wanted], length: int) -> Iterator[Wanted]:
    while length > 0 and (item := next(wanted, None)) is not None:
        length -= item.location.plain_length
        yield item


def _contents(blobs: Blobs, wanted: Iterator[Wanted], pool: Executor) -> Iterator[bytes]:
    """The first blob by itself, the rest in windows, some ahead."""
    first = next(wanted, None)
    if first is None:
        return
    rest = _windows(wanted)
    ahead: deque[_Ahead] = deque()
    try:
        _top_up(ahead, rest, blobs=blobs, pool=pool)
        # By itself, so that the first byte does not wait for a whole window.
        yield blobs.load(first.blob_id)
        while ahead:
            items, window = ahead.popleft()
            found = window.contents()
            _top_up(ahead, rest, blobs=blobs, pool=pool)
            yield from (found[item.blob_id] for item in items)
    finally:
        # A client that leaves closes this generator: what was asked for ahead would be read for nobody.
        for _, window in ahead:
            window.cancel()


def _windows(wanted: Iterator[Wanted]) -> Iterator[list[Wanted]]:
    while window := list(_fitting(wanted)):
        yield window


def _fitting(wanted: Iterator[Wanted]) -> Iterator[Wanted]:
    size = 0
    while size < WINDOW_BYTES and (item := next(wanted, None)) is not None:
        size += item.location.plain_length
        yield item


def _top_up(ahead: deque[_Ahead], rest: Iterator[list[Wanted]], *, blobs: Blobs, pool: Executor) -> None:
    while len(ahead) < WINDOWS_AHEAD and (items := next(rest, None)) is not None:
        ahead.append((items, Window(blobs.load_run, items, pool)))
