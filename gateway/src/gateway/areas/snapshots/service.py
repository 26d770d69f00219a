"""Restore points and their directories, as the index knows them."""

from collections.abc import Sequence
from dataclasses import dataclass

from contracts.queries.restore_index import IndexedRestorePoint

from gateway.access.principal import Principal
from gateway.clients.assignment import AssignmentClient
from gateway.clients.restore_index import RestoreIndexClient


@dataclass(frozen=True)
class Snapshots:
    """What can be done with restore points. Paths are bytes, as file names are."""

    assignment: AssignmentClient
    restore_index: RestoreIndexClient

    async def of_store(self, who: Principal, store_id: str) -> Sequence[IndexedRestorePoint]:
        """All restore points of a store, newest first. Raises `NotFound` when there is no such connector."""
        store = await self.assignment.app(who, store_id)
        return await self.restore_index.restore_points(who, store.id)
