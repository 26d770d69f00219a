"""Connectors with what belongs to them, from several services in one read."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chassis.telemetry.tracing import span
from contracts.queries.connection_tests import ConnectorOverview, KeptTest
from contracts.queries.restore_index import IndexedRestorePoint
from contracts.queries.scheduler import Job

from gateway.access.principal import Principal
from gateway.areas.connectors.actions import Action
from gateway.areas.connectors.service import Connectors
from gateway.clients.assignment import AssignmentClient
from gateway.clients.catalog import CatalogClient
from gateway.clients.restore_index import RestoreIndexClient
from gateway.clients.scheduler import SchedulerClient

LATEST_POINTS = 5


@dataclass(frozen=True)
class Row:
    """A connector in a list, without its fields."""

    overview: ConnectorOverview
    actions: Sequence[Action]
    last_backup: Job | None
    """Of a source what it was last backed up by, of a store what last came into it."""


@dataclass(frozen=True)
class ResourceTab:
    """What a resource is used as, and what was last made of it."""

    rows: Sequence[Row]
    points: Sequence[IndexedRestorePoint]


@dataclass(frozen=True)
class Overviews:
    """Reads that a page needs at once. Each asks a service a bounded number of questions, however much is shown."""

    catalog: CatalogClient
    assignment: AssignmentClient
    scheduler: SchedulerClient
    restore_index: RestoreIndexClient
    connectors: Connectors

    async def tests(self, who: Principal, app_id: str) -> Sequence[KeptTest]:
        """The tests of a connector that are kept, newest first. Raises `NotFound`."""
        with span("gateway.list_connection_tests"):
            _, found = await asyncio.gather(
                self.assignment.app(who, app_id), self.assignment.connection_tests(who, app_id)
            )
            return found

    async def of_resource(self, who: Principal, inventory_id: str, resource_id: str) -> ResourceTab:
        """The connectors of a resource and its latest restore points. Raises `NotFound`."""
        with span("gateway.read_resource_connectors"):
            _, found = await asyncio.gather(
                self.catalog.resource(who, resource_id, inventory_id=inventory_id),
                self.assignment.overviews(who, resource_id=resource_id),
            )
            sources = [each.app.id for each in found if each.app.kind == "source"]
            backups, points = await asyncio.gather(
                self._backups(who, found), self.restore_index.latest_from(who, sources, limit=LATEST_POINTS)
            )
            return ResourceTab(self._rows(who, found, backups), points)

    async def stores_of(self, who: Principal, inventory_id: str) -> Sequence[Row]:
        """The stores in an inventory, oldest first. Raises `NotFound`."""
        with span("gateway.list_inventory_stores"):
            _, found = await asyncio.gather(
                self.catalog.inventory(who, inventory_id),
                self.assignment.overviews(who, kind="store", inventory_id=inventory_id),
            )
            return self._rows(who, found, await self._backups(who, found))

    async def _backups(self, who: Principal, found: Sequence[ConnectorOverview]) -> Mapping[str, Job]:
        ids = [each.app.id for each in found if each.app.kind != "destination"]
        return await self.scheduler.latest_jobs(who, "backup", ids)

    def _rows(self, who: Principal, found: Sequence[ConnectorOverview], backups: Mapping[str, Job]) -> Sequence[Row]:
        return [Row(each, self.connectors.actions(who, each), backups.get(each.app.id)) for each in found]
