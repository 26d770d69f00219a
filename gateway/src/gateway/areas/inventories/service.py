"""Inventories and the resources in them."""

from dataclasses import dataclass

from chassis.messaging.command_client import Commands
from chassis.telemetry.tracing import span
from contracts.errors import CairnError
from contracts.inventory_types import InventoryType
from contracts.messages.catalog import (
    ChangeInventory,
    CreateInventory,
    RemoveInventory,
)
from contracts.queries.catalog import CountedInventory
from contracts.values import InventoryId

from gateway.access.principal import Principal
from gateway.access.rights import Right
from gateway.areas.connectors.preconditions import check_unused
from gateway.clients.assignment import AssignmentClient
from gateway.clients.catalog import CatalogClient
from gateway.idempotency.intents import Intent


@dataclass(frozen=True)
class Inventories:
    """What can be done with inventories and resources."""

    catalog: CatalogClient
    assignment: AssignmentClient
    commands: Commands

    async def create(self, who: Principal, *, name: str, kind: InventoryType, intent: Intent) -> CountedInventory:
        """Create an inventory. A repeated intent changes nothing and brings the same inventory."""
        with span("gateway.create_inventory"):
            inventory_id = InventoryId(intent.id_for("inventory"))
            command = CreateInventory(
                organization_id=who.organization_id, inventory_id=inventory_id, name=name, type=kind
            )
            await self.commands.carry_out(command, **intent.ids)
            return await self.catalog.inventory(who, inventory_id)

    async def change(
        self, who: Principal, inventory_id: str, *, name: str, kind: InventoryType, intent: Intent
    ) -> CountedInventory:
        """Rename an inventory; its type is fixed."""
        with span("gateway.change_inventory"):
            # An unknown id is a 404 at once; no command is sent for it.
            known = await self.catalog.inventory(who, inventory_id)
            command = ChangeInventory(organization_id=who.organization_id, inventory_id=known.id, name=name, type=kind)
            await self.commands.carry_out(command, **intent.ids)
            return await self.catalog.inventory(who, inventory_id)

    async def remove(self, who: Principal, inventory_id: str, intent: Intent) -> None:
        """Remove an inventory and its resources. Raises `Conflict` while connectors use one of them."""
        with span("gateway.remove_inventory"):
            # Asked here: the catalog, which will carry the command out, knows no connectors.
            using = [a for a in await self.assignment.apps(who) if a.resource.inventory_id == inventory_id]
            check_unused(using, code="inventory_in_use", what="The inventory")
            command = RemoveInventory(organization_id=who.organization_id, inventory_id=InventoryId(inventory_id))
            await self.commands.carry_out(command, **intent.ids)

    async def sync(self, who: Principal, inventory_id: str) -> str:
        """Why an inventory could not be synced; empty when it was. A self-managed one always is in sync.

        Clients expect an answer in all cases, so a missing right is an answer of the same form.
        """
        try:
            who.require(Right.RUN)
            inventory = await self.catalog.inventory(who, inventory_id)
        except CairnError as error:
            return error.detail
        return "" if inventory.type == "self-managed" else f"Inventories of type {inventory.type} cannot be synced yet."
