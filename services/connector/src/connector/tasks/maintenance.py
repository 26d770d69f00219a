"""Puts a store in order: removes stale locks, writes its index anew, frees data that no restore point needs."""

from time import monotonic

from contracts.task_types.maintenance import MaintenanceResult

from connector.domain.attempts import repaired_before
from connector.engine.port import CleanUpOutcome, OnProgress
from connector.jobs.definition import Job, JobOutcome, TaskDefinition
from connector.jobs.removal import clean_up_figures
from connector.jobs.store_alone import JobAlone, store_alone


async def maintain(base: Job) -> JobOutcome:
    """Locks first, then the index, which says what is needed, then the data.

    A second attempt begins anew; that an earlier one repaired the index is in its result.
    """
    began = monotonic()
    async with store_alone(base) as job:
        repaired = CleanUpOutcome() if job.undeletable else await _repair(job)
        is_repaired = await _note_repair(job, repaired)
        freed = CleanUpOutcome() if job.undeletable else await job.free_unused()
        figures = clean_up_figures(job, freed, refused=repaired.why, is_deleted=freed.unused_bytes > 0)
    result = MaintenanceResult(
        **figures,
        locks_removed=tuple(lock.in_words for lock in job.removed_locks),
        index_repaired=is_repaired,
        duration_seconds=round(monotonic() - began, 3),
    )
    if result.store_keeps:
        base.reporter.log("warning", result.store_keeps)
    return JobOutcome(result)


async def _repair(job: JobAlone) -> CleanUpOutcome:
    async def work(on_progress: OnProgress) -> CleanUpOutcome:
        return await job.context.engine.repair_index(
            job.location, on_progress=on_progress, on_log=job.reporter.log, cancel=job.cancel
        )

    return await job.alone("repairing", work)


async def _note_repair(job: JobAlone, repaired: CleanUpOutcome) -> bool:
    """Whether the index was wrong when the job began."""
    if repaired.index_was_wrong:
        await job.lease.note_repair()
    return repaired_before(await job.context.store.attempts_at(job.org, job.id))


TASK = TaskDefinition(type="maintenance", run=maintain)
