"""Holds, the floor and claims of deletion: one function per verb. Each change is one write of one document."""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from chassis.ids import utc_now
from chassis.telemetry import semantic_conventions as semconv
from chassis.telemetry.tracing import span
from contracts.envelope import Envelope
from contracts.messages.protection import (
    ClaimDeletion,
    HoldsChanged,
    LegalHold,
    LegalHoldLifted,
    LegalHoldSet,
    LiftLegalHold,
    ReleaseDeletion,
    RetentionFloorKept,
    SetLegalHold,
    SetRetentionFloor,
)
from contracts.messages.scheduler import FINAL_STATUSES, JobChanged
from contracts.prune_rules import PruneRule
from contracts.queries.restore_index import Deletion, PruneDecision
from contracts.tasks import DELETING
from contracts.values import AppId, JobId, OrganizationId, SnapshotId

from restore_index.domain import protection as decisions
from restore_index.domain.protection import RetentionSettings, StoreProtection
from restore_index.domain.restore_points import Point
from restore_index.domain.retention import Protected, apply_rule
from restore_index.store import Store
from restore_index.usecases.log_fields import span_attributes

log = logging.getLogger(__name__)
READ_ONE_BY_ONE = 200
"""Restore points that are read by their ids rather than with all of their store, at most."""
_CLAIMING = DELETING | {"sync"}
"""Types of tasks that claim: a sync does for copies that are in its target twice."""


async def set_hold(store: Store, command: Envelope[SetLegalHold]) -> None:
    """Put restore points under legal hold, all or none of them."""
    data, org, now = command.data, command.data.organization_id, utc_now()
    with span("restore-index.set_hold", attributes=span_attributes(org, data.store_id)):
        record = await store.protections.load(org, data.store_id, cause=command)
        known = record.value or StoreProtection(store_id=data.store_id)
        points = await store.points_of(org, data.store_id)
        changed, holds = decisions.set_hold(known, data, points, await store.protections_of(org), now)
        result = HoldsChanged(snapshot_ids=data.snapshot_ids).model_dump(mode="json")
        await store.protections.save(record, changed, events=_set(data, holds, points), cause=command, result=result)
    log.info("legal hold set", extra={"store_id": data.store_id, "restore_points": len(data.snapshot_ids)})


def _set(asked: SetLegalHold, holds: Mapping[SnapshotId, LegalHold], points: Sequence[Point]) -> list[LegalHoldSet]:
    """One event for each hold: what is kept of earlier ones may differ."""
    facts = {"organization_id": asked.organization_id, "store_id": asked.store_id}
    held: dict[LegalHold, list[SnapshotId]] = {}
    for each, hold in holds.items():
        held.setdefault(hold, []).append(each)
    return [
        LegalHoldSet(snapshot_ids=tuple(ids), hold=hold, source_ids=_sources(points, ids), **facts)
        for hold, ids in held.items()
    ]


def _sources(points: Sequence[Point], ids: Sequence[SnapshotId]) -> tuple[AppId, ...]:
    chosen = set(ids)
    made = (point.restore_point for point in points if point.restore_point.snapshot_id in chosen)
    return tuple(sorted({each.source_id for each in made if each.source_id}))


async def lift_hold(store: Store, command: Envelope[LiftLegalHold]) -> None:
    """Let restore points be deleted again, through whichever store of their repository they were put under hold."""
    data, org, now = command.data, command.data.organization_id, utc_now()
    with span("restore-index.lift_hold", attributes=span_attributes(org, data.store_id)):
        record = await store.protections.load(org, data.store_id, cause=command)
        known = record.value or StoreProtection(store_id=data.store_id)
        points = await store.points_of(org, data.store_id)
        changed, lifted = decisions.lift_hold(known, data, points, now)
        elsewhere = await _lift_elsewhere(store, data, points, now)
        result = HoldsChanged(snapshot_ids=tuple(dict.fromkeys((*lifted, *elsewhere)))).model_dump(mode="json")
        events = _lifted(data, data.store_id, lifted, points)
        await store.protections.save(record, changed, events=events, cause=command, result=result)
    facts = {"store_id": data.store_id, "restore_points": len(lifted), "elsewhere": len(elsewhere)}
    log.info("legal hold lifted", extra=facts)


