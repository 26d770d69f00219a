"""One function per verb: load, decide, save together with the events."""

import asyncio
import logging
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, suppress
from typing import TypeAlias

from chassis.kept_secrets import replaced
from chassis.persistence.aggregates import Aggregate, AlreadyHandled
from chassis.telemetry import semantic_conventions as semconv
from chassis.telemetry.tracing import span
from contracts.envelope import Envelope
from contracts.errors import TemporaryError
from contracts.messages.assignment import (
    App,
    AppAssigned,
    AppCommand,
    AppKind,
    AppReconfigured,
    AppRef,
    AppRemoved,
    AppResourceChanged,
    AssignApp,
    ReconfigureApp,
    RemoveApp,
)
from contracts.messages.base import Message
from contracts.messages.bundles import Bundle
from contracts.messages.catalog import Resource, ResourceChanged, ResourceRemoved
from contracts.messages.classification import AppLabelRenamed
from contracts.messages.connector.base import EVERYBODY
from contracts.messages.connector.connection_tests import TestConnection
from contracts.messages.connector.offers import Integration, IntegrationOffered, PoolOffered
from contracts.messages.imports import RemovedResource, ResourcesChanged
from contracts.messages.installations import AppUpgradeDue, IntegrationUsed
from contracts.messages.resealing import AppResealed, ResealApp
from contracts.queries.assignment import ReachableApp
from contracts.queries.installations import KnownIntegration
from contracts.topics import DEFAULT_POOL
from contracts.values import AppId, IntegrationId, InventoryId, OrganizationId, ResourceId
from opentelemetry.trace import Span
from pydantic import JsonValue

from assignment.apps.domain import apps, choice, following, labels, offers
from assignment.apps.domain.choice import Choice
from assignment.apps.domain.offers import Offering
from assignment.apps.domain.pools import Pool, offers_of, pools_for
from assignment.apps.store import AssignmentStore, Offer

log = logging.getLogger(__name__)
ResourceEvent: TypeAlias = ResourceChanged | ResourceRemoved | ResourcesChanged
LOOKUPS_AT_ONCE = 16
"""Half of the connections to the database, so that a long listing leaves room for commands."""


async def assign_app(store: AssignmentStore, command: Envelope[AssignApp]) -> None:
    """Put a resource to use."""
    data, org = command.data, command.data.organization_id
    with _span("assignment.assign_app", data):
        aggregate = await _load(store, command)
        offering, bundles = await asyncio.gather(known_offering(store, org), store.bundles(org))
        app = apps.assign(
            data,
            offering.integrations,
            known=aggregate.revision > 0,
            uninstalled=offering.uninstalled,
            gone=offering.gone,
            bundles=bundles,
        )
        offering.require_settled(app.integration.id)
        app = await _described(store, app, command)
        # An integration that was uninstalled since it was looked for is installed again by this (decision 0061).
        used = IntegrationUsed(organization_id=org, integration_id=app.integration.id, app_id=app.id)
        events = [*await announcement(store, AppAssigned, org, app), used]
        await store.apps.save(aggregate, app, events=events, cause=command, result=_result(app))
        await catch_up(store, org, app.id)
        log.info("app assigned", extra=_ids(data) | {"integration": app.integration.name, "protocol": app.protocol})


async def reconfigure_app(store: AssignmentStore, command: Envelope[ReconfigureApp]) -> None:
    """Replace what is said about an app."""
    data, org = command.data, command.data.organization_id
    with _span("assignment.reconfigure_app", data):
        aggregate = await _load(store, command)
        offering, in_use = await known_offering(store, org), aggregate.value.integration.id if aggregate.value else None
        app = apps.reconfigure(
            aggregate.value,
            data,
            offering.integrations,
            uninstalled=offering.uninstalled,
            gone=offering.gone_for(in_use),
            bundles=await store.bundles(org),
        )
        app = await _described(store, app, command)
        events = [*await announcement(store, AppReconfigured, org, app)]
        if app.integration.id != in_use:
            offering.require_settled(app.integration.id)
            events.append(IntegrationUsed(organization_id=org, integration_id=app.integration.id, app_id=app.id))
        await store.apps.save(aggregate, app, events=events, cause=command, result=_result(app))
        await catch_up(store, org, app.id)
        log.info("app reconfigured", extra=_ids(data) | {"revision": app.revision})


