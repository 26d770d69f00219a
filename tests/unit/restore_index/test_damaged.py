"""A restore point that could not be listed says so, whatever is asked of it, until it can be."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from contracts.errors import CairnError, Conflict
from contracts.messages.restore_index import NOT_INDEXABLE, Damage, RestorePoint, RestorePointDamaged
from contracts.values import AppId, SnapshotId
from restore_index.api.answers import show_point
from restore_index.domain.search.conditions import read_conditions
from restore_index.store import point_id
from restore_index.usecases import indexing
from restore_index.usecases.browse import show_entry
from restore_index.usecases.compare import Comparisons
from restore_index.usecases.file_versions import list_versions
from restore_index.usecases.find_restore_points import get_point
from restore_index.usecases.search import Question, search_point, search_points

from tests.unit.restore_index.memory_index import MemoryIndex
from tests.unit.restore_index.trees import ORG, Tree, a_point, created, new_store, removed, wrapped

TREE = Tree({b"a": {b"x": 1}})
LOST = Damage(code="repository_damaged", detail="The pack 12 is damaged: the file is missing.")
FROZEN = Damage(code="thaw_required", detail="The pack 12 lies in an archive of the store.")
QUESTION = Question(read_conditions(q=b"x"), b"/", 10, None)


def damaged(point: RestorePoint, damage: Damage = LOST, *, told: bool = True) -> RestorePointDamaged:
    return RestorePointDamaged(
        organization_id=ORG,
        store_id=point.store_id,
        snapshot_id=point.snapshot_id,
        restore_point=point if told else None,
        damage=damage,
    )


async def hurt(index: MemoryIndex, point: RestorePoint, damage: Damage = LOST, *, told: bool = True) -> None:
    await indexing.record_damaged(index.store, wrapped(damaged(point, damage, told=told)))


Ask = Callable[[MemoryIndex, SnapshotId], Awaitable[object]]
ASKED: dict[str, Ask] = {
    "files": lambda index, point: index.browse(a_point(AppId("any"), TREE, snapshot_id=point), b"/"),
    "entry": lambda index, point: show_entry(index.store, ORG, point, path=b"/a"),
    "search": lambda index, point: search_point(index.store, ORG, point, QUESTION),
    "diff": lambda index, point: Comparisons(index.store).compare(ORG, (point, point), path=b"/"),
    "versions": lambda index, _: list_versions(index.store, ORG, AppId("source"), path=b"/a", limit=10, cursor=None),
}


@pytest.mark.parametrize("asked", ASKED)
@pytest.mark.parametrize(("damage", "code"), [(LOST, "restore_point_damaged"), (FROZEN, "thaw_required")])
@pytest.mark.parametrize("before", ["unknown", "noted", "browsable"])
async def test_every_request_is_answered_with_what_is_wrong(
    index: MemoryIndex, asked: str, damage: Damage, code: str, before: str
) -> None:
    point = a_point(new_store(), TREE)
    if before == "noted":
        await indexing.record_created(index.store, wrapped(created(point)))
    if before == "browsable":
        await index.hold(point, TREE)
    await hurt(index, point, damage)

    with pytest.raises(Conflict, match=code) as raised:
        await ASKED[asked](index, point.snapshot_id)

    assert damage.detail in raised.value.detail


async def test_one_that_was_taken_in_only_late_stays_browsable(index: MemoryIndex) -> None:
    slow, refused = [a_point(new_store(), TREE) for _ in range(2)]
    why = Damage(code=NOT_INDEXABLE, detail="It was told twice.")
    await index.hold(slow, TREE)
    for point in (slow, refused):
        await hurt(index, point, why)

    assert await index.names(slow, b"/") == ["a"]
    with pytest.raises(Conflict, match="not_indexable"):
        await index.browse(refused, b"/")
    await index.hold(refused, TREE)
    assert await index.names(refused, b"/") == ["a"]


async def test_it_can_be_browsed_again_once_it_is_listed(index: MemoryIndex) -> None:
    point = a_point(new_store(), TREE)
    await hurt(index, point)

    await index.hold(point, TREE)

    assert await index.names(point, b"/") == ["a"]
    shown = show_point(await get_point(index.store, ORG, point.snapshot_id)).model_dump(mode="json")
    assert (shown["browsable"], shown["damage"]) == (True, None)


async def test_of_one_that_cannot_be_read_at_all_the_rest_is_not_made_up(index: MemoryIndex) -> None:
    point = a_point(new_store(), TREE)
    for _ in range(2):
        await hurt(index, point, told=False)

    shown = show_point(await get_point(index.store, ORG, point.snapshot_id)).model_dump(mode="json")
    assert (shown["snapshot_id"], shown["store_id"]) == (point.snapshot_id, point.store_id)
    assert (shown["tree_id"], shown["hostname"], shown["paths"], shown["files"]) == ("", "", [], None)
    assert (shown["browsable"], shown["damage"]) == (False, LOST.model_dump())


async def test_what_was_known_of_it_stays_known(index: MemoryIndex) -> None:
    point = a_point(new_store(), TREE)
    await index.hold(point, TREE)
    await hurt(index, point, told=False)

    shown = show_point(await get_point(index.store, ORG, point.snapshot_id)).model_dump(mode="json")
    assert shown["time"] == "2026-11-23T12:00:00.000Z"
    assert shown["totals"] == TREE.totals.model_dump()


async def test_news_that_come_late_or_again_change_nothing(index: MemoryIndex) -> None:
    point = a_point(new_store(), TREE)
    late = wrapped(damaged(point))
    gone = wrapped(removed(point))
    await indexing.record_removed(index.store, gone.model_copy(update={"time": late.time + timedelta(seconds=1)}))
    await indexing.record_damaged(index.store, late)
    record = await index.points.load(ORG, point_id(point.store_id, point.snapshot_id))
    assert record.value is not None
    assert record.value.gone_at is not None

    other = a_point(new_store(), TREE)
    await hurt(index, other)
    revision = (await index.points.load(ORG, point_id(other.store_id, other.snapshot_id))).revision
    await hurt(index, other)
    await indexing.record_created(index.store, wrapped(created(other)))
    assert (await index.points.load(ORG, point_id(other.store_id, other.snapshot_id))).revision == revision


async def test_answers_about_many_name_what_they_could_not_take_in(index: MemoryIndex) -> None:
    store_id = new_store()
    good, bad, awaited = [a_point(store_id, TREE, age_minutes=age) for age in (2, 1, 0)]
    await index.hold(good, TREE)
    await hurt(index, bad)
    await indexing.record_created(index.store, wrapped(created(awaited)))

    hits = await search_points(index.store, ORG, QUESTION, store_id=store_id, source_id=None)
    versions = await list_versions(index.store, ORG, AppId("source"), path=b"/a/x", limit=10, cursor=None)

    assert [item["path"] for item in hits.items] == ["/a/x"]
    for answer in (hits, versions):
        assert answer.left_out_total == 2
        assert [(each["snapshot_id"], each["code"]) for each in answer.left_out] == [
            (awaited.snapshot_id, "restore_point_not_browsable"),
            (bad.snapshot_id, "restore_point_damaged"),
        ]
        assert LOST.detail in answer.left_out[1]["detail"]


async def test_one_that_may_be_browsable_soon_is_rather_meant_than_a_damaged_one(index: MemoryIndex) -> None:
    damaged_here = a_point(AppId("z"), TREE)
    awaited_there = a_point(AppId("a"), TREE, snapshot_id=damaged_here.snapshot_id)
    await hurt(index, damaged_here)
    await indexing.record_created(index.store, wrapped(created(awaited_there)))

    with pytest.raises(CairnError, match="restore_point_not_browsable"):
        await index.browse(damaged_here, b"/")


async def test_nothing_waits_for_it_when_directories_are_swept(index: MemoryIndex) -> None:
    store_id = new_store()
    await hurt(index, a_point(store_id, TREE), told=False)
    assert await index.store.points_awaiting_listing(ORG, store_id) == []
