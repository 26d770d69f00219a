"""Restore points out of what snapshots say."""

import pytest
from connector.repository import Snapshot
from connector.usecases.restore_points import restore_point_of
from contracts.values import AppId

from tests.unit.connector_worker.parts import ORG


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ("0000-01-01T00:00:00Z", "0001-01-01T00:00:00+00:00"),
        ("2026-01-02T03:04:05.5+01:00", "2026-01-02T02:04:05.500000+00:00"),
        ("9999-12-31T23:59:59.999999999Z", "9999-12-31T23:59:59+00:00"),
    ],
)
def test_a_snapshot_may_say_that_it_is_of_any_year(told: str, kept: str) -> None:
    point = restore_point_of(Snapshot(time=told, tree="0" * 64, id="1" * 64), org=ORG, store_id=AppId("store"))
    assert point.time.isoformat() == kept