async def reseal_app(store: AssignmentStore, command: Envelope[ResealApp]) -> None:
    """Have the secrets of an app under other keys."""
    data, org = command.data, command.data.organization_id
    with _span("assignment.reseal_app", data):
        aggregate = await store.apps.load(org, data.app_id, cause=command)
        app = apps.reseal(aggregate.value, data.resealed)
        count = replaced(aggregate.value.fields if aggregate.value else {}, app.fields)
        # Not announced as other changes are: what an app is reached with is the same, so its connection is not tested.
        events = [AppResealed(organization_id=org, app_id=data.app_id, app=app)] if count else []
        result: dict[str, JsonValue] = {"id": data.app_id, "replaced": count}
        await store.apps.save(aggregate, app, events=events, cause=command, result=result)
        log.info("app resealed", extra={**_ids(data), "replaced": count})


async def remove_app(store: AssignmentStore, command: Envelope[RemoveApp]) -> None:
    """Take an app out of use; stored data is not touched."""
    data, org = command.data, command.data.organization_id
    with _span("assignment.remove_app", data):
        aggregate = await store.apps.load(org, data.app_id, cause=command)
        app = apps.require_app(aggregate.value, expected_revision=data.expected_revision)
        removed = AppRemoved(organization_id=org, app_id=app.id, revision=app.revision + 1)
        await store.apps.save(aggregate, None, events=[removed], cause=command, result={"id": app.id})
        log.info("app removed", extra=_ids(data))


async def announcement(
    store: AssignmentStore, event: type[AppAssigned], org: OrganizationId, app: App
) -> Sequence[Message]:
    """What whoever saves an app sends with it: that it is so now, and the test of its connection.

    Nobody waits for the outcome of that test. An incomplete app has none.
    """
    told = event(organization_id=org, app_id=app.id, app=app)
    if app.lacking or not store.tests_changes:
        return [told]
    pools = pools_for(app, await store.present_pools())
    reference = AppRef(id=app.id, revision=app.revision, kind=app.kind, name=app.name)
    # Where no pool reaches it, workers of the default one say in words why.
    pool = pools[0] if pools else DEFAULT_POOL
    test = TestConnection(organization_id=org, app_id=app.id, app=reference, pool=pool, trigger="change")
    return [told, test]


async def note_integration(store: AssignmentStore, event: Envelope[IntegrationOffered]) -> None:
    """Keep an integration that workers offer, unless a newer version is known."""
    offered = event.data.integration
    with span("assignment.note_integration"):
        offers.check_offer(offered)
        aggregate, current = await store.load_offer(offered.id, cause=event)
        newer = offers.supersedes(offered, current)
        kept = offered if newer or current is None else current
        await store.offers.save(aggregate, Offer.of(kept, announced_at=store.clock()), cause=event)
        if newer:
            log.info("integration known", extra={"integration": offered.name, "version": offered.version})


async def note_pool(store: AssignmentStore, event: Envelope[PoolOffered]) -> None:
    """Keep what the workers of a pool can reach, and when they said so; the latest announcement counts."""
    with span("assignment.note_pool"):
        aggregate = await store.pools.load(EVERYBODY, event.data.pool, cause=event)
        known = aggregate.value
        # The time of this machine, not of the event: clocks of workers may differ, and an event that waited in Kafka
        # is no silence of the pool.
        now = store.clock()
        offered = offers_of(known, event.data.integrations, now, silence=store.pool_silence)
        pool = Pool(name=event.data.pool, reach=event.data.reach, announced_at=now, offers=offered)
        await store.pools.save(aggregate, pool, cause=event)
        if known is None or known.reach != pool.reach:
            log.info("pool known", extra={"pool": pool.name})


async def note_resource_change(store: AssignmentStore, event: Envelope[ResourceChanged]) -> None:
    """Remember how a resource is described now, then send a message to each app made of it."""
    org = event.data.organization_id
    with span("assignment.note_resource_change", attributes={semconv.ORGANIZATION: org}):
        await _note_change(store, event, event.data.resource)


async def note_resources_changed(store: AssignmentStore, event: Envelope[ResourcesChanged]) -> None:
    """Do for each resource of the event what its own event would have done."""
    with span("assignment.note_resources_changed", attributes={semconv.ORGANIZATION: event.data.organization_id}):
        slots = asyncio.Semaphore(LOOKUPS_AT_ONCE)

        async def note(change: Resource | RemovedResource) -> None:
            async with slots:
                # Some may have been noted before the process died in the midst of them.
                with suppress(AlreadyHandled):
                    if isinstance(change, Resource):
                        await _note_change(store, event, change)
                    else:
                        await _note_removal(store, event, change.id, change.revision)

        # As the single event of a registration, a resource in its first revision tells no app anything.
        changes = [resource for resource in event.data.changed if resource.revision > 1]
        told = [*map(note, changes), *map(note, event.data.removed)]
        # All have ended when the event is tried again: none of now is in the way of one of then.
        for outcome in await asyncio.gather(*told, return_exceptions=True):
            if isinstance(outcome, BaseException):
                raise outcome


