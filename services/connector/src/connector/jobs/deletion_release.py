"""Gives back what a job claimed and does not delete any more, so that it is free as soon as the job is over."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from chassis.messaging.envelopes import envelope
from contracts.errors import CairnError, TemporaryError
from contracts.messages.protection import ReleaseDeletion
from contracts.messages.scheduler import TaskRequested
from contracts.tasks import DELETING
from contracts.values import SnapshotId

from connector.context.worker_context import WorkerContext
from connector.jobs.definition import Job
from connector.queue.lease import Lease


@dataclass
class Untouched:
    """What a job claimed and the engine was not told to delete, or still lists after it was stopped."""

    ids: Sequence[SnapshotId] | None = None
    """None: the engine was told nothing yet."""


@asynccontextmanager
async def untouched_released(job: Job) -> AsyncIterator[Untouched]:
    """Release what the job certainly did not touch where an error ends it in its first attempt.

    What may be gone stays claimed for minutes after the job (0045). Raises `LeaseLost` in place of the error.
    """
    untouched = Untouched()
    try:
        yield untouched
    except CairnError as error:
        # Another attempt goes on by the same decision; an engine of one before this may still be at work.
        is_followed = isinstance(error, TemporaryError) and not job.is_given_up_after(error)
        if job.lease.number == 1 and not is_followed:
            await _release(job, untouched)
        raise


async def release_unbegun(context: WorkerContext, lease: Lease, request: TaskRequested) -> None:
    """Release what was claimed ahead for a job that ends before it began. Raises `LeaseLost`."""
    if request.task.type not in DELETING or request.task.origin is None:
        return
    store_id = request.task.origin.id
    await _send(
        context,
        lease,
        ReleaseDeletion(organization_id=request.organization_id, store_id=store_id, job_id=request.job_id),
    )


async def _release(job: Job, untouched: Untouched) -> None:
    if untouched.ids is None:
        await release_unbegun(job.context, job.lease, job.request)
    elif untouched.ids and job.request.task.origin is not None:
        store_id, ids = job.request.task.origin.id, tuple(untouched.ids)
        release = ReleaseDeletion(organization_id=job.org, store_id=store_id, job_id=job.id, snapshot_ids=ids)
        await _send(job.context, job.lease, release)


async def _send(context: WorkerContext, lease: Lease, release: ReleaseDeletion) -> None:
    lease.check()
    await context.publisher.send(envelope(release, service="connector", cause=lease.work.cause))
