"""What the restore index keeps, in MongoDB.

All of it is written by the handlers of its store's events, one at a time; directories and known trees are only inserted
until garbage is collected.
"""

import asyncio
from collections.abc import Iterable

from chassis.persistence.aggregates import Aggregates, Keys
from chassis.persistence.mongo_aggregates import LISTING, MongoAggregates
from chassis.runtime.service_runtime import ServiceRuntime
from contracts.values import AppId, OrganizationId, SnapshotId

from restore_index.domain.protection import RetentionSettings, StoreProtection
from restore_index.domain.restore_points import Point
from restore_index.settings import Settings
from restore_index.store.browsable_signals import BrowsableSignals
from restore_index.store.directories import Directories
from restore_index.store.directory_documents import EMPTY, Directory
from restore_index.store.documents import MemoryDocuments, MongoDocuments
from restore_index.store.garbage_candidates import GarbageCandidates, open_garbage_candidates
from restore_index.store.known_trees import KnownTrees
from restore_index.store.name_segments import NameSegments
from restore_index.store.restore_points import RestorePoints
from restore_index.store.segment_maps import SegmentMaps
from restore_index.store.sorted_directories import SortedDirectories

__all__ = [
    "EMPTY",
    "Directories",
    "Directory",
    "GarbageCandidates",
    "KnownTrees",
    "MemoryDocuments",
    "NameSegments",
    "SegmentMaps",
    "Store",
    "open_store",
    "point_id",
    "point_keys",
]


_KEYS = ("store_id", "snapshot_id", "source_id", "gone_from", "awaited_from")


def point_keys(point: Point) -> Keys:
    """What queries for restore points lead with; those that are gone are found by `gone_from` alone."""
    restore_point = point.restore_point
    if point.gone_at is not None:
        return {"gone_from": restore_point.store_id}
    awaited = {} if point.browsable or point.damage else {"awaited_from": restore_point.store_id}
    return {
        "store_id": restore_point.store_id,
        "snapshot_id": restore_point.snapshot_id,
        "source_id": restore_point.source_id or "",
        **awaited,
    }


def point_id(store_id: AppId, snapshot_id: str) -> str:
    """The id of a restore point's document: stores that share a repository have a restore point each."""
    return f"{store_id}/{snapshot_id}"


class Store:
    """Restore points, directories, and the names of all that is in these."""

    def __init__(
        self,
        points: Aggregates[Point],
        directories: Directories,
        names: NameSegments,
        segment_maps: SegmentMaps,
        candidates: GarbageCandidates,
        protections: Aggregates[StoreProtection],
        retention: Aggregates[RetentionSettings],
        *,
        order_cache_bytes: int = 0,
    ) -> None:
        self.points = RestorePoints(points)
        self.directories = directories
        self.names = names
        self.segment_maps = segment_maps
        self.candidates = candidates
        self.protections = protections
        self.retention = retention
        self.sorted_directories = SortedDirectories(directories, cache_bytes=order_cache_bytes)
        self.browsable_signals = BrowsableSignals()

    async def points_of(self, org: OrganizationId, store_id: AppId | None) -> list[Point]:
        """The restore points of one store or of all, in no certain order."""
        # Index (org, store_id, _id); of all stores (org, removed, _id).
        where: Keys = {} if store_id is None else {"store_id": store_id}
        found = (await self.points.find(org, where)).items
        return found if where else [point for point in found if point.gone_at is None]

    async def points_with(self, org: OrganizationId, store_id: AppId, ids: Iterable[SnapshotId]) -> list[Point]:
        """The restore points of a store with these ids; a few, as each is read by itself."""
        found = await asyncio.gather(*(self.points.get(org, point_id(store_id, each)) for each in ids))
        return [point for point in found if point is not None and point.gone_at is None]

    async def tombstones_of(self, org: OrganizationId, store_id: AppId) -> list[Point]:
        """What is left of the restore points that are gone from a store."""
        # Index (org, gone_from, _id).
        return (await self.points.find(org, {"gone_from": store_id})).items

    async def points_awaiting_listing(self, org: OrganizationId, store_id: AppId) -> list[Point]:
        """The restore points of a store that cannot be browsed yet."""
        # Index (org, awaited_from, _id).
        return (await self.points.find(org, {"awaited_from": store_id})).items

    async def points_named(self, org: OrganizationId, snapshot_id: SnapshotId) -> list[Point]:
        """The restore points with an id: one for each store through which its repository is used."""
        # Index (org, snapshot_id, _id).
        return await self.points.named(org, snapshot_id)

    async def points_from(self, org: OrganizationId, source_id: AppId, *, limit: int = 0) -> list[Point]:
        """The restore points of a source in all stores, in no certain order; `limit` 0 means all."""
        # Index (org, source_id, _id); an empty id is that of restore points whose source nobody knows.
        return (await self.points.find(org, {"source_id": source_id}, limit=limit)).items if source_id else []

    async def protections_of(self, org: OrganizationId) -> list[StoreProtection]:
        """What must not be deleted in each store of an organization, as far as anything is said of it."""
        # Index (org, removed, _id).
        return (await self.protections.find(org)).items


async def open_store(runtime: ServiceRuntime, settings: Settings) -> Store:
    """The store in MongoDB, with its indexes made."""
    database = runtime.database
    points = MongoAggregates(
        database["restore_points"],
        Point,
        runtime.outbox,
        keys=point_keys,
        indexes=(LISTING, *(("org", key, "_id") for key in _KEYS)),  # points_of all stores, of one, and the others
        obsolete=tuple(f"{key}_1" for key in _KEYS),
    )
    documents = MongoDocuments(database["directories"])
    batches = MongoDocuments(database["known_directories"])
    await points.setup()
    candidates = await open_garbage_candidates(runtime)
    protections = MongoAggregates(
        database["protections"], StoreProtection, runtime.outbox, indexes=(LISTING,)
    )  # protections_of
    retention = MongoAggregates(database["retention"], RetentionSettings, runtime.outbox)
    await protections.setup()
    await retention.setup()
    known = KnownTrees(batches, kept_in_memory=settings.known_directories_kept, candidates=candidates)
    names = NameSegments(MongoDocuments(database["names"]))
    directories = Directories(documents, known, names, cache_bytes=settings.directory_cache_bytes)
    segment_maps = SegmentMaps(
        names, segment_map_bytes=settings.search_catalogue_bytes, packed_bytes=settings.search_names_bytes
    )
    return Store(
        points,
        directories,
        names,
        segment_maps,
        candidates,
        protections,
        retention,
        order_cache_bytes=settings.order_cache_bytes,
    )
