"""Finds restore points: all of a store, or one by its id, at once or when it can be browsed."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress

from chassis.telemetry import semantic_conventions as semconv
from chassis.telemetry.tracing import span
from contracts.values import AppId, OrganizationId, SnapshotId

from restore_index.domain import restore_points
from restore_index.domain.restore_points import Point
from restore_index.store import Store

# Another process may make it browsable, of which no signal comes here.
LOOK_AGAIN_SECONDS = 0.25


async def list_points(store: Store, org: OrganizationId, store_id: AppId | None) -> list[Point]:
    """The restore points of one store or of all, newest first."""
    with span("restore-index.list_points", attributes={semconv.ORGANIZATION: org}):
        return restore_points.newest_first(await store.points_of(org, store_id))


async def list_same(store: Store, org: OrganizationId, snapshot_id: SnapshotId) -> list[Point]:
    """A restore point as each store has it through which its repository is used, the likeliest to be usable first."""
    with span("restore-index.list_same", attributes={semconv.ORGANIZATION: org}):
        return restore_points.likeliest_first(await store.points_named(org, snapshot_id))


async def list_from(store: Store, org: OrganizationId, source_id: AppId, *, limit: int = 0) -> list[Point]:
    """The restore points of a source in all stores, newest first; with a `limit` so many of them, whichever."""
    with span("restore-index.list_from", attributes={semconv.ORGANIZATION: org}):
        return restore_points.newest_first(await store.points_from(org, source_id, limit=limit))


async def list_latest(store: Store, org: OrganizationId, source_ids: Sequence[AppId], *, limit: int) -> list[Point]:
    """The newest restore points of some sources together, in all stores."""
    with span("restore-index.list_latest", attributes={semconv.ORGANIZATION: org}):
        newest: list[Point] = []
        # One source after the other: of years of backups all are read, and only the newest need stay in memory.
        for source_id in dict.fromkeys(source_ids):
            found = await store.points_from(org, source_id)
            newest = restore_points.newest_first([*newest, *found])[:limit]
        return newest


async def get_point(store: Store, org: OrganizationId, snapshot_id: SnapshotId) -> Point:
    """One restore point. Raises `NotFound` (`snapshot_not_found`)."""
    with span("restore-index.get_point", attributes={semconv.ORGANIZATION: org}):
        return restore_points.choose_point(await store.points_named(org, snapshot_id), snapshot_id)


async def wait_until_settled(
    store: Store,
    org: OrganizationId,
    snapshot_id: SnapshotId,
    *,
    store_id: AppId | None = None,
    seconds: float,
    look_again_seconds: float = LOOK_AGAIN_SECONDS,
) -> Point:
    """One restore point, as soon as it can be browsed or is found to be damaged, or as it is after a while.

    Without `store_id` in whichever store it is likeliest to be usable. Raises `NotFound` (`snapshot_not_found`) when
    it is not there by then.
    """
    deadline = time.monotonic() + seconds
    while True:
        with store.browsable_signals.subscribe(org, snapshot_id) as signal:
            # Looked at within the subscription: what happens after the look is signalled.
            point = await _find(store, org, snapshot_id, store_id)
            left = deadline - time.monotonic()
            if left <= 0 or (point is not None and (point.browsable or point.damage is not None)):
                break
            with suppress(TimeoutError):
                await asyncio.wait_for(signal.wait(), min(left, look_again_seconds))
    return restore_points.choose_point([point] if point else [], snapshot_id)


async def _find(store: Store, org: OrganizationId, snapshot_id: SnapshotId, store_id: AppId | None) -> Point | None:
    found = await store.points_named(org, snapshot_id)
    meant = [point for point in found if store_id in (None, point.restore_point.store_id)]
    return restore_points.choose_point(meant, snapshot_id) if meant else None
