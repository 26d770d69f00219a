"""What must not be deleted in a store, and what is claimed by jobs that delete."""

from collections.abc import Iterable, Sequence, Set
from datetime import datetime, timedelta

from chassis.texts import fault_of
from contracts.errors import Conflict, Invalid, NotFound
from contracts.messages.protection import (
    LONGEST_REASON,
    MOST_CLAIMED,
    MOST_HELD,
    ClaimDeletion,
    DeletionClaimed,
    LegalHold,
    LiftLegalHold,
    SetLegalHold,
)
from contracts.messages.scheduler import FINAL_STATUSES, JobStatus
from contracts.queries.restore_index import Deletion
from contracts.task_types.removal import MOST_LISTED
from contracts.values import AppId, JobId, Moment, SnapshotId, Value, to_milliseconds

from restore_index.domain.restore_points import Point
from restore_index.domain.retention import Protected, apply_rule, judge

# The news that a restore point is gone may come after the news that its job is over, however that ended.
AFTER_SUCCESS = timedelta(hours=1)
AFTER_FAILURE = timedelta(minutes=5)
MOST_AFTER_END = 1000
"""Restore points in a claim that is told of after its job is over and all that it claimed is free again, at most."""
MOST_OF_HOLDS = 6 << 20
"""Bytes of all holds of a store: they are kept in its one document, which MongoDB limits to 16 MiB."""
_ONE_HOLD = 250
"""Bytes of a hold without its reason."""
REMEMBERED = timedelta(days=1)
"""How long a claim is told of after it ended by time, and a job that is over gets none."""
LONGEST_JOB = timedelta(days=30)
"""How long a claim without an end is kept when all that it claimed is gone."""


class Claim(Value):
    """What a job may delete, and what of its wishes it may not."""

    job_id: JobId
    at: Moment
    until: Moment | None = None
    deletable: tuple[SnapshotId, ...] = ()
    held: tuple[SnapshotId, ...] = ()
    floored: tuple[SnapshotId, ...] = ()
    being_deleted: tuple[SnapshotId, ...] = ()
    missing: tuple[SnapshotId, ...] = ()
    more: int = 0
    held_more: int = 0
    floored_more: int = 0
    being_deleted_more: int = 0
    ended: bool = False
    """Its job is over."""
    unfinished: bool = False
    """Its job is over without success: what is claimed and still listed may be gone without anybody having told."""

    def holds_at(self, now: datetime) -> bool:
        """Whether nobody else may have what it claims."""
        return self.until is None or now < self.until

    def counts(self) -> DeletionClaimed:
        """How many there are of each kind."""
        return DeletionClaimed(
            deletable=len(self.deletable),
            held=len(self.held) + self.held_more,
            floored=len(self.floored) + self.floored_more,
            being_deleted=len(self.being_deleted) + self.being_deleted_more,
            missing=len(self.missing),
        )


class StoreProtection(Value):
    """Holds and claims of one store. Restore points that are gone may stand in either: they come to nothing there."""

    store_id: AppId
    holds: dict[SnapshotId, LegalHold] = {}
    claims: tuple[Claim, ...] = ()

    def claim_of(self, job_id: str) -> Claim | None:
        """The claim of a job."""
        return next((claim for claim in self.claims if claim.job_id == job_id), None)


_TOLD = (
    "deletable",
    "held",
    "floored",
    "being_deleted",
    "missing",
    "more",
    "held_more",
    "floored_more",
    "being_deleted_more",
)


class RetentionSettings(Value):
    """What an organization says about all of its stores."""

    min_versions: int = 0


def holds_at(protections: Iterable[StoreProtection], now: datetime) -> dict[SnapshotId, LegalHold]:
    """The holds that have not ended. Stores that share a repository share its restore points, and so their holds."""
    return {
        snapshot_id: hold
        for protection in protections
        for snapshot_id, hold in protection.holds.items()
        if hold.holds_at(now)
    }


