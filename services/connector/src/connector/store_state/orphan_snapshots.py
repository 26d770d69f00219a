"""Orphan snapshots: those of a job in its store that are not the restore point which the job announced."""

import asyncio
import logging
from collections.abc import Sequence

from chassis.persistence.mongo import PyMongoError
from contracts.errors import CairnError
from contracts.messages.assignment import App
from contracts.messages.restore_index import RestorePoint
from contracts.messages.scheduler import TaskRequested
from contracts.values import OrganizationId
from integrations.sdk.job_log import OnLog
from integrations.sdk.locations import StoreLocation

from connector.context.worker_context import WorkerContext
from connector.domain.attempts import announced_ids
from connector.domain.origins import job_tag
from connector.domain.work import Work
from connector.engine.errors import StoreRefused
from connector.store_state.sync_candidates import is_canceled_without_point

log = logging.getLogger(__name__)
CLEAN_UP_SECONDS = 120.0


def store_location(context: WorkerContext, org: OrganizationId, store: App) -> StoreLocation:
    """Where the engine finds a store. Raises what opening its secrets and its integration raise."""
    return context.integrations.store(store.protocol).store_location(context.configuration(org, store))


async def remove_orphan_snapshots(
    context: WorkerContext, work: Work, location: StoreLocation, *, on_log: OnLog
) -> None:
    """Remove the orphan snapshots of a job. Raises what the engine raises."""
    announced = announced_ids(await context.store.attempts_at(work.organization_id, work.id))
    found = await context.engine.find_snapshots(location, tags=[job_tag(work.id)])
    await _remove(
        context, location, [each.snapshot_id for each in found if each.snapshot_id not in announced], on_log=on_log
    )


async def remove_left_by_canceled(
    context: WorkerContext, org: OrganizationId, store: App, points: Sequence[RestorePoint]
) -> None:
    """Remove what canceled jobs left among these snapshots, none of which the restore index knows. Never raises."""
    # A canceled job looks once for what its attempts left, and its store may be away then.
    try:
        async with asyncio.timeout(CLEAN_UP_SECONDS):
            left = [each.snapshot_id for each in points if await _is_left_by_canceled(context, org, each)]
            location = store_location(context, org, store)
            await _remove(context, location, left, on_log=lambda _, text: log.info("%s", text))
    except (TimeoutError, CairnError, PyMongoError) as error:
        facts = {"app": store.id, "reason": type(error).__name__}
        log.warning("orphan snapshots of canceled jobs not removed", extra=facts)


async def _is_left_by_canceled(context: WorkerContext, org: OrganizationId, point: RestorePoint) -> bool:
    # A copy is the business of the sync that made it.
    if point.job_id is None or point.original:
        return False
    attempts = await context.store.attempts_at(org, point.job_id)
    return await is_canceled_without_point(context.store, org, point.job_id, attempts)


async def _remove(
    context: WorkerContext, location: StoreLocation, snapshot_ids: Sequence[str], *, on_log: OnLog
) -> None:
    if snapshot_ids:
        log.info("orphan snapshots are removed", extra={"snapshots": snapshot_ids})
        # Their data stays: to free it needs the store for itself and reads much of it.
        done = await context.engine.forget(location, snapshot_ids, on_log=on_log, cancel=asyncio.Event())
        if done.kept:
            raise StoreRefused(done.why)


async def clean_up_after_loss(context: WorkerContext, work: Work) -> None:
    """Remove what this worker's engine may have made of a job that another worker has by now. Never raises."""
    # Nothing is removed before a restore point is announced. The worker that announces one looks for orphans later, so
    # whichever of the two looks last sees all there is.
    try:
        async with asyncio.timeout(CLEAN_UP_SECONDS):
            if await _is_decided(context, work):
                await _remove_from_target(context, work)
    except (TimeoutError, CairnError, PyMongoError) as error:
        log.warning(
            "orphan snapshots not removed after a lost lease", extra={"work": work.id, "reason": type(error).__name__}
        )


async def _is_decided(context: WorkerContext, work: Work) -> bool:
    """Whether it is decided which snapshot of a job stays: an announced one, or none because it was canceled."""
    org, attempts = work.organization_id, await context.store.attempts_at(work.organization_id, work.id)
    return bool(announced_ids(attempts)) or await is_canceled_without_point(context.store, org, work.id, attempts)


async def _remove_from_target(context: WorkerContext, work: Work) -> None:
    message, org = work.cause.data, work.organization_id
    if not isinstance(message, TaskRequested) or message.task.target is None:
        return
    known = await context.store.apps.get(org, message.task.target.id)
    if known is not None and known.app is not None:
        location = store_location(context, org, known.app)
        await remove_orphan_snapshots(context, work, location, on_log=lambda _, text: log.info("%s", text))
