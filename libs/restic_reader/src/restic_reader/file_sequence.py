"""The contents of many files, one after the other, read ahead across the borders between them."""

from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import closing
from itertools import chain, groupby
from typing import NamedTuple

from restic_reader.blob_runs import Wanted
from restic_reader.blobs import Blobs
from restic_reader.node_checks import content_of
from restic_reader.pre_order import Found
from restic_reader.read_windows import WINDOW_BYTES, WINDOWS_AHEAD, Window

# Of files without content or of a few bytes: bounds the nodes that are in memory.
_WINDOW_STEPS = 1024
_SHRUNK = 0.9


class ReadFile(NamedTuple):
    """A node and its content: none for anything but a file. `pieces` ends when the next file is asked for.

    `shrinks` is False where the repository's own compression saved next to nothing.
    """

    found: Found
    size: int
    shrinks: bool
    pieces: Iterator[bytes]


class _Step(NamedTuple):
    """One blob of a file; one step without any for what has no content."""

    number: int
    found: Found
    wanted: Wanted | None


def read_sequence(
    blobs: Blobs, found: Iterator[Found], *, pool: Executor, is_measured: bool = True
) -> Generator[ReadFile, None, None]:
    """Each node with its content. Neighbours in a pack share a read, whichever files they belong to.

    Unless `is_measured`, which looks up each blob once more, the size is the node's word, and all may shrink.

    About 16 MiB are in memory. Raises as `found` and `Blobs.load_run` do, before any byte of the blob in question.
    """
    with closing(_loaded(blobs, _windows(_steps(blobs, found)), pool)) as loaded:
        for _, steps in groupby(loaded, key=_number):
            first, content = next(steps)
            size, shrinks = _measure(blobs, _ids_of(first.found)) if is_measured else (first.found.node.size, True)
            pieces = (each for _, each in chain([(first, content)], steps) if each)
            yield ReadFile(first.found, size, shrinks, pieces)


def _number(loaded: tuple[_Step, bytes]) -> int:
    return loaded[0].number


def _ids_of(found: Found) -> Sequence[str]:
    """The blobs that a node's content is made of."""
    return content_of(found.node) if found.node.type == "file" else ()


def _measure(blobs: Blobs, ids: Sequence[str]) -> tuple[int, bool]:
    """How many bytes they are, and whether compressing them may be worth it; raises `BlobMissing`."""
    size = stored = 0
    is_compressed = True
    for blob_id in ids:
        location = blobs.locate(blob_id)
        size += location.plain_length
        stored += location.length
        is_compressed = is_compressed and location.compressed
    # Format 1 compresses nothing, so that the lengths in the store tell nothing of the content.
    return size, not is_compressed or stored < _SHRUNK * size


def _steps(blobs: Blobs, found: Iterator[Found]) -> Iterator[_Step]:
    for number, each in enumerate(found):
        ids = _ids_of(each)
        if not ids:
            yield _Step(number, each, None)
        for blob_id in ids:
            yield _Step(number, each, Wanted(blob_id, blobs.locate(blob_id)))


def _windows(steps: Iterator[_Step]) -> Iterator[list[_Step]]:
    while window := list(_fitting(steps)):
        yield window


def _fitting(steps: Iterator[_Step]) -> Iterator[_Step]:
    size = count = 0
    while size < WINDOW_BYTES and count < _WINDOW_STEPS and (step := next(steps, None)) is not None:
        size += step.wanted.location.plain_length if step.wanted else 0
        count += 1
        yield step


def _loaded(blobs: Blobs, windows: Iterator[list[_Step]], pool: Executor) -> Generator[tuple[_Step, bytes], None, None]:
    ahead: deque[tuple[list[_Step], Window[bytes]]] = deque()
    try:
        while True:
            while len(ahead) < WINDOWS_AHEAD and (steps := next(windows, None)) is not None:
                ahead.append((steps, Window(blobs.load_run, (step.wanted for step in steps if step.wanted), pool)))
            if not ahead:
                return
            steps, window = ahead.popleft()
            found = window.contents()
            for step in steps:
                yield step, found[step.wanted.blob_id] if step.wanted else b""
    finally:
        # Whoever stops early closes this generator: what was asked for ahead would be read for nothing.
        for _, window in ahead:
            window.cancel()
