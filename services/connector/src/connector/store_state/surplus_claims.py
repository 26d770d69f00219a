"""Asks the restore index which surplus replicas may be removed, so that nobody puts them under hold meanwhile."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from chassis.ids import new_id
from chassis.messaging.envelopes import envelope
from contracts.messages.protection import MOST_CLAIMED, ClaimDeletion, ReleaseDeletion
from contracts.queries.restore_index import Deletion
from contracts.values import JobId, SnapshotId
from integrations.sdk.cancellation import unless_cancelled

from connector.context.worker_context import WorkerContext
from connector.domain.work import Work
from connector.store_state.two_stores import Party

DECISION_SECONDS = 60.0
LASTS_SECONDS = 3600
"""How long what is claimed beside the job stays claimed when its worker is killed before it gives that back."""


@asynccontextmanager
async def claimed(
    context: WorkerContext,
    work: Work,
    target: Party,
    snapshot_ids: Sequence[SnapshotId],
    *,
    is_job_over: bool,
    cancel: asyncio.Event,
    most_claimed: int = MOST_CLAIMED,
) -> AsyncIterator[set[SnapshotId]]:
    """Those that the restore index lets be deleted, claimed until the context is left; the log says why others stay.

    Raises `Cancelled` while the index decides.
    """
    parts = [tuple(snapshot_ids[start : start + most_claimed]) for start in range(0, len(snapshot_ids), most_claimed)]
    claims = _claims(work, target, parts, is_job_over=is_job_over)
    try:
        yield await _decided(context, work, target, claims, cancel)
    finally:
        # What is left of them can be put under hold again.
        for each in claims:
            release = ReleaseDeletion(organization_id=target.org, store_id=target.app.id, job_id=each.job_id)
            await context.publisher.send(envelope(release, service="connector", cause=work.cause))


def _claims(
    work: Work, target: Party, parts: Sequence[tuple[SnapshotId, ...]], *, is_job_over: bool
) -> list[ClaimDeletion]:
    """One for each part. The job's own claim is one, which another attempt goes on with: it ends with the job."""
    made = list[ClaimDeletion]()
    for part in parts:
        is_own = not made and not is_job_over
        # The index lets a job that is over claim nothing. Of an id that was used before it may tell what it decided
        # then, and holds may have been set since: each of the others is new, and ends by time.
        made.append(
            ClaimDeletion(
                organization_id=target.org,
                store_id=target.app.id,
                job_id=JobId(work.id if is_own else f"{work.id}.{new_id()}"),
                snapshot_ids=part,
                lasts_seconds=None if is_own else LASTS_SECONDS,
            )
        )
    return made


async def _decided(
    context: WorkerContext, work: Work, target: Party, claims: Sequence[ClaimDeletion], cancel: asyncio.Event
) -> set[SnapshotId]:
    for each in claims:
        await context.publisher.send(envelope(each, service="connector", cause=work.cause))
    free, patience = set[SnapshotId](), DECISION_SECONDS
    for each in claims:
        waiting = context.index.await_deletion(
            target.org,
            target.app.id,
            each.job_id,
            patience_seconds=patience,
            reserved=each.lasts_seconds is not None,
        )
        decided = await unless_cancelled(waiting, cancel)
        # An index that is behind is waited for once.
        patience = patience if decided else 0
        found = set(each.snapshot_ids) & set(decided.deletable if decided else ())
        _log_others(target, set(each.snapshot_ids) - found, decided)
        free |= found
    return free


def _log_others(target: Party, left: set[SnapshotId], decided: Deletion | None) -> None:
    reasons = {
        "a legal hold keeps them": decided.held if decided else (),
        "the retention floor of the organization keeps them": decided.floored if decided else (),
        "another job deletes them": decided.being_deleted if decided else (),
        "they are not listed any more": decided.missing if decided else (),
    }
    told = {why: len(left & set(ids)) for why, ids in reasons.items()}
    told["it was not decided in time whether they may be deleted"] = len(left) - sum(told.values())
    for why, count in told.items():
        if count:
            target.on_log("warning", f"{count} restore points are there twice and stay: {why}.")
