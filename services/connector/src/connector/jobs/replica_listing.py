"""What follows once restore points were copied: they are announced in their new store and listed."""

from collections.abc import Iterable, Sequence

from chassis.messaging.envelopes import envelope
from contracts.messages.assignment import App
from contracts.messages.restore_index import RestorePoint

from connector.domain.replicas import mark_of
from connector.domain.store_comparison import PointState
from connector.jobs.definition import Job
from connector.stores.restore_points import created


async def announce_replicas(
    job: Job, target: App, points: Sequence[RestorePoint], *, origin: App, copied: Iterable[RestorePoint]
) -> None:
    """Announce and list those that the index cannot open yet, oldest first, and wait until they can be browsed.

    `copied`: what they are copies of, in their origin. Raises `LeaseLost`, `TemporaryError`, or what reading the store
    raises. Doing it twice changes nothing.
    """
    known = await job.context.index.restore_points(job.org, target.id)
    new = [each for each in points if known.get(each.snapshot_id) is not PointState.BROWSABLE]
    ids = {mark_of(each): each.snapshot_id for each in copied}
    # The index has their directories only where another restore point of this store has the same ones.
    job.reporter.enter("indexing")
    async with job.context.stores.borrow(job.org, target) as opened:
        for point in new:
            known_of = {"origin_store_id": origin.id, "origin_snapshot_id": ids.get(mark_of(point))}
            replica = point.model_copy(update=known_of)
            job.lease.check()
            event = created(replica, job.org)
            await job.context.publisher.send(envelope(event, service="connector", cause=job.lease.work.cause))
            await job.context.lister.list_restore_point(job.lease, opened.repository, replica, on_listed=lambda _: None)
    if new:
        await _await_browsable(job, target, new[-1])


async def _await_browsable(job: Job, target: App, last: RestorePoint) -> None:
    # The index takes them in one after the other, so that the last one comes after all others.
    patience = job.context.settings.browsable_patience_seconds
    is_browsable = await job.context.index.await_browsable(
        job.org, target.id, last.snapshot_id, patience_seconds=patience
    )
    if not is_browsable:
        job.reporter.log("warning", "The copies are complete and still being indexed: they cannot be browsed yet.")
