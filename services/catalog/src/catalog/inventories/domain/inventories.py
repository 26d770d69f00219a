"""What an inventory may be. Pure: values in, decision out."""

from collections.abc import Iterator, Mapping

from chassis.kept_secrets import with_kept, with_resealed
from chassis.texts import fault_of
from contracts.errors import Conflict, Invalid, NotFound
from contracts.field_values import FieldValue
from contracts.inventory_types import InventoryType, block_of
from contracts.messages.catalog import ChangeInventory, CreateInventory, Inventory
from contracts.messages.resealing import ResealInventory

from catalog.inventories.domain.configuration import Fault, configuration_faults

LONGEST_TEXT = 255


def create_inventory(command: CreateInventory, *, known: bool) -> Inventory:
    """A new inventory. `known`: its id was used before."""
    # An id is never used twice: events and audit entries about the removed one still name it.
    if known:
        raise Conflict("inventory_exists", "There is, or was, an inventory with this id.")
    configuration = _configuration(command, {})
    return Inventory(
        id=command.inventory_id, name=command.name, type=command.type, configuration=configuration, revision=1
    )


def change_inventory(current: Inventory | None, command: ChangeInventory) -> Inventory:
    """The inventory as it is described now; its type stays. The same one where that is what is said already."""
    current = require_inventory(current)
    if command.type != current.type:
        detail = f"The type of an inventory never changes; this one is {current.type}."
        raise Conflict("inventory_type_fixed", detail, fields={"type": f"must be {current.type}"})
    configuration = _configuration(command, current.configuration)
    changed = current.model_copy(update={"name": command.name, "configuration": configuration})
    return current if changed == current else changed.model_copy(update={"revision": current.revision + 1})


def reseal_inventory(current: Inventory | None, command: ResealInventory) -> Inventory:
    """The inventory with its secrets under other keys; the same one where none took its place."""
    current = require_inventory(current)
    configuration = with_resealed(current.configuration, command.resealed)
    if configuration == current.configuration:
        return current
    return current.model_copy(update={"configuration": configuration, "revision": current.revision + 1})


def require_inventory(current: Inventory | None) -> Inventory:
    """The inventory. Raises `NotFound` when there is none."""
    if current is None:
        raise NotFound("inventory_not_found", "There is no such inventory.")
    return current


def _configuration(
    command: CreateInventory | ChangeInventory, present: Mapping[str, FieldValue]
) -> dict[str, FieldValue]:
    """The settings that a command gives, with the secrets that stay."""
    configuration = with_kept(command.configuration, present, within=block_of(command.type))
    if faults := dict(_faults(command.name, command.type, configuration)):
        words = "; ".join(f"{place} {fault}" for place, fault in faults.items())
        detail = f"The inventory cannot be described like this: {words}."
        raise Invalid("inventory_invalid", detail, fields=faults)
    return configuration


def _faults(name: str, kind: InventoryType, configuration: Mapping[str, FieldValue]) -> Iterator[Fault]:
    if fault := fault_of(name, longest=LONGEST_TEXT, empty=False):
        yield "name", fault
    yield from configuration_faults(kind, configuration)
