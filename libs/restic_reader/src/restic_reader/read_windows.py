"""Blobs that are wanted soon, read ahead together."""

from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from typing import Generic, TypeVar

from restic_reader.blob_runs import Wanted, runs
from restic_reader.limits import RUN_BYTES, RUN_GAP

T = TypeVar("T")

WINDOW_BYTES = 4 << 20
WINDOWS_AHEAD = 3


class Window(Generic[T]):
    """Blobs while they are being read, as `load` gives the blobs of a run.

    restic fills several packs at a time, so neighbours in a file are rarely neighbours in a pack; among the blobs of
    a window there are some, and they share a read.
    """

    def __init__(self, load: Callable[[list[Wanted]], list[T]], wanted: Iterable[Wanted], pool: Executor) -> None:
        in_place = sorted(set(wanted), key=lambda item: item.location)
        self._runs = [(run, pool.submit(load, run)) for run in runs(in_place, max_bytes=RUN_BYTES, max_gap=RUN_GAP)]

    def contents(self) -> dict[str, T]:
        """What was loaded by the ids of the blobs, once all are there. Raises as `load` does."""
        return {
            item.blob_id: loaded
            for run, future in self._runs
            for item, loaded in zip(run, future.result(), strict=True)
        }

    def cancel(self) -> None:
        """Leave unread what nobody has begun to read."""
        for _, future in self._runs:
            future.cancel()
