"""Which restore points ids mean that people write."""

import pytest
from connector.domain.named_points import NamedPoints, NamedPointsNotFound, find_named, is_whole_id, require_named

FIRST, SECOND, THIRD = "aa" * 32, "ab" * 32, "c0" * 32
THERE = frozenset({FIRST, SECOND, THIRD})


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ([THIRD], NamedPoints(found=(THIRD,))),
        (["c"], NamedPoints(found=(THIRD,))),
        (["C0C0", "ab", THIRD], NamedPoints(found=(THIRD, SECOND))),
        (["a"], NamedPoints(ambiguous=("a",))),
        (["dd", THIRD, "a", "e" * 64], NamedPoints(found=(THIRD,), missing=("dd", "e" * 64), ambiguous=("a",))),
    ],
)
def test_first_digits_mean_the_one_that_begins_so(written: list[str], told: NamedPoints) -> None:
    assert find_named(written, THERE) == told


def test_all_that_are_not_there_are_told_at_once() -> None:
    missing = [f"{n}f" for n in range(1, 8)]
    with pytest.raises(NamedPointsNotFound) as raised:
        require_named([FIRST, *missing, "a"], THERE, store="mine")

    assert raised.value.code == "snapshot_not_found"
    assert raised.value.detail == (
        "The store 'mine' has no restore point 1f, 2f, 3f, 4f, 5f and 2 more "
        "and has several that begin with a: write out more."
    )


def test_only_64_digits_are_a_whole_id() -> None:
    assert is_whole_id(FIRST)
    assert not any(map(is_whole_id, (FIRST[:-1], FIRST.upper(), FIRST + "\n", "")))
