"""What may be in an inventory, and how a resource is described. Pure: values in, decision out."""

import ipaddress
from collections.abc import Iterable

from chassis.texts import fault_of
from contracts.errors import Conflict, Invalid, NotFound
from contracts.messages.catalog import (
    ChangeInventory,
    ChangeResource,
    CreateInventory,
    Endpoint,
    EndpointKind,
    Inventory,
    RegisterResource,
    Resource,
    ResourceDescription,
)

SUPPORTED_TYPES = ("self-managed",)
LONGEST_TEXT = 255
# An index entry of the database has room for it, whatever the alphabet; see `store.open_store`.
LONGEST_URN = 512
LONGEST_ADDRESS = 300
MOST_ENDPOINTS = 100
MOST_TAGS = 200


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


def require_resource(current: Resource | None, *, inventory_id: str | None = None) -> Resource:
    """The resource. Raises `NotFound` when there is none, or none in that inventory."""
    if current is None or inventory_id not in (None, current.inventory_id):
        raise NotFound("resource_not_found", "There is no such resource.")
    return current


def register_resource(
    inventory: Inventory | None, command: RegisterResource, *, known: bool, urn_taken: bool
) -> Resource:
    """A new resource. `known`: its id was used before; `urn_taken`: another one of the inventory has its URN."""
    _require_hand_made(require_inventory(inventory))
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
    """The resource as it is described now. Its id, URN and lock stay."""
    _require_hand_made(require_inventory(inventory))
    current = require_resource(current, inventory_id=command.inventory_id)
    description = command.description
    if description.urn != current.urn:
        detail = "The URN of a resource never changes; register another resource instead."
        raise Conflict("urn_fixed", detail, fields={"urn": "must stay as it is"})
    _check_description(description)
    return current.model_copy(update={"revision": current.revision + 1, **_facts(description)})


def remove_resource(inventory: Inventory | None, current: Resource | None, *, inventory_id: str) -> Resource:
    """The resource that may go."""
    _require_hand_made(require_inventory(inventory))
    return require_resource(current, inventory_id=inventory_id)


def endpoint_of(address: str) -> Endpoint:
    """An endpoint with its kind, which follows from the address.

    Accepts a host name or an IP address, a port after a colon (IPv6 then in brackets), and ignores a scheme before
    and a path behind. Raises ValueError with the reason in words.
    """
    if fault := fault_of(address, longest=LONGEST_ADDRESS, empty=False):
        raise ValueError(fault)
    if any(c.isspace() or c == "@" for c in address):
        raise ValueError("must be a host name or an IP address, without spaces, user or password")
    # By hand instead of `urlsplit`: most addresses have no scheme, and it would take `nas:445` for one.
    host, port = _split_port(address.split("://", 1)[-1].split("/", 1)[0])
    if not host:
        raise ValueError("has no host name and no IP address")
    if port and not (port.isascii() and port.isdecimal() and 1 <= int(port) <= 65535):
        raise ValueError("has a port that is not between 1 and 65535")
    return Endpoint(endpoint=address, kind=_kind(host))


def _require_hand_made(inventory: Inventory) -> None:
    if inventory.type != "self-managed":
        detail = f"The resources of a {inventory.type} inventory come from its provider and are not edited by hand."
        raise Conflict("inventory_managed", detail)


def _check_inventory_name(name: str) -> None:
    if fault := fault_of(name, longest=LONGEST_TEXT, empty=False):
        raise Invalid("inventory_invalid", f"The name of an inventory {fault}.", fields={"name": fault})


def _check_description(description: ResourceDescription) -> None:
    faults = {name: fault for name, fault in _faults(description) if fault}
    if faults:
        words = "; ".join(f"{name} {fault}" for name, fault in faults.items())
        raise Invalid("resource_invalid", f"The resource cannot be described like this: {words}.", fields=faults)


def _faults(description: ResourceDescription) -> Iterable[tuple[str, str | None]]:
    yield "urn", fault_of(description.urn, longest=LONGEST_URN, empty=False)
    yield "name", fault_of(description.name, longest=LONGEST_URN)
    yield "class", fault_of(description.class_, longest=LONGEST_TEXT, empty=False)
    yield "subclass", fault_of(description.subclass, longest=LONGEST_TEXT)
    yield "service", fault_of(description.service, longest=LONGEST_TEXT)
    yield "endpoints", _too_many(description.endpoints, MOST_ENDPOINTS)
    # No more than may be there are looked at, so that a huge request costs no time and its answer stays short.
    for place, address in enumerate(description.endpoints[:MOST_ENDPOINTS]):
        yield f"endpoints.{place}", _address_fault(address)
    yield "tags", _too_many(description.tags, MOST_TAGS)
    for place, tag in enumerate(description.tags[:MOST_TAGS]):
        yield f"tags.{place}", fault_of(tag, longest=LONGEST_TEXT, empty=False)


def _too_many(values: tuple[str, ...], most: int) -> str | None:
    return f"are more than {most}" if len(values) > most else None


def _address_fault(address: str) -> str | None:
    try:
        endpoint_of(address)
    except ValueError as error:
        return str(error)
    return None


def _split_port(text: str) -> tuple[str, str]:
    if text.startswith("["):
        host, closed, rest = text[1:].partition("]")
        if not closed or not _is_ipv6(host) or (rest and not rest.startswith(":")):
            raise ValueError("has brackets that hold no IPv6 address")
        return host, rest[1:]
    if text.count(":") > 1:
        if not _is_ipv6(text):
            raise ValueError("has several colons but is no IPv6 address")
        return text, ""
    host, _, port = text.partition(":")
    return host, port


def _is_ipv6(host: str) -> bool:
    return _kind(host) == "inet6"


def _kind(host: str) -> EndpointKind:
    try:
        return "inet4" if ipaddress.ip_address(host).version == 4 else "inet6"
    except ValueError:
        return "host"


def _facts(description: ResourceDescription) -> dict[str, object]:
    """All that a description says but the URN; an empty name becomes the URN."""
    return {
        "name": description.name if description.name.strip() else description.urn,
        "class_": description.class_,
        "subclass": description.subclass,
        "service": description.service,
        "endpoints": tuple(endpoint_of(address) for address in description.endpoints),
        "tags": description.tags,
        "excluded_from_coverage": description.excluded_from_coverage,
    }