async def _lift_elsewhere(
    store: Store, asked: LiftLegalHold, points: Sequence[Point], now: datetime
) -> list[SnapshotId]:
    """Lift what was set through other stores: whatever holds a restore point keeps it from deletion in all of them."""
    org = asked.organization_id
    found: list[SnapshotId] = []
    for other in await store.protections_of(org):
        if other.store_id == asked.store_id or not decisions.without_holds(other, asked.snapshot_ids, now)[1]:
            continue
        record = await store.protections.load(org, other.store_id)
        changed, lifted = decisions.without_holds(record.value or other, asked.snapshot_ids, now)
        # Saved before the store that was asked: a process that dies in between begins again, and finds less to lift.
        await store.protections.save(record, changed, events=_lifted(asked, other.store_id, lifted, points))
        found += lifted
    return found


def _lifted(
    asked: LiftLegalHold, store_id: AppId, lifted: Sequence[SnapshotId], points: Sequence[Point]
) -> list[LegalHoldLifted]:
    if not lifted:
        return []
    facts = {"organization_id": asked.organization_id, "by": asked.by, "source_ids": _sources(points, lifted)}
    return [LegalHoldLifted(store_id=store_id, snapshot_ids=tuple(lifted), **facts)]


async def set_floor(store: Store, command: Envelope[SetRetentionFloor]) -> None:
    """Keep the floor of an organization."""
    data, org = command.data, command.data.organization_id
    with span("restore-index.set_floor", attributes={semconv.ORGANIZATION: org}):
        record = await store.retention.load(org, org, cause=command)
        kept = RetentionSettings(min_versions=data.min_versions)
        result = RetentionFloorKept(min_versions=kept.min_versions).model_dump(mode="json")
        await store.retention.save(record, kept, cause=command, result=result)
    log.info("retention floor set", extra={"organization_id": org, "min_versions": kept.min_versions})


async def claim_deletion(store: Store, command: Envelope[ClaimDeletion]) -> None:
    """Decide what a job may delete, and claim it."""
    data, org, now = command.data, command.data.organization_id, utc_now()
    with span("restore-index.claim_deletion", attributes=span_attributes(org, data.store_id)):
        record = await store.protections.load(org, data.store_id, cause=command)
        known = record.value or StoreProtection(store_id=data.store_id)
        known = decisions.taken_over(known, data.retry_of, now)
        protected = await _protected(store, org, but=known)
        points = await _points_about(store, data, floor=protected.floor)
        changed, claim = decisions.claim(known, data, points, protected, now)
        result = claim.counts().model_dump(mode="json")
        await store.protections.save(record, changed, cause=command, result=result)
    log.info("deletion claimed", extra={"store_id": data.store_id, "job_id": data.job_id, **result})


async def release_deletion(store: Store, command: Envelope[ReleaseDeletion]) -> None:
    """Give back what a job claimed."""
    data, org = command.data, command.data.organization_id
    with span("restore-index.release_deletion", attributes=span_attributes(org, data.store_id)):
        record = await store.protections.load(org, data.store_id, cause=command)
        known = record.value or StoreProtection(store_id=data.store_id)
        left = (
            decisions.release_reserved(known, data.job_id)
            if data.reserved
            else decisions.release(known, data.job_id, data.snapshot_ids)
        )
        await store.protections.save(record, left, cause=command, result={})


