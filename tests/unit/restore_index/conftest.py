"""A restore index in memory, and in it a restore point of the `TREE` that a module of tests has."""

import pytest
from contracts.messages.restore_index import RestorePoint

from tests.unit.restore_index.builder import a_point, new_store
from tests.unit.restore_index.world import World


@pytest.fixture
async def world() -> World:
    return World()


@pytest.fixture
async def point(world: World, request: pytest.FixtureRequest) -> RestorePoint:
    told = a_point(new_store(), request.module.TREE)
    await world.hold(told, request.module.TREE)
    return told
