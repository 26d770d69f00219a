"""Inventories and the resources in them."""

from dataclasses import dataclass

from chassis.messaging.command_client import Commands
from chassis.telemetry.tracing import span
from contracts.errors import CairnError
from contracts.messages.catalog import (
    ChangeInventory,
    ChangeResource,
    CreateInventory,
    InventoryType,
    RegisterResource,
    RemoveInventory,
    RemoveResource,
    Resource,
    ResourceDescription,
)
from contracts.values import InventoryId, ResourceId

from gateway.domain.apps import check_unused
from gateway.domain.intents import Intent
from gateway.domain.rights import Right
from gateway.usecases.owners import CountedInventory, Owners, Page
from gateway.usecases.visitors import Visitor


@dataclass(frozen=True)
class Inventories:
    """What can be done with inventories and resources."""

    owners: Owners
    commands: Commands

    async def create(self, who: Visitor, *, name: str, kind: InventoryType, intent: Intent) -> CountedInventory:
        """Create an inventory. A repeated intent changes nothing and brings the same inventory."""
        with span("gateway.create_inventory"):
            inventory_id = InventoryId(intent.id_for("inventory"))
            command = CreateInventory(
                organization_id=who.organization_id, inventory_id=inventory_id, name=name, type=kind
            )
            await self.commands.carry_out(command, **intent.ids)
            return await self.owners.inventory(who, inventory_id)

    async def change(
        self, who: Visitor, inventory_id: str, *, name: str, kind: InventoryType, intent: Intent
    ) -> CountedInventory:
        """Rename an inventory; its type is fixed."""
        with span("gateway.change_inventory"):
            known = await self.owners.inventory(who, inventory_id)
            command = ChangeInventory(organization_id=who.organization_id, inventory_id=known.id, name=name, type=kind)
            await self.commands.carry_out(command, **intent.ids)
            return await self.owners.inventory(who, inventory_id)

    async def remove(self, who: Visitor, inventory_id: str, intent: Intent) -> None:
        """Remove an inventory and its resources. Raises `Conflict` while connectors use one of them."""
        with span("gateway.remove_inventory"):
            using = [a for a in await self.owners.apps(who) if a.resource.inventory_id == inventory_id]
            check_unused(using, code="inventory_in_use", what="The inventory")
            command = RemoveInventory(organization_id=who.organization_id, inventory_id=InventoryId(inventory_id))
            await self.commands.carry_out(command, **intent.ids)

    async def sync(self, who: Visitor, inventory_id: str) -> str:
        """Why an inventory could not be synced; empty when it was. A self-managed one always is in sync.

        Clients expect an answer in all cases, so who may not sync is told in the same way.
        """
        try:
            who.require(Right.RUN)
            inventory = await self.owners.inventory(who, inventory_id)
        except CairnError as error:
            return error.detail
        return "" if inventory.type == "self-managed" else f"Inventories of type {inventory.type} cannot be synced yet."

    async def list_resources(
        self, who: Visitor, inventory_id: str, *, search: str, limit: int, offset: int
    ) -> Page[Resource]:
        """Resources of one inventory. Raises `NotFound` when there is no such inventory."""
        await self.owners.inventory(who, inventory_id)
        return await self.owners.resources(who, inventory_id=inventory_id, search=search, limit=limit, offset=offset)

    async def register(
        self, who: Visitor, inventory_id: str, description: ResourceDescription, intent: Intent
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
            return await self.owners.resource(who, resource_id)

    async def describe(
        self, who: Visitor, known: Resource, description: ResourceDescription, intent: Intent
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
            return await self.owners.resource(who, known.id)

    async def unregister(self, who: Visitor, inventory_id: str, resource_id: str, intent: Intent) -> None:
        """Remove a resource. Raises `Conflict` while connectors use it."""
        with span("gateway.remove_resource"):
            using = [a for a in await self.owners.apps(who) if a.resource.id == resource_id]
            check_unused(using, code="resource_in_use", what="The resource")
            command = RemoveResource(
                organization_id=who.organization_id,
                inventory_id=InventoryId(inventory_id),
                resource_id=ResourceId(resource_id),
            )
            await self.commands.carry_out(command, **intent.ids)
