"""Where a restore must not write: what belongs to a store that workers know of, and the programs that they run."""

import asyncio
import logging
import os
import stat
from functools import partial
from pathlib import Path, PurePosixPath

from contracts.errors import CairnError
from contracts.messages.assignment import App
from contracts.paths import normalized
from contracts.values import OrganizationId
from integrations.sdk.configuration import AppConfiguration
from integrations.sdk.errors import RootForbidden
from integrations.sdk.locations import StoreLocation
from integrations.sdk.ports.destination import GuardedPlace

from connector.context.worker_context import WorkerContext, with_fields

log = logging.getLogger(__name__)
_ORIGIN = "it belongs to the store that is restored from"
_HOOKS = "it belongs to the hooks that this worker runs"
_CONFIG = "config"
_DIRECTORIES = ("data", "keys", "snapshots")
"""What else a repository consists of. Source: restic's design document, "Repository Layout"."""


async def guarded_places(
    context: WorkerContext, org: OrganizationId, *, store: App, location: StoreLocation, target: App, folder: str
) -> tuple[GuardedPlace, ...]:
    """The place of the store that is restored from first, then those of all repositories of all organizations.

    Raises `RootForbidden` where the target, or the folder in it, has to do with a place that does not answer.
    """
    origin = GuardedPlace(
        why=_ORIGIN, path=location.local_path, named_path=location.named_path, address=location.address
    )
    hooks = GuardedPlace(why=_HOOKS, path=context.settings.hooks_dir)
    known = [(owner, app) for owner, app in await context.store.stores.all() if app.id != store.id]
    destination = await _Destination.of(context, target, folder)
    found = await asyncio.gather(
        *(_place_of(context, owner, app, is_own=owner == org, destination=destination) for owner, app in known)
    )
    return (origin, hooks, *(each for each in found if each is not None))


class _Destination:
    """What is restored into, by its name and by what the links in that lead to."""

    def __init__(self, named: str, paths: frozenset[str]) -> None:
        self.named = named
        self._paths = paths

    @classmethod
    async def of(cls, context: WorkerContext, target: App, folder: str) -> "_Destination":
        root = _path_of(context, target)
        if root is None:
            return cls(target.name, frozenset())
        named = f"{root.rstrip('/')}/{folder}".rstrip("/") or "/"
        paths = {normalized(named)}
        try:
            paths.add(await context.looks.ask(f"path {named}", partial(os.path.realpath, named)))
        except (TimeoutError, OSError):
            log.info("a destination does not answer", extra={"app": target.id})
        return cls(named, frozenset(paths))

    def is_about(self, path: str) -> bool:
        """Whether a directory lies in it, or the other way round, as far as their paths tell."""
        return any(_is_in(path, each) or _is_in(each, path) for each in self._paths)


async def _place_of(
    context: WorkerContext, owner: OrganizationId, app: App, *, is_own: bool, destination: _Destination
) -> GuardedPlace | None:
    """The place of a store, None where there is no repository."""
    whose = f"the store {app.name!r}" if is_own else "another organization's store"
    try:
        found, holds = await context.looks.ask(f"store {app.id} {app.revision}", partial(_look, context, owner, app))
    except CairnError as error:
        # Its place is none that this worker may touch, or not complete yet, so that nothing is in it.
        log.info("the place of a store is not known", extra={"store": app.id, "reason": error.code})
        return None
    except TimeoutError:
        if (root := _path_of(context, app)) is not None and destination.is_about(root):
            raise RootForbidden(
                destination.named, f"it may belong to {whose}, whose directory does not answer"
            ) from None
        log.warning("the place of a store does not answer", extra={"store": app.id})
        return None
    if not holds and not await context.store.repositories.of(owner, app.id):
        return None
    # Of a path that was noted the repository may be on the machine of another pool, or on a disk that is not there now:
    # only the links that lead to it stay as they are.
    path = found.local_path if holds else None
    return GuardedPlace(why=f"it belongs to {whose}", path=path, named_path=found.named_path, address=found.address)


def _look(context: WorkerContext, owner: OrganizationId, app: App) -> tuple[StoreLocation, bool]:
    """Where a store is, and whether a repository is there, as far as the disk of this machine tells. Blocks."""
    found = context.integrations.store(app.protocol).store_location(_in_clear(owner, app))
    return found, found.local_path is not None and _holds_repository(found.local_path)


def _path_of(context: WorkerContext, app: App) -> str | None:
    """The path of this machine that an app is configured with, if it is one of this machine."""
    fields = {limit.field for limit in context.integrations.reach() if limit.protocol == app.protocol}
    return next((value.value for name, value in app.fields.items() if name in fields and value.value), None)


def _is_in(path: str, other: str) -> bool:
    return PurePosixPath(normalized(path)).is_relative_to(normalized(other))


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
    clear = {name: each.value or "" for name, each in app.fields.items() if not (each.sealed or each.provider_id)}
    return with_fields(org, app, clear)
