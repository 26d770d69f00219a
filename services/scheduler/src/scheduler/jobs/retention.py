"""Removes jobs that are over and were kept long enough, and before them their logs and measures.

One job at a time, so that the database has room for the events of workers; several schedulers may do it at once.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from typing import Protocol

from chassis.telemetry.tracing import span
from contracts.values import JobId, OrganizationId

from scheduler.jobs.domain.retention import Retention, days_before, id_at, is_expired
from scheduler.jobs.store import SchedulerStore

log = logging.getLogger(__name__)
STEP_MAX = 5_000
"""How many jobs one look comes to, of each kind; the next one goes on."""
PAUSE_SECONDS = 0.01


class ByAge(Protocol):
    """Where something of jobs is kept, by the ids of the jobs, which sort by age."""

    async def first_between(self, after: str, before: str) -> tuple[OrganizationId, JobId] | None:
        """The oldest job of which something is kept here, of those with ids between these."""
        ...


class RemovableByAge(ByAge, Protocol):
    """Where something of jobs is kept that can go while the job stays."""

    async def remove(self, org: OrganizationId, job_id: JobId) -> None:
        """Remove what is kept here of a job."""
        ...


async def remove_expired(
    store: SchedulerStore, now: datetime, retention: Retention, *, look: int = 0, pause_seconds: float = PAUSE_SECONDS
) -> int:
    """Remove what was kept long enough; returns how many jobs it was removed of. Again is harmless.

    `look` is the number of this one, from 0: each comes to other days of long ago.
    """
    removed = 0
    with span("scheduler.remove_expired"):
        if retention.jobs is not None:
            before = now - retention.jobs
            removed += await _each(store.job_index, before, partial(_remove_job, store, before), pause_seconds)
            removed += await _remove_packed(store, before, look, pause_seconds)
        for place, kept in ((store.log_parts, retention.logs), (store.measures, retention.measures)):
            if kept is not None:
                before = now - kept
                removed += await _each(place, before, partial(_remove_part, store, place, before), pause_seconds)
    if removed:
        log.info("expired jobs removed", extra={"count": removed})
    return removed


async def _each(
    place: ByAge,
    before: datetime,
    remove: Callable[[OrganizationId, JobId], Awaitable[bool]],
    pause_seconds: float,
) -> int:
    removed, after = 0, ""
    for _ in range(STEP_MAX):
        found = await place.first_between(after, id_at(before))
        if found is None:
            break
        org, after = found
        removed += await remove(org, JobId(after))
        await asyncio.sleep(pause_seconds)
    return removed


async def _remove_packed(store: SchedulerStore, before: datetime, look: int, pause_seconds: float) -> int:
    """Remove the segments of which all jobs are expired, with all that is kept of these."""
    removed = 0
    for day in days_before(before, look):
        while (found := await store.history.ended_on(day)) and removed < STEP_MAX:
            for org, segment in found:
                for job in await store.history.jobs_in(org, [segment]):
                    removed += await _remove_job(store, before, org, job.id)
                    await asyncio.sleep(pause_seconds)
                # Last, as it is how the jobs are found: who dies before this finds them again.
                await store.history.empty(org, segment)
    return removed


async def _remove_job(store: SchedulerStore, before: datetime, org: OrganizationId, job_id: JobId) -> bool:
    aggregate = await store.jobs.load(org, job_id)
    if aggregate.value is not None:
        if not is_expired(aggregate.value, before):
            return False
        await store.log_parts.remove(org, job_id)
        await store.measures.remove(org, job_id)
        await store.jobs.drop(aggregate)
    if await store.jobs.get(org, job_id) is not None:
        # Somebody saved it since, as a retry does.
        return False
    # Last, as it is how the job is found: who dies before this finds it again.
    await store.job_index.remove(org, job_id)
    return True


async def _remove_part(
    store: SchedulerStore, place: RemovableByAge, before: datetime, org: OrganizationId, job_id: JobId
) -> bool:
    job = await store.jobs.get(org, job_id)
    if job is not None and not is_expired(job, before):
        return False
    await place.remove(org, job_id)
    return True
