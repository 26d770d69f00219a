"""What an inventory may be. Pure: values in, decision out."""

from chassis.texts import fault_of
from contracts.errors import Conflict, Invalid, NotFound
from contracts.messages.catalog import ChangeInventory, CreateInventory, Inventory

SUPPORTED_TYPES = ("self-managed",)
LONGEST_TEXT = 255


def create_inventory(command: CreateInventory, *, known: bool) -> Inventory:
    """A new inventory. `known`: its id was used before."""
    # An id is never used twice: events and audit entries about the removed one still name it.
    if known:
        raise Conflict("inventory_exists", "There is, or was, an inventory with this id.")
    if command.type not in SUPPORTED_TYPES:
        detail = f"Inventories of type {command.type} cannot be created yet; only self-managed ones can."
        raise Invalid("inventory_type_unsupported", detail, fields={"type": "must be self-managed"})
    _check_inventory_name(command.name)
    return Inventory(id=command.inventory_id, name=command.name, type=command.type, revision=1)


def change_inventory(current: Inventory | None, command: ChangeInventory) -> Inventory:
    """The inventory under a new name; its type stays."""
    current = require_inventory(current)
    if command.type != current.type:
        detail = f"The type of an inventory never changes; this one is {current.type}."
        raise Conflict("inventory_type_fixed", detail, fields={"type": f"must be {current.type}"})
    _check_inventory_name(command.name)
    return current.model_copy(update={"name": command.name, "revision": current.revision + 1})


def require_inventory(current: Inventory | None) -> Inventory:
    """The inventory. Raises `NotFound` when there is none."""
    if current is None:
        raise NotFound("inventory_not_found", "There is no such inventory.")
    return current


def _check_inventory_name(name: str) -> None:
    if fault := fault_of(name, longest=LONGEST_TEXT, empty=False):
        raise Invalid("inventory_invalid", f"The name of an inventory {fault}.", fields={"name": fault})
