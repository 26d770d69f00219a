"""The memory store keeps the same promises as the real one."""

import pytest
from chassis.persistence.aggregates import MemoryAggregates

from tests.contracts.records_suite import Ground, RecordsSuite, Thing, keys_of


class TestMemoryRecords(RecordsSuite):
    """`RecordsSuite` in memory."""

    @pytest.fixture
    def ground(self) -> Ground:
        records = MemoryAggregates(Thing, keys_of)
        return Ground(records, lambda: list(records.published))
