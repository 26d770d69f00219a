"""The locks of a store: each process that works on a repository leaves one in it, with its host and process id."""

import asyncio
import platform
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import psutil
from chassis.ids import utc_now
from chassis.persistence.mongo import PyMongoError
from chassis.runtime.supervision import beside
from contracts.messages.assignment import App
from contracts.messages.connector.stores import StoreLock
from contracts.values import OrganizationId
from restic_reader import Lock

from connector.context.apps import find_store
from connector.context.worker_context import WorkerContext
from connector.domain.locks import is_stale
from connector.domain.moments import moment_at
from connector.failures import FAILURES
from connector.store_state.identity import ask_repository

LOOK_SECONDS = 5.0
OnLocked = Callable[[StoreLock], None]
"""Called once for each process that has a lock on a store."""


async def store_locks(context: WorkerContext, org: OrganizationId, store_id: str) -> list[StoreLock]:
    """The locks of the store with this id. Raises `app_not_found`, or what `locks_of` raises."""
    return await locks_of(context, org, await find_store(context.store, org, store_id))


async def locks_of(context: WorkerContext, org: OrganizationId, app: App) -> list[StoreLock]:
    """The locks of a store, oldest first. Raises what `ask_repository` raises."""
    found = await ask_repository(context, org, app, lambda access: access.locks())
    return [_to_store_lock(lock) for lock in found]


@asynccontextmanager
async def reporting_locks(
    context: WorkerContext, org: OrganizationId, app: App, *, on_locked: OnLocked
) -> AsyncIterator["asyncio.Task[None]"]:
    """Look at once, and now and then, who has locks on a store, until the task that is yielded is cancelled."""
    async with beside("look at locks", lambda: _look_forever(context, org, app, on_locked)) as looking:
        yield looking


async def _look_forever(context: WorkerContext, org: OrganizationId, app: App, on_locked: OnLocked) -> None:
    reported: set[tuple[str, int]] = set()
    while True:
        # What is wrong with the store the engine says better, and it decides whether the job fails.
        with suppress(*FAILURES, PyMongoError):
            for lock in await locks_of(context, org, app):
                if lock.holder not in reported:
                    reported.add(lock.holder)
                    on_locked(lock)
        await asyncio.sleep(LOOK_SECONDS)


def _to_store_lock(lock: Lock) -> StoreLock:
    since = moment_at(lock.time_ns) if lock.time else None
    found = StoreLock(
        id=lock.id, exclusive=lock.exclusive, host=lock.hostname, process=lock.pid, user=lock.username, since=since
    )
    stale = is_stale(found, utc_now(), host=platform.node(), is_alive=psutil.pid_exists)
    return found.model_copy(update={"stale": stale})
