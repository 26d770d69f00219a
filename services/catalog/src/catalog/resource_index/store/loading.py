"""Loads the index from the database, while the feed takes what is told meanwhile."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from chassis.errors import Unavailable
from contracts.values import ImportId, OrganizationId

from catalog.imports.domain.imports import Import
from catalog.imports.store import ImportStore
from catalog.inventories.store import InventoryStore
from catalog.resource_index.store.index import ResourceIndex
from catalog.resource_index.store.sources import SourceStore

PATIENCE_SECONDS = 60.0
"""How long the announcement of an import that ended meanwhile is waited for."""


@dataclass(frozen=True)
class Loader:
    """Where the index begins: what is kept of inventories, resources, sources and imports."""

    inventories: InventoryStore
    imports: ImportStore
    sources: SourceStore

    async def load(self, index: ResourceIndex) -> None:
        """Load all. The feed must have begun: what is saved while this reads is told after that.

        Raises `Unavailable` when it has to be begun again.
        """
        ended = {one.id async for _, one in self._imports() if one.state == "applied"}
        for import_id in ended:
            index.rows.note_shown(import_id)
        async for inventories in self.inventories.inventories.scan_all():
            for org, inventory in inventories:
                index.rows.put_inventory(org, inventory)
        async for uses in self.sources.uses.scan_all():
            for org, use in uses:
                index.rows.put_source(org, use.id, use.revision, use.resource_id)
        async for resources in self.inventories.resources.scan_all():
            index.rows.put_resources(resources)
        await self._hold_back(index, ended)

    async def _hold_back(self, index: ResourceIndex, ended: set[ImportId]) -> None:
        """Show nothing of the imports that are under way, of which some rows are in the database already."""
        meanwhile: list[ImportId] = []
        # Now, not before the resources were read: an import that begins from now on has changed none of those rows.
        for org, one in [each async for each in self._imports()]:
            is_over = one.state == "applied" or (one.state == "applying" and not await self._hold_one(index, org, one))
            if is_over and one.id not in ended:
                # Perhaps it was seen half done: all of it is known once its end is told.
                meanwhile.append(one.id)
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                for import_id in meanwhile:
                    await index.shown(import_id)
        except TimeoutError:
            raise Unavailable("import_unannounced", "The end of an import was not announced.") from None

    async def _hold_one(self, index: ResourceIndex, org: OrganizationId, one: Import) -> bool:
        """Whether the import was still under way."""
        if await self.inventories.inventories.get(org, one.inventory_id) is None:
            # It was given up, and its inventory is gone since: nothing is carried out any more.
            return True
        try:
            for number in range(one.portions):
                index.rows.hold_back(org, one, await self.imports.changes(org, one, number))
        except LookupError:
            return False
        return True

    async def _imports(self) -> AsyncIterator[tuple[OrganizationId, Import]]:
        async for found in self.imports.imports.scan_all():
            for each in found:
                yield each
