"""One function per verb: load, decide, save together with the events."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager

from chassis.kept_secrets import replaced
from chassis.telemetry import semantic_conventions as semconv
from chassis.telemetry.tracing import span
from contracts.envelope import Envelope
from contracts.errors import NotFound
from contracts.messages.bundles import (
    Bundle,
    BundleChanged,
    BundleCreated,
    BundleInventoryRemoved,
    BundleRemoved,
    BundlesChanged,
    BundlesLabelRenamed,
    ChangeBundle,
    CreateBundle,
    RemoveBundle,
)
from contracts.messages.catalog import InventoryRemoved
from contracts.messages.connector.offers import Integration
from contracts.messages.resealing import BundleResealed, ResealBundle
from contracts.queries.base import Page
from contracts.queries.bundles import BundleQuestion
from contracts.values import BundleId, OrganizationId
from opentelemetry.trace import Span
from pydantic import JsonValue

from assignment.bundles.domain import bundles, labels
from assignment.bundles.store import BundleStore, RemovedInventory

log = logging.getLogger(__name__)
Integrations = Callable[[], Awaitable[Sequence[Integration]]]
"""Gives all integrations. Raises `TemporaryError` while there are none."""


async def create_bundle(store: BundleStore, integrations: Integrations, command: Envelope[CreateBundle]) -> None:
    """Create a bundle, and have apps follow it."""
    data, org = command.data, command.data.organization_id
    with _span("assignment.create_bundle", org, data.bundle_id):
        aggregate = await store.bundles.load(org, data.bundle_id, cause=command)
        if data.inventory_id and await store.inventories.get(org, data.inventory_id):
            raise NotFound("inventory_not_found", "There is no such inventory.")
        others = await store.bundles_of(org)
        known = aggregate.revision > 0
        bundle = bundles.create(data, others, await integrations(), known=known, now=store.clock())
        bundle = await _described(store, bundle, command)
        created = BundleCreated(organization_id=org, bundle_id=bundle.id, bundle=bundle)
        events = [created, BundlesChanged(organization_id=org)]
        await store.bundles.save(aggregate, bundle, events=events, cause=command, result=_result(bundle))
        log.info("bundle created", extra=_ids(org, bundle.id))


async def change_bundle(store: BundleStore, integrations: Integrations, command: Envelope[ChangeBundle]) -> None:
    """Replace what is said about a bundle, and have apps follow it."""
    data, org = command.data, command.data.organization_id
    with _span("assignment.change_bundle", org, data.bundle_id):
        aggregate = await store.bundles.load(org, data.bundle_id, cause=command)
        others = await store.bundles_of(org)
        current = await _current(store, org, aggregate.value)
        bundle = bundles.change(current, data, others, await integrations(), now=store.clock())
        if bundle is not current:
            bundle = await _described(store, bundle, command)
        changed = BundleChanged(organization_id=org, bundle_id=bundle.id, bundle=bundle)
        events = [changed, BundlesChanged(organization_id=org)] if bundle != aggregate.value else []
        await store.bundles.save(aggregate, bundle, events=events, cause=command, result=_result(bundle))
        log.info("bundle changed", extra=_ids(org, bundle.id) | {"revision": bundle.revision})


async def reseal_bundle(store: BundleStore, command: Envelope[ResealBundle]) -> None:
    """Have the secrets of a bundle under other keys. Apps that follow it are not told; see `ResealBundle`."""
    data, org = command.data, command.data.organization_id
    with _span("assignment.reseal_bundle", org, data.bundle_id):
        aggregate = await store.bundles.load(org, data.bundle_id, cause=command)
        bundle = bundles.reseal(aggregate.value, data.resealed)
        count = replaced(aggregate.value.fields if aggregate.value else {}, bundle.fields)
        events = [BundleResealed(organization_id=org, bundle_id=data.bundle_id, bundle=bundle)] if count else []
        result: dict[str, JsonValue] = {"id": data.bundle_id, "replaced": count}
        await store.bundles.save(aggregate, bundle, events=events, cause=command, result=result)
        log.info("bundle resealed", extra=_ids(org, data.bundle_id) | {"replaced": count})


async def remove_bundle(store: BundleStore, command: Envelope[RemoveBundle]) -> None:
    """Remove a bundle, and have apps do without it."""
    data, org = command.data, command.data.organization_id
    with _span("assignment.remove_bundle", org, data.bundle_id):
        aggregate = await store.bundles.load(org, data.bundle_id, cause=command)
        current = await _current(store, org, aggregate.value)
        bundle = bundles.require(current, expected_revision=data.expected_revision)
        events = [_removed(org, bundle), BundlesChanged(organization_id=org)]
        await store.bundles.save(aggregate, None, events=events, cause=command, result={"id": bundle.id})
        log.info("bundle removed", extra=_ids(org, bundle.id))


async def note_inventory_removal(store: BundleStore, event: Envelope[InventoryRemoved]) -> None:
    """Remember that an inventory is gone, then have its bundles removed in the order of their organization."""
    org, inventory_id = event.data.organization_id, event.data.inventory_id
    with span("assignment.note_inventory_removal", attributes={semconv.ORGANIZATION: org}):
        aggregate = await store.inventories.load(org, inventory_id, cause=event)
        gone = BundleInventoryRemoved(organization_id=org, inventory_id=inventory_id)
        await store.inventories.save(aggregate, RemovedInventory(id=inventory_id), events=[gone], cause=event)


async def remove_bundles_of_inventory(store: BundleStore, event: Envelope[BundleInventoryRemoved]) -> None:
    """Remove the bundles that belong to an inventory that is gone."""
    org = event.data.organization_id
    with span("assignment.remove_bundles_of_inventory", attributes={semconv.ORGANIZATION: org}):
        # Each by itself and without the cause: a process that dies in between goes on with those that are left.
        for bundle in await store.bundles_of(org):
            if bundle.inventory_id == event.data.inventory_id:
                aggregate = await store.bundles.load(org, bundle.id)
                events = [_removed(org, bundle), BundlesChanged(organization_id=org)]
                await store.bundles.save(aggregate, None, events=events)
                log.info("bundle removed with its inventory", extra=_ids(org, bundle.id))


async def rename_environment(store: BundleStore, event: Envelope[BundlesLabelRenamed]) -> None:
    """Keep bundles for an environment under its new name."""
    org = event.data.organization_id
    with span("assignment.rename_environment", attributes={semconv.ORGANIZATION: org}):
        known = await store.renames(org)
        # Each by itself and without the cause: a process that dies in between goes on with those that are left.
        for kept in (await store.bundles.find(org)).items:
            aggregate = await store.bundles.load(org, kept.id)
            bundle = labels.follow(aggregate.value, known, event.data.rename) if aggregate.value else None
            if bundle is not None:
                changed = BundleChanged(organization_id=org, bundle_id=bundle.id, bundle=bundle)
                await store.bundles.save(aggregate, bundle, events=[changed, BundlesChanged(organization_id=org)])
                log.info("bundle is for a renamed environment", extra=_ids(org, bundle.id))


async def list_bundles(store: BundleStore, org: OrganizationId, question: BundleQuestion) -> Page[Bundle]:
    """A page of the bundles of the organization, or of one of its inventories, oldest first."""
    with span("assignment.list_bundles", attributes={semconv.ORGANIZATION: org}):
        # An organization has few: all are read, as they are where apps are filled.
        found = [bundle for bundle in await store.bundles_of(org) if bundles.answers(bundle, question)]
        rows = found[question.offset : question.offset + question.limit]
        return Page(total=len(found), items=tuple(rows))


async def get_bundle(store: BundleStore, org: OrganizationId, bundle_id: BundleId) -> Bundle:
    """One bundle. Raises `NotFound`."""
    with _span("assignment.get_bundle", org, bundle_id):
        return bundles.require(await _current(store, org, await store.bundles.get(org, bundle_id)))


async def _current(store: BundleStore, org: OrganizationId, kept: Bundle | None) -> Bundle | None:
    """A bundle as reads show it: for its environment as it is called now."""
    return kept and (labels.follow(kept, await store.renames(org)) or kept)


async def _described(store: BundleStore, bundle: Bundle, command: Envelope[CreateBundle | ChangeBundle]) -> Bundle:
    """The bundle for its environment as it is called now, though it was renamed after the bundle was asked for."""
    known = await store.renames(command.data.organization_id)
    return labels.described(bundle, known, known.after(command.time))


def _removed(org: OrganizationId, bundle: Bundle) -> BundleRemoved:
    return BundleRemoved(organization_id=org, bundle_id=bundle.id, revision=bundle.revision + 1)


def _result(bundle: Bundle) -> dict[str, JsonValue]:
    return {"id": bundle.id, "revision": bundle.revision}


def _span(name: str, org: OrganizationId, bundle_id: BundleId) -> AbstractContextManager[Span]:
    return span(name, attributes={semconv.ORGANIZATION: org, semconv.BUNDLE: bundle_id})


def _ids(org: OrganizationId, bundle_id: BundleId) -> dict[str, str | int]:
    return {"organization_id": org, "bundle_id": bundle_id}
