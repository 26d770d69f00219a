"""The memory store keeps the same promises as the real one."""

import pytest
from chassis.records import MemoryRecords

from tests.contracts.records_suite import Ground, RecordsSuite, Thing, keys_of


class TestMemoryRecords(RecordsSuite):
    """`RecordsSuite` in memory."""

    @pytest.fixture
    def ground(self) -> Ground:
        records = MemoryRecords(Thing, keys_of)
        return Ground(records, lambda: list(records.published))