async def _note_change(store: AssignmentStore, event: Envelope[ResourceEvent], resource: Resource) -> None:
    org = event.data.organization_id
    aggregate = await store.resources.load(org, resource.id, cause=event)
    # Saved before the apps are looked up: an app that is assigned meanwhile is among them or finds the change.
    # Without the cause, so that a process that dies before the next save does both again.
    if change := apps.note_change(aggregate.value, resource):
        aggregate = await store.resources.save(aggregate, change)
    if aggregate.value is None or aggregate.value.revision != resource.revision:
        return
    if found := await store.apps_at(org, resource.id):
        # A message for each app, as only the handler of an app's messages may write the app (decision 0003).
        changed = [AppResourceChanged(organization_id=org, app_id=app.id) for app in found]
        await store.resources.save(aggregate, aggregate.value, events=changed, cause=event)


async def follow_resource(store: AssignmentStore, event: Envelope[AppResourceChanged]) -> None:
    """Announce an app anew when its resource was locked or unlocked, or is reached elsewhere."""
    org, app_id = event.data.organization_id, event.data.app_id
    with span(
        "assignment.follow_resource",
        attributes={semconv.ORGANIZATION: org, semconv.APP: app_id},
    ):
        # First, and without the cause: a process that dies in between does both again.
        await _follow_bundles(store, org, app_id)
        await _follow_resource(store, org, app_id, cause=event)


async def follow_rename(store: AssignmentStore, event: Envelope[AppLabelRenamed]) -> None:
    """Give an app that carries a renamed label its new name, in a new revision."""
    org, app_id = event.data.organization_id, event.data.app_id
    with span("assignment.follow_rename", attributes={semconv.ORGANIZATION: org, semconv.APP: app_id}):
        await _follow_renames(store, org, app_id, cause=event)
        await _follow_bundles(store, org, app_id)


async def follow_integration(store: AssignmentStore, event: Envelope[AppUpgradeDue]) -> None:
    """Have an app use its integration in the version on offer."""
    org, app_id = event.data.organization_id, event.data.app_id
    with span("assignment.follow_integration", attributes={semconv.ORGANIZATION: org, semconv.APP: app_id}):
        aggregate = await store.apps.load(org, app_id, cause=event)
        if app := apps.upgrade(aggregate.value, await store.integrations()):
            events = await announcement(store, AppReconfigured, org, app)
            await store.apps.save(aggregate, app, events=events, cause=event)
            log.info("app upgraded", extra={"organization_id": org, "app_id": app_id, "revision": app.revision})


async def note_resource_removal(store: AssignmentStore, event: Envelope[ResourceRemoved]) -> None:
    """Remember that a resource is gone; its apps go on showing it as it was last."""
    with span("assignment.note_resource_removal", attributes={semconv.ORGANIZATION: event.data.organization_id}):
        await _note_removal(store, event, event.data.resource_id, event.data.revision)


async def _note_removal(
    store: AssignmentStore, event: Envelope[ResourceEvent], resource_id: ResourceId, revision: int
) -> None:
    aggregate = await store.resources.load(event.data.organization_id, resource_id, cause=event)
    if removal := apps.note_removal(aggregate.value, revision):
        await store.resources.save(aggregate, removal, cause=event)


async def list_integrations(store: AssignmentStore) -> list[Integration]:
    """All integrations on offer, by name."""
    with span("assignment.list_integrations"):
        return await store.integrations()


async def list_known_integrations(store: AssignmentStore, org: OrganizationId) -> list[KnownIntegration]:
    """All integrations that workers offer or offered, by name, as an organization has them."""
    offering, pools = await asyncio.gather(store.offering(org), store.present_pools())
    return [
        KnownIntegration(
            integration=integration,
            # Until it is decided it stays installed: connectors that use it may keep it so.
            installed=offering.absent.get(integration.id) != "uninstalled",
            offered=integration.id not in offering.gone,
            versions=offers.offered_versions(integration, pools),
        )
        for integration in offering.integrations
    ]


async def known_integrations(store: AssignmentStore) -> list[Integration]:
    """All integrations. Raises `TemporaryError` while there are none: nothing fits, but only until a worker starts."""
    return list((await known_offering(store, None)).integrations)


