"""Garbage collection of directories that no restore point reaches, one step per event of their store."""

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

from restore_index.domain import garbage_collection, restore_points
from restore_index.domain.garbage_collection import CollectionState
from restore_index.domain.hash_table import HashTable
from restore_index.domain.name_segments import read_frame
from restore_index.domain.reachability import Reachability
from restore_index.domain.restore_points import Point
from restore_index.store import Store, point_id
from restore_index.usecases import protection
from restore_index.usecases.log_fields import span_attributes

log = logging.getLogger(__name__)
T = TypeVar("T")
POINTS_PER_STEP = 200
MISSING = ("directory_incomplete", "directories_missing")


async def collect_garbage(
    store: Store, event: Envelope[StoreSweepDue], *, grace: timedelta, clock: Callable[[], datetime] = utc_now
) -> None:
    """Take the next step in a store, if there is one, and ask for the step after it as soon as that can be taken."""
    org, store_id, now = event.data.organization_id, event.data.store_id, clock()
    with span("restore-index.collect_garbage", attributes=span_attributes(org, store_id)):
        record = await store.candidates.states.load(org, store_id, cause=event)
        state = record.value
        step = "wait" if state is None else garbage_collection.next_step(state, now, grace=grace)
        if state is None or step == "wait":
            return
        after = await _take_step(step, store, org, state, now)
        if after is None:
            return
        more = garbage_collection.next_step(after, now, grace=grace) != "wait"
        events = [StoreSweepDue(organization_id=org, store_id=store_id)] if more else []
        await store.candidates.states.save(record, after, events=events, cause=event)
    log.info(
        "garbage collected", extra={"store_id": store_id, "step": step, "phase": after.phase, "parts": after.parts}
    )


async def _take_step(
    step: str, store: Store, org: OrganizationId, state: CollectionState, now: datetime
) -> CollectionState | None:
    """The state after a step; None when the step cannot be taken yet."""
    match step:
        case "mark":
            return await _mark_unreachable(store, org, state, now)
        case "delete":
            return await _delete(store, org, state, now)
        case "rewrite":
            return garbage_collection.rewrite(state)
        case _:
            return await _finish(store, org, state)


async def schedule(store: Store, org: OrganizationId, store_id: AppId, now: datetime) -> None:
    """Something may become unreachable in a store: have garbage collected after the grace period."""
    # Callers do this before the change itself: a process that dies in between leaves a collection that finds nothing.
    record, state = await store.candidates.load(org, store_id)
    marked = garbage_collection.schedule(state, now)
    if marked != record.value:
        await store.candidates.states.save(record, marked)


async def retry_unmarked(store: Store, org: OrganizationId, store_id: AppId, build: Callable[[], Awaitable[T]]) -> T:
    """Run `build`, which needs known directories; where some are missing but may be marked only, unmark all and retry.

    Before the marking the index said that it knows them, so the worker left them out. Raises what `build` raises.
    """
    try:
        return await build()
    except Conflict as error:
        record, state = await store.candidates.load(org, store_id)
        unmarked = garbage_collection.unmark_all(state, utc_now()) if error.code in MISSING else None
        if unmarked is None:
            raise
        await store.candidates.states.save(record, unmarked)
        await store.candidates.clear(store_id)
    log.info("all marks taken back, since a listing builds on them", extra={"store_id": store_id})
    return await build()


async def schedule_store_removal(store: Store, event: Envelope[AppRemoved]) -> None:
    """An app was removed. If it was a store, have everything removed that the index keeps of it."""
    org, store_id = event.data.organization_id, event.data.app_id
    record, state = await store.candidates.load(org, store_id)
    if state.removed or not (record.value or await store.points_of(org, store_id)):
        return
    with span("restore-index.schedule_store_removal", attributes=span_attributes(org, store_id)):
        removed = garbage_collection.schedule(state, event.time).model_copy(update={"removed": True})
        due = StoreSweepDue(organization_id=org, store_id=store_id)
        await store.candidates.states.save(record, removed, events=[due])
    log.info("store removed", extra={"store_id": store_id})


async def _mark_unreachable(
    store: Store, org: OrganizationId, state: CollectionState, now: datetime
) -> CollectionState | None:
    store_id, held = state.store_id, await store.points_of(org, state.store_id)
    if state.removed and held:
        for point in held[:POINTS_PER_STEP]:
            await _remove(store, org, store_id, point.restore_point.snapshot_id, now)
        return state
    if state.removed:
        # Without names nothing is reachable: all that is left of the store is marked below.
        await store.names.clear(org, store_id)
        await protection.forget_store(store, org, store_id)
    if any(garbage_collection.is_awaited(point, now) for point in held):
        return None
    await _drop_tombstones(store, org, store_id, now)
    reachable = await _reachable(store, org, store_id, held)
    if reachable is None:
        # Marking nothing keeps garbage; guessing could delete directories that a restore point needs.
        log.error("what is kept is incomplete, rebuild the index of this store", extra={"store_id": store_id})
        return garbage_collection.mark(state, now, parts=0)
    parts = garbage_collection.in_parts(await _unreachable_ids(store, org, store_id, reachable))
    for number, part in enumerate(parts):
        await store.candidates.put(org, store_id, number, part)
    await store.candidates.clear(store_id, start=len(parts))
    return garbage_collection.mark(state, now, parts=len(parts))