def claimed_at(protections: Iterable[StoreProtection], now: datetime) -> frozenset[SnapshotId]:
    """What jobs delete, or are about to."""
    return frozenset(
        each
        for protection in protections
        for claim in protection.claims
        if claim.holds_at(now)
        for each in claim.deletable
    )


def maybe_deleted(protections: Iterable[StoreProtection], now: datetime) -> frozenset[SnapshotId]:
    """What jobs that did not succeed lately had claimed, though it may be claimed anew.

    Not for longer than `REMEMBERED`, however long the claim is kept: what is still listed then is there, or lost.
    """
    return frozenset(
        each
        for protection in protections
        for claim in protection.claims
        if claim.unfinished and not _is_over(claim, now)
        for each in claim.deletable
    )


def set_hold(
    protection: StoreProtection,
    asked: SetLegalHold,
    points: Sequence[Point],
    others: Iterable[StoreProtection],
    now: datetime,
) -> tuple[StoreProtection, dict[SnapshotId, LegalHold]]:
    """Put all of the restore points under hold, and which one each has now. Raises `Invalid`, `NotFound`, `Conflict`.

    `others`: all stores of the organization, as those that share a repository share its restore points.
    """
    others = tuple(others)
    left = holds_at([protection], now)
    known, claimed = holds_at(others, now) | left, claimed_at(others, now)
    made = {each: _hold(asked, known.get(each), now) for each in asked.snapshot_ids}
    _require_present(asked.snapshot_ids, points)
    if going := [each for each in asked.snapshot_ids if each in claimed]:
        raise Conflict("restore_point_being_deleted", f"Restore point {going[0][:8]} is being deleted.")
    holds = left | made
    if sum(_ONE_HOLD + len(each.reason.encode()) for each in holds.values()) > MOST_OF_HOLDS:
        raise Conflict("holds_too_many", "The store has too many holds already. Shorter reasons leave room for more.")
    return protection.model_copy(update={"holds": holds}), made


def _hold(asked: SetLegalHold, known: LegalHold | None, now: datetime) -> LegalHold:
    """What is asked for, with what a hold that is there keeps. Raises `Invalid` and `Conflict`."""
    hold = LegalHold(reason=asked.reason.strip(), until=asked.until, by=asked.by, at=now)
    if known:
        hold = hold.model_copy(update={part: getattr(known, part) for part in asked.keeps})
    if fault := fault_of(hold.reason, longest=LONGEST_REASON):
        raise Invalid("hold_invalid", f"The reason {fault}.", fields={"reason": fault})
    if not hold.holds_at(now):
        raise Conflict("hold_over", "The hold would be over before it begins: its end is past.")
    return hold


def lift_hold(
    protection: StoreProtection, asked: LiftLegalHold, points: Sequence[Point], now: datetime
) -> tuple[StoreProtection, tuple[SnapshotId, ...]]:
    """The restore points without holds, and which had one. Raises `Invalid` and `NotFound`."""
    _require_present(asked.snapshot_ids, points)
    return without_holds(protection, asked.snapshot_ids, now)


def without_holds(
    protection: StoreProtection, snapshot_ids: Sequence[SnapshotId], now: datetime
) -> tuple[StoreProtection, tuple[SnapshotId, ...]]:
    """A store in which none of these restore points is under hold, and which of them were."""
    lifted = tuple(each for each in dict.fromkeys(snapshot_ids) if each in protection.holds)
    holds = {each: h for each, h in protection.holds.items() if each not in lifted and h.holds_at(now)}
    return protection.model_copy(update={"holds": holds}), lifted


def _require_present(snapshot_ids: Sequence[SnapshotId], points: Sequence[Point]) -> None:
    if not 0 < len(snapshot_ids) <= MOST_HELD:
        raise Invalid("hold_invalid", f"Name at least one restore point and at most {MOST_HELD}.")
    present = _ids(points)
    for each in snapshot_ids:
        if each not in present:
            raise NotFound("snapshot_not_found", f"There is no restore point {each[:64]!r} in this store.")


