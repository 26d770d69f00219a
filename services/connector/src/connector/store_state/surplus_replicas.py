"""Replicas that are in a store twice: of two engines that copied at once, as a rule of a worker that was stopped."""

import asyncio
import logging
from collections.abc import Collection, Sequence

from chassis.ids import utc_now
from chassis.messaging.envelopes import envelope
from chassis.persistence.mongo import PyMongoError
from contracts.errors import CairnError
from contracts.messages.assignment import App
from contracts.messages.restore_index import RestorePoint
from contracts.messages.scheduler import TaskRequested
from contracts.values import OrganizationId, SnapshotId
from integrations.sdk.errors import WorkFailed

from connector.context.worker_context import WorkerContext
from connector.domain.attempts import next_step
from connector.domain.replicas import replicas, surplus
from connector.domain.work import Work
from connector.store_state.orphan_snapshots import CLEAN_UP_SECONDS
from connector.store_state.surplus_claims import claimed
from connector.store_state.two_stores import Party, party_of
from connector.stores.restore_points import removed

log = logging.getLogger(__name__)
_PAUSE_SECONDS = 0.5


async def remove_surplus(
    context: WorkerContext,
    work: Work,
    target: Party,
    chosen: Sequence[RestorePoint],
    present: Sequence[RestorePoint],
    *,
    told: Collection[str] = (),
    is_job_over: bool = False,
    cancel: asyncio.Event,
) -> list[RestorePoint]:
    """Remove copies of the chosen restore points that are there once more; returns those that are left.

    `told`: what was announced though the index may not have taken it in yet; it is as good as what the index has.
    Raises `Cancelled` before it removes any.
    """
    there = replicas(chosen, present)
    if not surplus(there, announced=(), held=()):
        return list(present)
    announced = await context.index.restore_points(target.org, target.app.id)
    held = await context.index.held_points(target.org, target.app.id)
    extra = surplus(there, announced={*announced, *told}, held=held)
    if not extra:
        return list(present)
    ids = {point.snapshot_id for point in extra}
    known = sorted(ids & announced.keys())
    # Nobody can have put what the index does not know under hold.
    async with claimed(context, work, target, known, is_job_over=is_job_over, cancel=cancel) as free:
        return await _forget(context, work, target, (ids - set(known)) | free, present=present, announced=announced)


async def _forget(
    context: WorkerContext,
    work: Work,
    target: Party,
    ids: set[SnapshotId],
    *,
    present: Sequence[RestorePoint],
    announced: Collection[str],
) -> list[RestorePoint]:
    if not ids:
        return list(present)
    log.info("surplus replicas are removed", extra={"job": work.id, "count": len(ids)})
    try:
        # Without pruning, which needs the store for itself and reads much of it: what they need, others need as well.
        kept = await context.engine.forget(target.location, sorted(ids), on_log=target.on_log, cancel=asyncio.Event())
    except WorkFailed as error:
        # A store that forbids removal is no reason to fail the job: all that was asked for is there.
        target.on_log("warning", f"Some restore points are there twice and could not be removed. {error.detail}")
        return list(present)
    gone = ids - set(kept.kept)
    for snapshot_id in sorted(gone.intersection(announced)):
        event = removed(snapshot_id, target.org, store_id=target.app.id)
        await context.publisher.send(envelope(event, service="connector", cause=work.cause))
    return [point for point in present if point.snapshot_id not in gone]


async def clean_up_after_lost_sync(context: WorkerContext, work: Work) -> None:
    """Remove what this worker's engine may have copied of a job that another worker ended meanwhile. Never raises."""
    # Not before that one has ended, since nobody knows until then which copy it announces; and then in any case: it may
    # have looked before our engine saved a copy, and it lists what it found before it ends.
    try:
        async with asyncio.timeout(CLEAN_UP_SECONDS):
            is_over = await _await_end(context, work)
        async with asyncio.timeout(CLEAN_UP_SECONDS):
            if is_over:
                await _remove_from_target(context, work)
    except (TimeoutError, CairnError, PyMongoError) as error:
        facts = {"work": work.id, "reason": type(error).__name__}
        log.warning("surplus replicas not removed after a lost lease", extra=facts)


async def _await_end(context: WorkerContext, work: Work) -> bool:
    """Whether a job is over; waits while another attempt goes on. One that begins later finds our copies itself."""
    while True:
        attempts = await context.store.attempts_at(work.organization_id, work.id)
        if any(each.state == "settled" for each in attempts):
            return True
        if next_step(attempts, utc_now()).action == "take":
            return False
        await asyncio.sleep(_PAUSE_SECONDS)


async def _remove_from_target(context: WorkerContext, work: Work) -> None:
    message, org = work.cause.data, work.organization_id
    if not isinstance(message, TaskRequested) or message.task.target is None:
        return
    apps = [await _known(context, org, each.id) for each in (message.task.origin, message.task.target)]
    origin, target = apps
    if origin is not None and target is not None:
        here = party_of(context, org, target, side="target", on_log=lambda _, text: log.info("%s", text))
        there = party_of(context, org, origin, side="origin", on_log=here.on_log)
        points = await there.points(), await here.points()
        await remove_surplus(context, work, here, *points, is_job_over=True, cancel=asyncio.Event())


async def _known(context: WorkerContext, org: OrganizationId, app_id: str) -> App | None:
    known = await context.store.apps.get(org, app_id)
    return known.app if known is not None else None
