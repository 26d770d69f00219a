"""Restore points, and when they can be browsed."""

from datetime import datetime
from typing import Any

from chassis.http.problems import to_error
from contracts.errors import CairnError, Conflict, NotFound
from contracts.messages.restore_index import (
    NOT_INDEXABLE,
    Damage,
    RestorePoint,
    RestorePointDamaged,
    Totals,
    refusal_of,
)
from contracts.values import AppId, Moment, SnapshotId, TreeId, Value, to_milliseconds, to_text

from restore_index.domain.entries import Below

LEFT_OUT_SHOWN = 20
ID_DIGITS = 64


class Point(Value):
    """A restore point in a store, or what is left of one that is gone: what arrives late does not bring it back."""

    restore_point: RestorePoint
    browsable: bool = False
    damage: Damage | None = None
    totals: Totals | None = None
    noted_at: Moment | None = None
    gone_at: Moment | None = None


def with_created(
    known: Point | None, restore_point: RestorePoint, *, at: datetime, seen_at: datetime | None = None
) -> Point | None:
    """A restore point as an event describes it; whether it can be browsed does not change.

    None where the store was seen to hold it before the removal (by default at the time of the event): if it has the
    restore point again, a newer event says so.
    """
    if known is None or known.gone_at is not None:
        return (
            None if is_late(known, seen_at or at) else Point(restore_point=restore_point, noted_at=to_milliseconds(at))
        )
    return known.model_copy(update={"restore_point": with_origin(restore_point, known)})


def with_origin(restore_point: RestorePoint, known: Point | None) -> RestorePoint:
    """A restore point with the one that it was copied from, where that was said before: no store tells that."""
    if restore_point.origin_store_id or known is None or known.gone_at is not None:
        return restore_point
    kept = known.restore_point.model_dump(include={"origin_store_id", "origin_snapshot_id"})
    return restore_point.model_copy(update=kept)


def with_damage(known: Point | None, event: RestorePointDamaged, *, at: datetime) -> Point | None:
    """A restore point that cannot be listed. None where that was seen before its removal.

    Where nothing of a restore point could be read, its time is when that was noticed first.
    """
    if is_late(known, event.seen_at or at):
        return None
    if known is None or known.gone_at is not None:
        unread = _unread(event.store_id, event.snapshot_id, at)
        known = Point(restore_point=unread, noted_at=to_milliseconds(at))
    if known.browsable and event.damage.code == NOT_INDEXABLE:
        return known  # It was only slow: what was sent before this has been taken in.
    restore_point = with_origin(event.restore_point or known.restore_point, known)
    return Point(restore_point=restore_point, damage=event.damage, totals=known.totals, noted_at=known.noted_at)


def _unread(store_id: AppId, snapshot_id: str, at: datetime) -> RestorePoint:
    return RestorePoint(snapshot_id=SnapshotId(snapshot_id), store_id=store_id, tree_id=TreeId(""), time=at)


def is_late(known: Point | None, at: datetime) -> bool:
    """Whether what was so at a moment is older than the removal of the restore point."""
    return known is not None and known.gone_at is not None and to_milliseconds(at) <= known.gone_at


def tombstone(known: Point | None, store_id: AppId, snapshot_id: str, *, at: datetime) -> Point | None:
    """What is left of a removed restore point; None when it is gone already."""
    if known is not None and known.gone_at is not None:
        return None
    return Point(restore_point=_unread(store_id, snapshot_id, at), gone_at=to_milliseconds(at))


def measure(restore_point: RestorePoint, root: Below | None) -> Totals:
    """The totals of a restore point whose directories have all been sent: those of its root.

    Raises `Conflict` (`directories_missing`) when the root is not known: a listing was lost, or is a dead letter.
    """
    if root is None:
        detail = f"Restore point {restore_point.snapshot_id} was listed, but not all of its directories have arrived."
        raise Conflict("directories_missing", detail)
    return Totals(files=root.files, directories=root.directories, bytes=root.bytes)


def choose_point(found: list[Point], snapshot_id: SnapshotId) -> Point:
    """Which restore point an id means: two stores may share a repository, then the likeliest to be usable.

    Raises `NotFound` (`snapshot_not_found`).
    """
    if not found:
        hint = " The whole id is needed." if len(snapshot_id) < ID_DIGITS else ""
        raise NotFound("snapshot_not_found", f"There is no restore point {snapshot_id[:ID_DIGITS]!r}.{hint}")
    return likeliest_first(found)[0]


def likeliest_first(same: list[Point]) -> list[Point]:
    """One restore point in several stores: those that can be browsed first, then those that may be soon, newest first.

    One whose store was removed is gone soon after.
    """
    # The store id decides between equals, so that every process chooses the same one.
    return sorted(same, key=lambda p: (p.browsable, p.damage is None, p.restore_point.store_id), reverse=True)


def require_browsable(point: Point) -> Point:
    """The restore point.

    Raises `TemporaryError` (`restore_point_not_browsable`) while it is being indexed, or `Conflict`
    (`restore_point_damaged`, or why the store does not give it out).
    """
    if not point.browsable:
        raise refusal(point)
    return point


def refusal(point: Point) -> CairnError:
    """Why a restore point cannot be browsed."""
    return to_error(refusal_of(point.damage))


def not_browsable() -> CairnError:
    """What is said of a restore point that is still being indexed."""
    return to_error(refusal_of(None))


def left_out(points: list[Point]) -> dict[str, Any]:
    """Restore points that an answer about many could not take in: why, newest first, and how many there are."""
    shown = [
        {
            "snapshot_id": point.restore_point.snapshot_id,
            "store_id": point.restore_point.store_id,
            "creation_time": to_text(point.restore_point.time),
            "code": why.code,
            "detail": why.detail,
        }
        for point in newest_first(points)[:LEFT_OUT_SHOWN]
        for why in (refusal(point),)
    ]
    return {"left_out": shown, "left_out_total": len(points)}


def newest_first(points: list[Point]) -> list[Point]:
    """Restore points by the time their backup began."""
    return sorted(points, key=lambda p: (p.restore_point.time, p.restore_point.snapshot_id), reverse=True)
