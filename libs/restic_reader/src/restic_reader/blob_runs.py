"""Blobs to be read, and which of them share one read of their pack."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from restic_reader.index import Location


class Wanted(NamedTuple):
    """A blob to be read, and where it lies."""

    blob_id: str
    location: Location


def runs(wanted: Iterable[Wanted], *, max_bytes: int, max_gap: int) -> Iterator[list[Wanted]]:
    """Neighbours of one pack put together, so that each run costs one read of at most `max_bytes` (or one blob).

    Blobs stay in the order given; gaps of up to `max_gap` bytes between two of them are read over.
    """
    run: list[Wanted] = []
    for item in wanted:
        if run and not _continues(run, item.location, max_bytes=max_bytes, max_gap=max_gap):
            yield run
            run = []
        run.append(item)
    if run:
        yield run


def _continues(run: list[Wanted], location: Location, *, max_bytes: int, max_gap: int) -> bool:
    first, last = run[0].location, run[-1].location
    return (
        location.pack == last.pack
        and 0 <= location.offset - last.end <= max_gap
        and location.end - first.offset <= max_bytes
    )
