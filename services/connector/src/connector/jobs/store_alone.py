"""A job that has its store for itself, and what it should know of the store before it deletes anything."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

from contracts.messages.assignment import App
from contracts.messages.connector.stores import StoreLock
from integrations.sdk.locations import StoreLocation
from integrations.sdk.ports import RetainingStore
from integrations.sdk.ports.retaining_store import Retention

from connector.engine.errors import StoreUnreachable
from connector.engine.port import CleanUpOutcome, OnProgress
from connector.jobs.definition import Job
from connector.jobs.store_line import store_for_itself
from connector.jobs.store_outages import outage, require_own_store
from connector.jobs.store_wait import StoreWait, alone, past_locks, remove_stale_locks
from connector.queue.lines import HeldPlace
from connector.store_state.locks import locks_of
from connector.store_state.orphan_snapshots import store_location

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class JobAlone(Job):
    """A job whose store no other task has for itself meanwhile."""

    store: App
    location: StoreLocation
    line: HeldPlace
    removed_locks: tuple[StoreLock, ...]
    """Stale locks that were there and were removed."""
    undeletable: str
    """Why the store deletes nothing at all; empty where it does."""
    retention: Retention | None
    """How the place keeps what is deleted in it."""

    async def alone(self, phase: str, work: Callable[[OnProgress], Awaitable[T]]) -> T:
        """What comes of work of the engine that needs the store for itself. Raises like `past_locks`."""
        return await alone(self, self.store, self.location, phase=phase, work=work)

    async def free_unused(self) -> CleanUpOutcome:
        """Delete data that no restore point needs. Raises what the engine raises."""

        async def work(on_progress: OnProgress) -> CleanUpOutcome:
            # What is written anew where the old stays would only make the store larger.
            return await self.context.engine.free_unused(
                self.location,
                repack=self.retention is None,
                on_progress=on_progress,
                on_log=self.reporter.log,
                cancel=self.cancel,
            )

        freed = await self.alone("freeing", work)
        await self.line.freed_unused()
        return freed


@asynccontextmanager
async def store_alone(base: Job) -> AsyncIterator[JobAlone]:
    """Wait for until the job is first in line at its store, and have the store without stale locks. Raises `Cancelled`.

    A store that goes away once the job has begun raises a `TemporaryError`: the job goes on with another attempt.
    """
    base.reporter.enter("preparing")
    store, context = await base.app(base.request.task.origin), base.context
    await require_own_store(base, store)
    location = store_location(context, base.org, store)
    base.reporter.log("info", f"{base.request.task.type} of {store.name}, attempt {base.lease.number}.")
    try:
        async with store_for_itself(base, store, location) as line:
            base.reporter.enter("preparing")
            removed = await base.unless_cancelled(_remove_stale_locks(base, store, location))
            yield JobAlone(
                **vars(base),
                store=store,
                location=location,
                line=line,
                removed_locks=tuple(removed),
                undeletable=await _undeletable(base, store, location),
                retention=await _retention(base, store),
            )
    except StoreUnreachable as error:
        raise outage(error) from None


async def _remove_stale_locks(job: Job, store: App, location: StoreLocation) -> list[StoreLock]:
    """Remove locks whose processes are proved to be gone; returns those that are."""
    stale = [lock for lock in await locks_of(job.context, job.org, store) if lock.stale]
    if not stale:
        return []
    await remove_stale_locks(job, location)
    # Listed again, as the engine does not name the locks that it removed.
    left = {lock.id for lock in await locks_of(job.context, job.org, store)}
    gone = [lock for lock in stale if lock.id not in left]
    for lock in gone:
        job.reporter.log("info", f"A stale lock was removed: {lock.in_words}.")
    return gone


async def _undeletable(job: Job, store: App, location: StoreLocation) -> str:
    """Why the store deletes nothing at all. Somebody's lock may keep even this question out: the job says whose."""

    async def ask() -> str:
        async with StoreWait(job, store, phase="preparing").reporting():
            return await job.context.engine.undeletable(location, cancel=job.cancel)

    why = await past_locks(job, location, ask)
    job.reporter.enter("preparing")
    return why


async def _retention(job: Job, store: App) -> Retention | None:
    integration = job.context.integrations.store(store.protocol)
    if not isinstance(integration, RetainingStore):
        return None
    return await integration.retention(job.context.configuration(job.org, store))
