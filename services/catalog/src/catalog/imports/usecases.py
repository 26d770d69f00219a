"""One function per verb: a list is staged in parts, then applied portion by portion."""

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractContextManager

from chassis.errors import Unavailable
from chassis.persistence.aggregates import Aggregate, Aggregates, Change, Rewrite
from chassis.telemetry import semantic_conventions as semconv
from chassis.telemetry.tracing import span
from contracts.envelope import Envelope
from contracts.errors import Conflict
from contracts.messages.base import Event
from contracts.messages.catalog import CatalogCommand, Resource
from contracts.messages.imports import ApplyImport, ImportedRow, StageImport
from contracts.values import InventoryId, OrganizationId
from opentelemetry.trace import Span

from catalog.imports.domain import imports, plans
from catalog.imports.domain.imports import Counts, Import
from catalog.imports.domain.plans import Plan, PlannedChange, Portions
from catalog.imports.store import ImportStore
from catalog.inventories.domain.inventories import require_inventory
from catalog.inventories.domain.resources import require_hand_made
from catalog.inventories.store import InventoryStore

log = logging.getLogger(__name__)


async def stage_import(store: ImportStore, command: Envelope[StageImport]) -> None:
    """Keep a part of a list."""
    data, org = command.data, command.data.organization_id
    with _span("catalog.stage_import", data):
        imports.check_part(data)
        aggregate = await store.parts.load(org, store.part_id(data.import_id, data.part), cause=command)
        part = store.part_of(data.import_id, data.rows)
        await store.parts.save(aggregate, part, cause=command, result={"import_id": data.import_id})


async def apply_import(store: ImportStore, inventories: InventoryStore, command: Envelope[ApplyImport]) -> None:
    """Make a list what its inventory holds.

    First all that has to change is planned and kept, then it is carried out in portions. A process that dies in between
    leaves the command to the next one, which goes on with the portion that was not announced.
    """
    data, org = command.data, command.data.organization_id
    with _span("catalog.apply_import", data):
        aggregate = await store.imports.load(org, data.import_id, cause=command)
        if aggregate.value is not None and aggregate.value.inventory_id != data.inventory_id:
            raise Conflict("import_exists", "There is, or was, an import with this id.")
        await _finish_others(store, inventories, command)
        if aggregate.value is None or aggregate.value.state == "planning":
            require_hand_made(require_inventory(await inventories.inventories.get(org, data.inventory_id)))
            aggregate = await _plan(store, inventories, aggregate, command)
        aggregate, done = await _carry_out(store, inventories.resources, aggregate, command)
        # By a save of its own: the outcome is sent when all is announced.
        await store.imports.save(aggregate, done, cause=command, result=imports.result_of(done))
    log.info("list imported", extra=_ids(data) | done.counts.model_dump())
    await store.tidy(org, done, parts=data.parts)


async def export(
    inventories: InventoryStore, org: OrganizationId, inventory_id: InventoryId
) -> AsyncIterator[list[Resource]]:
    """The resources of an inventory, oldest first, in batches. Raises `NotFound`."""
    require_inventory(await inventories.inventories.get(org, inventory_id))
    batches = inventories.resources.scan(org, {"inventory_id": inventory_id})
    return ([kept.value for kept in batch] async for batch in batches)


async def _finish_others(store: ImportStore, inventories: InventoryStore, command: Envelope[ApplyImport]) -> None:
    """Finish imports of the inventory that were begun and given up: half a list must not stay."""
    data, org = command.data, command.data.organization_id
    for other in await store.unfinished(org, data.inventory_id):
        if other.id != data.import_id:
            aggregate = await store.imports.load(org, other.id)
            _, done = await _carry_out(store, inventories.resources, aggregate, command)
            log.warning("import finished that was given up", extra=_ids(data) | {"import_id": other.id})
            await store.tidy(org, done, parts=0)


