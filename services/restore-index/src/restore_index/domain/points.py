"""Restore points, and when they can be browsed."""

from chassis.errors import Conflict, NotFound, TemporaryError
from contracts.restore_index import RestorePoint, Totals
from contracts.values import SnapshotId, Value

from restore_index.domain.entries import Below


class Point(Value):
    """A restore point in a store."""

    restore_point: RestorePoint
    browsable: bool = False
    totals: Totals | None = None


def note_point(known: Point | None, told: RestorePoint) -> Point:
    """A restore point with the latest that is told of it; whether it can be browsed does not change."""
    return (known or Point(restore_point=told)).model_copy(update={"restore_point": told})


def measure(told: RestorePoint, root: Below | None) -> Totals:
    """The totals of a restore point whose directories have all been sent: those of its root.

    Raises `Conflict` (`directories_missing`) when the root is not known: a listing was lost or parked on the way.
    """
    if root is None:
        detail = f"Restore point {told.snapshot_id} was listed, but not all of its directories have arrived."
        raise Conflict("directories_missing", detail)
    return Totals(files=root.files, directories=root.directories, bytes=root.bytes)


def choose_point(found: list[Point], snapshot_id: SnapshotId) -> Point:
    """Which restore point an id means: two stores may share a repository, then the likeliest to be usable.

    Raises `NotFound` (`snapshot_not_found`).
    """
    if not found:
        raise NotFound("snapshot_not_found", f"There is no restore point {snapshot_id[:64]!r}.")
    return likeliest_first(found)[0]


def likeliest_first(same: list[Point]) -> list[Point]:
    """One restore point in several stores: those that can be browsed first, then those in the newest store.

    An older store may have been removed since; nobody tells the index.
    """
    return sorted(same, key=lambda p: (p.browsable, p.restore_point.store_id), reverse=True)


def require_browsable(point: Point) -> Point:
    """The restore point. Raises `TemporaryError` (`restore_point_not_browsable`) while it is being indexed."""
    if not point.browsable:
        raise not_browsable()
    return point


def not_browsable() -> TemporaryError:
    """What is said of a restore point that is still being indexed."""
    detail = "This restore point is still being indexed."
    return TemporaryError("restore_point_not_browsable", detail, retry_after_seconds=1)


def newest_first(points: list[Point]) -> list[Point]:
    """Restore points by the time their backup began."""
    return sorted(points, key=lambda p: (p.restore_point.time, p.restore_point.snapshot_id), reverse=True)
