"""Which restore points of a store the options of a task mean; snapshots that are no restore points take no part."""

from collections.abc import Collection, Sequence
from datetime import datetime
from functools import partial
from typing import NamedTuple

from contracts.messages.assignment import App
from contracts.messages.restore_index import RestorePoint
from contracts.point_filters import PointSelection, choose_points, may_mean
from contracts.values import OrganizationId

from connector.context.worker_context import WorkerContext
from connector.store.ports import Store
from connector.store_state.sync_candidates import without_orphans
from connector.stores.point_choice import PointChoice, look_at_points


class Choice(NamedTuple):
    """What is meant, newest first, and the snapshots that would be if they were restore points."""

    points: list[RestorePoint]
    orphans: frozenset[str]


async def chosen_points(
    store: Store,
    org: OrganizationId,
    points: Sequence[RestorePoint],
    options: PointSelection,
    *,
    there: Collection[str],
    known: Collection[str] = (),
    now: datetime,
) -> Choice:
    """What the options mean of these restore points; `there` are the ids of all snapshots in the store.

    `known` are the ids of such as certainly are restore points, of which it is not asked. What `without_orphans` leaves
    out is left out before anything is chosen, so that `latest` never means it.
    """
    # Only of what may be chosen is it asked, which costs a query for each job: of the newest alone with `latest`.
    left, sound, orphans = {point.snapshot_id: point for point in points}, set(known), set[str]()
    while True:
        chosen = [left[facts.snapshot_id] for facts in choose_points(options, [p.facts for p in left.values()], now)]
        asked = [point for point in chosen if point.snapshot_id not in sound]
        kept = {point.snapshot_id for point in await without_orphans(store, org, asked, there=there)}
        found = {point.snapshot_id for point in asked} - kept
        if not found:
            return Choice(chosen, frozenset(orphans))
        sound |= kept
        orphans |= found
        left = {snapshot_id: point for snapshot_id, point in left.items() if snapshot_id not in found}


async def choose_restore_points(
    context: WorkerContext, org: OrganizationId, store: App, options: PointSelection, *, now: datetime
) -> PointChoice:
    """What the options mean of all restore points in a store; one that is named is meant whatever it is.

    Raises `NamedPointsNotFound` unless all that are named are there, and what is wrong with one that is meant by its
    id alone.
    """
    async with context.stores.borrow(org, store) as opened:
        look = partial(look_at_points, opened.repository, options, org=org, store=store)
        found = await context.stores.in_thread(look, of=store.id)
    meant = tuple(error for snapshot_id, error in found.unreadable.items() if may_mean(found.options, snapshot_id))
    if found.options.named_ids:
        points = {point.snapshot_id: point for point in found.points}
        named = choose_points(found.options, [point.facts for point in found.points], now)
        return PointChoice(tuple(points[facts.snapshot_id] for facts in named), len(found.points), meant)
    there = {*(point.snapshot_id for point in found.points), *found.unreadable}
    choice = await chosen_points(context.store, org, found.points, found.options, there=there, now=now)
    return PointChoice(tuple(choice.points), len(found.points) - len(choice.orphans), meant)
