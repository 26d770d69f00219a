"""Indexes what workers send: restore points, and directories that were not known before."""

import logging
from collections.abc import Sequence
from functools import partial

from chassis.ids import utc_now
from chassis.telemetry.tracing import span
from contracts.envelope import Envelope
from contracts.messages.connector.stores import RestorePointCreated, RestorePointRemoved
from contracts.messages.restore_index import (
    DirectoriesListed,
    RestorePoint,
    RestorePointBrowsable,
    RestorePointDamaged,
    RestorePointListed,
    Totals,
)
from contracts.values import AppId, OrganizationId

from restore_index.domain import restore_points
from restore_index.domain.entries import Below
from restore_index.domain.restore_points import Point
from restore_index.store import Store, point_id
from restore_index.usecases import garbage_collection
from restore_index.usecases.log_fields import log_fields, span_attributes

log = logging.getLogger(__name__)


async def index_directories(store: Store, event: Envelope[DirectoriesListed]) -> None:
    """Store directories that were not known before; with `again` also those that were."""
    data = event.data
    with span("restore-index.index_directories", attributes=span_attributes(data.organization_id, data.store_id)):
        org, store_id = data.organization_id, data.store_id
        if await _is_removed(store, org, store_id):
            return
        # Names of what is written anew are stored twice until the next garbage collection.
        if data.again:
            await garbage_collection.schedule(store, org, store_id, event.time)
        add = partial(store.directories.add, org, store_id, data.directories, again=data.again)
        await garbage_collection.retry_unmarked(store, org, store_id, add)


async def record_created(store: Store, event: Envelope[RestorePointCreated]) -> None:
    """Record a restore point. One that was removed stays removed, unless the store was seen to hold it since."""
    data, restore_point = event.data, event.data.restore_point
    with span("restore-index.record_created", attributes=span_attributes(data.organization_id, data.store_id)):
        record = await store.points.load(
            data.organization_id, point_id(data.store_id, restore_point.snapshot_id), cause=event
        )
        point = restore_points.with_created(record.value, restore_point, at=event.time, seen_at=data.seen_at)
        if await _is_removed(store, data.organization_id, data.store_id):
            return
        if point is not None and point != record.value:
            await store.points.save(record, point, cause=event)
            log.info("restore point noted", extra=log_fields(data.store_id, restore_point.snapshot_id))


async def record_removed(store: Store, event: Envelope[RestorePointRemoved]) -> None:
    """Record that a restore point is gone, even if it was never recorded."""
    data = event.data
    with span("restore-index.record_removed", attributes=span_attributes(data.organization_id, data.store_id)):
        record = await store.points.load(data.organization_id, point_id(data.store_id, data.snapshot_id), cause=event)
        left = restore_points.tombstone(record.value, data.store_id, data.snapshot_id, at=event.time)
        if left is not None:
            # Before the restore point goes: whoever dies in between has scheduled a collection that finds nothing.
            await garbage_collection.schedule(store, data.organization_id, data.store_id, utc_now())
            await store.points.save(record, left, cause=event)
            log.info("restore point removed", extra=log_fields(data.store_id, data.snapshot_id))


async def record_damaged(store: Store, event: Envelope[RestorePointDamaged]) -> None:
    """Record that a restore point cannot be listed: requests for its content are answered with the reason."""
    data, org = event.data, event.data.organization_id
    with span("restore-index.record_damaged", attributes=span_attributes(org, data.store_id)):
        record = await store.points.load(org, point_id(data.store_id, data.snapshot_id), cause=event)
        point = restore_points.with_damage(record.value, data, at=event.time)
        if point is None or point == record.value or await _is_removed(store, org, data.store_id):
            return
        await store.points.save(record, point, cause=event)
    store.browsable_signals.notify(org, data.snapshot_id)
    log.warning(
        "restore point is damaged", extra=log_fields(data.store_id, data.snapshot_id) | {"code": data.damage.code}
    )


async def make_browsable(store: Store, event: Envelope[RestorePointListed]) -> None:
    """All directories of a restore point have been sent: it can be browsed from now on.

    Raises `Conflict` (`directories_missing`) when its root is not known.
    """
    data, org, restore_point = event.data, event.data.organization_id, event.data.restore_point
    with span("restore-index.make_browsable", attributes=span_attributes(org, data.store_id)):
        record = await store.points.load(org, point_id(data.store_id, restore_point.snapshot_id), cause=event)
        known = record.value
        if restore_points.is_late(known, data.seen_at or event.time) or (known is not None and known.browsable):
            return
        if await _is_removed(store, org, data.store_id):
            return
        totals = await garbage_collection.retry_unmarked(
            store, org, data.store_id, partial(_measure, store, org, restore_point)
        )
        point = Point(
            restore_point=restore_points.with_origin(restore_point, known),
            browsable=True,
            totals=totals,
            noted_at=known.noted_at if known else None,
        )
        browsable = RestorePointBrowsable(
            organization_id=org,
            store_id=data.store_id,
            snapshot_id=restore_point.snapshot_id,
            source_id=point.restore_point.source_id,
            totals=totals,
        )
        await store.points.save(record, point, events=[browsable], cause=event)
    store.browsable_signals.notify(org, restore_point.snapshot_id)
    log.info("restore point can be browsed", extra=log_fields(data.store_id, restore_point.snapshot_id))


async def _measure(store: Store, org: OrganizationId, restore_point: RestorePoint) -> Totals:
    known = await store.directories.known(org, restore_point.store_id, [restore_point.tree_id])
    return restore_points.measure(restore_point, known.get(restore_point.tree_id))


async def _is_removed(store: Store, org: OrganizationId, store_id: AppId) -> bool:
    """Whether a store was removed: events about it come too late."""
    return (await store.candidates.of(org, store_id)).removed


async def known_directories(
    store: Store, org: OrganizationId, store_id: AppId, tree_ids: Sequence[str]
) -> dict[str, Below]:
    """Which directories need not be sent again: they are known to the last leaf."""
    with span("restore-index.known_directories", attributes=span_attributes(org, store_id)):
        return await store.directories.known(org, store_id, tree_ids)


async def arrived_pages(
    store: Store, org: OrganizationId, store_id: AppId, tree_id: str, *, pages: int, first: int
) -> int:
    """How many pages of a directory need not be sent again; see `Directories.arrived`."""
    with span("restore-index.arrived_pages", attributes=span_attributes(org, store_id)):
        return await store.directories.arrived(org, store_id, tree_id, pages=pages, first=min(first, pages - 1))
