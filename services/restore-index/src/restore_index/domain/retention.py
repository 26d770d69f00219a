"""Which restore points a rule keeps, and what of the others may be deleted. Every rule here is in decision 0045."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from datetime import datetime, timedelta
from typing import NamedTuple

from contracts.point_filters import GroupBy, PointFacts, filtered
from contracts.prune_rules import UNITS, PruneRule, Unit
from contracts.queries.restore_index import PruneDecision
from contracts.values import SnapshotId

from restore_index.domain.restore_points import Point, newest_first


class Protected(NamedTuple):
    """What neither a rule nor a person deletes, and what a job deletes already."""

    holds: Set[str] = frozenset()
    claimed: Set[str] = frozenset()
    floor: int = 0


class Judged(NamedTuple):
    """What becomes of restore points that somebody wants deleted, newest first."""

    deletable: tuple[SnapshotId, ...]
    held: tuple[SnapshotId, ...]
    floored: tuple[SnapshotId, ...]


def apply_rule(rule: PruneRule, points: Sequence[Point], protected: Protected, now: datetime) -> PruneDecision:
    """What a rule means for the restore points of a store. Those that a job deletes already take no part.

    Raises `Invalid` (`rule_empty`).
    """
    rule.require_a_unit()
    left = [point for point in points if point.restore_point.snapshot_id not in protected.claimed]
    going = [point.restore_point.facts for point in points if point.restore_point.snapshot_id in protected.claimed]
    selected = filtered(rule.locate.filters, (point.restore_point.facts for point in left), now)
    kept = _unusable(left)
    # They take nobody's place: one that cannot be read is of no use to go back to, and may be dated wrongly.
    kept |= kept_by(rule, [facts for facts in selected if facts.snapshot_id not in kept], now)
    judged = judge([f.snapshot_id for f in selected if f.snapshot_id not in kept], left, protected)
    return PruneDecision(
        would_delete=judged.deletable,
        would_keep=tuple(f.snapshot_id for f in selected if f.snapshot_id in kept),
        held=judged.held,
        floored=judged.floored,
        being_deleted=tuple(facts.snapshot_id for facts in filtered(rule.locate.filters, going, now)),
    )


def judge(wanted: Iterable[str], points: Sequence[Point], protected: Protected) -> Judged:
    """What of the restore points that somebody wants deleted may be; `points` are all that nobody deletes yet."""
    asked = frozenset(wanted)
    wished = newest_first([point for point in points if point.restore_point.snapshot_id in asked])
    ordered = [point.restore_point.snapshot_id for point in wished]
    free = [each for each in ordered if each not in protected.holds]
    floored = _floored(frozenset(free), points, protected.floor)
    return Judged(
        deletable=tuple(each for each in free if each not in floored),
        held=tuple(each for each in ordered if each in protected.holds),
        floored=tuple(each for each in free if each in floored),
    )


def kept_by(rule: PruneRule, selected: Sequence[PointFacts], now: datetime) -> frozenset[SnapshotId]:
    """What a rule keeps of restore points, newest first: in each group, what one of its units keeps."""
    groups = _groups(selected, rule.locate.group_by)
    return frozenset(
        snapshot_id for unit in UNITS for group in groups for snapshot_id in _kept_by_unit(rule, unit, group, now)
    )


def _unusable(points: Iterable[Point]) -> frozenset[SnapshotId]:
    """What no rule judges: what has lost something, and what was never read, whose time is when that was noticed."""
    return frozenset(
        point.restore_point.snapshot_id
        for point in points
        if point.damage is not None and (point.damage.is_loss or not point.restore_point.tree_id)
    )


def _kept_by_unit(rule: PruneRule, unit: Unit, group: Sequence[PointFacts], now: datetime) -> Iterator[SnapshotId]:
    count, most = rule.of(unit)
    if count is None and most is None:
        return
    oldest = None if count is None else _stepped_back(unit, _START[unit](now), count - 1)
    found: Counter[datetime] = Counter()
    for facts in group:
        if oldest is not None and facts.time < oldest:
            return
        bucket = _START[unit](facts.time)
        found[bucket] += 1
        if most is None or found[bucket] <= most:
            yield facts.snapshot_id


def _groups(selected: Sequence[PointFacts], group_by: GroupBy | None) -> Sequence[Sequence[PointFacts]]:
    if group_by is None:
        return [selected]
    groups: defaultdict[str, list[PointFacts]] = defaultdict(list)
    for facts in selected:
        for value in _values(facts, group_by):
            groups[value].append(facts)
    return list(groups.values())


def _values(facts: PointFacts, group_by: GroupBy) -> Iterable[str]:
    """The groups of a restore point; those without a tag or data class are a group of their own."""
    if group_by == "tag":
        return set(facts.tags) or {""}
    if group_by == "data-class":
        return set(facts.data_classes) or {""}
    return {str(getattr(facts, group_by))}


def _floored(wanted: Set[str], points: Sequence[Point], floor: int) -> frozenset[SnapshotId]:
    """Which of the wanted ones stay so that each source keeps so many: the newest."""
    by_source: defaultdict[object, list[Point]] = defaultdict(list)
    for point in points:
        # What has lost something is no version that a person could go back to.
        if point.damage is None or not point.damage.is_loss:
            by_source[_source_of(point)].append(point)
    return frozenset(each for versions in by_source.values() for each in _short_of(floor, versions, wanted))


def _short_of(floor: int, versions: Sequence[Point], wanted: Set[str]) -> Sequence[SnapshotId]:
    staying = sum(point.restore_point.snapshot_id not in wanted for point in versions)
    asked = newest_first([point for point in versions if point.restore_point.snapshot_id in wanted])
    return [point.restore_point.snapshot_id for point in asked[: max(0, floor - staying)]]


def _source_of(point: Point) -> object:
    """What counts as one source: of snapshots made without Cairn the host and the paths."""
    restore_point = point.restore_point
    return restore_point.source_id or (restore_point.hostname, restore_point.paths)


def _start_of_day(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


def _start_of_week(moment: datetime) -> datetime:
    # The first week of the calendar begins with its first day, which is a Monday: there is always one.
    return _start_of_day(moment) - timedelta(days=moment.weekday())


_START: dict[Unit, Callable[[datetime], datetime]] = {
    "minute": lambda moment: moment.replace(second=0, microsecond=0),
    "hour": lambda moment: moment.replace(minute=0, second=0, microsecond=0),
    "day": _start_of_day,
    "week": _start_of_week,
    "month": lambda moment: _start_of_day(moment).replace(day=1),
    "year": lambda moment: _start_of_day(moment).replace(month=1, day=1),
}
_STEP = {
    "minute": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(weeks=1),
}


def _stepped_back(unit: Unit, start: datetime, steps: int) -> datetime | None:
    """The start of an earlier minute, hour, ...; None before the calendar begins."""
    try:
        if step := _STEP.get(unit):
            return start - steps * step
        year, month = divmod(start.year * 12 + start.month - 1 - steps * (12 if unit == "year" else 1), 12)
        return start.replace(year=year, month=month + 1)
    except (OverflowError, ValueError):
        return None
