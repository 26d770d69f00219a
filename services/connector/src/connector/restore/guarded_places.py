"""Where a restore must not write: what belongs to a store that workers know of, and the programs that they run."""

import asyncio
import logging
import stat
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

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
_CONFIG = "config"
_DIRECTORIES = ("data", "keys", "snapshots")
"""What else a repository consists of. Source: restic's design document, "Repository Layout"."""


async def guarded_places(
    context: WorkerContext, org: OrganizationId, *, store: App, location: StoreLocation
) -> tuple[GuardedPlace, ...]:
    """The place of the store that is restored from first, then those of all repositories of all organizations."""
    origin = GuardedPlace(
        why=_ORIGIN, path=location.local_path, named_path=location.named_path, address=location.address
    )
    hooks = GuardedPlace(why=_HOOKS, path=context.settings.hooks_dir)
    known = [(owner, app) for owner, app in await context.store.stores.all() if app.id != store.id]
    noted = {app.id for owner, app in known if await context.store.repositories.of(owner, app.id)}
    # In a thread: links are followed, which asks the disk.
    return (origin, hooks, *await asyncio.to_thread(lambda: tuple(_places(context, org, known, noted=noted))))


def _places(
    context: WorkerContext,
    org: OrganizationId,
    known: Sequence[tuple[OrganizationId, App]],
    *,
    noted: Collection[str],
) -> Iterator[GuardedPlace]:
    for owner, app in known:
        why = f"it belongs to the store {app.name!r}" if owner == org else "it belongs to another organization's store"
        try:
            found = context.integrations.store(app.protocol).store_location(_in_clear(owner, app))
        except CairnError as error:
            # Its place is none that this worker may touch, or not complete yet, so that nothing is in it.
            log.info("the place of a store is not known", extra={"store": app.id, "reason": error.code})
        else:
            # What was noted of a path may be on the machine of another pool: the disk tells what is on this one.
            if app.id in noted if found.local_path is None else _holds_repository(found.local_path):
                yield GuardedPlace(why=why, path=found.local_path, named_path=found.named_path, address=found.address)


def _holds_repository(place: Path) -> bool:
    """Whether a repository, or what is left of one, is in a directory; also where this worker may not look."""
    try:
        return _is(place / _CONFIG, stat.S_IFREG) or all(_is(place / each, stat.S_IFDIR) for each in _DIRECTORIES)
    except OSError:
        return True


def _is(path: Path, kind: int) -> bool:
    try:
        return stat.S_IFMT(path.stat().st_mode) == kind
    except (FileNotFoundError, NotADirectoryError):
        return False


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
