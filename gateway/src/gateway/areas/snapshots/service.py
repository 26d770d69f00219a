"""Restore points and their directories, as the index knows them."""

from collections.abc import Sequence
from dataclasses import dataclass

from contracts.errors import NotFound
from contracts.queries.restore_index import IndexedRestorePoint

from gateway.access.principal import Principal
from gateway.areas.snapshots.parties import require_source, require_store
from gateway.clients.assignment import AssignmentClient
from gateway.clients.restore_index import RestoreIndexClient


@dataclass(frozen=True)
class Snapshots:
    """What can be done with restore points. Paths are bytes, as file names are."""

    assignment: AssignmentClient
    restore_index: RestoreIndexClient

    async def of_store(self, who: Principal, store_id: str) -> Sequence[IndexedRestorePoint]:
        """All restore points of a store, newest first. Raises `NotFound` when there is no such store."""
        await require_store(self.assignment, who, store_id)
        return await self.restore_index.restore_points(who, store_id)

    async def in_store(self, who: Principal, store_id: str, snapshot_id: str) -> IndexedRestorePoint:
        """A restore point in one store. Raises `NotFound`."""
        await require_store(self.assignment, who, store_id)
        for point in await self.restore_index.same_restore_points(who, snapshot_id):
            if point.store_id == store_id:
                return point
        raise NotFound("snapshot_not_found", "There is no such restore point in this store.")

    async def everywhere(self, who: Principal, snapshot_id: str) -> Sequence[IndexedRestorePoint]:
        """A restore point in each store that has it, the likeliest to be usable first. Raises `NotFound`."""
        return await self.restore_index.same_restore_points(who, snapshot_id)

    async def of_source(self, who: Principal, source_id: str) -> Sequence[Sequence[IndexedRestorePoint]]:
        """The restore points of a source, newest first, each with all stores that have it. Raises `NotFound`.

        A source that was removed has them still.
        """
        await require_source(self.assignment, self.restore_index, who, source_id)
        by_id: dict[str, list[IndexedRestorePoint]] = {}
        for point in await self.restore_index.restore_points_from(who, source_id):
            by_id.setdefault(point.snapshot_id, []).append(point)
        return list(by_id.values())

    async def from_source(self, who: Principal, source_id: str, snapshot_id: str) -> Sequence[IndexedRestorePoint]:
        """A restore point of a source in each store that has it. Raises `NotFound`."""
        await require_source(self.assignment, self.restore_index, who, source_id)
        found = [p for p in await self.everywhere(who, snapshot_id) if p.source_id == source_id]
        if not found:
            raise NotFound("snapshot_not_found", "There is no such restore point of this source.")
        return found
