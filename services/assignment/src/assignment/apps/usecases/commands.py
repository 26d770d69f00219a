"""What commands about apps ask for: load, decide, save together with the events."""

import asyncio
import logging
from contextlib import AbstractContextManager

from chassis.kept_secrets import replaced
from chassis.persistence.aggregates import Aggregate, AlreadyHandled
from chassis.telemetry import semantic_conventions as semconv
from chassis.telemetry.tracing import span
from contracts.envelope import Envelope
from contracts.messages.assignment import (
    App,
    AppAssigned,
    AppCommand,
    AppReconfigured,
    AppRemoved,
    AssignApp,
    ReconfigureApp,
    RemoveApp,
)
from contracts.messages.installations import IntegrationUsed
from contracts.messages.resealing import AppResealed, ResealApp
from opentelemetry.trace import Span
from pydantic import JsonValue

from assignment.apps.domain import apps, labels
from assignment.apps.store import AssignmentStore
from assignment.apps.usecases.announcement import announcement
from assignment.apps.usecases.follow import catch_up
from assignment.apps.usecases.offers import known_offering

log = logging.getLogger(__name__)


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
    """Replace what is said about an app. What is said already changes nothing, and is told to nobody."""
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
        app = await _described(store, app, command, current=aggregate.value)
        is_news = app != aggregate.value
        events = [*await announcement(store, AppReconfigured, org, app)] if is_news else []
        if app.integration.id != in_use:
            offering.require_settled(app.integration.id)
            events.append(IntegrationUsed(organization_id=org, integration_id=app.integration.id, app_id=app.id))
        await store.apps.save(aggregate, app, events=events, cause=command, result=_result(app))
        await catch_up(store, org, app.id)
        log.info("app reconfigured", extra=_ids(data) | {"revision": app.revision, "changed": is_news})


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


async def _load(store: AssignmentStore, command: Envelope[AssignApp | ReconfigureApp]) -> Aggregate[App]:
    """The app that a command describes. Raises `AlreadyHandled`, once that app shows what happened meanwhile."""
    org, app_id = command.data.organization_id, command.data.app_id
    try:
        return await store.apps.load(org, app_id, cause=command)
    except AlreadyHandled:
        # The process that saved it may have died before it looked.
        await catch_up(store, org, app_id)
        raise


async def _described(
    store: AssignmentStore, app: App, command: Envelope[AssignApp | ReconfigureApp], *, current: App | None = None
) -> App:
    """The app with the labels that were renamed after it was asked for under their new names (decision 0057).

    The `current` one where that says the same: unless it still waits for a rename, which a description would undo.
    """
    known = await store.renames(command.data.organization_id)
    described = labels.described(app, known, known.after(command.time))
    if current is not None and apps.says_the_same(described, current) and labels.follow(current, known) is None:
        return current
    return described


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
