"""Waiting for a restore point that can be browsed."""

import asyncio

import pytest
from contracts.errors import NotFound
from contracts.messages.restore_index import RestorePoint
from contracts.values import AppId, SnapshotId
from restore_index.domain.restore_points import Point
from restore_index.usecases import find_restore_points, indexing

from tests.unit.restore_index.memory_index import MemoryIndex
from tests.unit.restore_index.trees import ORG, Tree, a_point, created, directories, listed, new_store, wrapped

TREE = Tree({b"docs": {b"note.txt": 12}}, page_entries=100)
LONG = 3600.0


async def awaited(index: MemoryIndex, told: RestorePoint, store_id: str | None = None) -> asyncio.Task[Point]:
    """Somebody who waits, and has looked once."""
    wanted = AppId(store_id) if store_id else None
    task = asyncio.create_task(
        find_restore_points.wait_until_settled(
            index.store, ORG, SnapshotId(told.snapshot_id), store_id=wanted, seconds=LONG, look_again_seconds=LONG
        )
    )
    for _ in range(10):
        await asyncio.sleep(0)
    assert not task.done()
    return task


async def test_a_waiting_request_is_answered_as_soon_as_it_can_be_browsed(index: MemoryIndex) -> None:
    told = a_point(new_store(), TREE)
    first = await awaited(index, told)
    await indexing.record_created(index.store, wrapped(created(told)))
    second = await awaited(index, told)
    assert not first.done()

    for event in directories(told.store_id, TREE.pages):
        await indexing.index_directories(index.store, wrapped(event))
    await indexing.make_browsable(index.store, wrapped(listed(told)))

    assert [(await each).browsable for each in (first, second)] == [True, True]
    assert index.store.browsable_signals.waiting == 0


async def test_the_same_restore_point_in_another_store_is_not_taken_for_it(index: MemoryIndex) -> None:
    told = a_point(new_store(), TREE)
    other = told.model_copy(update={"store_id": AppId(new_store())})
    await index.hold(told, TREE)

    waiting = await awaited(index, other, other.store_id)
    await index.hold(other, TREE)

    assert (await waiting).restore_point.store_id == other.store_id


async def test_waiting_for_what_never_comes_ends_with_not_found(index: MemoryIndex) -> None:
    with pytest.raises(NotFound, match="snapshot_not_found"):
        await find_restore_points.wait_until_settled(index.store, ORG, SnapshotId("f" * 64), seconds=0.01)
