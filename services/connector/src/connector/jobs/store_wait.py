"""Reports which process keeps a job out of its store, until the job's own engine works."""

import asyncio
import platform
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from contracts.messages.assignment import App
from contracts.messages.connector.stores import StoreLock
from integrations.sdk.errors import Cancelled, WorkFailed
from integrations.sdk.locations import StoreLocation

from connector.engine.errors import StoreLocked
from connector.engine.port import OnProgress, Progress
from connector.jobs.definition import Job
from connector.store_state.locks import reporting_locks

T = TypeVar("T")


async def past_locks(job: Job, location: StoreLocation, work: Callable[[], Awaitable[T]]) -> T:
    """What comes of the engine's work, begun again for as long as somebody who is alive keeps it out of the store.

    Raises `Cancelled`, and what the work raises but for `StoreLocked`.
    """
    while True:
        try:
            return await work()
        except StoreLocked as error:
            if job.cancel.is_set():
                raise Cancelled from None
            job.reporter.log("warning", f"{error.detail} Waiting goes on.")
            # Whoever is dead does not renew a lock: it is proved stale after 30 minutes at the latest.
            await remove_stale_locks(job, location)


async def remove_stale_locks(
    job: Job, location: StoreLocation, *, in_words: Callable[[WorkFailed], str] = lambda error: error.detail
) -> None:
    """Remove locks that lost workers left, as far as the store lets them be removed.

    `in_words`: what the log says where it does not.
    """
    try:
        await job.context.engine.unlock_stale(location)
    except WorkFailed as error:
        # No reason to fail: if a lock is really in the way, the engine says so.
        job.reporter.log("warning", in_words(error))


async def alone(
    job: Job, store: App, location: StoreLocation, *, phase: str, work: Callable[[OnProgress], Awaitable[T]]
) -> T:
    """What comes of work of the engine that needs the store for itself; the job is in the phase meanwhile.

    Raises like `past_locks`.
    """

    async def once() -> T:
        job.reporter.enter(phase)
        async with StoreWait(job, store, phase=phase, alone=True).reporting() as wait:
            return await work(wait.progress)

    return await past_locks(job, location, once)


class StoreWait:
    """Looks at the locks of a store while the engine starts."""

    def __init__(self, job: Job, store: App, *, phase: str, alone: bool = False) -> None:
        """`phase`: the job's phase once the engine works; `alone`: the engine needs the store for itself."""
        self._job = job
        self._store = store
        self._phase = phase
        self._alone = alone
        self._is_in = False
        self._process_id = 0
        self._looking: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def reporting(self) -> AsyncIterator["StoreWait"]:
        """Look at the locks until the context is left, or the engine works."""
        job = self._job
        async with reporting_locks(job.context, job.org, self._store, on_locked=self._locked) as looking:
            self._looking = looking
            yield self

    def progress(self, progress: Progress) -> None:
        """Pass on how far the engine is; one that needs the store for itself reports that while it waits, too."""
        self._process_id = progress.process_id
        if not self._alone:
            self._enter()
        self._job.reporter.progress(progress)

    def _enter(self) -> None:
        if not self._is_in:
            self._is_in = True
            if self._looking is not None:
                self._looking.cancel()
            self._job.reporter.enter(self._phase)

    def _locked(self, lock: StoreLock) -> None:
        # Other jobs of this worker have children, too: only the engine of this job itself is no one to wait for.
        is_own = lock.host == platform.node() and lock.process == self._process_id
        if self._alone and lock.exclusive and is_own:
            self._enter()
        elif not self._is_in and (lock.exclusive or (self._alone and not is_own)):
            self._job.reporter.wait(lock.in_words)
            stale = " It is proved stale and can be removed: unlock the store." if lock.stale else ""
            self._job.reporter.log("warning", f"The store is locked: waiting for {lock.in_words}.{stale}")
