"""What becomes of resources: noted, and told to the apps that are made of them."""

import asyncio
from contextlib import suppress
from typing import TypeAlias

from chassis.persistence.aggregates import AlreadyHandled
from chassis.telemetry import semantic_conventions as semconv
from chassis.telemetry.tracing import span
from contracts.envelope import Envelope
from contracts.messages.assignment import AppResourceChanged
from contracts.messages.catalog import Resource, ResourceChanged, ResourceRemoved
from contracts.messages.imports import RemovedResource, ResourcesChanged
from contracts.values import ResourceId

from assignment.apps.domain import apps
from assignment.apps.store import AssignmentStore

ResourceEvent: TypeAlias = ResourceChanged | ResourceRemoved | ResourcesChanged
LOOKUPS_AT_ONCE = 16
"""Half of the connections to the database, so that many changes in one event leave room for commands."""


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


async def note_resource_removal(store: AssignmentStore, event: Envelope[ResourceRemoved]) -> None:
    """Remember that a resource is gone; its apps go on showing it as it was last."""
    with span("assignment.note_resource_removal", attributes={semconv.ORGANIZATION: event.data.organization_id}):
        await _note_removal(store, event, event.data.resource_id, event.data.revision)


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


async def _note_removal(
    store: AssignmentStore, event: Envelope[ResourceEvent], resource_id: ResourceId, revision: int
) -> None:
    aggregate = await store.resources.load(event.data.organization_id, resource_id, cause=event)
    if removal := apps.note_removal(aggregate.value, revision):
        await store.resources.save(aggregate, removal, cause=event)
