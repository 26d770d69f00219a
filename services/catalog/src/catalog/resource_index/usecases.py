"""What is asked of the index, and what it remembers of sources."""

import logging
from collections.abc import Mapping

from chassis.persistence.aggregates import Aggregate
from chassis.telemetry import semantic_conventions as semconv
from chassis.telemetry.tracing import span
from contracts.envelope import Envelope
from contracts.inventory_types import InventoryType
from contracts.messages.assignment import AppAssigned, AppRemoved
from contracts.messages.base import Message
from contracts.messages.catalog import Inventory
from contracts.queries.base import Page
from contracts.queries.catalog import CountedInventory, Coverage, ListedResource
from contracts.values import InventoryId, OrganizationId

from catalog.inventories import usecases as inventories
from catalog.inventories.store import InventoryStore
from catalog.resource_index.domain import sources
from catalog.resource_index.domain.coverage import coverage_of, figures_of, tag_sets_of
from catalog.resource_index.domain.resource_query import ResourceQuery, listed, select
from catalog.resource_index.domain.resource_rows import ResourceRows
from catalog.resource_index.domain.sources import SourceUse
from catalog.resource_index.store.index import ResourceIndex
from catalog.resource_index.store.sources import SourceStore

log = logging.getLogger(__name__)


async def note_source(store: SourceStore, event: Envelope[AppAssigned]) -> None:
    """Remember which resource a source uses."""
    aggregate = await store.uses.load(event.data.organization_id, event.data.app_id, cause=event)
    await _keep(store, aggregate, sources.after_assignment(aggregate.value, event.data), event)


async def forget_source(store: SourceStore, event: Envelope[AppRemoved]) -> None:
    """Remember that a source uses nothing any more."""
    aggregate = await store.uses.load(event.data.organization_id, event.data.app_id, cause=event)
    await _keep(store, aggregate, sources.after_removal(aggregate.value, event.data), event)


async def list_resources(
    index: ResourceIndex, org: OrganizationId, query: ResourceQuery, *, limit: int, offset: int
) -> Page[ListedResource]:
    """A page of the resources that are asked for, and how many there are. Raises `Unavailable`."""
    with span("catalog.list_resources", attributes={semconv.ORGANIZATION: org}):
        rows = await index.rows_of(org)
        found = select(rows, query)
        return Page(total=len(found), items=tuple(listed(rows, slot) for slot in found[offset : offset + limit]))


async def list_inventories(
    index: ResourceIndex,
    store: InventoryStore,
    org: OrganizationId,
    *,
    text: str = "",
    kind: InventoryType | None = None,
    limit: int,
    offset: int,
) -> Page[CountedInventory]:
    """Some of the inventories whose name holds the text, oldest first, with what they hold. Raises `Unavailable`.

    `kind`: only those of this type.
    """
    with span("catalog.list_inventories", attributes={semconv.ORGANIZATION: org}):
        page = await store.search_inventories(org, text=text, kind=kind, limit=limit, offset=offset)
        rows = await index.rows_of(org)
        return Page(total=page.total, items=tuple(_counted(rows, each) for each in page.items))


async def get_inventory(
    index: ResourceIndex, store: InventoryStore, org: OrganizationId, inventory_id: InventoryId
) -> CountedInventory:
    """One inventory with what it holds. Raises `NotFound`, `Unavailable`."""
    with span("catalog.get_inventory", attributes={semconv.ORGANIZATION: org}):
        inventory = await inventories.get_inventory(store, org, inventory_id)
        return _counted(await index.rows_of(org), inventory)


async def get_coverage(index: ResourceIndex, org: OrganizationId) -> Coverage:
    """How much of an organization is protected. Raises `Unavailable`."""
    with span("catalog.get_coverage", attributes={semconv.ORGANIZATION: org}):
        return coverage_of(await index.rows_of(org))


async def count_tag_sets(index: ResourceIndex, org: OrganizationId) -> Mapping[tuple[str, ...], int]:
    """How many resources of an organization have each set of tags. Raises `Unavailable`."""
    return tag_sets_of(await index.rows_of(org))


def _counted(rows: ResourceRows, inventory: Inventory) -> CountedInventory:
    figures = figures_of(rows, inventory.id, inventory.type)
    facts = {"count": figures.count, "coverage": figures.coverage, "summaries": figures.summaries}
    return CountedInventory(**dict(inventory), **facts)


async def _keep(
    store: SourceStore, aggregate: Aggregate[SourceUse], use: SourceUse | None, event: Envelope[Message]
) -> None:
    if use is None:
        return
    await store.uses.save(aggregate, use, cause=event)
    log.info("source noted", extra={"organization_id": aggregate.organization_id, "app_id": use.id})
