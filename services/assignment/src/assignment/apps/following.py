"""Apps follow the bundles that fill their fields."""

import logging
from collections.abc import Sequence

from chassis.telemetry import semantic_conventions as semconv
from chassis.telemetry.tracing import span
from contracts.envelope import Envelope
from contracts.messages.bundles import AppBundlesChanged, BundlesChanged
from contracts.values import OrganizationId

from assignment.apps.domain.following import follow_bundles
from assignment.apps.store import AssignmentStore
from assignment.apps.usecases.follow import catch_up
from assignment.apps.usecases.offers import known_integrations
from assignment.apps.usecases.reads import list_apps
from assignment.bundles.store import BundleStore, Follow

log = logging.getLogger(__name__)
MESSAGES_AT_ONCE = 500


async def note_bundles(store: AssignmentStore, bundles: BundleStore, event: Envelope[BundlesChanged]) -> None:
    """Send a message to each app that bundles give other values by now."""
    org = event.data.organization_id
    with span("assignment.note_bundles", attributes={semconv.ORGANIZATION: org}):
        aggregate = await bundles.follows.load(org, org, cause=event)
        told = await _followers(store, org)
        follow = Follow(organization_id=org)
        # Without the cause until the last: a process that dies in between tells all again, which changes nothing.
        rest = told
        while len(rest) > MESSAGES_AT_ONCE:
            some, rest = rest[:MESSAGES_AT_ONCE], rest[MESSAGES_AT_ONCE:]
            aggregate = await bundles.follows.save(aggregate, follow, events=some)
        await bundles.follows.save(aggregate, follow, events=rest, cause=event)
        log.info("apps follow bundles", extra={"organization_id": org, "apps": len(told)})


async def follow(store: AssignmentStore, event: Envelope[AppBundlesChanged]) -> None:
    """Have an app show what bundles give it now, in a new revision if that is something else."""
    org, app_id = event.data.organization_id, event.data.app_id
    with span("assignment.follow_bundles", attributes={semconv.ORGANIZATION: org, semconv.APP: app_id}):
        await catch_up(store, org, app_id)


async def _followers(store: AssignmentStore, org: OrganizationId) -> Sequence[AppBundlesChanged]:
    """A message to each app that is not what bundles make of it.

    One that is described meanwhile looks at the bundles after it was saved; see `catch_up`.
    """
    integrations, bundles = await known_integrations(store), await store.bundles(org)
    apps = await list_apps(store, org, None)
    return [
        AppBundlesChanged(organization_id=org, app_id=app.id)
        for app in apps
        if follow_bundles(app, None, integrations, bundles)
    ]
