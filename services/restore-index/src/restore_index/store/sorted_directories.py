"""In which order entries are shown, worked out once for a directory and kept in memory, 4 bytes an entry."""

import asyncio
from array import array
from functools import partial

from chassis.persistence.mongo import PyMongoError
from chassis.runtime.supervision import begin
from contracts.errors import CairnError, TemporaryError
from contracts.values import OrganizationId

from restore_index.domain import restore_points
from restore_index.domain.entries import unpack_sort_fields
from restore_index.domain.sort_order import Order, SortKeys
from restore_index.store.byte_cache import ByteCache
from restore_index.store.directories import Directories
from restore_index.store.directory_documents import Directory

PATIENCE_SECONDS = 15
_OVERHEAD_BYTES = 200


class SortedDirectories:
    """The orders of directories; those used last are in memory. One directory of many pages is sorted at a time."""

    def __init__(
        self, directories: Directories, *, cache_bytes: int, patience_seconds: float = PATIENCE_SECONDS
    ) -> None:
        self._patience_seconds = patience_seconds
        self._directories = directories
        self._cache: ByteCache[array[int]] = ByteCache(cache_bytes, getsizeof=_size_of)
        self._sorting: dict[str, asyncio.Task[array[int]]] = {}
        # One at a time: sorting a directory of millions takes 20 bytes of memory an entry.
        self._sort_slot = asyncio.Semaphore(1)

    async def get(self, org: OrganizationId, store_id: str, directory: Directory, order: Order) -> "array[int]":
        """The places of a directory's entries in an order, see `SortKeys`.

        Raises `TemporaryError`: `directory_being_sorted` when that takes long; sorting goes on, for the next request;
        `restore_point_not_browsable` when a page is not there.
        """
        if directory.pages <= 1:
            measures = SortKeys(order)
            await self._measure(org, store_id, directory, 0, measures)
            return measures.sorted()
        key = f"{org}/{store_id}/{directory.tree_id}/{order.sort}/{order.direction}"
        found = self._cache.get(key)
        if found is not None:
            return found
        if key not in self._sorting:
            self._sorting[key] = begin(
                "sorting", self._sort(org, store_id, directory, order), foreseen=(CairnError, PyMongoError)
            )
            self._sorting[key].add_done_callback(partial(self._sorted, key))
        try:
            async with asyncio.timeout(self._patience_seconds):
                # Shielded: the sort goes on for whoever asks next, though this request gives up.
                return await asyncio.shield(self._sorting[key])
        except TimeoutError:
            detail = "This directory is large and is still being sorted."
            raise TemporaryError("directory_being_sorted", detail, retry_after_seconds=1) from None

    async def _sort(self, org: OrganizationId, store_id: str, directory: Directory, order: Order) -> "array[int]":
        async with self._sort_slot:
            measures = SortKeys(order)
            for page in range(directory.pages):
                await self._measure(org, store_id, directory, page, measures)
                await asyncio.sleep(0)  # What is in memory is not waited for: others have their turn.
            return await asyncio.to_thread(measures.sorted)

    async def _measure(
        self, org: OrganizationId, store_id: str, directory: Directory, page: int, measures: SortKeys
    ) -> None:
        packed = await self._directories.packed(org, store_id, directory, page=page)
        if not packed and page < directory.pages:
            raise restore_points.not_browsable()
        if packed:
            measures.add(page, unpack_sort_fields(packed))

    def _sorted(self, key: str, sorting: asyncio.Task["array[int]"]) -> None:
        del self._sorting[key]
        if not sorting.cancelled() and not sorting.exception():
            self._cache[key] = sorting.result()


def _size_of(order: "array[int]") -> int:
    return len(order) * order.itemsize + _OVERHEAD_BYTES
