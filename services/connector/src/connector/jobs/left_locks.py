"""Removes the locks that the engine of a job left in its stores, as one does that had to be killed."""

import asyncio
from contextlib import suppress

from chassis.persistence.mongo import PyMongoError

from connector.failures import FAILURES
from connector.jobs.definition import Job
from connector.store_state.locks import locks_of
from connector.store_state.orphan_snapshots import store_location

PATIENCE_SECONDS = 5.0
"""A store that does not answer keeps the end of a job for no longer; the next job removes the locks then."""


async def remove_own_locks(job: Job) -> None:
    """Remove stale locks of the job's stores. An engine that ended by itself has left none, and nothing is run."""
    task = job.request.task
    for party in (task.origin, task.target):
        if party is not None and party.kind == "store":
            with suppress(*FAILURES, PyMongoError, TimeoutError):
                async with asyncio.timeout(PATIENCE_SECONDS):
                    # What the job left goes, also where nothing new may begin.
                    store = await job.app(party, though_locked=True)
                    if any(lock.stale for lock in await locks_of(job.context, job.org, store)):
                        await job.context.engine.unlock_stale(store_location(job.context, job.org, store))
