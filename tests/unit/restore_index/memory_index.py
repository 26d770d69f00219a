"""A restore index in memory."""

from chassis.persistence.memory_aggregates import MemoryAggregates
from contracts.messages.restore_index import RestorePoint
from contracts.values import OrganizationId
from restore_index.domain.directory_listing import ListPage
from restore_index.domain.garbage_collection import CollectionState
from restore_index.domain.protection import RetentionSettings, StoreProtection
from restore_index.domain.restore_points import Point
from restore_index.domain.sort_order import BY_NAME, Order
from restore_index.store import (
    Directories,
    GarbageCandidates,
    KnownTrees,
    MemoryDocuments,
    NameSegments,
    SegmentMaps,
    Store,
    point_keys,
)
from restore_index.store.garbage_candidates import state_keys
from restore_index.usecases import browse, indexing

from tests.unit.restore_index.trees import ORG, Tree, created, directories, listed, wrapped


def no_candidates() -> GarbageCandidates:
    """Nothing is ever marked."""

    async def nothing() -> list[tuple[OrganizationId, CollectionState]]:
        return []

    return GarbageCandidates(MemoryAggregates(CollectionState, keys=state_keys), MemoryDocuments(), nothing)


class MemoryIndex:
    """A restore index in memory."""

    def __init__(
        self, *, kept_in_memory: int = 1000, segment_map_bytes: int = 1 << 20, packed_bytes: int = 1 << 20
    ) -> None:
        self.kept_in_memory = kept_in_memory
        self.points = MemoryAggregates(Point, keys=point_keys)
        self.documents, self.batches, self.segments = MemoryDocuments(), MemoryDocuments(), MemoryDocuments()
        self.states, self.marked = MemoryAggregates(CollectionState, keys=state_keys), MemoryDocuments()
        self.protections = MemoryAggregates(StoreProtection)
        self.retention = MemoryAggregates(RetentionSettings)
        self._for_searches = {"segment_map_bytes": segment_map_bytes, "packed_bytes": packed_bytes}
        self.restart()

    def restart(self) -> None:
        """Forget what is not in documents."""
        candidates = GarbageCandidates(self.states, self.marked, self._pending)
        known = KnownTrees(self.batches, kept_in_memory=self.kept_in_memory, candidates=candidates)
        names = NameSegments(self.segments)
        kept = Directories(self.documents, known, names, cache_bytes=1 << 20)
        maps = SegmentMaps(names, **self._for_searches)
        self.store = Store(self.points, kept, names, maps, candidates, self.protections, self.retention)

    async def _pending(self) -> list[tuple[OrganizationId, CollectionState]]:
        return [(ORG, state) for state in (await self.states.find(ORG, {"pending": "yes"})).items]

    async def hold(self, point: RestorePoint, tree: Tree) -> None:
        """Let a restore point be created, listed and opened."""
        await indexing.record_created(self.store, wrapped(created(point)))
        for event in directories(point.store_id, tree.pages, each=2):
            await indexing.index_directories(self.store, wrapped(event))
        await indexing.make_browsable(self.store, wrapped(listed(point)))

    async def browse(
        self,
        point: RestorePoint,
        path: bytes,
        *,
        limit: int = 1000,
        cursor: str | None = None,
        order: Order = BY_NAME,
    ) -> ListPage:
        return await browse.list_files(
            self.store, ORG, point.snapshot_id, path=path, limit=limit, cursor=cursor, order=order
        )

    async def names(self, point: RestorePoint, path: bytes) -> list[str]:
        return [item["name"] for item in (await self.browse(point, path)).items]
