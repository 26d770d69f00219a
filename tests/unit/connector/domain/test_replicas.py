"""Which restore points a store lacks of another one's, and which it has twice."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from connector.domain.replicas import missing, replicas, surplus
from contracts.messages.restore_index import RestorePoint
from contracts.values import AppId, SnapshotId, TreeId

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)


def point(digit: str, *, tree: str = "1", of: str = "", **facts: Any) -> RestorePoint:
    return RestorePoint(
        snapshot_id=SnapshotId(digit * 64),
        store_id=AppId("store"),
        tree_id=TreeId(tree * 64),
        original=SnapshotId(of * 64) if of else None,
        **{"time": NOON} | facts,
    )


@pytest.mark.parametrize(
    ("wanted", "present", "is_missing"),
    [
        (point("a"), [], True),
        (point("a"), [point("b")], True),
        (point("a"), [point("b", of="a")], False),
        (point("a"), [point("a")], False),
        (point("b", of="a"), [point("a")], False),
        (point("b", of="a"), [point("c", of="a")], False),
        (point("b", of="a"), [point("b")], True),
        (point("a"), [point("b", of="a", tree="2")], True),
        (point("a"), [point("b", of="a", time=NOON + timedelta(seconds=1))], True),
        (point("a"), [point("b", of="a", hostname="other")], True),
        (point("a"), [point("b", of="a", paths=("/other",))], True),
        (point("a"), [point("b", of="a", tags=("other",))], False),
    ],
    ids=[
        "nothing",
        "another",
        "copy",
        "itself",
        "original",
        "copies of one",
        "no kin",
        "rewritten",
        "time",
        "host",
        "paths",
        "tags",
    ],
)
def test_a_store_lacks_what_it_has_no_copy_of(
    wanted: RestorePoint, present: list[RestorePoint], is_missing: bool
) -> None:
    assert missing([wanted], present) == ([wanted] if is_missing else [])


def test_replicas_are_copies_and_no_originals() -> None:
    present = [point("a"), point("b", of="a"), point("c", of="d"), point("e", of="a", tree="2")]

    assert replicas([point("a")], present) == [present[1]]


@pytest.mark.parametrize(
    ("announced", "held", "stay"),
    [("", "", "b"), ("c", "", "c"), ("bc", "", "b"), ("x", "", "b"), ("b", "c", "c"), ("", "cd", "cd")],
)
def test_of_several_one_stays_and_none_that_is_held_goes(announced: str, held: str, stay: str) -> None:
    present = [point(each, of="a") for each in "dcb"] + [point("e", of="f")]

    extra = surplus(present, announced={each * 64 for each in announced}, held={each * 64 for each in held})

    assert {each.snapshot_id[0] for each in extra} == set("bcd") - set(stay)


@pytest.mark.parametrize(
    "facts", [{"time": NOON + timedelta(hours=1)}, {"hostname": "x"}, {"paths": ("/x",)}, {"tags": ("x",)}]
)
def test_what_says_something_else_is_not_there_twice(facts: dict[str, Any]) -> None:
    assert surplus([point("b", of="a"), point("c", of="a", **facts)], announced=(), held=()) == []
