"""Forgetting directories that no restore point needs, step by step, in the lane of their store."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from chassis.ids import utc_now
from chassis.telemetry.tracing import span
from contracts.envelope import Envelope
from contracts.errors import Conflict
from contracts.messages.assignment import AppRemoved
from contracts.messages.restore_index import StoreSweepDue
from contracts.values import AppId, OrganizationId

from restore_index.domain import points, sweeping
from restore_index.domain.hash_table import HashTable
from restore_index.domain.points import Point
from restore_index.domain.reaching import Reach
from restore_index.domain.segments import read_frame
from restore_index.domain.sweeping import Sweep
from restore_index.store import Store, point_id
from restore_index.usecases.traces import ids

log = logging.getLogger(__name__)
T = TypeVar("T")
POINTS_PER_STEP = 200
MISSING = ("directory_incomplete", "directories_missing")


async def sweep_store(
    store: Store, event: Envelope[StoreSweepDue], *, grace: timedelta, clock: Callable[[], datetime] = utc_now
) -> None:
    """Take the next step in a store, if there is one; the one after it follows by itself as soon as that can be."""
    org, store_id, now = event.data.organization_id, event.data.store_id, clock()
    with span("restore-index.sweep_store", attributes=ids(org, store_id)):
        record = await store.sentences.sweeps.load(org, store_id, cause=event)
        sweep = record.value
        step = "wait" if sweep is None else sweeping.next_step(sweep, now, grace=grace)
        if sweep is None or step == "wait":
            return
        after = await _take(step, store, org, sweep, now)
        if after is None:
            return
        more = sweeping.next_step(after, now, grace=grace) != "wait"
        events = [StoreSweepDue(organization_id=org, store_id=store_id)] if more else []
        await store.sentences.sweeps.save(record, after, events=events, cause=event)
    log.info("store swept", extra={"store_id": store_id, "step": step, "phase": after.phase, "parts": after.parts})


async def _take(step: str, store: Store, org: OrganizationId, sweep: Sweep, now: datetime) -> Sweep | None:
    """The sweep after a step; None when it cannot be taken yet."""
    match step:
        case "condemn":
            return await _condemn(store, org, sweep, now)
        case "delete":
            return await _delete(store, org, sweep, now)
        case "rewrite":
            return sweeping.rewrite(sweep)
        case _:
            return await _finish(store, org, sweep)


async def mark_due(store: Store, org: OrganizationId, store_id: AppId, now: datetime) -> None:
    """Something may be unreachable in a store from now on. Said before it is so, since a process may die in between."""
    record, sweep = await store.sentences.load(org, store_id)
    marked = sweeping.mark_due(sweep, now)
    if marked != record.value:
        await store.sentences.sweeps.save(record, marked)


async def building(store: Store, org: OrganizationId, store_id: AppId, build: Callable[[], Awaitable[T]]) -> T:
    """Build on what is known. Where something is missing that may only be condemned, nothing is condemned any more: who
    builds was told before that it is known.
    """
    try:
        return await build()
    except Conflict as error:
        record, sweep = await store.sentences.load(org, store_id)
        lifted = sweeping.lift(sweep, utc_now()) if error.code in MISSING else None
        if lifted is None:
            raise
        await store.sentences.sweeps.save(record, lifted)
        await store.sentences.clear(store_id)
    log.info("condemned no more, since somebody builds on it", extra={"store_id": store_id})
    return await build()


async def forget_store(store: Store, event: Envelope[AppRemoved]) -> None:
    """An app is gone. If it was a store, its restore points cannot be reached any more, and nothing is heard of it."""
    org, store_id = event.data.organization_id, event.data.app_id
    record, sweep = await store.sentences.load(org, store_id)
    if sweep.removed or not (record.value or await store.points_of(org, store_id)):
        return
    with span("restore-index.forget_store", attributes=ids(org, store_id)):
        removed = sweeping.mark_due(sweep, event.time).model_copy(update={"removed": True})
        due = StoreSweepDue(organization_id=org, store_id=store_id)
        await store.sentences.sweeps.save(record, removed, events=[due])
    log.info("store removed", extra={"store_id": store_id})


async def _condemn(store: Store, org: OrganizationId, sweep: Sweep, now: datetime) -> Sweep | None:
    store_id, held = sweep.store_id, await store.points_of(org, sweep.store_id)
    if sweep.removed and held:
        for point in held[:POINTS_PER_STEP]:
            await _remove(store, org, store_id, point.restore_point.snapshot_id, now)
        return sweep
    if sweep.removed:
        await store.names.clear(org, store_id)
    if any(sweeping.is_awaited(point, now) for point in held):
        return None
    await _forget_gone(store, org, store_id, now)
    reach = await _reach(store, org, store_id, held)
    if reach is None:
        log.error("what is kept is incomplete, rebuild the index of this store", extra={"store_id": store_id})
        return sweeping.condemn(sweep, now, parts=0)
    parts = sweeping.in_parts(await _unreachable(store, org, store_id, reach))
    for number, part in enumerate(parts):
        await store.sentences.put(org, store_id, number, part)
    await store.sentences.clear(store_id, start=len(parts))
    return sweeping.condemn(sweep, now, parts=len(parts))


async def _unreachable(store: Store, org: OrganizationId, store_id: AppId, reach: Reach) -> bytes:
    """The ids of what is known and not reached, in the order in which it became known."""
    found, unreachable = HashTable(0), bytearray()
    async for trees in store.directories.ledger.read(org, store_id):
        for tree in sweeping.ids_in(trees):
            if tree not in reach and found.get(tree) is None:
                found.put(tree, b"")
                unreachable += tree
    return bytes(unreachable)


async def _remove(store: Store, org: OrganizationId, store_id: AppId, snapshot_id: str, now: datetime) -> None:
    record = await store.points.load(org, point_id(store_id, snapshot_id))
    left = points.remove_point(record.value, store_id, snapshot_id, at=now)
    if left is not None:
        await store.points.save(record, left)


async def _forget_gone(store: Store, org: OrganizationId, store_id: AppId, now: datetime) -> None:
    """Forget restore points that are gone for so long that nothing is heard of them any more."""
    for point in await store.points_gone(org, store_id):
        if point.gone_at is not None and now - point.gone_at > sweeping.GONE_KEPT:
            name = point_id(store_id, point.restore_point.snapshot_id)
            await store.points.drop(await store.points.load(org, name))


async def _reach(store: Store, org: OrganizationId, store_id: AppId, held: Sequence[Point]) -> Reach | None:
    """All that restore points reach; None when nobody can tell: the names of some of it are missing, or the root of one
    that can be browsed is not among what is known. Those that were never listed to their end reach nothing.
    """
    known = await store.directories.known(org, store_id, {point.restore_point.tree_id for point in held} - {""})
    if any(point.browsable and point.restore_point.tree_id not in known for point in held):
        return None
    reach = Reach(bytes.fromhex(tree_id) for tree_id in known)
    before, count = None, await store.names.count(org, store_id)
    while not await asyncio.to_thread(reach.is_whole):
        if reach.progress == before:
            return None
        before = reach.progress
        for number in range(count - 1, -1, -1):
            segment = await store.names.get(org, store_id, number)
            if segment is None:
                continue
            try:
                await asyncio.to_thread(lambda read=segment: reach.take(read_frame(read)))  # type: ignore[misc]
            except Conflict:
                log.warning("names are damaged", extra={"store_id": store_id, "segment": number})
    return reach


async def _delete(store: Store, org: OrganizationId, sweep: Sweep, now: datetime) -> Sweep | None:
    if not sweep.removed:
        awaited = await store.points_awaited(org, sweep.store_id)
        if any(sweeping.is_awaited(point, now) for point in awaited):
            return None
    part = await store.sentences.part(org, sweep.store_id, sweep.deleted)
    await store.directories.delete(org, sweep.store_id, (tree.hex() for tree in sweeping.ids_in(part)))
    return sweeping.delete(sweep)


async def _finish(store: Store, org: OrganizationId, sweep: Sweep) -> Sweep:
    gone = await store.sentences.condemned(org, sweep)
    await store.directories.ledger.rewrite(org, sweep.store_id, gone)
    await store.names.rewrite(org, sweep.store_id, gone)
    await store.sentences.clear(sweep.store_id)
    return sweeping.finish(sweep)


async def look_for_stores(store: Store, now: datetime, *, grace: timedelta) -> list[StoreSweepDue]:
    """What the index has to tell itself at a moment: the stores in which the next step can be taken."""
    return [
        StoreSweepDue(organization_id=org, store_id=sweep.store_id)
        for org, sweep in await store.sentences.pending()
        if sweeping.next_step(sweep, now, grace=grace) != "wait"
    ]
