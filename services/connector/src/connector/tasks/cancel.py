"""Ends a canceled job that no worker has begun."""

from contracts.messages.connector.task_events import TaskCancelled
from contracts.messages.scheduler import TaskCancelRequested, TaskRequested

from connector.context.worker_context import WorkerContext
from connector.domain.work import CANCEL
from connector.jobs.definition import CommandDefinition
from connector.jobs.deletion_release import release_unbegun
from connector.jobs.job_runner import attempt_facts
from connector.queue.lease import Lease, claim


async def cancel_unbegun(context: WorkerContext, lease: Lease, request: TaskCancelRequested) -> None:
    """End a job that should stop and that no worker has begun; leave any other to its next or present attempt."""
    settings, store = context.settings, context.store
    job = await store.work.get(request.organization_id, request.job_id)
    # Both requests travel on one partition: a job whose request is not here, though sent before, cannot begin any more.
    lost = [] if job else [TaskCancelled(**attempt_facts(lease, request) | {"attempt": 1})]
    # A running worker notices the cancellation itself. Where a worker was lost, the next attempt looks first at what it
    # left: a restore point that was announced makes the job succeed although it was canceled.
    if job is not None and await store.attempts_at(job.organization_id, job.id):
        job = None
    claimed = await claim(store, job, owner=settings.instance, seconds=settings.lease_seconds) if job else None
    if claimed is not None and isinstance(claimed.work.cause.data, TaskRequested):
        await release_unbegun(context, claimed, claimed.work.cause.data)
        await claimed.settle([TaskCancelled(**attempt_facts(claimed, claimed.work.cause.data))])
    await lease.settle(lost)


COMMAND = CommandDefinition(kind=CANCEL, run=cancel_unbegun)
