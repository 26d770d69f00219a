"""Which restore points filters and options of tasks mean."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from contracts.point_filters import (
    GroupBy,
    Locate,
    PointFacts,
    PointFilter,
    PointSelection,
    choose_points,
    filtered,
    matches,
    may_mean,
    moment_of,
)
from pydantic import ValidationError

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)


def facts(digit: str = "a", *, hours: float = 1, **known: Any) -> PointFacts:
    return PointFacts(snapshot_id=digit * 64, time=NOW - timedelta(hours=hours), **known)


ONE = facts(
    name="nas",
    category="file-storage",
    environment="production",
    job="job-1",
    dataset="source-1",
    origin="nas.example",
    type="fs",
    root="/srv/files",
    tags=("before-upgrade", "weekly"),
    data_classes=("pii", "database"),
)


@pytest.mark.parametrize(
    ("wanted", "fits"),
    [
        ({}, True),
        ({"name": "nas"}, True),
        ({"name": "NAS"}, False),
        ({"category": "file-storage"}, True),
        ({"category": "database"}, False),
        ({"environment": "production"}, True),
        ({"environment": "staging"}, False),
        ({"perimeter": "north"}, False),
        ({"job": "job-1"}, True),
        ({"job": "job-2"}, False),
        ({"dataset": "source-1"}, True),
        ({"dataset": "source-2"}, False),
        ({"tags": ["weekly"]}, True),
        ({"tags": ["weekly", "before-upgrade"]}, True),
        ({"tags": ["weekly", "daily"]}, False),
        ({"ignore_tags": ["daily"]}, True),
        ({"ignore_tags": ["daily", "weekly"]}, False),
        ({"data_classes": ["pii", "database"]}, True),
        ({"data_classes": ["pii", "public"]}, False),
        ({"types": ["s3", "fs"]}, True),
        ({"types": ["s3"]}, False),
        ({"origins": ["nas.example"]}, True),
        ({"origins": ["other.example"]}, False),
        ({"roots": ["/srv/files"]}, True),
        ({"roots": ["/srv"]}, False),
        ({"ids": ["a" * 64]}, True),
        ({"ids": ["AAAA", "bbbb"]}, True),
        ({"ids": ["bbbb"]}, False),
        ({"before": "1h"}, True),
        ({"before": "61m"}, False),
        ({"since": "1h"}, True),
        ({"since": "59m"}, False),
        ({"before": "2026-03-10T11:00:00Z"}, True),
        ({"before": "2026-03-10T10:59:59.999Z"}, False),
        ({"since": "2026-03-10T13:00:00+02:00"}, True),
        ({"since": "2026-03-10T13:00:01+02:00"}, False),
        ({"since": "2026-03-10", "before": "2026-03-11"}, True),
        ({"name": "nas", "environment": "staging"}, False),
        (dict.fromkeys(PointFilter.model_fields), True),
    ],
)
def test_a_filter_means_what_fulfils_all_conditions(wanted: dict[str, Any], fits: bool) -> None:
    assert matches(PointFilter.model_validate(wanted), ONE, NOW) is fits


def test_latest_chooses_the_newest_of_what_is_left() -> None:
    points = [facts("a", hours=3, tags=("x",)), facts("b", hours=2, tags=("x",)), facts("c", hours=1)]

    found = filtered(PointFilter(tags=("x",), latest=True), points, NOW)

    assert [each.snapshot_id[0] for each in found] == ["b"]


def test_restore_points_of_the_same_moment_have_one_order() -> None:
    points = [facts("a"), facts("c"), facts("b")]

    assert [each.snapshot_id[0] for each in filtered(PointFilter(), points, NOW)] == ["c", "b", "a"]


@pytest.mark.parametrize(
    ("options", "chosen"),
    [
        ({}, "abc"),
        ({"snapshot_id": "b" * 64}, "b"),
        ({"snapshot_ids": ["c" * 64, "a" * 64, "d" * 64]}, "ac"),
        ({"snapshot_id": "b" * 64, "snapshot_ids": ["c" * 64]}, "bc"),
        ({"snapshot_id": "b"}, ""),
        ({"labels": ["x"]}, "ab"),
        ({"labels": ["x", "y"]}, "b"),
        ({"latest": True}, "a"),
        ({"labels": ["y"], "latest": True}, "b"),
        ({"before": 3600}, "bc"),
        ({"after": 10800}, "ab"),
        ({"before": 3600, "after": 10800}, "b"),
        ({"locate": {"filters": {"tags": ["y"]}}}, "bc"),
        ({"locate": {"filters": {"tags": ["y"]}}, "labels": ["x"]}, "b"),
        ({"locate": None, "before": None, "latest": None, "snapshot_ids": None}, "abc"),
    ],
)
def test_all_options_narrow_the_choice(options: dict[str, Any], chosen: str) -> None:
    points = [
        facts("a", hours=1, tags=("x",)),
        facts("b", hours=2, tags=("x", "y")),
        facts("c", hours=3, tags=("y",)),
    ]

    found = choose_points(PointSelection.model_validate(options), points, NOW)

    assert "".join(each.snapshot_id[0] for each in found) == chosen


def test_options_know_whether_they_select() -> None:
    assert not PointSelection().selects
    assert PointSelection(latest=True).selects
    assert PointSelection(locate=Locate(filters=PointFilter(name="nas"))).selects


@pytest.mark.parametrize(
    ("bad", "field"),
    [
        ({"filters": {"since": "yesterday"}}, ("filters", "since")),
        ({"filters": {"before": "2026-13-01"}}, ("filters", "before")),
        ({"filters": {"before": "5"}}, ("filters", "before")),
        ({"filters": {"before": "7d ago"}}, ("filters", "before")),
        ({"filters": {"since": "1" * 256 + "d"}}, ("filters", "since")),
        ({"filters": {"since": 7}}, ("filters", "since")),
        ({"filters": {"tags": "x"}}, ("filters", "tags")),
        ({"filters": {"tags": [""]}}, ("filters", "tags", 0)),
        ({"filters": {"tags": ["x"] * 201}}, ("filters", "tags")),
        ({"filters": {"name": "\x00"}}, ("filters", "name")),
        ({"filters": {"name": "x" * 256}}, ("filters", "name")),
        ({"filters": {"latest": "yes"}}, ("filters", "latest")),
        ({"filters": []}, ("filters",)),
        ({"group_by": "colour"}, ("group_by",)),
        ({"periods": {"day": {"keep": 1}}}, ("periods",)),
    ],
)
def test_a_bad_value_is_refused_by_the_name_of_its_field(bad: dict[str, Any], field: tuple[str, ...]) -> None:
    with pytest.raises(ValidationError) as caught:
        Locate.model_validate(bad)

    assert caught.value.errors()[0]["loc"] == field


@pytest.mark.parametrize("bad", [-1, "60", 1e11, float("nan"), True])
def test_a_bad_age_is_refused(bad: object) -> None:
    with pytest.raises(ValidationError, match="before"):
        PointSelection.model_validate({"before": bad})


def test_unset_values_and_unknown_keys_ask_for_nothing() -> None:
    asked: dict[str, Any] = {"filters": None, "group_by": "", "periods": {}, "colour": "red"}

    assert Locate.model_validate(asked) == Locate()


@pytest.mark.parametrize(
    ("asked", "may"),
    [
        ({}, True),
        ({"labels": ["x"], "before": 60}, True),
        ({"snapshot_id": "a" * 64}, True),
        ({"snapshot_ids": ["b" * 64]}, False),
        ({"locate": {"filters": {"ids": ["b", "AA"]}}}, True),
        ({"locate": {"filters": {"ids": ["b"]}}}, False),
    ],
)
def test_of_a_restore_point_that_cannot_be_read_the_id_alone_says_whether_it_may_be_meant(
    asked: dict[str, Any], may: bool
) -> None:
    assert may_mean(PointSelection.model_validate(asked), "a" * 64) is may


def test_each_group_is_one_of_the_facts() -> None:
    plural = {"tag": "tags", "data-class": "data_classes"}

    assert all(plural.get(each, each) in PointFacts.model_fields for each in GroupBy.__args__)  # type: ignore[attr-defined]


def test_durations_add_up() -> None:
    assert moment_of("1w2d3h4m5s", NOW) == NOW - timedelta(weeks=1, days=2, hours=3, minutes=4, seconds=5)
    assert moment_of("0.5h", NOW) == NOW - timedelta(minutes=30)
    assert moment_of("999999999w1s", NOW) == datetime(1, 1, 1, tzinfo=UTC)


def test_options_survive_their_way_as_json() -> None:
    options = PointSelection.model_validate(
        {"before": 60, "locate": {"filters": {"tags": ["x"], "since": "7d"}, "group_by": "dataset"}}
    )

    assert PointSelection.model_validate_json(options.model_dump_json()) == options