def claim(
    protection: StoreProtection, asked: ClaimDeletion, points: Sequence[Point], protected: Protected, now: datetime
) -> tuple[StoreProtection, Claim]:
    """The claim of a job: the one that it has already, or what is decided now. Raises `Invalid` and `Conflict`.

    `protected` may name the job's own claim among the claimed ones.
    """
    until = None if asked.lasts_seconds is None else to_milliseconds(now + timedelta(seconds=asked.lasts_seconds))
    known = protection.claim_of(asked.job_id)
    if known is not None and known.ended:
        # Asked before its end and read after it: nobody would end this claim.
        raise Conflict("deletion_over", "The job that would delete is over.")
    if known is not None and known.holds_at(now):
        later = None if None in (known.until, until) else max(filter(None, (known.until, until)))
        made = known.model_copy(update={"until": later})
    else:
        made = _decide(asked, points, protected, now).model_copy(update={"until": until})
    others = [
        _shrunk(each, now)
        for each in protection.claims
        if each.job_id != asked.job_id and not _is_forgotten(each, points, now)
    ]
    return protection.model_copy(update={"claims": (*others, made)}), made


def _decide(asked: ClaimDeletion, points: Sequence[Point], protected: Protected, now: datetime) -> Claim:
    begun = Claim(job_id=asked.job_id, at=now)
    if asked.rule is not None:
        if asked.snapshot_ids:
            raise Invalid("deletion_invalid", "Give either restore points or a rule.")
        found = apply_rule(asked.rule, points, protected, now)
        oldest = found.would_delete[-MOST_CLAIMED:]
        more = len(found.would_delete) - len(oldest)
        return begun.model_copy(
            update={
                "deletable": oldest,
                "more": more,
                "held": found.held[:MOST_LISTED],
                "held_more": len(found.held[MOST_LISTED:]),
                "floored": found.floored[:MOST_LISTED],
                "floored_more": len(found.floored[MOST_LISTED:]),
                "being_deleted": found.being_deleted[:MOST_LISTED],
                "being_deleted_more": len(found.being_deleted[MOST_LISTED:]),
            }
        )
    if not 0 < len(asked.snapshot_ids) <= MOST_CLAIMED:
        raise Invalid("deletion_invalid", f"Name at least one restore point and at most {MOST_CLAIMED}.")
    present, wanted = _ids(points), tuple(dict.fromkeys(asked.snapshot_ids))
    left = [point for point in points if point.restore_point.snapshot_id not in protected.claimed]
    judged = judge(wanted, left, protected)
    return begun.model_copy(
        update={
            **judged._asdict(),
            "being_deleted": tuple(each for each in wanted if each in protected.claimed and each in present),
            "missing": tuple(each for each in wanted if each not in present),
        }
    )


def _is_forgotten(known: Claim, points: Sequence[Point], now: datetime) -> bool:
    """Whether nothing asks for a claim any more: it ended by time, or all that it claimed is gone, a while ago."""
    if known.until is not None:
        return _is_over(known, now)
    return now - known.at > LONGEST_JOB and not _ids(points) & set(known.deletable)


def without_store(protection: StoreProtection, now: datetime) -> StoreProtection | None:
    """What is left when a store is removed: holds, as another store of the same repository still has what they keep."""
    holds = holds_at([protection], now)
    return StoreProtection(store_id=protection.store_id, holds=holds) if holds else None


def _is_over(known: Claim, now: datetime) -> bool:
    return known.until is not None and now - known.until > REMEMBERED


def _shrunk(known: Claim, now: datetime) -> Claim:
    """A claim as it is kept on: of a large one that ended nothing but that its job is over."""
    size = sum(map(len, (known.deletable, known.held, known.floored, known.being_deleted, known.missing)))
    if not known.ended or known.holds_at(now) or size <= MOST_AFTER_END:
        return known
    return _emptied(known)


