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

from chassis.caches import ByteBoundedCache

from connector.repository.blobs import Blobs, Wanted, runs

_WINDOW_BYTES = 4 << 20
_WINDOWS_AHEAD = 3
_RUN_GAP = 64 << 10
_MANY_BLOBS = 16
Ends: TypeAlias = "array[int]"


class Layouts:
    """Where the blobs of files end in them, kept for large files: a terabyte has a million, each to be looked up.

    Of what the index says only lengths are kept, and these belong to the blobs, wherever they come to lie.
    """

    def __init__(self, blobs: Blobs, *, cache_bytes: int) -> None:
        self._blobs = blobs
        self._kept: ByteBoundedCache[Ends] = ByteBoundedCache(cache_bytes)

    def ends(self, ids: Sequence[str]) -> Ends:
        """For each blob of a file, the offset in the file after its last byte; raises `BlobMissing`."""
        if len(ids) < _MANY_BLOBS:
            return self._measured(ids)
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
    """The first blob at once and by itself, so that the first byte is early; the rest in windows, some ahead."""
    first = next(wanted, None)
    if first is None:
        return
    rest = _windows(wanted)
    ahead: deque[_Window] = deque()
    try:
        _top_up(ahead, rest, blobs=blobs, pool=pool)
        yield blobs.load(first.blob_id)
        while ahead:
            contents = ahead.popleft().contents()
            _top_up(ahead, rest, blobs=blobs, pool=pool)
            yield from contents
    finally:
        for window in ahead:
            window.cancel()


def _windows(wanted: Iterator[Wanted]) -> Iterator[list[Wanted]]:
    while window := list(_fitting(wanted)):
        yield window


def _fitting(wanted: Iterator[Wanted]) -> Iterator[Wanted]:
    size = 0
    while size < _WINDOW_BYTES and (item := next(wanted, None)) is not None:
        size += item.location.plain_length
        yield item


def _top_up(ahead: "deque[_Window]", rest: Iterator[list[Wanted]], *, blobs: Blobs, pool: Executor) -> None:
    while len(ahead) < _WINDOWS_AHEAD and (window := next(rest, None)) is not None:
        ahead.append(_Window(blobs, window, pool))


class _Window:
    """Consecutive blobs of a file while they are being read.

    restic fills several packs at a time, so neighbours in the file are rarely neighbours in a pack; among the blobs of
    a window there are some.
    """

    def __init__(self, blobs: Blobs, wanted: list[Wanted], pool: Executor) -> None:
        self._ids = [item.blob_id for item in wanted]
        in_place = sorted(set(wanted), key=lambda item: item.location)
        self._runs = [
            (run, pool.submit(blobs.load_run, run)) for run in runs(in_place, max_bytes=_WINDOW_BYTES, max_gap=_RUN_GAP)
        ]

    def contents(self) -> list[bytes]:
        """The contents in the order of the file, once all are there."""
        found = {
            item.blob_id: content
            for run, future in self._runs
            for item, content in zip(run, future.result(), strict=True)
        }
        return [found[blob_id] for blob_id in self._ids]

    def cancel(self) -> None:
        """Leaves unread what nobody has begun to read."""
        for _, future in self._runs:
            future.cancel()
