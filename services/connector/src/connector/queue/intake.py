"""Queues what messages ask for, at most once each, and returns at once."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from chassis.ids import utc_now
from chassis.persistence.outbox import entry_to_envelope
from chassis.telemetry.tracing import current_trace
from contracts.envelope import Envelope
from contracts.messages.base import Message
from contracts.messages.connector.base import ConnectorCommand
from contracts.messages.connector.task_events import TaskCancelled, TaskFailed, TaskSucceeded
from contracts.messages.scheduler import TaskCancelRequested, TaskRequested

from connector.domain.work import CANCEL, SYNC, TASK, Kind, SlotGroup, Work, raise_if_too_old
from connector.store.ports import Store

log = logging.getLogger(__name__)
NoticeCancel = Callable[[str], None]
"""Cancels a piece of work by its id if it runs in this process."""


@dataclass(frozen=True)
class WakeUps:
    """One event per group of slots; wakes the loops of this process that wait for work."""

    groups: dict[SlotGroup, asyncio.Event] = field(
        default_factory=lambda: {group: asyncio.Event() for group in SlotGroup}
    )

    def wake(self, group: SlotGroup) -> None:
        """Say that there may be new work."""
        self.groups[group].set()


def work_of(cause: Envelope[Message], *, kind: Kind, work_id: str, pool: str) -> Work:
    """A piece of work. Its spans become children of the current one, whichever worker runs it."""
    trace = current_trace()
    return Work(
        id=work_id,
        kind=kind,
        pool=pool,
        at=utc_now(),
        cause=cause,
        traceparent=trace.traceparent,
        tracestate=trace.tracestate,
    )


async def request_task(store: Store, wake_ups: WakeUps, request: Envelope[TaskRequested]) -> None:
    """Queue a job; for a job that has ended, its end is published again. Raises `request_too_old`."""
    raise_if_too_old(request.time, utc_now())
    work = work_of(request, kind=TASK, work_id=request.data.job_id, pool=request.data.pool)
    if not await store.work.add(work, group=SlotGroup.TASKS):
        # The event of its end may have become a dead letter: without another one the job would stay running forever.
        await _send_end_again(store, request.data)
    wake_ups.wake(SlotGroup.TASKS)


async def request_cancellation(
    store: Store, wake_ups: WakeUps, request: Envelope[TaskCancelRequested], *, notice: NoticeCancel
) -> None:
    """Ask for a job to be stopped: `notice` stops it in this process, other workers see the request within a second.

    A job that no worker has begun is ended at once. Raises `request_too_old`.
    """
    raise_if_too_old(request.time, utc_now())
    job_id, pool = request.data.job_id, request.data.pool
    await store.work.cancel(request.data.organization_id, job_id)
    log.info("cancellation asked for", extra={"job": job_id})
    notice(job_id)
    # Work of its own, among commands: a queued job has to end even while every slot for jobs is taken.
    work = work_of(request, kind=CANCEL, work_id=f"{job_id}:cancel", pool=pool)
    await store.work.add(work, group=SlotGroup.COMMANDS)
    wake_ups.wake(SlotGroup.COMMANDS)


async def request_command(
    store: Store, wake_ups: WakeUps, command: Envelope[ConnectorCommand], *, kind: Kind, slots: SlotGroup
) -> None:
    """Queue a command for the workers of its pool; its outcome follows when it is done.

    Raises `AlreadyHandled` with the outcome when that was long ago, `request_too_old` when it was too long ago.
    """
    raise_if_too_old(command.time, utc_now())
    work = work_of(command, kind=kind, work_id=command.id, pool=command.data.pool)
    if not await store.work.add(work, group=slots):
        # Loading an attempt with its command as the cause raises the outcome that was saved with it: the answer.
        for attempt in await store.attempts_at(work.organization_id, work.id):
            await store.attempts.load(work.organization_id, attempt.id, cause=command)
    wake_ups.wake(slots)


async def queue_sync(store: Store, wake_ups: WakeUps, cause: Work) -> None:
    """Queue a sync of the restore index with the store that some work was about; asked for twice, it is done once."""
    sync = work_of(cause.cause, kind=SYNC, work_id=f"{cause.id}:follow", pool=cause.pool)
    await store.work.add(sync, group=SlotGroup.LISTINGS)
    wake_ups.wake(SlotGroup.LISTINGS)


async def _send_end_again(store: Store, request: TaskRequested) -> None:
    """Publish the end of a job again, if it has one."""
    # The end is in the last save of the last attempt. That attempt is settled, so its owner writes it no more and
    # writing it here breaks no lease.
    org = request.organization_id
    ended = [a for a in await store.attempts_at(org, request.job_id) if a.state == "settled"]
    for attempt in ended[-1:]:
        record = await store.attempts.load(org, attempt.id)
        published = [entry_to_envelope(entry).data for entry in record.outbox]
        endings = [data for data in published if isinstance(data, TaskSucceeded | TaskFailed | TaskCancelled)]
        await store.attempts.save(record, record.value, events=endings)
