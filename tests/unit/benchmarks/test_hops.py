import pytest

from tests.benchmarks.__main__ import choose
from tests.benchmarks.result import Baseline, Result, table

GET = Baseline("GET", 0.5)


@pytest.mark.parametrize(("value", "unit"), [(2.0, "ms"), (0.002, "s")])
def test_hops_are_multiples_of_a_bare_thing_in_whatever_unit(value: float, unit: str) -> None:
    assert Result("browse", value, unit, "4 GETs", baseline=GET).hops == pytest.approx(4)


def test_what_is_no_latency_has_no_hops() -> None:
    assert Result("idle_memory", 549.0, "MiB", "600 MiB").hops is None


def test_a_row_tells_its_hops_and_nothing_of_how_they_are_kept() -> None:
    row = Result("browse", 2.0, "ms", "4 GETs", peer="restic ls", peer_value=400.0, p50=2.0, p99=3.0, baseline=GET)

    assert row.as_json() == {
        "name": "browse",
        "value": 2.0,
        "unit": "ms",
        "peer": "restic ls",
        "peer_value": 400.0,
        "ratio": 200.0,
        "hops": 4.0,
        "goal": "4 GETs",
        "p50": 2.0,
        "p99": 3.0,
        "detail": "",
    }


def test_the_table_has_a_column_of_hops() -> None:
    head, _, timed, sized = table(
        [Result("browse", 2.0, "ms", "4 GETs", baseline=GET), Result("idle_memory", 5.0, "MiB", "6 MiB")]
    ).splitlines()

    at = head.split(" | ").index("hops")
    assert (timed.split(" | ")[at], sized.split(" | ")[at]) == ("4 GETs", "-")


def test_some_are_chosen_by_names_with_commas_in_the_order_they_run() -> None:
    assert list(choose({"a": 1, "b": 2, "c": 3}, "c, a")) == ["a", "c"]
    assert list(choose({"a": 1, "b": 2}, None)) == ["a", "b"]


def test_a_name_that_is_not_there_is_told_with_those_that_are() -> None:
    with pytest.raises(ValueError, match="no benchmark z; there are a, b"):
        choose({"a": 1, "b": 2}, "a,z")
