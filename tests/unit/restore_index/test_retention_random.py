"""Rules of retention against the slow way, over random sets of restore points."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from random import Random
from typing import Any, NamedTuple

import pytest
from contracts.messages.restore_index import Damage, RestorePoint
from contracts.prune_rules import UNITS, PruneRule
from contracts.values import AppId, JobId, SnapshotId, TreeId
from hypothesis import given
from hypothesis import strategies as st
from restore_index.domain.restore_points import Point
from restore_index.domain.retention import Protected, apply_rule

from tests.support.random_cases import random_cases
from tests.unit.restore_index.naive_retention import NaivePoint, naive_decision

GROUPS = (
    None,
    "name",
    "category",
    "environment",
    "perimeter",
    "job",
    "dataset",
    "data-class",
    "tag",
    "origin",
    "type",
    "root",
)
# Around the ends of days, weeks, months and years, and the week 53 of 2026.
ANCHORS = (
    datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC),
    datetime(2027, 1, 1, tzinfo=UTC),
    datetime(2027, 1, 4, tzinfo=UTC),
    datetime(2026, 3, 29, 1, tzinfo=UTC),
    datetime(2024, 2, 29, 12, tzinfo=UTC),
    datetime(2026, 11, 28, 12, 30, tzinfo=UTC),
)
SPANS = (timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1), timedelta(days=31))
FEW = ("", "a", "b")


class Case(NamedTuple):
    points: Sequence[tuple[Point, NaivePoint]]
    units: Mapping[str, int]
    filters: Mapping[str, Any]
    moments: Mapping[str, datetime]
    group_by: str | None
    now: datetime
    holds: set[str]
    claimed: set[str]
    floor: int


def a_time(rng: Random, now: datetime) -> datetime:
    moment = rng.choice((now, *ANCHORS)) - rng.choice(SPANS) * rng.randint(-2, 40)
    zone = timezone(timedelta(minutes=15 * rng.randint(-48, 56)))
    return moment.astimezone(zone) + timedelta(milliseconds=rng.choice((0, 0, 1, 999)))


def a_point(rng: Random, number: int, now: datetime) -> tuple[Point, NaivePoint]:
    source, host, time = rng.choice(("", "x", "y")), rng.choice(FEW), a_time(rng, now)
    snapshot_id = f"{rng.randint(0, 15):x}{number:063x}"
    name, category, protocol, address, environment, job, root = (rng.choice(FEW) for _ in range(7))
    tags, classes = tuple(rng.sample("pqr", rng.randint(0, 3))), tuple(rng.sample("uv", rng.randint(0, 2)))
    damage = rng.choice((None, None, None, "blob_missing", "thaw_required"))
    read = damage is None or rng.random() < 0.5
    restore_point = RestorePoint(
        snapshot_id=SnapshotId(snapshot_id),
        store_id=AppId("store"),
        tree_id=TreeId("t" if read else ""),
        time=time,
        source_id=AppId(source) if source else None,
        job_id=JobId(job) if job else None,
        hostname=host,
        paths=(root,) if root else (),
        tags=tags,
        environment=environment,
        data_classes=classes,
        source_name=name,
        source_class=category,
        source_protocol=protocol,
        source_address=address,
    )
    point = Point(restore_point=restore_point, damage=Damage(code=damage, detail="") if damage else None)
    single = {
        "name": name,
        "category": category,
        "environment": environment,
        "perimeter": "",
        "job": job,
        "dataset": source,
        "origin": address or ("" if source else host),
        "type": protocol,
        "root": root,
    }
    made_where = source or f"made on {host!r} of {root!r}"
    whole = damage != "blob_missing"
    return point, NaivePoint(snapshot_id, time, made_where, whole, read, single, tags, classes)


def some_filters(rng: Random, now: datetime) -> tuple[dict[str, Any], dict[str, datetime]]:
    one = rng.choice(FEW[1:])
    possible: dict[str, Any] = {
        "name": one,
        "environment": one,
        "category": one,
        "job": one,
        "dataset": rng.choice("xy"),
        "tags": rng.sample("pqr", rng.randint(1, 2)),
        "ignore_tags": rng.sample("pqr", rng.randint(1, 2)),
        "data_classes": rng.sample("uv", rng.randint(1, 2)),
        "types": rng.sample(FEW[1:], rng.randint(1, 2)),
        "origins": [one],
        "roots": [one],
        "ids": rng.sample("0123456789abcdef", rng.randint(1, 12)),
        "latest": True,
    }
    chosen = rng.sample(sorted(possible), rng.choice((0, 0, 1, 2)))
    moments = {
        each: now - timedelta(days=rng.randint(0, 40))
        for each in rng.sample(("before", "since"), rng.choice((0, 0, 1)))
    }
    written = {each: rng.choice((f"{(now - moment).days}d", moment.isoformat())) for each, moment in moments.items()}
    return {name: possible[name] for name in chosen} | written, moments


def a_case(rng: Random) -> Case:
    now = rng.choice(ANCHORS) + timedelta(seconds=rng.randint(0, 3))
    points = [a_point(rng, number, now) for number in range(rng.randint(0, 25))]
    ids = [naive.id for _, naive in points]
    names = rng.sample([*UNITS, *(f"per_{unit}" for unit in UNITS)], rng.randint(1, 4))
    filters, moments = some_filters(rng, now)
    return Case(
        points,
        {name: rng.choice((1, 1, 2, 3, 7, 100, 1_000_000)) for name in names},
        filters,
        moments,
        rng.choice(GROUPS),
        now,
        holds=set(rng.sample(ids, rng.randint(0, len(ids)) // 2)),
        claimed=set(rng.sample(ids, rng.choice((0, len(ids) // 4)))),
        floor=rng.choice((0, 0, 1, 2, 5)),
    )


@pytest.mark.fuzz
@random_cases(200)
@given(st.integers(0, 2**32))
def test_a_rule_means_the_same_as_the_slow_way(seed: int) -> None:
    case = a_case(Random(seed))
    rule = PruneRule.model_validate(
        {**case.units, "locate": {"filters": dict(case.filters), "group_by": case.group_by}}
    )

    protected = Protected(case.holds, case.claimed, case.floor)
    found = apply_rule(rule, [point for point, _ in case.points], protected, case.now)

    wanted = naive_decision(
        [naive for _, naive in case.points],
        dict(case.units),
        dict(case.filters),
        dict(case.moments),
        case.group_by,
        case.now,
        holds=case.holds,
        claimed=case.claimed,
        floor=case.floor,
    )
    lists = found.model_dump()
    assert {name: set(ids) for name, ids in lists.items()} == wanted
    assert sum(map(len, lists.values())) == sum(map(len, wanted.values()))
