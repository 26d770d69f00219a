"""Moments of repositories."""

import pytest
from connector.domain.moments import moment_at
from restic_reader import Snapshot


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ("2026-01-02T23:59:59.9999996Z", "2026-01-02T23:59:59.999999+00:00"),
        ("2026-01-02T23:59:59.999999999Z", "2026-01-02T23:59:59.999999+00:00"),
        ("1969-12-31T23:59:59.9999999Z", "1969-12-31T23:59:59.999999+00:00"),
        ("0001-01-01T00:00:00.0000001Z", "0001-01-01T00:00:00+00:00"),
        ("0000-01-01T00:00:00Z", "0001-01-01T00:00:00+00:00"),
        ("9999-12-31T23:59:59.5Z", "9999-12-31T23:59:59+00:00"),
    ],
)
def test_a_moment_is_cut_and_never_rounded_into_the_next_day(told: str, kept: str) -> None:
    assert moment_at(Snapshot(time=told, tree="0" * 64).time_ns).isoformat() == kept
