"""Keeping what workers tell: restore points, and directories that were not known before."""

import logging
from collections.abc import Sequence
from functools import partial

from chassis.ids import utc_now
from chassis.telemetry.tracing import span
from contracts.envelope import Envelope
from contracts.messages.connector import RestorePointCreated, RestorePointRemoved
from contracts.messages.restore_index import (
    DirectoriesListed,
    RestorePoint,
    RestorePointBrowsable,
    RestorePointDamaged,
    RestorePointListed,
    Totals,
)
from contracts.values import AppId, OrganizationId

from restore_index.domain import points
from restore_index.domain.entries import Below
from restore_index.domain.points import Point
from restore_index.store import Store, point_id
from restore_index.usecases import sweeping
from restore_index.usecases.traces import extra, ids

log = logging.getLogger(__name__)


async def keep_directories(store: Store, event: Envelope[DirectoriesListed]) -> None:
    """Keep directories that were not known before, and write anew what is told again."""
    data = event.data
    with span("restore-index.keep_directories", attributes=ids(data.organization_id, data.store_id)):
        org, store_id = data.organization_id, data.store_id
        if await _is_removed(store, org, store_id):
            return
        if data.again:
            await sweeping.mark_due(store, org, store_id, event.time)
        add = partial(store.directories.add, org, store_id, data.directories, again=data.again)
        await sweeping.building(store, org, store_id, add)


async def note_created(store: Store, event: Envelope[RestorePointCreated]) -> None:
    """There is a restore point. One that was removed stays removed, unless this was told since."""
    data, told = event.data, event.data.restore_point
    with span("restore-index.note_created", attributes=ids(data.organization_id, data.store_id)):
        record = await store.points.load(data.organization_id, point_id(data.store_id, told.snapshot_id), cause=event)
        point = points.note_point(record.value, told, at=event.time)
        if await _is_removed(store, data.organization_id, data.store_id):
            return
        if point is not None and point != record.value:
            await store.points.save(record, point, cause=event)
            log.info("restore point noted", extra=extra(data.store_id, told.snapshot_id))


async def note_removed(store: Store, event: Envelope[RestorePointRemoved]) -> None:
    """A restore point is gone; also when nobody has heard of it yet."""
    data = event.data
    with span("restore-index.note_removed", attributes=ids(data.organization_id, data.store_id)):
        record = await store.points.load(data.organization_id, point_id(data.store_id, data.snapshot_id), cause=event)
        left = points.remove_point(record.value, data.store_id, data.snapshot_id, at=event.time)
        if left is not None:
            await sweeping.mark_due(store, data.organization_id, data.store_id, utc_now())
            await store.points.save(record, left, cause=event)
            log.info("restore point removed", extra=extra(data.store_id, data.snapshot_id))


async def note_damaged(store: Store, event: Envelope[RestorePointDamaged]) -> None:
    """A restore point cannot be listed: from now on whoever asks for what is in it hears why."""
    data, org = event.data, event.data.organization_id
    with span("restore-index.note_damaged", attributes=ids(org, data.store_id)):
        record = await store.points.load(org, point_id(data.store_id, data.snapshot_id), cause=event)
        point = points.note_damage(record.value, data, at=event.time)
        if point is None or point == record.value or await _is_removed(store, org, data.store_id):
            return
        await store.points.save(record, point, cause=event)
    store.openings.tell(org, data.snapshot_id)
    log.warning("restore point is damaged", extra=extra(data.store_id, data.snapshot_id) | {"code": data.damage.code})


async def open_restore_point(store: Store, event: Envelope[RestorePointListed]) -> None:
    """All directories of a restore point have been sent: it can be browsed from now on.

    Raises `Conflict` (`directories_missing`) when its root is not known.
    """
    data, org, told = event.data, event.data.organization_id, event.data.restore_point
    with span("restore-index.open_restore_point", attributes=ids(org, data.store_id)):
        record = await store.points.load(org, point_id(data.store_id, told.snapshot_id), cause=event)
        known = record.value
        if points.is_late(known, event.time) or (known is not None and known.browsable):
            return
        if await _is_removed(store, org, data.store_id):
            return
        totals = await sweeping.building(store, org, data.store_id, partial(_measure, store, org, told))
        point = Point(restore_point=told, browsable=True, totals=totals, noted_at=known.noted_at if known else None)
        browsable = RestorePointBrowsable(
            organization_id=org, store_id=data.store_id, snapshot_id=told.snapshot_id, totals=totals
        )
        await store.points.save(record, point, events=[browsable], cause=event)
    store.openings.tell(org, told.snapshot_id)
    log.info("restore point can be browsed", extra=extra(data.store_id, told.snapshot_id))


async def _measure(store: Store, org: OrganizationId, told: RestorePoint) -> Totals:
    known = await store.directories.known(org, told.store_id, [told.tree_id])
    return points.measure(told, known.get(told.tree_id))


async def _is_removed(store: Store, org: OrganizationId, store_id: AppId) -> bool:
    """Whether a store was removed: what is still told of it comes too late."""
    return (await store.sentences.of(org, store_id)).removed


async def known_directories(
    store: Store, org: OrganizationId, store_id: AppId, tree_ids: Sequence[str]
) -> dict[str, Below]:
    """Which directories need not be sent again: they are known to the last leaf."""
    with span("restore-index.known_directories", attributes=ids(org, store_id)):
        return await store.directories.known(org, store_id, tree_ids)


async def arrived_pages(
    store: Store, org: OrganizationId, store_id: AppId, tree_id: str, *, pages: int, first: int
) -> int:
    """How many pages of a directory need not be sent again; see `Directories.arrived`."""
    with span("restore-index.arrived_pages", attributes=ids(org, store_id)):
        return await store.directories.arrived(org, store_id, tree_id, pages=pages, first=min(first, pages - 1))
