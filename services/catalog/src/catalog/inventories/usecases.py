"""One function per verb: load, decide, save together with the events."""

import asyncio
import logging
from collections.abc import Awaitable, Iterable
from contextlib import AbstractContextManager

from chassis.kept_secrets import Holder, sealed_owners
from chassis.telemetry import semantic_conventions as semconv
from chassis.telemetry.tracing import span
from contracts.envelope import Envelope
from contracts.messages.catalog import (
    CatalogCommand,
    ChangeInventory,
    ChangeResource,
    CreateInventory,
    FlagResource,
    Inventory,
    InventoryChanged,
    InventoryCreated,
    InventoryRemoved,
    RegisterResource,
    RemoveInventory,
    RemoveResource,
    Resource,
    ResourceChanged,
    ResourceRegistered,
    ResourceRemoved,
)
from contracts.messages.resealing import InventoryResealed, ResealInventory
from contracts.queries.sealing import SealedOwners, SealedQuestion
from contracts.values import InventoryId, OrganizationId, ResourceId
from opentelemetry.trace import Span
from pydantic import JsonValue

from catalog.inventories.domain import inventories, resources
from catalog.inventories.store import InventoryStore

log = logging.getLogger(__name__)


async def create_inventory(store: InventoryStore, command: Envelope[CreateInventory]) -> None:
    """Create an inventory."""
    data = command.data
    with _span("catalog.create_inventory", data):
        aggregate = await store.inventories.load(data.organization_id, data.inventory_id, cause=command)
        inventory = inventories.create_inventory(data, known=aggregate.revision > 0)
        created = InventoryCreated(organization_id=data.organization_id, inventory_id=inventory.id, inventory=inventory)
        await store.inventories.save(aggregate, inventory, events=[created], cause=command, result={"id": inventory.id})
    log.info("inventory created", extra=_ids(data))


async def change_inventory(store: InventoryStore, command: Envelope[ChangeInventory]) -> None:
    """Replace what is said about an inventory."""
    data = command.data
    with _span("catalog.change_inventory", data):
        aggregate = await store.inventories.load(data.organization_id, data.inventory_id, cause=command)
        inventory = inventories.change_inventory(aggregate.value, data)
        changed = InventoryChanged(organization_id=data.organization_id, inventory_id=inventory.id, inventory=inventory)
        events = [changed] if inventory != aggregate.value else []
        await store.inventories.save(aggregate, inventory, events=events, cause=command, result={"id": inventory.id})
    log.info("inventory changed", extra=_ids(data))


async def reseal_inventory(store: InventoryStore, command: Envelope[ResealInventory]) -> None:
    """Have the secrets of an inventory under other keys."""
    data, org = command.data, command.data.organization_id
    with _span("catalog.reseal_inventory", data):
        aggregate = await store.inventories.load(org, data.inventory_id, cause=command)
        inventory = inventories.reseal_inventory(aggregate.value, data)
        before = aggregate.value.configuration if aggregate.value else {}
        replaced = sum(value != before.get(name) for name, value in inventory.configuration.items())
        resealed = InventoryResealed(organization_id=org, inventory_id=inventory.id, inventory=inventory)
        events = [resealed] if replaced else []
        result: dict[str, JsonValue] = {"id": inventory.id, "replaced": replaced}
        await store.inventories.save(aggregate, inventory, events=events, cause=command, result=result)
    log.info("inventory resealed", extra=_ids(data) | {"replaced": str(replaced)})


async def remove_inventory(store: InventoryStore, command: Envelope[RemoveInventory], *, at_once: int) -> None:
    """Remove an inventory after its resources, `at_once` at a time.

    A process that dies in between leaves the inventory with fewer resources; the command then comes again and goes on.
    """
    data = command.data
    with _span("catalog.remove_inventory", data):
        aggregate = await store.inventories.load(data.organization_id, data.inventory_id, cause=command)
        inventory = inventories.require_inventory(aggregate.value)
        # In portions: each removal is a save with an event, and all at once would keep the database busy for long.
        while left := await store.resources_of(data.organization_id, inventory.id, limit=at_once):
            await _all(_remove_with_inventory(store, command, resource) for resource in left)
        removed = InventoryRemoved(organization_id=data.organization_id, inventory_id=inventory.id)
        await store.inventories.save(aggregate, None, events=[removed], cause=command, result={"id": inventory.id})
    log.info("inventory removed", extra=_ids(data))


async def register_resource(store: InventoryStore, command: Envelope[RegisterResource]) -> None:
    """Add a resource to an inventory."""
    data, org = command.data, command.data.organization_id
    with _span("catalog.register_resource", data):
        aggregate = await store.resources.load(org, data.resource_id, cause=command)
        inventory = await store.inventories.get(org, data.inventory_id)
        # Looked up and then taken without a lock: commands of one inventory are handled one after another.
        owner = await store.urn_owner(org, data.inventory_id, data.description.urn)
        resource = resources.register_resource(
            inventory, data, known=aggregate.revision > 0, urn_taken=owner not in (None, data.resource_id)
        )
        registered = ResourceRegistered(organization_id=org, resource_id=resource.id, resource=resource)
        await store.resources.save(aggregate, resource, events=[registered], cause=command, result={"id": resource.id})
    log.info("resource registered", extra=_ids(data, data.resource_id))