def _emptied(known: Claim) -> Claim:
    return Claim(job_id=known.job_id, at=known.at, until=known.until, ended=known.ended)


def taken_over(protection: StoreProtection, retried: str | None, now: datetime) -> StoreProtection:
    """Nothing claimed by a job that another one runs once more; it is over, also where that was not heard yet.

    To be saved with the claim of the other one only: in between, what may be gone already could be put under hold.
    """
    claims = (
        _emptied(each).model_copy(update={"until": each.until or to_milliseconds(now), "ended": True})
        if each.job_id == retried
        else each
        for each in protection.claims
    )
    return protection.model_copy(update={"claims": tuple(claims)})


def release(
    protection: StoreProtection, job_id: str, snapshot_ids: Sequence[SnapshotId] | None = None
) -> StoreProtection:
    """Nothing claimed by the job, or nothing of these. One that is over stays so: its claims may be on their way."""
    if snapshot_ids is not None:
        return _released_in_part(protection, job_id, frozenset(snapshot_ids))
    left = (_emptied(each) if each.job_id == job_id else each for each in protection.claims)
    claims = tuple(each for each in left if each.job_id != job_id or each.ended)
    return protection.model_copy(update={"claims": claims})


def release_reserved(protection: StoreProtection, job_id: str) -> StoreProtection:
    """Nothing claimed for the job, unless it claimed it itself by now: then it deletes, and goes on to hold it."""
    known = protection.claim_of(job_id)
    is_reserved = known is not None and known.until is not None and not known.ended
    return release(protection, job_id) if is_reserved else protection


def _released_in_part(protection: StoreProtection, job_id: str, free: Set[str]) -> StoreProtection:
    claims = (
        each.model_copy(update={"deletable": tuple(known for known in each.deletable if known not in free)})
        if each.job_id == job_id
        else each
        for each in protection.claims
    )
    return protection.model_copy(update={"claims": tuple(claims)})


def end_with_job(protection: StoreProtection, job_id: str, status: JobStatus, now: datetime) -> StoreProtection:
    """What is left of a claim when its job has a new status; the same where that is not the last one.

    A job that claimed nothing is remembered for a while, as its claim may still be on its way.
    """
    known = protection.claim_of(job_id) or Claim(job_id=JobId(job_id), at=now)
    if known.ended or status not in FINAL_STATUSES:
        return protection
    until = now + (AFTER_SUCCESS if status == "succeeded" else AFTER_FAILURE)
    update = {"until": to_milliseconds(until), "ended": True, "unfinished": status != "succeeded"}
    ended = known.model_copy(update=update)
    others = (_shrunk(each, now) for each in protection.claims if each is not known and not _is_over(each, now))
    return protection.model_copy(update={"claims": (*others, ended)})


def deletion_of(
    protection: StoreProtection | None, job_id: str, points: Sequence[Point], *, reserved: bool = False
) -> Deletion:
    """What was decided for a job; with `reserved` also what was claimed for it ahead and may lapse before it begins.

    Raises `NotFound` (`deletion_not_found`) before that, and some time after its end.
    """
    known = protection.claim_of(job_id) if protection else None
    # A worker that took a reservation for its claim could delete what came under hold since it lapsed.
    if protection is None or known is None or (known.until is not None and not reserved):
        raise NotFound("deletion_not_found", "Nothing is claimed for this job.")
    present = _ids(points)
    return Deletion(
        store_id=protection.store_id,
        job_id=known.job_id,
        gone=tuple(each for each in known.deletable if each not in present),
        **known.model_dump(include={*_TOLD}),
    )


def _ids(points: Iterable[Point]) -> frozenset[SnapshotId]:
    return frozenset(point.restore_point.snapshot_id for point in points)
