"""What the restore index keeps, in MongoDB.

All of it is written by the lane of its store; directories and the notes about them are inserts until they are swept.
"""

from chassis.persistence.aggregates import Aggregates, Keys, MongoAggregates
from chassis.runtime.service import ServiceRuntime
from contracts.values import AppId, OrganizationId, SnapshotId

from restore_index.domain.points import Point
from restore_index.settings import Settings
from restore_index.store.catalogues import Catalogues
from restore_index.store.directories import EMPTY, Directories, Directory
from restore_index.store.documents import MemoryDocuments, MongoDocuments
from restore_index.store.known import KnownDirectories
from restore_index.store.names import Names
from restore_index.store.openings import Openings
from restore_index.store.orders import Orders
from restore_index.store.points import RestorePoints
from restore_index.store.sentences import Sentences, open_sentences

__all__ = [
    "EMPTY",
    "Catalogues",
    "Directories",
    "Directory",
    "KnownDirectories",
    "MemoryDocuments",
    "Names",
    "Sentences",
    "Store",
    "open_store",
    "point_id",
    "point_keys",
]


def point_keys(point: Point) -> Keys:
    """What queries for restore points lead with; those that are gone are found by `gone_from` alone."""
    told = point.restore_point
    if point.gone_at is not None:
        return {"gone_from": told.store_id}
    awaited = {} if point.browsable or point.damage else {"awaited_from": told.store_id}
    return {"store_id": told.store_id, "snapshot_id": told.snapshot_id, "source_id": told.source_id or "", **awaited}


def point_id(store_id: AppId, snapshot_id: str) -> str:
    """The id of a restore point's document: stores that share a repository have a restore point each."""
    return f"{store_id}/{snapshot_id}"


class Store:
    """Restore points, directories, and the names of all that is in these."""

    def __init__(
        self,
        points: Aggregates[Point],
        directories: Directories,
        names: Names,
        catalogues: Catalogues,
        sentences: Sentences,
        *,
        order_cache_bytes: int = 0,
    ) -> None:
        self.points = RestorePoints(points)
        self.directories = directories
        self.names = names
        self.catalogues = catalogues
        self.sentences = sentences
        self.orders = Orders(directories, cache_bytes=order_cache_bytes)
        self.openings = Openings()

    async def points_of(self, org: OrganizationId, store_id: AppId | None) -> list[Point]:
        """The restore points of one store or of all, in no certain order."""
        where: Keys = {} if store_id is None else {"store_id": store_id}
        found = (await self.points.find(org, where)).items
        return found if where else [point for point in found if point.gone_at is None]

    async def points_gone(self, org: OrganizationId, store_id: AppId) -> list[Point]:
        """What is left of the restore points that are gone from a store."""
        return (await self.points.find(org, {"gone_from": store_id})).items

    async def points_awaited(self, org: OrganizationId, store_id: AppId) -> list[Point]:
        """The restore points of a store that cannot be browsed yet."""
        return (await self.points.find(org, {"awaited_from": store_id})).items

    async def points_named(self, org: OrganizationId, snapshot_id: SnapshotId) -> list[Point]:
        """The restore points with an id: one for each store through which its repository is used."""
        return await self.points.named(org, snapshot_id)

    async def points_from(self, org: OrganizationId, source_id: AppId) -> list[Point]:
        """The restore points of a source in all stores, in no certain order."""
        return (await self.points.find(org, {"source_id": source_id})).items


async def open_store(runtime: ServiceRuntime, settings: Settings) -> Store:
    """The store in MongoDB, with its indexes made."""
    database = runtime.database
    points = MongoAggregates(
        database["restore_points"],
        Point,
        runtime.outbox,
        keys=point_keys,
        indexed=("store_id", "snapshot_id", "source_id", "gone_from", "awaited_from"),
    )
    documents = MongoDocuments(database["directories"])
    batches = MongoDocuments(database["known_directories"])
    await points.setup()
    sentences = await open_sentences(runtime)
    known = KnownDirectories(batches, kept_in_memory=settings.known_directories_kept, sentences=sentences)
    names = Names(MongoDocuments(database["names"]))
    directories = Directories(documents, known, names, cache_bytes=settings.directory_cache_bytes)
    catalogues = Catalogues(
        names, catalogue_bytes=settings.search_catalogue_bytes, packed_bytes=settings.search_names_bytes
    )
    return Store(points, directories, names, catalogues, sentences, order_cache_bytes=settings.order_cache_bytes)
