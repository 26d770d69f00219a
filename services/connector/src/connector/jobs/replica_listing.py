"""What follows once restore points were copied: they are announced in their new store and listed."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from chassis.ids import utc_now
from chassis.messaging.envelopes import envelope
from contracts.messages.assignment import App
from contracts.messages.restore_index import RestorePoint
from integrations.sdk.errors import Cancelled

from connector.domain.replicas import mark_of
from connector.domain.store_comparison import PointState
from connector.jobs.definition import Job
from connector.stores.open_stores import OpenStore
from connector.stores.restore_points import created


async def announce_replicas(
    job: Job, target: App, points: Sequence[RestorePoint], *, origin: App, copied: Iterable[RestorePoint]
) -> None:
    """Announce them with where they come from, list those that cannot be browsed yet, oldest first, and await that.

    `copied`: what they are copies of, in their origin. Raises `Cancelled`, with the rest left to the comparison that
    follows every job, `LeaseLost`, `TemporaryError`, or what reading the store raises. Doing it twice changes nothing.
    """
    known = await job.context.index.restore_points(job.org, target.id)
    traced = await job.context.index.sync_copies(job.org, target.id)
    async with job.context.stores.borrow(job.org, target) as opened:
        seen_at = utc_now()
        there = frozenset(await job.context.stores.in_thread(opened.repository.snapshot_ids, of=target.id))
        replicas = _with_origin((each for each in points if each.snapshot_id in there), origin, copied)
        # A comparison may have announced and listed some of them meanwhile: it cannot tell where they come from.
        for replica in replicas:
            if replica.snapshot_id not in traced:
                await _announce(job, replica, seen_at=seen_at)
        # The index has their directories only where another restore point of this store has the same ones.
        job.reporter.enter("indexing")
        new = [each for each in replicas if known.get(each.snapshot_id) is not PointState.BROWSABLE]
        await _list(job, opened, new, seen_at=seen_at)
    if new:
        await _await_browsable(job, target, new[-1])


def _with_origin(points: Iterable[RestorePoint], origin: App, copied: Iterable[RestorePoint]) -> list[RestorePoint]:
    ids = {mark_of(each): each.snapshot_id for each in copied}
    return [
        each.model_copy(update={"origin_store_id": origin.id, "origin_snapshot_id": ids.get(mark_of(each))})
        for each in points
    ]


async def _announce(job: Job, replica: RestorePoint, *, seen_at: datetime) -> None:
    _require_wanted(job)
    job.lease.check()
    event = created(replica, job.org, seen_at=seen_at)
    await job.context.publisher.send(envelope(event, service="connector", cause=job.lease.work.cause))


async def _list(job: Job, opened: OpenStore, replicas: Iterable[RestorePoint], *, seen_at: datetime) -> None:
    for replica in replicas:
        _require_wanted(job)
        listing = job.context.lister.list_restore_point(
            job.lease, opened.repository, replica, seen_at=seen_at, on_listed=lambda _: None
        )
        await job.unless_cancelled(listing)


def _require_wanted(job: Job) -> None:
    if job.cancel.is_set():
        raise Cancelled


async def _await_browsable(job: Job, target: App, last: RestorePoint) -> None:
    # The index takes them in one after the other, so that the last one comes after all others.
    patience = job.context.settings.browsable_patience_seconds
    waiting = job.context.index.await_browsable(job.org, target.id, last.snapshot_id, patience_seconds=patience)
    is_browsable = await job.unless_cancelled(waiting)
    if not is_browsable:
        job.reporter.log("warning", "The copies are complete and still being indexed: they cannot be browsed yet.")
