"""How a resource is described, and what may happen to it. Pure: values in, decision out."""

from contracts.endpoints import endpoint_of
from contracts.errors import Conflict, Invalid, NotFound
from contracts.messages.catalog import (
    ChangeResource,
    FlagResource,
    Inventory,
    RegisterResource,
    Resource,
    ResourceDescription,
)
from contracts.resource_rules import faults_of
from contracts.wording import with_article

from catalog.inventories.domain.inventories import require_inventory


def require_resource(current: Resource | None, *, inventory_id: str | None = None) -> Resource:
    """The resource. Raises `NotFound` when there is none, or none in that inventory."""
    if current is None or inventory_id not in (None, current.inventory_id):
        raise NotFound("resource_not_found", "There is no such resource.")
    return current


def register_resource(
    inventory: Inventory | None, command: RegisterResource, *, known: bool, urn_taken: bool
) -> Resource:
    """A new resource. `known`: its id was used before; `urn_taken`: another one of the inventory has its URN."""
    require_hand_made(require_inventory(inventory))
    if known:
        raise Conflict("resource_exists", "There is, or was, a resource with this id.")
    description = command.description
    _check_description(description)
    if urn_taken:
        detail = "Another resource of this inventory has this URN already."
        raise Conflict("urn_taken", detail, fields={"urn": "is taken"})
    return Resource(
        id=command.resource_id,
        inventory_id=command.inventory_id,
        urn=description.urn,
        revision=1,
        **_facts(description),
    )


def change_resource(inventory: Inventory | None, current: Resource | None, command: ChangeResource) -> Resource:
    """The resource as it is described now. Its id, URN and lock stay. The same one where that is said already."""
    require_hand_made(require_inventory(inventory))
    current = require_resource(current, inventory_id=command.inventory_id)
    description = command.description
    if description.urn != current.urn:
        detail = "The URN of a resource never changes; register another resource instead."
        raise Conflict("urn_fixed", detail, fields={"urn": "must stay as it is"})
    _check_description(description)
    changed = current.model_copy(update=_facts(description))
    return current if changed == current else changed.model_copy(update={"revision": current.revision + 1})


def flag_resource(current: Resource | None, command: FlagResource) -> Resource:
    """The resource as operators want it, whatever kind its inventory is; the same one when nothing is different."""
    current = require_resource(current, inventory_id=command.inventory_id)
    flags = {"locked": command.locked, "excluded_from_coverage": command.excluded_from_coverage}
    flagged = current.model_copy(update={name: flag for name, flag in flags.items() if flag is not None})
    return current if flagged == current else flagged.model_copy(update={"revision": current.revision + 1})


def remove_resource(inventory: Inventory | None, current: Resource | None, *, inventory_id: str) -> Resource:
    """The resource that may go."""
    require_hand_made(require_inventory(inventory))
    return require_resource(current, inventory_id=inventory_id)


def require_hand_made(inventory: Inventory) -> None:
    """Raise `Conflict` for an inventory whose resources come from a provider."""
    if inventory.type != "self-managed":
        kind = with_article(inventory.type)
        detail = f"The resources of {kind} inventory come from its provider and are not edited by hand."
        raise Conflict("inventory_managed", detail)


def _check_description(description: ResourceDescription) -> None:
    if faults := faults_of(description):
        words = "; ".join(f"{name} {fault}" for name, fault in faults.items())
        raise Invalid("resource_invalid", f"The resource cannot be described like this: {words}.", fields=faults)


def _facts(description: ResourceDescription) -> dict[str, object]:
    """All that a description says but the URN; an empty name becomes the URN, and a blank class is none."""
    return {
        "name": description.name if description.name.strip() else description.urn,
        "class_": description.class_ if description.class_.strip() else "",
        "subclass": description.subclass,
        "service": description.service,
        "endpoints": tuple(endpoint_of(address) for address in description.endpoints),
        "tags": description.tags,
        "excluded_from_coverage": description.excluded_from_coverage,
    }
