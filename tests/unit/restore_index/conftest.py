"""A restore index in memory, and in it a restore point of the `TREE` that a module of tests has."""

import pytest
from contracts.messages.restore_index import RestorePoint

from tests.unit.restore_index.memory_index import MemoryIndex
from tests.unit.restore_index.trees import a_point, new_store


@pytest.fixture
async def index() -> MemoryIndex:
    return MemoryIndex()


@pytest.fixture
async def point(index: MemoryIndex, request: pytest.FixtureRequest) -> RestorePoint:
    told = a_point(new_store(), request.module.TREE)
    await index.hold(told, request.module.TREE)
    return told
