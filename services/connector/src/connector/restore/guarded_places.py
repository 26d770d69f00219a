"""Where a restore must not write: what belongs to a store that workers know of, and the programs that they run."""

import asyncio
import logging
from collections.abc import Iterator, Sequence

from contracts.errors import CairnError
from contracts.messages.assignment import App
from contracts.values import OrganizationId
from integrations.sdk.configuration import AppConfiguration
from integrations.sdk.locations import StoreLocation
from integrations.sdk.ports.destination import GuardedPlace

from connector.context.worker_context import WorkerContext

log = logging.getLogger(__name__)
_ORIGIN = "it belongs to the store that is restored from"
_HOOKS = "it belongs to the hooks that this worker runs"


async def guarded_places(
    context: WorkerContext, org: OrganizationId, *, store: App, location: StoreLocation
) -> tuple[GuardedPlace, ...]:
    """The place of the store that is restored from first, then those of all stores of all organizations."""
    origin = GuardedPlace(why=_ORIGIN, path=location.local_path, address=location.address)
    hooks = GuardedPlace(why=_HOOKS, path=context.settings.hooks_dir)
    known = [(owner, app) for owner, app in await context.store.stores.all() if app.id != store.id]
    # In a thread: links are followed, which asks the disk.
    return (origin, hooks, *await asyncio.to_thread(lambda: tuple(_places(context, org, known))))


def _places(
    context: WorkerContext, org: OrganizationId, known: Sequence[tuple[OrganizationId, App]]
) -> Iterator[GuardedPlace]:
    for owner, app in known:
        why = f"it belongs to the store {app.name!r}" if owner == org else "it belongs to another organization's store"
        try:
            found = context.integrations.store(app.protocol).store_location(_in_clear(owner, app))
        except CairnError as error:
            # Its place is none that this worker may touch, or not complete yet, so that nothing is in it.
            log.info("the place of a store is not known", extra={"store": app.id, "reason": error.code})
        else:
            yield GuardedPlace(why=why, path=found.local_path, address=found.address)


def _in_clear(org: OrganizationId, app: App) -> AppConfiguration:
    """A store without its secrets, which say nothing of where it is: those of others stay sealed."""
    return AppConfiguration(
        app_id=app.id,
        organization_id=org,
        kind=app.kind,
        protocol=app.protocol,
        name=app.name,
        endpoints=app.endpoints,
        fields={name: each.value or "" for name, each in app.fields.items() if not (each.sealed or each.provider_id)},
    )
