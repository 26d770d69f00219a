"""Blobs that are wanted soon, read ahead together."""

from collections.abc import Iterable
from concurrent.futures import Executor

from restic_reader.blob_runs import Wanted, runs
from restic_reader.blobs import Blobs

WINDOW_BYTES = 4 << 20
WINDOWS_AHEAD = 3
# To read so much more takes less time than another request.
_RUN_GAP = 64 << 10


class Window:
    """Blobs while they are being read.

    restic fills several packs at a time, so neighbours in a file are rarely neighbours in a pack; among the blobs of
    a window there are some, and they share a read.
    """

    def __init__(self, blobs: Blobs, wanted: Iterable[Wanted], pool: Executor) -> None:
        in_place = sorted(set(wanted), key=lambda item: item.location)
        self._runs = [
            (run, pool.submit(blobs.load_run, run)) for run in runs(in_place, max_bytes=WINDOW_BYTES, max_gap=_RUN_GAP)
        ]

    def contents(self) -> dict[str, bytes]:
        """The contents by the ids of the blobs, once all are there. Raises as `Blobs.load_run` does."""
        return {
            item.blob_id: content
            for run, future in self._runs
            for item, content in zip(run, future.result(), strict=True)
        }

    def cancel(self) -> None:
        """Leave unread what nobody has begun to read."""
        for _, future in self._runs:
            future.cancel()