async def _unreachable_ids(store: Store, org: OrganizationId, store_id: AppId, reachable: Reachability) -> bytes:
    """The ids of what is known and not reachable, in the order in which it became known."""
    found, unreachable = HashTable(0), bytearray()
    async for trees in store.directories.known_trees.read(org, store_id):
        for tree in garbage_collection.ids_in(trees):
            if tree not in reachable and found.get(tree) is None:
                found.put(tree, b"")
                unreachable += tree
    return bytes(unreachable)


async def _remove(store: Store, org: OrganizationId, store_id: AppId, snapshot_id: str, now: datetime) -> None:
    record = await store.points.load(org, point_id(store_id, snapshot_id))
    left = restore_points.tombstone(record.value, store_id, snapshot_id, at=now)
    if left is not None:
        await store.points.save(record, left)


async def _drop_tombstones(store: Store, org: OrganizationId, store_id: AppId, now: datetime) -> None:
    """Drop what is left of restore points that are gone for so long that no event of them can arrive any more."""
    for point in await store.tombstones_of(org, store_id):
        if point.gone_at is not None and now - point.gone_at > garbage_collection.TOMBSTONE_KEPT:
            name = point_id(store_id, point.restore_point.snapshot_id)
            await store.points.drop(await store.points.load(org, name))


async def _reachable(store: Store, org: OrganizationId, store_id: AppId, held: Sequence[Point]) -> Reachability | None:
    """All that restore points reach; restore points that were never listed to their end reach nothing.

    None when that is unknown: some of the names are missing, or the root of a browsable restore point is not known.
    """
    known = await store.directories.known(org, store_id, {point.restore_point.tree_id for point in held} - {""})
    if any(point.browsable and point.restore_point.tree_id not in known for point in held):
        return None
    reachable = Reachability(bytes.fromhex(tree_id) for tree_id in known)
    before, count = None, await store.names.count(org, store_id)
    while not await asyncio.to_thread(reachable.is_whole):
        if reachable.progress == before:
            return None
        before = reachable.progress
        # Parents come behind their children: from the last segment on, one pass is nearly always enough.
        for number in range(count - 1, -1, -1):
            await _follow(store, org, store_id, number, reachable)
    return reachable


async def _follow(store: Store, org: OrganizationId, store_id: AppId, number: int, reachable: Reachability) -> None:
    """Show one segment of names to what is reachable; one that is damaged or missing shows nothing."""
    segment = await store.names.get(org, store_id, number)
    if segment is None:
        return
    try:
        await asyncio.to_thread(lambda: reachable.add(read_frame(segment)))
    except Conflict:
        log.warning("names are damaged", extra={"store_id": store_id, "segment": number})


async def _delete(store: Store, org: OrganizationId, state: CollectionState, now: datetime) -> CollectionState | None:
    if not state.removed:
        # A listing that began since the marking may build on what is marked; it unmarks only before deletion begins.
        awaited = await store.points_awaiting_listing(org, state.store_id)
        if any(garbage_collection.is_awaited(point, now) for point in awaited):
            return None
    part = await store.candidates.part(org, state.store_id, state.deleted)
    await store.directories.delete(org, state.store_id, (tree.hex() for tree in garbage_collection.ids_in(part)))
    return garbage_collection.delete(state)


async def _finish(store: Store, org: OrganizationId, state: CollectionState) -> CollectionState:
    # The marks go last: a process that dies before that does all of it again, which is harmless.
    gone = await store.candidates.marked(org, state)
    await store.directories.known_trees.rewrite(org, state.store_id, gone)
    await store.names.rewrite(org, state.store_id, gone)
    await store.candidates.clear(state.store_id)
    return garbage_collection.finish(state)


async def due_collections(store: Store, now: datetime, *, grace: timedelta) -> list[StoreSweepDue]:
    """The events that make the index take the next step, for each store in which one can be taken now."""
    return [
        StoreSweepDue(organization_id=org, store_id=state.store_id)
        for org, state in await store.candidates.pending()
        if garbage_collection.next_step(state, now, grace=grace) != "wait"
    ]