async def end_claims(store: Store, event: Envelope[JobChanged]) -> None:
    """A job that deleted is over, so its claim is: whoever should have released it may have died."""
    data, org = event.data, event.data.organization_id
    if data.task_type not in _CLAIMING or data.status not in FINAL_STATUSES:
        return
    with span("restore-index.end_claims", attributes={semconv.ORGANIZATION: org, semconv.JOB: data.job_id}):
        for store_id in await _stores_of(store, event):
            record = await store.protections.load(org, store_id)
            known = record.value or StoreProtection(store_id=store_id)
            left = decisions.end_with_job(known, data.job_id, data.status, utc_now())
            if left != known:
                await store.protections.save(record, left)


async def _stores_of(store: Store, event: Envelope[JobChanged]) -> list[AppId]:
    """Where a job may have claimed something: a sync in the store that it goes to, others in that they start from."""
    place = event.data.target_id if event.data.task_type == "sync" else event.data.origin_id
    if place is not None:
        return [place]
    found = await store.protections_of(event.data.organization_id)
    return [each.store_id for each in found if each.claim_of(event.data.job_id)]


async def forget_store(store: Store, org: OrganizationId, store_id: AppId) -> None:
    """Forget what is said of a store that was removed, but for holds that have not ended."""
    record = await store.protections.load(org, store_id)
    if record.value is not None:
        await store.protections.save(record, decisions.without_store(record.value, utc_now()))


async def preview(store: Store, org: OrganizationId, store_id: AppId, rule: PruneRule) -> PruneDecision:
    """What a rule would do now. Raises `Invalid` (`rule_empty`)."""
    with span("restore-index.preview", attributes=span_attributes(org, store_id)):
        points = await store.points_of(org, store_id)
        return apply_rule(rule, points, await _protected(store, org), utc_now())


async def get_deletion(
    store: Store, org: OrganizationId, store_id: AppId, job_id: JobId, *, reserved: bool = False
) -> Deletion:
    """What was decided for a job; with `reserved` also what was claimed for it ahead. Raises `NotFound`."""
    with span("restore-index.get_deletion", attributes=span_attributes(org, store_id)):
        found = await store.protections.get(org, store_id)
        claim = found.claim_of(job_id) if found else None
        if claim is not None and len(claim.deletable) <= READ_ONE_BY_ONE:
            points = await store.points_with(org, store_id, claim.deletable)
        else:
            points = await store.points_of(org, store_id)
        return decisions.deletion_of(found, job_id, points, reserved=reserved)


async def get_floor(store: Store, org: OrganizationId) -> RetentionSettings:
    """What an organization says about all of its stores."""
    return await store.retention.get(org, org) or RetentionSettings()


class Marks(NamedTuple):
    """What is said of the restore points of an organization."""

    holds: Mapping[SnapshotId, LegalHold]
    """Those that have not ended."""
    claimed: frozenset[SnapshotId]
    """What is being deleted."""
    maybe_deleted: frozenset[SnapshotId]
    """What was, by jobs that did not succeed lately."""


async def marks(store: Store, org: OrganizationId, *, but: StoreProtection | None = None) -> Marks:
    """What is said of the restore points of an organization.

    `but`: a store as it is about to be saved.
    """
    # Of all stores: two of them may share a repository, and with it their restore points.
    found, now = list(await store.protections_of(org)), utc_now()
    if but is not None:
        found = [*(each for each in found if each.store_id != but.store_id), but]
    return Marks(decisions.holds_at(found, now), decisions.claimed_at(found, now), decisions.maybe_deleted(found, now))


async def _points_about(store: Store, asked: ClaimDeletion, *, floor: int) -> list[Point]:
    """The restore points that a claim is decided by."""
    org, store_id, ids = asked.organization_id, asked.store_id, asked.snapshot_ids
    # Of a few that are named nothing else counts, unless others of their sources have to stay.
    if asked.rule is None and not floor and len(ids) <= READ_ONE_BY_ONE:
        return await store.points_with(org, store_id, ids)
    return await store.points_of(org, store_id)


async def _protected(store: Store, org: OrganizationId, *, but: StoreProtection | None = None) -> Protected:
    found = await marks(store, org, but=but)
    return Protected(found.holds.keys(), found.claimed, (await get_floor(store, org)).min_versions)
