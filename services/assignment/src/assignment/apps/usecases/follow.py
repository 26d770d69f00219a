"""Apps follow what they depend on: their resources, renamed labels, bundles, and versions of integrations.

Each is told by a message in its own order, as only the handler of an app's messages may write it (decision 0003).
"""

import asyncio
import logging

from chassis.telemetry import semantic_conventions as semconv
from chassis.telemetry.tracing import span
from contracts.envelope import Envelope
from contracts.messages.assignment import AppReconfigured, AppResourceChanged
from contracts.messages.classification import AppLabelRenamed
from contracts.messages.installations import AppUpgradeDue
from contracts.values import AppId, OrganizationId

from assignment.apps.domain import apps, following, labels
from assignment.apps.store import AssignmentStore
from assignment.apps.usecases.announcement import announcement
from assignment.apps.usecases.offers import known_integrations

log = logging.getLogger(__name__)


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
