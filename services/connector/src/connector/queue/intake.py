"""Taking in what messages ask for: quickly, and no more than once."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from chassis.ids import utc_now
from chassis.persistence.outbox import entry_to_envelope
from chassis.telemetry.tracing import current_trace
from contracts.envelope import Envelope
from contracts.messages.base import Message
from contracts.messages.connector import ConnectorCommand, TaskCancelled, TaskFailed, TaskSucceeded
from contracts.messages.scheduler import TaskCancelRequested, TaskRequested

from connector.domain.work import Kind, SlotGroup, Work, raise_if_forgotten
from connector.store import Store

log = logging.getLogger(__name__)
NoticeCancel = Callable[[str], None]
"""Tells what runs in this process that its work should stop."""


@dataclass(frozen=True)
class WakeUps:
    """Wake those who wait for work in this process."""

    groups: dict[SlotGroup, asyncio.Event] = field(
        default_factory=lambda: {group: asyncio.Event() for group in SlotGroup}
    )

    def wake(self, group: SlotGroup) -> None:
        """Say that there may be new work."""
        self.groups[group].set()


def work_of(cause: Envelope[Message], *, kind: Kind, work_id: str, pool: str) -> Work:
    """A piece of work, to be done in the trace of the moment."""
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
    """Queue a job; of one that has ended, the end is told once more. Raises `request_too_old`."""
    raise_if_forgotten(request.time, utc_now())
    work = work_of(request, kind=Kind.TASK, work_id=request.data.job_id, pool=request.data.pool)
    if not await store.work.add(work):
        await _tell_end_again(store, request.data)
    wake_ups.wake(work.kind.slots)


async def request_cancel(
    store: Store, wake_ups: WakeUps, request: Envelope[TaskCancelRequested], *, notice: NoticeCancel
) -> None:
    """Ask for a job to be stopped: `notice` tells this process, others see it within a second.

    A job that nobody has begun is ended by whoever comes first, though all slots for jobs be taken. Raises
    `request_too_old`.
    """
    raise_if_forgotten(request.time, utc_now())
    job_id, pool = request.data.job_id, request.data.pool
    await store.work.cancel(request.data.organization_id, job_id)
    log.info("cancellation asked for", extra={"job": job_id})
    notice(job_id)
    work = work_of(request, kind=Kind.CANCEL, work_id=f"{job_id}:cancel", pool=pool)
    await store.work.add(work)
    wake_ups.wake(work.kind.slots)


async def request_command(store: Store, wake_ups: WakeUps, command: Envelope[ConnectorCommand], *, kind: Kind) -> None:
    """Queue a command for the workers of its pool; its outcome follows when it is done.

    Raises `AlreadyHandled` with the outcome when that was long ago, `request_too_old` when it was too long ago.
    """
    raise_if_forgotten(command.time, utc_now())
    work = work_of(command, kind=kind, work_id=command.id, pool=command.data.pool)
    if not await store.work.add(work):
        for attempt in await store.attempts_at(work.organization_id, work.id):
            await store.attempts.load(work.organization_id, attempt.id, cause=command)
    wake_ups.wake(work.kind.slots)


async def queue_sync(store: Store, wake_ups: WakeUps, cause: Work) -> None:
    """Queue that the index follows the store that some work was about; asked for twice, it is done once."""
    following = work_of(cause.cause, kind=Kind.FOLLOW, work_id=f"{cause.id}:follow", pool=cause.pool)
    await store.work.add(following)
    wake_ups.wake(following.kind.slots)


async def _tell_end_again(store: Store, request: TaskRequested) -> None:
    """The end of a job is in the last save of its last attempt, which nobody writes any more."""
    org = request.organization_id
    ended = [a for a in await store.attempts_at(org, request.job_id) if a.state == "settled"]
    for attempt in ended[-1:]:
        record = await store.attempts.load(org, attempt.id)
        told = [entry_to_envelope(entry).data for entry in record.outbox]
        endings = [data for data in told if isinstance(data, TaskSucceeded | TaskFailed | TaskCancelled)]
        await store.attempts.save(record, record.value, events=endings)
