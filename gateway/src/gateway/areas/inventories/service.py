"""Inventories and the resources in them."""

from collections.abc import Mapping
from dataclasses import dataclass

from chassis.messaging.command_client import Commands
from chassis.telemetry.tracing import span
from contracts.errors import CairnError
from contracts.field_values import FieldValue
from contracts.inventory_types import SELF_MANAGED, SETTINGS, InventoryType, block_of
from contracts.messages.catalog import (
    ChangeInventory,
    CreateInventory,
    RemoveInventory,
)
from contracts.queries.catalog import CountedInventory
from contracts.values import InventoryId

from gateway.access.principal import Principal
from gateway.access.rights import Right
from gateway.areas.connectors.field_encryption import FieldEncryption
from gateway.areas.connectors.preconditions import GivenField, check_providers, check_unused
from gateway.areas.connectors.secret_reads import SecretReads
from gateway.clients.assignment import AssignmentClient
from gateway.clients.catalog import CatalogClient
from gateway.idempotency.intents import Intent


@dataclass(frozen=True)
class InventoryRequest:
    """What a client says about an inventory."""

    name: str
    kind: InventoryType
    settings: Mapping[str, GivenField]


@dataclass(frozen=True)
class ReadInventory:
    """An inventory with its settings as its client reads them."""

    inventory: CountedInventory
    settings: Mapping[str, GivenField]


@dataclass(frozen=True)
class Inventories:
    """What can be done with inventories."""

    catalog: CatalogClient
    assignment: AssignmentClient
    commands: Commands
    encryption: FieldEncryption
    secret_reads: SecretReads

    async def read(self, who: Principal, inventory_id: str) -> ReadInventory:
        """One inventory. Its secrets are in clear for who may see them, which is written down before; else masked."""
        inventory = await self.catalog.inventory(who, inventory_id)
        masked = not who.may(Right.SECRETS)
        if not masked:
            # First: what cannot be written down is not handed out (0006).
            await self.secret_reads.note_inventory(who, inventory)
        settings = self.encryption.open_of(who.organization_id, inventory.id, inventory.configuration, masked=masked)
        return ReadInventory(inventory, settings)

    async def create(self, who: Principal, asked: InventoryRequest, intent: Intent) -> ReadInventory:
        """Create an inventory. A repeated intent changes nothing and brings the same inventory."""
        with span("gateway.create_inventory"):
            inventory_id = InventoryId(intent.id_for("inventory"))
            command = CreateInventory(
                organization_id=who.organization_id,
                inventory_id=inventory_id,
                name=asked.name,
                type=asked.kind,
                configuration=await self._sealed(who, inventory_id, asked),
            )
            await self.commands.carry_out(command, **intent.ids)
            return await self.read(who, inventory_id)

    async def change(self, who: Principal, inventory_id: str, asked: InventoryRequest, intent: Intent) -> ReadInventory:
        """Replace what is said about an inventory; its type is fixed."""
        with span("gateway.change_inventory"):
            # An unknown id is a 404 at once; no command is sent for it.
            known = await self.catalog.inventory(who, inventory_id)
            command = ChangeInventory(
                organization_id=who.organization_id,
                inventory_id=known.id,
                name=asked.name,
                type=asked.kind,
                configuration=await self._sealed(who, known.id, asked, known=known.configuration),
            )
            await self.commands.carry_out(command, **intent.ids)
            return await self.read(who, inventory_id)

    async def _sealed(
        self,
        who: Principal,
        inventory_id: str,
        asked: InventoryRequest,
        *,
        known: Mapping[str, FieldValue] | None = None,
    ) -> dict[str, FieldValue]:
        check_providers(asked.settings, within=block_of(asked.kind))
        clear = frozenset(setting.name for setting in SETTINGS[asked.kind] if not setting.secret)
        # Compared only for those who may read them: for others it would be a way to guess.
        known = known if who.may(Right.SECRETS) else None
        return await self.encryption.seal(who.organization_id, inventory_id, asked.settings, clear=clear, known=known)

    async def remove(self, who: Principal, inventory_id: str, intent: Intent) -> None:
        """Remove an inventory and its resources. Raises `Conflict` while connectors use one of them."""
        with span("gateway.remove_inventory"):
            # Asked here: the catalog, which will carry the command out, knows no connectors.
            using = await self.assignment.apps(who, inventory_id=inventory_id)
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
        if inventory.type == SELF_MANAGED:
            return ""
        return f"No provider for inventories of type {inventory.type} is installed, so nothing can be discovered."