async def change_resource(store: InventoryStore, command: Envelope[ChangeResource]) -> None:
    """Replace what is said about a resource."""
    data, org = command.data, command.data.organization_id
    with _span("catalog.change_resource", data):
        aggregate = await store.resources.load(org, data.resource_id, cause=command)
        inventory = await store.inventories.get(org, data.inventory_id)
        resource = resources.change_resource(inventory, aggregate.value, data)
        changed = ResourceChanged(organization_id=org, resource_id=resource.id, resource=resource)
        events = [changed] if resource != aggregate.value else []
        await store.resources.save(aggregate, resource, events=events, cause=command, result={"id": resource.id})
    log.info("resource changed", extra=_ids(data, data.resource_id))


async def flag_resource(store: InventoryStore, command: Envelope[FlagResource]) -> None:
    """Lock or unlock a resource, take it out of coverage or back in."""
    data, org = command.data, command.data.organization_id
    with _span("catalog.flag_resource", data):
        aggregate = await store.resources.load(org, data.resource_id, cause=command)
        resource = resources.flag_resource(aggregate.value, data)
        changed = ResourceChanged(organization_id=org, resource_id=resource.id, resource=resource)
        events = [changed] if resource != aggregate.value else []
        await store.resources.save(aggregate, resource, events=events, cause=command, result={"id": resource.id})
    flags = {"locked": resource.locked, "excluded_from_coverage": resource.excluded_from_coverage}
    log.info("resource flagged", extra={**_ids(data, data.resource_id), **flags})


async def remove_resource(store: InventoryStore, command: Envelope[RemoveResource]) -> None:
    """Take a resource out of its inventory."""
    data, org = command.data, command.data.organization_id
    with _span("catalog.remove_resource", data):
        aggregate = await store.resources.load(org, data.resource_id, cause=command)
        inventory = await store.inventories.get(org, data.inventory_id)
        resource = resources.remove_resource(inventory, aggregate.value, inventory_id=data.inventory_id)
        removed = _removed(org, resource, revision=resource.revision + 1)
        await store.resources.save(aggregate, None, events=[removed], cause=command, result={"id": resource.id})
    log.info("resource removed", extra=_ids(data, data.resource_id))


async def list_sealed(store: InventoryStore, org: OrganizationId, question: SealedQuestion) -> SealedOwners:
    """Inventories with values under other keys, and how many values are under which key."""
    with span("catalog.list_sealed", attributes={semconv.ORGANIZATION: org}):
        kept = (await store.inventories.find(org)).items
        return sealed_owners([Holder("inventory", each.id, each.configuration) for each in kept], question)


async def get_inventory(store: InventoryStore, org: OrganizationId, inventory_id: InventoryId) -> Inventory:
    """One inventory. Raises `NotFound`."""
    return inventories.require_inventory(await store.inventories.get(org, inventory_id))


async def get_resource(store: InventoryStore, org: OrganizationId, resource_id: ResourceId) -> Resource:
    """One resource. Raises `NotFound`."""
    with span("catalog.get_resource", attributes={semconv.ORGANIZATION: org}):
        return resources.require_resource(await store.resources.get(org, resource_id))


async def _remove_with_inventory(store: InventoryStore, command: Envelope[RemoveInventory], resource: Resource) -> None:
    org = command.data.organization_id
    aggregate = await store.resources.load(org, resource.id)
    if aggregate.value is None:
        return
    removed = _removed(org, resource, revision=aggregate.revision + 1)
    await store.resources.save(aggregate, None, events=[removed], cause=command, partial=True)


def _removed(org: OrganizationId, resource: Resource, *, revision: int) -> ResourceRemoved:
    facts = {"resource_id": resource.id, "inventory_id": resource.inventory_id}
    return ResourceRemoved(organization_id=org, revision=revision, **facts)


async def _all(steps: Iterable[Awaitable[None]]) -> None:
    """Take all steps, then raise the first error as it is."""
    # Not a TaskGroup: it raises an ExceptionGroup, which the consumer would not know as something to try again.
    for outcome in await asyncio.gather(*steps, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome


def _span(name: str, command: CatalogCommand) -> AbstractContextManager[Span]:
    return span(name, attributes={semconv.ORGANIZATION: command.organization_id})


def _ids(command: CatalogCommand, resource_id: ResourceId | None = None) -> dict[str, str]:
    ids = {"organization_id": command.organization_id, "inventory_id": command.inventory_id}
    return ids | ({"resource_id": resource_id} if resource_id else {})