async def known_offering(store: AssignmentStore, org: OrganizationId | None) -> Offering:
    """All integrations as an organization has them. Raises `TemporaryError` as `known_integrations` does."""
    found = await store.offering(org) if org else Offering(await store.integrations())
    if not found.integrations:
        raise TemporaryError("integrations_unknown", "No worker has announced an integration yet.")
    return found


async def choose(
    store: AssignmentStore,
    org: OrganizationId,
    resource: Resource,
    *,
    kind: AppKind,
    integration_id: IntegrationId | None,
    protocol: str | None,
    in_use: IntegrationId | None = None,
) -> Choice:
    """The integration and protocol an app would get; what it has already (`in_use`) it may keep.

    Raises `Invalid`, and `TemporaryError` when none is known yet.
    """
    with span("assignment.choose"):
        offering = await known_offering(store, org)
        return choice.choose(
            offering.integrations,
            resource,
            kind=kind,
            integration_id=integration_id,
            protocol=protocol,
            uninstalled=offering.uninstalled,
            gone=offering.gone_for(in_use),
        )


async def list_apps(
    store: AssignmentStore,
    org: OrganizationId,
    kind: AppKind | None,
    *,
    resource_id: ResourceId | None = None,
    inventory_id: InventoryId | None = None,
) -> list[App]:
    """All apps, or those of a kind, a resource, an inventory, oldest first, with their resources as they are now."""
    with span("assignment.list_apps", attributes={semconv.ORGANIZATION: org}):
        found = await (store.apps_of(org, kind) if resource_id is None else store.apps_at(org, resource_id))
        # Before anything is looked up for each of them: whoever asks about one place may have thousands elsewhere.
        found = [app for app in found if kind in (None, app.kind) and inventory_id in (None, app.resource.inventory_id)]
        known = await _resources(store, org, {app.resource.id for app in found})
        return [apps.refresh(app, known[app.resource.id]) for app in found]


async def get_app(store: AssignmentStore, org: OrganizationId, app_id: AppId) -> App:
    """One app with its resource as it is now. Raises `NotFound`."""
    with span("assignment.get_app", attributes={semconv.ORGANIZATION: org, semconv.APP: app_id}):
        app = apps.require_app(await store.apps.get(org, app_id))
        return apps.refresh(app, await store.resource(org, app.resource.id))


async def list_reachable_apps(
    store: AssignmentStore,
    org: OrganizationId,
    kind: AppKind | None,
    *,
    resource_id: ResourceId | None = None,
    inventory_id: InventoryId | None = None,
) -> list[ReachableApp]:
    """The apps of `list_apps`, each with the pools of workers that can reach it."""
    found = await list_apps(store, org, kind, resource_id=resource_id, inventory_id=inventory_id)
    if not found:
        return []
    pools, bundles, offering = await asyncio.gather(store.present_pools(), store.bundles(org), store.offering(org))
    return [reachable(app, pools, bundles, is_offered=offering.is_offered(app.integration.id)) for app in found]


async def get_reachable_app(store: AssignmentStore, org: OrganizationId, app_id: AppId) -> ReachableApp:
    """The app of `get_app` with the pools of workers that can reach it. Raises `NotFound`."""
    # Pools are read each time, beside the app. They are not remembered: one process of this service hears that a pool
    # reaches less than before, the others would go on sending work to it for as long as they remember.
    app, pools = await asyncio.gather(get_app(store, org, app_id), store.all_pools())
    follows = any(value.bundle_id for value in app.fields.values())
    is_offered, bundles = await asyncio.gather(
        store.is_offered(app.integration.id, pools), store.bundles(org) if follows else _none()
    )
    return reachable(app, store.present(pools), bundles, is_offered=is_offered)


async def _none() -> Sequence[Bundle]:
    return ()


def reachable(
    app: App, pools: Iterable[Pool], bundles: Iterable[Bundle] = (), *, is_offered: bool = True
) -> ReachableApp:
    """An app with the pools of workers that can reach it, and the names of the bundles that its fields came from."""
    origins = {value.bundle_id for value in app.fields.values()}
    names = {bundle.id: bundle.name for bundle in bundles if bundle.id in origins}
    return ReachableApp(**dict(app), pools=pools_for(app, pools), bundle_names=names, is_offered=is_offered)


