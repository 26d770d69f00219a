"""What a rule of retention means, worked out the slow way: each restore point is judged alone, by counting others.

Written from the API reference (section 12) and decision 0045, not from the code: times become numbers of minutes,
days, months since the beginning of the calendar, and every bucket, group and floor is counted anew for each question.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple


class NaivePoint(NamedTuple):
    id: str
    time: datetime
    source: str
    whole: bool
    read: bool
    single: dict[str, str]
    tags: tuple[str, ...]
    data_classes: tuple[str, ...]


def number_of(unit: str, moment: datetime) -> int:
    """How many minutes, days, ... lie before the one that a moment is in."""
    utc = moment.astimezone(UTC)
    days = utc.toordinal()
    return {
        "minute": (days * 24 + utc.hour) * 60 + utc.minute,
        "hour": days * 24 + utc.hour,
        "day": days,
        "week": (days - 1) // 7,
        "month": utc.year * 12 + utc.month,
        "year": utc.year,
    }[unit]


def fits(point: NaivePoint, filters: dict[str, Any], moments: dict[str, datetime]) -> bool:
    for name, wanted in filters.items():
        if name in point.single and point.single[name] != wanted:
            return False
        if name in ("types", "origins", "roots") and point.single[name[:-1]] not in wanted:
            return False
    if any(tag not in point.tags for tag in filters.get("tags", ())):
        return False
    if any(tag in point.tags for tag in filters.get("ignore_tags", ())):
        return False
    if any(each not in point.data_classes for each in filters.get("data_classes", ())):
        return False
    if filters.get("ids") and not any(point.id.startswith(digits) for digits in filters["ids"]):
        return False
    if "before" in moments and point.time > moments["before"]:
        return False
    return not ("since" in moments and point.time < moments["since"])


def is_newer(one: NaivePoint, other: NaivePoint) -> bool:
    return one.time > other.time or (one.time == other.time and one.id > other.id)


def share_a_group(one: NaivePoint, group: str, group_by: str | None) -> bool:
    return group_by is None or group in groups_of(one, group_by)


def groups_of(point: NaivePoint, group_by: str | None) -> tuple[str, ...]:
    if group_by is None:
        return ("",)
    if group_by == "tag":
        return point.tags or ("",)
    if group_by == "data-class":
        return point.data_classes or ("",)
    return (point.single[group_by],)


def is_kept(
    point: NaivePoint, selected: Sequence[NaivePoint], units: dict[str, int], group_by: str | None, now: datetime
) -> bool:
    for group in groups_of(point, group_by):
        peers = [each for each in selected if share_a_group(each, group, group_by)]
        for unit in ("minute", "hour", "day", "week", "month", "year"):
            count, most = units.get(unit), units.get(f"per_{unit}")
            if count is None and most is None:
                continue
            mine = number_of(unit, point.time)
            if count is not None and number_of(unit, now) - mine >= count:
                continue
            newer = [each for each in peers if number_of(unit, each.time) == mine and is_newer(each, point)]
            if most is None or len(newer) < most:
                return True
    return False


def naive_decision(
    points: Sequence[NaivePoint],
    units: dict[str, int],
    filters: dict[str, Any],
    moments: dict[str, datetime],
    group_by: str | None,
    now: datetime,
    *,
    holds: set[str],
    claimed: set[str],
    floor: int,
) -> dict[str, set[str]]:
    left = [point for point in points if point.id not in claimed]
    selected, going = (
        chosen(among, filters, moments) for among in (left, [point for point in points if point.id in claimed])
    )
    judged = [p for p in selected if p.whole and p.read]
    kept = {p.id for p in selected if p not in judged or is_kept(p, judged, units, group_by, now)}
    held = {p.id for p in selected if p.id not in kept and p.id in holds}
    doomed = [p for p in selected if p.id not in kept and p.id not in holds]
    floored: set[str] = set()
    present = {p.id for p in left}
    # Delete one after the other, oldest first, as long as enough whole ones of its source are there.
    while doomed:
        oldest = next(p for p in doomed if not any(is_newer(p, other) for other in doomed))
        doomed.remove(oldest)
        whole = [p for p in left if p.id in present and p.source == oldest.source and p.whole]
        if oldest.whole and len(whole) <= floor:
            floored.add(oldest.id)
        else:
            present.remove(oldest.id)
    deleted = {p.id for p in selected} - kept - held - floored
    decided = {"would_delete": deleted, "would_keep": kept, "held": held, "floored": floored}
    return decided | {"being_deleted": {p.id for p in going}}


def chosen(points: Sequence[NaivePoint], filters: dict[str, Any], moments: dict[str, datetime]) -> Sequence[NaivePoint]:
    selected = [point for point in points if fits(point, filters, moments)]
    if filters.get("latest"):
        selected = [p for p in selected if not any(is_newer(other, p) for other in selected)]
    return selected
