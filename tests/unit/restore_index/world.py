"""A restore index in memory."""

from chassis.persistence.aggregates import MemoryAggregates
from contracts.messages.restore_index import RestorePoint
from contracts.values import OrganizationId
from restore_index.domain.listing import Part
from restore_index.domain.points import Point
from restore_index.domain.sorting import BY_NAME, Order
from restore_index.domain.sweeping import Sweep
from restore_index.store import (
    Catalogues,
    Directories,
    KnownDirectories,
    MemoryDocuments,
    Names,
    Sentences,
    Store,
    point_keys,
)
from restore_index.store.sentences import sweep_keys
from restore_index.usecases import browsing, keeping

from tests.unit.restore_index.builder import ORG, Tree, created, directories, listed, wrapped


def no_sentences() -> Sentences:
    """Nothing is ever condemned."""

    async def nothing() -> list[tuple[OrganizationId, Sweep]]:
        return []

    return Sentences(MemoryAggregates(Sweep, keys=sweep_keys), MemoryDocuments(), nothing)


class World:
    """A restore index in memory."""

    def __init__(
        self, *, kept_in_memory: int = 1000, catalogue_bytes: int = 1 << 20, packed_bytes: int = 1 << 20
    ) -> None:
        self.kept_in_memory = kept_in_memory
        self.points = MemoryAggregates(Point, keys=point_keys)
        self.documents, self.batches, self.segments = MemoryDocuments(), MemoryDocuments(), MemoryDocuments()
        self.sweeps, self.condemned = MemoryAggregates(Sweep, keys=sweep_keys), MemoryDocuments()
        self._for_searches = {"catalogue_bytes": catalogue_bytes, "packed_bytes": packed_bytes}
        self.restart()

    def restart(self) -> None:
        """Forget what is not in documents."""
        sentences = Sentences(self.sweeps, self.condemned, self._pending)
        known = KnownDirectories(self.batches, kept_in_memory=self.kept_in_memory, sentences=sentences)
        names = Names(self.segments)
        kept = Directories(self.documents, known, names, cache_bytes=1 << 20)
        self.store = Store(self.points, kept, names, Catalogues(names, **self._for_searches), sentences)

    async def _pending(self) -> list[tuple[OrganizationId, Sweep]]:
        return [(ORG, sweep) for sweep in (await self.sweeps.find(ORG, {"pending": "yes"})).items]

    async def hold(self, point: RestorePoint, tree: Tree) -> None:
        """Let a restore point be created, listed and opened."""
        await keeping.note_created(self.store, wrapped(created(point)))
        for event in directories(point.store_id, tree.pages, each=2):
            await keeping.keep_directories(self.store, wrapped(event))
        await keeping.open_restore_point(self.store, wrapped(listed(point)))

    async def browse(
        self,
        point: RestorePoint,
        path: bytes,
        *,
        limit: int = 1000,
        cursor: str | None = None,
        order: Order = BY_NAME,
    ) -> Part:
        return await browsing.list_files(
            self.store, ORG, point.snapshot_id, path=path, limit=limit, cursor=cursor, order=order
        )

    async def names(self, point: RestorePoint, path: bytes) -> list[str]:
        return [item["name"] for item in (await self.browse(point, path)).items]