async def _plan(
    store: ImportStore, inventories: InventoryStore, aggregate: Aggregate[Import], command: Envelope[ApplyImport]
) -> Aggregate[Import]:
    """Find and keep what has to change. Nothing of it is done before all of it is kept."""
    data, org = command.data, command.data.organization_id
    rows = plans.by_urn(await _list(store, command))
    begun = imports.begin(aggregate.value, data)
    aggregate, _ = await store.imports.write(aggregate, Change(begun))
    plan, portions, number = Plan(data.import_id, data.inventory_id, rows), Portions(), 0

    async def keep(portion: str | None) -> None:
        nonlocal number
        if portion is not None:
            await store.keep_portion(org, begun, number, portion)
            number += 1

    async for batch in inventories.resources.scan(org, {"inventory_id": data.inventory_id}):
        for kept in batch:
            if change := plan.change_of(kept.value, revision=kept.revision):
                await keep(portions.take(change))
    for change in plan.additions():
        await keep(portions.take(change))
    await keep(portions.rest())
    planned = imports.planned(begun, Counts.model_validate(plan.counts), portions=number)
    aggregate, _ = await store.imports.write(aggregate, Change(planned))
    return aggregate


async def _list(store: ImportStore, command: Envelope[ApplyImport]) -> list[Sequence[ImportedRow]]:
    """The whole list. Raises `Conflict` when a part of it is missing."""
    data, found = command.data, list[Sequence[ImportedRow] | None]()
    for part in range(data.parts):
        found.append(await store.rows(data.organization_id, data.import_id, part))
        if found[-1] is None:
            break
    return imports.complete(found, rows=data.rows)


async def _carry_out(
    store: ImportStore, resources: Aggregates[Resource], aggregate: Aggregate[Import], command: Envelope[ApplyImport]
) -> tuple[Aggregate[Import], Import]:
    """Save and announce what is left of a plan; the import as it is then."""
    org, current = command.data.organization_id, _value_of(aggregate)
    # What an earlier try could not announce goes first: were it left behind, it would grow with each try.
    aggregate = await _save(store, aggregate, current, (), command)
    while current.done < current.portions:
        changes = await store.changes(org, current, current.done)
        await resources.save_many(org, list(map(_rewrite, changes)))
        told = plans.told(org, changes, inventory_id=current.inventory_id, import_id=current.id)
        current = imports.portion_done(current)
        # After the resources: a process that dies before this save saves them again, which changes nothing.
        aggregate = await _save(store, aggregate, current, (told,), command)
    if current.state != "applied":
        current = imports.applied(current)
        aggregate = await _save(store, aggregate, current, (imports.announcement(org, current),), command)
    return aggregate, current


async def _save(
    store: ImportStore,
    aggregate: Aggregate[Import],
    value: Import,
    events: Sequence[Event],
    command: Envelope[ApplyImport],
) -> Aggregate[Import]:
    """Save how far an import is, and announce it. Raises `Unavailable` when that has to wait for the broker."""
    saved, announce = await store.imports.write(aggregate, Change(value, events, following=command))
    if not await announce():
        raise Unavailable("import_unannounced", "The message broker does not take what the import changed.")
    return saved


def _rewrite(change: PlannedChange) -> Rewrite[Resource]:
    before = change.resource if change.revision else None
    after = None if change.is_removed else change.resource
    return Rewrite(change.resource.id, change.revision, before, after)


def _value_of(aggregate: Aggregate[Import]) -> Import:
    if aggregate.value is None:
        raise LookupError(f"import {aggregate.id} is gone")
    return aggregate.value


def _span(name: str, command: CatalogCommand) -> AbstractContextManager[Span]:
    return span(name, attributes={semconv.ORGANIZATION: command.organization_id})


def _ids(command: ApplyImport) -> dict[str, str | int]:
    ids = {"organization_id": command.organization_id, "inventory_id": command.inventory_id}
    return {**ids, "import_id": command.import_id}
