"""The apps that this worker was told of, and their fields in clear while they are used."""

import asyncio
import time

from chassis.persistence.aggregates import Aggregate
from chassis.security.sealing import Place, Sealer
from contracts.envelope import Envelope
from contracts.errors import Conflict, NotFound, PermanentError
from contracts.field_values import FieldValue
from contracts.messages.assignment import App, AppAssigned, AppRef, AppRemoved
from contracts.values import OrganizationId

from connector.store.ports import KnownApp, Store

_FIRST_PAUSE_SECONDS = 0.02
_LONGEST_PAUSE_SECONDS = 0.5


async def save_app(store: Store, event: Envelope[AppAssigned]) -> bool:
    """Save an app as it is now. False when this revision, or a later one, is saved already."""
    org, app = event.data.organization_id, event.data.app
    return await _save(store, org, app.id, known=KnownApp(revision=app.revision, app=app))


async def save_app_removal(store: Store, event: Envelope[AppRemoved]) -> bool:
    """Save that an app was removed."""
    return await _save(
        store, event.data.organization_id, event.data.app_id, known=KnownApp(revision=event.data.revision)
    )


async def _save(store: Store, org: OrganizationId, app_id: str, *, known: KnownApp) -> bool:
    record: Aggregate[KnownApp] = await store.apps.load(org, app_id)
    # Events may arrive twice. A removed app keeps its revision, so an old event does not bring it back.
    if record.value is not None and record.value.revision >= known.revision:
        return False
    await store.apps.save(record, known)
    return True


async def find_store(store: Store, org: OrganizationId, app_id: str) -> App:
    """The store app with this id. Raises `app_not_found`."""
    known = await store.apps.get(org, app_id)
    if known is None or known.app is None or known.app.kind != "store":
        raise NotFound("app_not_found", "There is no store with this id.")
    return known.app


async def await_app(store: Store, org: OrganizationId, ref: AppRef, *, patience_seconds: float) -> App:
    """The app in the revision that is meant, or a later one.

    Raises `app_not_found` when it was removed, `app_unknown` when its event did not arrive in time.
    """
    # Apps and requests travel on different topics, so an event may arrive after the request that relies on it.
    # A loop of our own, without tenacity: no call fails here, and the error at the end is about the app.
    deadline, pause = time.monotonic() + patience_seconds, _FIRST_PAUSE_SECONDS
    while True:
        known = await store.apps.get(org, ref.id)
        if known is not None and known.revision >= ref.revision:
            break
        if time.monotonic() >= deadline:
            raise Conflict(
                "app_unknown", f"The latest change of the {ref.kind} {ref.name!r} has not reached the workers yet."
            )
        await asyncio.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
    if known.app is None:
        raise NotFound("app_not_found", f"The {ref.kind} {ref.name!r} was removed.")
    return known.app


def check_complete(app: App) -> None:
    """Raise `Conflict` (`connector_incomplete`) with what the app lacks of its configuration."""
    if app.lacking:
        faults = {lack.field: lack.detail for lack in app.lacking}
        raise Conflict("connector_incomplete", f"{app.lacking_in_words}.", fields=faults)


def check_unlocked(app: App) -> None:
    """Raise `Conflict` (`resource_locked`) when an operator has blocked the tasks of the app's resource."""
    if app.resource.locked:
        named = f"Resource {app.resource.name} of the {app.kind} {app.name!r}"
        raise Conflict("resource_locked", f"{named} is locked: tasks of its connectors are blocked.")


def open_fields(sealer: Sealer, org: OrganizationId, app: App) -> dict[str, str]:
    """The configuration of an app in clear, for use at once. Raises `secret_unreadable`, `provider_unsupported`."""
    return {
        name: _in_clear(sealer, value, Place(organization_id=org, owner=value.owner(app.id), field=name))
        for name, value in app.fields.items()
    }


def _in_clear(sealer: Sealer, value: FieldValue, place: Place) -> str:
    if value.provider_id is not None:
        detail = f"The field {place.field} refers to a secret provider, and secret providers are not configured."
        raise PermanentError("provider_unsupported", detail)
    if value.sealed is not None:
        return sealer.open(value.sealed, place=place)
    return value.value or ""