async def _load(store: AssignmentStore, command: Envelope[AssignApp | ReconfigureApp]) -> Aggregate[App]:
    """The app that a command describes. Raises `AlreadyHandled`, once that app shows what happened meanwhile."""
    org, app_id = command.data.organization_id, command.data.app_id
    try:
        return await store.apps.load(org, app_id, cause=command)
    except AlreadyHandled:
        # The process that saved it may have died before it looked.
        await catch_up(store, org, app_id)
        raise


async def _described(store: AssignmentStore, app: App, command: Envelope[AssignApp | ReconfigureApp]) -> App:
    """The app with the labels that were renamed after it was asked for under their new names (decision 0057)."""
    known = await store.renames(command.data.organization_id)
    return labels.described(app, known, known.after(command.time))


async def catch_up(store: AssignmentStore, org: OrganizationId, app_id: AppId) -> None:
    """Have an app that was just saved show what happened while it was described."""
    app = await store.apps.get(org, app_id)
    if app is None:
        return
    # The gateway read the resource before it sent the command; it may have changed since. In most cases nothing has,
    # and then everything is looked up just once: hundreds of apps may be assigned at once.
    known, renames, integrations, bundles = await asyncio.gather(
        store.resource(org, app.resource.id), store.renames(org), known_integrations(store), store.bundles(org)
    )
    if (
        apps.follow(app, known)
        or labels.follow(app, renames)
        or following.follow_bundles(app, known, integrations, bundles)
    ):
        await _follow_resource(store, org, app_id)
        await _follow_renames(store, org, app_id)
        await _follow_bundles(store, org, app_id)


async def _follow_bundles(store: AssignmentStore, org: OrganizationId, app_id: AppId) -> None:
    """Have an app show what bundles give it. Done twice it changes nothing the second time."""
    aggregate = await store.apps.load(org, app_id)
    if aggregate.value is None:
        return
    known = await store.resource(org, aggregate.value.resource.id)
    integrations, bundles = await known_integrations(store), await store.bundles(org)
    if app := following.follow_bundles(aggregate.value, known, integrations, bundles):
        events = await announcement(store, AppReconfigured, org, app)
        await store.apps.save(aggregate, app, events=events)
        log.info("app follows bundles", extra={"organization_id": org, "app_id": app_id, "revision": app.revision})


async def _follow_renames(
    store: AssignmentStore, org: OrganizationId, app_id: AppId, *, cause: Envelope[AppLabelRenamed] | None = None
) -> None:
    """Apply all renames that an app does not show yet. Done twice it changes nothing the second time."""
    told = cause.data.rename if cause else None
    # Again after each save: while the app was saved under one name, that may have been renamed by somebody who did not
    # find the app under it yet.
    while True:
        aggregate = await store.apps.load(org, app_id)
        app = labels.follow(aggregate.value, await store.renames(org), told)
        if app is None:
            return
        events = await announcement(store, AppReconfigured, org, app)
        await store.apps.save(aggregate, app, events=events, cause=cause)
        log.info("app has renamed labels", extra={"organization_id": org, "app_id": app_id, "revision": app.revision})


async def _follow_resource(
    store: AssignmentStore, org: OrganizationId, app_id: AppId, *, cause: Envelope[AppResourceChanged] | None = None
) -> None:
    aggregate = await store.apps.load(org, app_id, cause=cause)
    known = await store.resource(org, aggregate.value.resource.id) if aggregate.value else None
    if app := apps.follow(aggregate.value, known):
        events = await announcement(store, AppReconfigured, org, app)
        await store.apps.save(aggregate, app, events=events, cause=cause)
        log.info("app follows its resource", extra={"organization_id": org, "app_id": app_id, "revision": app.revision})


async def _resources(
    store: AssignmentStore, org: OrganizationId, ids: Iterable[ResourceId]
) -> dict[ResourceId, apps.KnownResource | None]:
    slots = asyncio.Semaphore(LOOKUPS_AT_ONCE)

    async def look_up(resource_id: ResourceId) -> tuple[ResourceId, apps.KnownResource | None]:
        async with slots:
            return resource_id, await store.resource(org, resource_id)

    return dict(await asyncio.gather(*map(look_up, ids)))


def _result(app: App) -> dict[str, JsonValue]:
    return {"id": app.id, "revision": app.revision}


def _span(name: str, command: AppCommand) -> AbstractContextManager[Span]:
    return span(
        name,
        attributes={
            semconv.ORGANIZATION: command.organization_id,
            semconv.APP: command.app_id,
        },
    )


def _ids(command: AppCommand) -> dict[str, str | int]:
    return {"organization_id": command.organization_id, "app_id": command.app_id}
