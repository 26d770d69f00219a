"""Waiting for a restore point that can be browsed."""

import asyncio

import pytest
from contracts.errors import NotFound
from contracts.messages.restore_index import RestorePoint
from contracts.values import AppId, SnapshotId
from restore_index.domain.points import Point
from restore_index.usecases import finding, keeping

from tests.unit.restore_index.builder import ORG, Tree, a_point, created, directories, listed, new_store, wrapped
from tests.unit.restore_index.world import World

TREE = Tree({b"docs": {b"note.txt": 12}}, page_entries=100)
LONG = 3600.0


@pytest.fixture(autouse=True)
def never_looking_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finding, "LOOK_AGAIN_SECONDS", LONG)


async def awaited(world: World, told: RestorePoint, store_id: str | None = None) -> asyncio.Task[Point]:
    """Somebody who waits, and has looked once."""
    wanted = AppId(store_id) if store_id else None
    task = asyncio.create_task(
        finding.await_settled(world.store, ORG, SnapshotId(told.snapshot_id), store_id=wanted, seconds=LONG)
    )
    for _ in range(10):
        await asyncio.sleep(0)
    assert not task.done()
    return task


async def test_who_waits_is_told_at_once_when_it_is_opened(world: World) -> None:
    told = a_point(new_store(), TREE)
    first = await awaited(world, told)
    await keeping.note_created(world.store, wrapped(created(told)))
    second = await awaited(world, told)
    assert not first.done()

    for event in directories(told.store_id, TREE.pages):
        await keeping.keep_directories(world.store, wrapped(event))
    await keeping.open_restore_point(world.store, wrapped(listed(told)))

    assert [(await each).browsable for each in (first, second)] == [True, True]
    assert world.store.openings._awaited == {}


async def test_the_same_restore_point_in_another_store_is_not_taken_for_it(world: World) -> None:
    told = a_point(new_store(), TREE)
    other = told.model_copy(update={"store_id": AppId(new_store())})
    await world.hold(told, TREE)

    waiting = await awaited(world, other, other.store_id)
    await world.hold(other, TREE)

    assert (await waiting).restore_point.store_id == other.store_id


async def test_who_waits_for_what_never_comes_hears_so(world: World) -> None:
    with pytest.raises(NotFound, match="snapshot_not_found"):
        await finding.await_settled(world.store, ORG, SnapshotId("f" * 64), seconds=0.01)
