"""Ends a canceled job that no worker is at: not begun, between two attempts, or left by a worker that was lost."""

import asyncio

from contracts.messages.connector.task_events import TaskCancelled
from contracts.messages.scheduler import TaskCancelRequested, TaskRequested

from connector.context.worker_context import WorkerContext
from connector.domain.attempts import announced, is_settled
from connector.domain.work import CANCEL, Work
from connector.jobs.definition import CommandDefinition, Job
from connector.jobs.deletion_release import release_unbegun
from connector.jobs.job_reporting import Reporter
from connector.jobs.job_runner import attempt_facts, suspect_stores
from connector.jobs.left_locks import remove_own_locks
from connector.queue.lease import Lease, claim, give_up
from connector.tasks.registry import task_types

LOOK_SECONDS = 1.0


async def cancel_job(
    context: WorkerContext, lease: Lease, request: TaskCancelRequested, *, look_seconds: float = LOOK_SECONDS
) -> None:
    """End a job that should stop as soon as no worker is at it, without the slots of jobs and the pauses between them.

    One that runs ends by its own worker. Where that gives it up or is lost instead, it is ended here. A job that has
    announced a restore point is left to its next attempt, which makes it succeed.
    """
    work = await context.store.work.get(request.organization_id, request.job_id)
    # Both requests travel on one partition: a job whose request is not here, though sent before, cannot begin any more.
    lost = [] if work else [TaskCancelled(**attempt_facts(lease, request) | {"attempt": 1})]
    while work is not None and not await _is_done_with(context, lease, work):
        # Others may have the slot: as long as the job's own worker is at it, there is nothing to do but look.
        await lease.slots.give_back()
        await asyncio.sleep(look_seconds)
    await lease.settle(lost)


async def _is_done_with(context: WorkerContext, lease: Lease, work: Work) -> bool:
    """End the job if nobody is at it; whether nothing is left to do about it."""
    settings, store = context.settings, context.store
    before = await store.attempts_at(work.organization_id, work.id)
    if is_settled(before) or announced(before):
        return True
    # The claim is an insert like any other: of two workers, or of one that begins the next attempt, one has it.
    claimed = await claim(store, work, owner=settings.instance, seconds=settings.lease_seconds, despite_pauses=True)
    if claimed is None:
        return False
    try:
        await _end_unless_announced(context, claimed, command=lease, is_begun=any(not each.ends for each in before))
    except BaseException:
        # Nobody renews it: left as it is, it would keep everybody out until it expires, and count as a lost worker.
        if not claimed.is_ended:
            await give_up(claimed, pause_seconds=0)
        raise
    return True


async def _end_unless_announced(context: WorkerContext, claimed: Lease, *, command: Lease, is_begun: bool) -> None:
    # Read after the claim, as an attempt does that takes the job over: its worker may have announced until then.
    if announced(await context.store.attempts_at(claimed.work.organization_id, claimed.work.id)):
        await claimed.release()
    else:
        await _end(context, claimed, command=command, is_begun=is_begun)


async def _end(context: WorkerContext, claimed: Lease, *, command: Lease, is_begun: bool) -> None:
    request = claimed.work.cause.data
    if not isinstance(request, TaskRequested):
        raise TypeError(f"work of a job was caused by {request.TYPE}")
    if not is_begun:
        # What an attempt claimed may be gone already: it stays claimed for minutes after the job (0045).
        await release_unbegun(context, claimed, request)
    await claimed.settle([TaskCancelled(**attempt_facts(claimed, request))])
    if is_begun:
        await command.slots.give_back()
        await _clean_up(context, claimed, request)


async def _clean_up(context: WorkerContext, ended: Lease, request: TaskRequested) -> None:
    """Remove what the attempts left. After the end was told: whoever canceled does not wait for a slow store."""
    reporter = Reporter(context.publisher, ended, request.job_id, request=request)
    await remove_own_locks(
        Job(context=context, lease=ended, request=request, reporter=reporter, cancel=asyncio.Event())
    )
    if task := task_types().get(request.task.type):
        await task.clean_up(context, ended.work)
    suspect_stores(context, request)


COMMAND = CommandDefinition(kind=CANCEL, run=cancel_job)
