"""The memory store keeps the same promises as the real one."""

import pytest
from chassis.persistence.memory_aggregates import MemoryAggregates

from tests.contracts.aggregates_suite import AggregatesSuite, Ground, Thing, keys_of


class TestMemoryAggregates(AggregatesSuite):
    """`AggregatesSuite` in memory."""

    @pytest.fixture
    def ground(self) -> Ground:
        aggregates = MemoryAggregates(Thing, keys_of)
        return Ground(aggregates, lambda: list(aggregates.published))
