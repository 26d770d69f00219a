"""Deletes restore points of a store for a job: claims them, has the engine forget them, and tells the index."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from chassis.ids import utc_now
from chassis.messaging.envelopes import envelope
from contracts.errors import TemporaryError
from contracts.messages.protection import ClaimDeletion
from contracts.prune_rules import PruneRule
from contracts.queries.restore_index import Deletion
from contracts.task_types.removal import MOST_LISTED
from contracts.tasks import FREEING
from contracts.values import SnapshotId
from contracts.wording import counted, is_or_are
from integrations.sdk.errors import Cancelled, WorkFailed

from connector.domain.named_points import NamedPointsNotFound, find_named, is_whole_id
from connector.engine.port import CleanUpOutcome, ForgetOutcome, OnProgress
from connector.jobs.deletion_release import Untouched
from connector.jobs.store_alone import JobAlone
from connector.stores.restore_points import removed

DECISION_SECONDS = 60.0
LISTING_SECONDS = 60.0
BATCH = 200
"""Restore points that are forgotten in one run of the engine: a cancellation waits for one run at most."""


@dataclass
class Removal:
    """What became of the restore points that a job claimed."""

    decision: Deletion
    refused: list[SnapshotId] = field(default_factory=list)
    why: str = ""
    freed: CleanUpOutcome = field(default_factory=CleanUpOutcome)
    kept_until: datetime | None = None

    @property
    def deleted(self) -> list[SnapshotId]:
        """Those that are gone, newest first."""
        refused = frozenset(self.refused)
        return [each for each in self.decision.deletable if each not in refused]

    @property
    def kept_by_decision(self) -> int:
        """How many were left alone by a hold, the floor or another job."""
        listed = len(self.decision.held) + len(self.decision.floored) + len(self.decision.being_deleted)
        return listed + self.decision.held_more + self.decision.floored_more + self.decision.being_deleted_more

    def figures(self, job: JobAlone) -> Mapping[str, Any]:
        """The fields of a result."""
        lists: dict[str, Sequence[SnapshotId]] = {
            "deleted": self.deleted,
            "kept_by_store": self.refused,
            "held": self.decision.held,
            "floored": self.decision.floored,
        }
        return {
            **{name: tuple(ids[:MOST_LISTED]) for name, ids in lists.items()},
            **{f"{name}_count": len(ids) for name, ids in lists.items()},
            "held_count": len(self.decision.held) + self.decision.held_more,
            "floored_count": len(self.decision.floored) + self.decision.floored_more,
            "being_deleted_count": len(self.decision.being_deleted) + self.decision.being_deleted_more,
            "being_deleted": self.decision.being_deleted[:MOST_LISTED],
            "missing": self.decision.missing[:MOST_LISTED],
            "kept_until": self.kept_until,
            **clean_up_figures(job, self.freed, refused=self.why, is_deleted=bool(self.deleted)),
        }


def clean_up_figures(
    job: JobAlone, freed: CleanUpOutcome, *, refused: str = "", is_deleted: bool = True
) -> Mapping[str, Any]:
    """What a result says of unused data, and of what the store keeps."""
    return {
        "unused_bytes": freed.unused_bytes,
        "remaining_bytes": freed.remaining_bytes,
        "kept_files": freed.kept_files,
        "store_keeps": _kept_in_words(job, refused or freed.why, is_deleted=is_deleted),
    }


def _kept_in_words(job: JobAlone, refused: str, *, is_deleted: bool) -> str:
    if job.undeletable:
        return f"The store deletes nothing, not even its own locks ({job.undeletable}): it is append-only."
    words = [f"The store does not delete everything yet ({refused})."] if refused else []
    if job.retention and is_deleted:
        words.append(
            f"The bucket has {job.retention.rule}: what was deleted is hidden, and takes its space until then."
        )
    return " ".join(words)


async def delete_points(
    job: JobAlone, untouched: Untouched, *, snapshot_ids: Sequence[str] = (), rule: PruneRule | None = None
) -> Removal:
    """Delete what may be deleted of these restore points, or of those that a rule does not keep, and free their data.

    The decision is the restore index's and is made once for all attempts. Raises `Cancelled`, `LeaseLost`,
    `TemporaryError` when the index does not decide, or what the engine raises.
    """
    removal = Removal(await _claim(job, snapshot_ids, rule))
    _log_decision(job, removal.decision)
    removal.kept_until = await _kept_until(job, removal.decision)
    is_owed = not job.undeletable and await job.line.is_owed()
    if removal.decision.deletable and not job.undeletable:
        # Before anything is deleted: whoever comes after a job that was canceled or killed frees what it left.
        await job.line.leave_unused()
    await _forget_all(job, removal, untouched)
    if removal.deleted or is_owed:
        await _free(job, removal)
    elif not job.undeletable:
        await job.line.left_nothing()
    if removal.deleted:
        await _await_unlisted(job, removal)
    # What was refused stays claimed until the job is over: an attempt after this one goes on by the same decision.
    return removal


async def _claim(job: JobAlone, snapshot_ids: Sequence[str], rule: PruneRule | None) -> Deletion:
    index, org, store_id = job.context.index, job.org, job.store.id
    if decided := await index.deletion(org, store_id, job.id):
        return decided
    claim = ClaimDeletion(
        organization_id=org,
        store_id=store_id,
        job_id=job.id,
        snapshot_ids=tuple(SnapshotId(each) for each in await _written_out(job, snapshot_ids)),
        rule=rule,
        retry_of=job.request.retry_of,
    )
    job.lease.check()
    await job.context.publisher.send(envelope(claim, service="connector", cause=job.lease.work.cause))
    waiting = index.await_deletion(org, store_id, job.id, patience_seconds=DECISION_SECONDS)
    decided = await job.unless_cancelled(waiting)
    if decided is None:
        detail = "It was not decided in time what may be deleted."
        raise TemporaryError("deletion_undecided", detail)
    return decided


async def _written_out(job: JobAlone, named: Sequence[str]) -> Sequence[str]:
    """Whole ids for first digits; what is not there stays as it is: the decision tells it.

    Raises `NamedPointsNotFound` where several restore points may be meant: nothing is deleted then.
    """
    if all(map(is_whole_id, named)):
        return named
    told = find_named(named, await job.unless_cancelled(job.context.engine.snapshot_ids(job.location)))
    if told.ambiguous:
        raise NamedPointsNotFound(job.store.name, told)
    job.reporter.log("info", f"To be deleted by the first digits of their ids: {', '.join(told.found[:MOST_LISTED])}")
    return (*told.found, *told.missing)


def _log_decision(job: JobAlone, decision: Deletion) -> None:
    count = len(decision.deletable)
    job.reporter.log("info", f"{counted(count, 'restore point')} {is_or_are(count)} to be deleted.")
    kept = (
        (decision.held, decision.held_more, "A legal hold keeps"),
        (decision.floored, decision.floored_more, "The retention floor of the organization keeps"),
        (decision.being_deleted, decision.being_deleted_more, "Another job deletes"),
        (decision.missing, 0, "Not in the store:"),
    )
    for ids, others, words in kept:
        if ids:
            job.reporter.log("warning", f"{words} {len(ids) + others}: {', '.join(ids[:MOST_LISTED])}")
    if decision.more:
        job.reporter.log("warning", f"{decision.more} more are too many for one job: run it again.")


async def _kept_until(job: JobAlone, decision: Deletion) -> datetime | None:
    """Until when the place keeps what is deleted: what belongs to a restore point was written when that was made."""
    if job.retention is None or job.retention.days is None or not decision.deletable:
        return None
    wanted = frozenset(decision.deletable)
    found = await job.unless_cancelled(job.context.engine.find_snapshots(job.location))
    newest = max((each.time for each in found if each.snapshot_id in wanted), default=None)
    until = newest + timedelta(days=job.retention.days) if newest else None
    return until if until and until > utc_now() else None


async def _forget_all(job: JobAlone, removal: Removal, untouched: Untouched) -> None:
    gone = frozenset(removal.decision.gone)
    waiting = [each for each in removal.decision.deletable if each not in gone]
    for start in range(0, len(waiting), BATCH):
        batch = waiting[start : start + BATCH]
        later = waiting[start + BATCH :]
        untouched.ids = later
        try:
            done = await _forget(job, batch)
        except WorkFailed:
            untouched.ids = later + await _left_of(job, batch)
            raise
        removal.refused += [each for each in batch if each in done.kept]
        removal.why = removal.why or done.why
        # An attempt before may have deleted some of them: whatever is not there any more is gone.
        await _announce(job, [each for each in batch if each not in done.kept])
    if removal.refused:
        words = f"The store does not delete {len(removal.refused)} of them yet ({removal.why})"
        job.reporter.log("warning", f"{words}: {', '.join(removal.refused[:MOST_LISTED])}")


async def _announce(job: JobAlone, gone: Sequence[SnapshotId]) -> None:
    if gone:
        await job.lease.announce([removed(each, job.org, store_id=job.store.id) for each in gone])
        job.reporter.log("info", f"{len(gone)} deleted: {', '.join(gone)}")


async def _left_of(job: JobAlone, batch: Sequence[SnapshotId]) -> list[SnapshotId]:
    """What is still there after a run of the engine that was stopped or failed in the middle; the rest is announced.

    Of a store that does not answer nothing is known to be there.
    """
    try:
        # Whoever canceled waits for this.
        listed = await job.context.engine.snapshot_ids(job.location, quickly=job.cancel.is_set())
    except WorkFailed:
        return []
    await _announce(job, [each for each in batch if each not in listed])
    return [each for each in batch if each in listed]


async def _forget(job: JobAlone, batch: Sequence[SnapshotId]) -> ForgetOutcome:
    if job.undeletable:
        # The engine's own lock could not be removed either, and would keep everybody out from then on.
        return ForgetOutcome(kept=tuple(batch), why=job.undeletable)

    async def work(on_progress: OnProgress) -> ForgetOutcome:
        forget = partial(job.context.engine.forget, job.location, batch, on_progress=on_progress)
        return await forget(on_log=job.reporter.log, cancel=job.cancel)

    return await job.alone("deleting", work)


async def _free(job: JobAlone, removal: Removal) -> None:
    if job.cancel.is_set():
        raise Cancelled
    if waiting := await job.line.followers(FREEING):
        # Freeing reads much of the store; done once for all, it keeps others out for less time.
        job.reporter.log("info", f"Their data is freed by the next of the tasks that wait for the store ({waiting}).")
        return
    removal.freed = await job.free_unused()


async def _await_unlisted(job: JobAlone, removal: Removal) -> None:
    """Wait until the index lists them no more: whoever sees the job ended must not see them."""
    ids, patience = removal.deleted, LISTING_SECONDS
    waiting = job.context.index.await_gone(job.org, job.store.id, ids, patience_seconds=patience)
    are_gone = False
    # All is done by now: who cancels gets the result, and need not wait for the lists.
    with suppress(Cancelled):
        are_gone = await job.unless_cancelled(waiting)
    if not are_gone:
        job.reporter.log("warning", "Some of them are still listed; lists will follow.")
