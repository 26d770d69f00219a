"""Replicas: restore points that a sync copied from another store. Which are missing, and which are there twice."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence

from contracts.messages.restore_index import RestorePoint

Mark = tuple[object, ...]


def mark_of(point: RestorePoint) -> Mark:
    """What a restore point, its copies and the copies of those have in common: the first id, and what they say."""
    return _mark(point.original or point.snapshot_id, point)


def _mark(first_id: str, point: RestorePoint) -> Mark:
    # What was rewritten since keeps the first id and is another restore point all the same.
    return first_id, point.tree_id, point.time, point.hostname, point.paths


def missing(wanted: Iterable[RestorePoint], present: Iterable[RestorePoint]) -> list[RestorePoint]:
    """Those of some restore points of which a store has no copy, nor the original."""
    there = {mark for point in present for mark in (mark_of(point), _mark(point.snapshot_id, point))}
    return [point for point in wanted if mark_of(point) not in there]


def replicas(wanted: Iterable[RestorePoint], present: Iterable[RestorePoint]) -> list[RestorePoint]:
    """The copies of some restore points that a store has."""
    marks = {mark_of(point) for point in wanted}
    return [point for point in present if point.original and mark_of(point) in marks]


def surplus(
    present: Sequence[RestorePoint], *, announced: Collection[str], held: Collection[str]
) -> list[RestorePoint]:
    """Those of some replicas that are there once more than they need to be.

    Of several one stays: a held or an announced one rather than others, then the one with the least id, so that all who
    look choose the same one. All that are held stay, and what differs in its tags is not the same.
    """

    def rank(point: RestorePoint) -> tuple[bool, bool, str]:
        return point.snapshot_id not in held, point.snapshot_id not in announced, point.snapshot_id

    same: dict[Mark, list[RestorePoint]] = defaultdict(list)
    for point in sorted(present, key=rank):
        same[(*mark_of(point), point.tags, point.job_id)].append(point)
    return [point for points in same.values() for point in points[1:] if point.snapshot_id not in held]
