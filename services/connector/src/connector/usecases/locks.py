"""Who holds a store: each process that works on a repository leaves a lock in it, which says who and since when."""

import asyncio
import platform
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime

import psutil
from chassis.background import beside
from chassis.errors import CairnError
from chassis.ids import utc_now
from chassis.mongo import PyMongoError
from contracts.assignment import App
from contracts.connector import ConnectorCommand, StoreLock
from contracts.values import OrganizationId

from connector.domain import is_stale
from connector.engine.errors import LockNotStale
from connector.repository import Lock
from connector.usecases.apps import find_store
from connector.usecases.commands import store_app
from connector.usecases.equipment import Equipment
from connector.usecases.identity import ask_repository
from connector.usecases.lease import Lease
from connector.usecases.rivals import store_location

LOOK_SECONDS = 5.0
OnLocked = Callable[[StoreLock], None]
"""Hears of a process that holds a store for itself alone, once."""


async def store_locks(equipment: Equipment, org: OrganizationId, store_id: str) -> list[StoreLock]:
    """The locks of the store with this id. Raises `app_not_found`, or what `locks_of` raises."""
    return await locks_of(equipment, org, await find_store(equipment.store, org, store_id))


async def locks_of(equipment: Equipment, org: OrganizationId, app: App) -> list[StoreLock]:
    """The locks of a store, oldest first. Raises what `ask_repository` raises."""
    found = await ask_repository(equipment, org, app, lambda access: access.locks())
    return [_told(lock) for lock in found]


async def unlock_store(equipment: Equipment, lease: Lease, command: ConnectorCommand) -> None:
    """Remove the locks of a store that are proved stale, and tell which.

    Raises `lock_not_stale` where locks are there and none of them is, what the engine raises, `app_not_found` or
    `app_unknown`.
    """
    app, org = await store_app(equipment, command), command.organization_id
    before = await locks_of(equipment, org, app)
    if before:
        await equipment.engine.unlock_stale(store_location(equipment, org, app))
    after = await locks_of(equipment, org, app) if before else []
    left = {lock.id for lock in after}
    removed = [lock for lock in before if lock.id not in left]
    if after and not removed:
        raise LockNotStale(tuple(lock.in_words for lock in after))
    result = {"removed": removed, "remaining": after}
    await lease.settle(
        result={name: [lock.model_dump(mode="json") for lock in locks] for name, locks in result.items()}
    )


@asynccontextmanager
async def telling_of_locks(
    equipment: Equipment, org: OrganizationId, app: App, *, on_locked: OnLocked
) -> AsyncIterator["asyncio.Task[None]"]:
    """Look at once, and now and then, who keeps others out of a store: until the task that is yielded is cancelled."""
    async with beside("look at locks", lambda: _look_forever(equipment, org, app, on_locked)) as looking:
        yield looking


async def _look_forever(equipment: Equipment, org: OrganizationId, app: App, on_locked: OnLocked) -> None:
    told: set[tuple[str, int]] = set()
    while True:
        with suppress(CairnError, PyMongoError):  # the engine says what is wrong with the store
            for lock in await locks_of(equipment, org, app):
                if lock.exclusive and lock.holder not in told:
                    told.add(lock.holder)
                    on_locked(lock)
        await asyncio.sleep(LOOK_SECONDS)


def _told(lock: Lock) -> StoreLock:
    since = datetime.fromtimestamp(lock.time_ns / 1e9, UTC) if lock.time else None
    found = StoreLock(
        id=lock.id, exclusive=lock.exclusive, host=lock.hostname, process=lock.pid, user=lock.username, since=since
    )
    stale = is_stale(found, utc_now(), host=platform.node(), is_alive=psutil.pid_exists)
    return found.model_copy(update={"stale": stale})
