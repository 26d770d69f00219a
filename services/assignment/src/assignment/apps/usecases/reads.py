"""Reads of apps, each with its resource as it is now."""

import asyncio
from collections.abc import Iterable, Sequence

from chassis.telemetry import semantic_conventions as semconv
from chassis.telemetry.tracing import span
from contracts.messages.assignment import App, AppKind
from contracts.messages.bundles import Bundle
from contracts.queries.assignment import ReachableApp
from contracts.values import AppId, InventoryId, OrganizationId, ResourceId

from assignment.apps.domain import apps
from assignment.apps.domain.pools import Pool, pools_for
from assignment.apps.store import AssignmentStore

LOOKUPS_AT_ONCE = 16
"""Half of the connections to the database, so that a long listing leaves room for commands."""


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


def reachable(
    app: App, pools: Iterable[Pool], bundles: Iterable[Bundle] = (), *, is_offered: bool = True
) -> ReachableApp:
    """An app with the pools of workers that can reach it, and the names of the bundles that its fields came from."""
    origins = {value.bundle_id for value in app.fields.values()}
    names = {bundle.id: bundle.name for bundle in bundles if bundle.id in origins}
    return ReachableApp(**dict(app), pools=pools_for(app, pools), bundle_names=names, is_offered=is_offered)


async def _none() -> Sequence[Bundle]:
    return ()


async def _resources(
    store: AssignmentStore, org: OrganizationId, ids: Iterable[ResourceId]
) -> dict[ResourceId, apps.KnownResource | None]:
    slots = asyncio.Semaphore(LOOKUPS_AT_ONCE)

    async def look_up(resource_id: ResourceId) -> tuple[ResourceId, apps.KnownResource | None]:
        async with slots:
            return resource_id, await store.resource(org, resource_id)

    return dict(await asyncio.gather(*map(look_up, ids)))
