"""Resources: what inventories hold."""

import asyncio
from dataclasses import dataclass

from chassis.messaging.command_client import Commands
from chassis.telemetry.tracing import span
from contracts.messages.catalog import (
    ChangeResource,
    FlagResource,
    RegisterResource,
    RemoveResource,
    Resource,
    ResourceDescription,
)
from contracts.queries.base import Page
from contracts.queries.catalog import ListedResource
from contracts.values import InventoryId, ResourceId

from gateway.access.principal import Principal
from gateway.areas.connectors.preconditions import check_unused
from gateway.clients.assignment import AssignmentClient
from gateway.clients.catalog import CatalogClient, ResourceFilter
from gateway.idempotency.intents import Intent


@dataclass(frozen=True)
class Resources:
    """What can be done with resources."""

    catalog: CatalogClient
    assignment: AssignmentClient
    commands: Commands

    async def list_of(
        self, who: Principal, inventory_id: str, wanted: ResourceFilter, *, limit: int, offset: int
    ) -> Page[ListedResource]:
        """Resources of one inventory. Raises `NotFound` when there is no such inventory."""
        # The catalog lists nothing for an unknown inventory, where clients expect a 404.
        _, found = await asyncio.gather(
            self.catalog.inventory(who, inventory_id), self.catalog.resources(who, wanted, limit=limit, offset=offset)
        )
        return found

    async def register(
        self, who: Principal, inventory_id: str, description: ResourceDescription, intent: Intent
    ) -> Resource:
        """Add a resource. A repeated intent changes nothing and brings the same resource."""
        with span("gateway.register_resource"):
            resource_id = ResourceId(intent.id_for("resource"))
            command = RegisterResource(
                organization_id=who.organization_id,
                inventory_id=InventoryId(inventory_id),
                resource_id=resource_id,
                description=description,
            )
            await self.commands.carry_out(command, **intent.ids)
            return await self.catalog.resource(who, resource_id)

    async def change(
        self, who: Principal, known: Resource, description: ResourceDescription, intent: Intent
    ) -> Resource:
        """Replace what is said about a resource; its URN is fixed."""
        with span("gateway.change_resource"):
            command = ChangeResource(
                organization_id=who.organization_id,
                inventory_id=known.inventory_id,
                resource_id=known.id,
                description=description,
            )
            await self.commands.carry_out(command, **intent.ids)
            return await self.catalog.resource(who, known.id)

    async def flag(
        self,
        who: Principal,
        known: Resource,
        *,
        locked: bool | None = None,
        excluded_from_coverage: bool | None = None,
        intent: Intent,
    ) -> Resource:
        """Set what operators decide about a resource, also of a managed inventory; what is None stays."""
        with span("gateway.flag_resource"):
            command = FlagResource(
                organization_id=who.organization_id,
                inventory_id=known.inventory_id,
                resource_id=known.id,
                locked=locked,
                excluded_from_coverage=excluded_from_coverage,
            )
            await self.commands.carry_out(command, **intent.ids)
            return await self.catalog.resource(who, known.id)

    async def unregister(self, who: Principal, inventory_id: str, resource_id: str, intent: Intent) -> None:
        """Remove a resource. Raises `Conflict` while connectors use it."""
        with span("gateway.remove_resource"):
            using = await self.assignment.apps(who, resource_id=resource_id)
            check_unused(using, code="resource_in_use", what="The resource")
            command = RemoveResource(
                organization_id=who.organization_id,
                inventory_id=InventoryId(inventory_id),
                resource_id=ResourceId(resource_id),
            )
            await self.commands.carry_out(command, **intent.ids)
