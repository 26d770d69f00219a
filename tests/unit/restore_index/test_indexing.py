"""Restore points and browsing over a store in memory."""

from datetime import timedelta

import pytest
from contracts.errors import CairnError, Conflict, NotFound
from contracts.messages.restore_index import Damage, RestorePoint, RestorePointBrowsable, RestorePointDamaged
from contracts.values import AppId, OrganizationId, SnapshotId
from restore_index.domain.entries import Below
from restore_index.domain.restore_points import choose_point
from restore_index.usecases import browse, find_restore_points, indexing

from tests.unit.restore_index.memory_index import MemoryIndex
from tests.unit.restore_index.trees import (
    NOON,
    ORG,
    Link,
    Tree,
    a_point,
    created,
    directories,
    listed,
    new_store,
    removed,
    wrapped,
)

OTHER = OrganizationId("other")
ODD = [b"line\nbreak", b"caf\xe9", b"quo\"te's", b"n" * 255, b"..hidden", b"a b+c%41", b"\\xff", b"\xff", b" "]
TREE = Tree(
    {
        b"docs": {b"empty": {}, b"note.txt": 12, b"link": Link(b"../etc/passwd")},
        b"odd": {name: {b"inside": index} for index, name in enumerate(ODD)},
        b"big": {f"{i:03}".encode(): i for i in range(250)},
        b"srv": {b"data": {b"deep": 1}},
        b"top.txt": 5,
    },
    page_entries=100,
)


async def test_a_restore_point_is_there_once_it_is_created_and_open_once_it_is_listed(index: MemoryIndex) -> None:
    told = a_point(new_store(), TREE)
    await indexing.record_created(index.store, wrapped(created(told)))
    first = await find_restore_points.get_point(index.store, ORG, told.snapshot_id)
    assert (first.browsable, first.totals) == (False, None)
    with pytest.raises(CairnError, match="restore_point_not_browsable"):
        await index.browse(told, b"/")
    await index.hold(told, TREE)
    opened = await find_restore_points.get_point(index.store, ORG, told.snapshot_id)
    assert (opened.browsable, opened.totals) == (True, TREE.totals)
    assert [type(e.data).__name__ for e in index.points.published] == ["RestorePointBrowsable"]
    [browsable] = [each.data for each in index.points.published if isinstance(each.data, RestorePointBrowsable)]
    assert browsable.source_id == told.source_id is not None


@pytest.mark.parametrize("first", ["news of a sync", "what the store tells"])
async def test_where_a_replica_was_copied_from_is_kept_whatever_the_store_tells_afterwards(
    index: MemoryIndex, first: str
) -> None:
    told = a_point(new_store(), TREE, original="0" * 64)
    copied = {"origin_store_id": AppId("origin"), "origin_snapshot_id": SnapshotId("1" * 64)}
    synced = told.model_copy(update=copied)
    for point in (synced, told) if first == "news of a sync" else (told, synced):
        await indexing.record_created(index.store, wrapped(created(point)))
    await index.hold(told, TREE)

    found = (await find_restore_points.get_point(index.store, ORG, told.snapshot_id)).restore_point

    assert (found.original, found.origin_store_id) == ("0" * 64, "origin")
    assert found.origin_snapshot_id == "1" * 64


async def test_a_sync_tells_of_what_can_be_browsed_already_where_it_comes_from(index: MemoryIndex) -> None:
    told = a_point(new_store(), TREE, original="0" * 64)
    await index.hold(told, TREE)
    synced = told.model_copy(update={"origin_store_id": AppId("origin"), "origin_snapshot_id": SnapshotId("1" * 64)})
    for point in (synced, told):
        await indexing.record_created(index.store, wrapped(created(point)))

    found = await find_restore_points.get_point(index.store, ORG, told.snapshot_id)

    assert (found.browsable, found.restore_point.origin_store_id) == (True, "origin")


async def test_a_listing_that_comes_before_the_news_is_enough(index: MemoryIndex) -> None:
    told = a_point(new_store(), TREE)
    for event in directories(told.store_id, TREE.pages):
        await indexing.index_directories(index.store, wrapped(event))
    await indexing.make_browsable(index.store, wrapped(listed(told)))
    await indexing.record_created(index.store, wrapped(created(told)))
    assert (await find_restore_points.get_point(index.store, ORG, told.snapshot_id)).browsable


async def test_a_restore_point_whose_directories_were_lost_is_not_opened(index: MemoryIndex) -> None:
    told = a_point(new_store(), TREE)
    with pytest.raises(Conflict, match="directories_missing"):
        await indexing.make_browsable(index.store, wrapped(listed(told)))
    with pytest.raises(NotFound, match="snapshot_not_found"):
        await find_restore_points.get_point(index.store, ORG, told.snapshot_id)


async def test_what_is_removed_stays_removed_whatever_arrives_late(index: MemoryIndex, point: RestorePoint) -> None:
    unheard = a_point(point.store_id, TREE)
    for told in (point, unheard):
        late_news, late_listing = wrapped(created(told)), wrapped(listed(told))
        await indexing.record_removed(index.store, wrapped(removed(told)))
        await indexing.record_removed(index.store, wrapped(removed(told)))
        await indexing.record_created(index.store, late_news)
        await indexing.make_browsable(index.store, late_listing)
        with pytest.raises(NotFound, match="snapshot_not_found"):
            await find_restore_points.get_point(index.store, ORG, told.snapshot_id)


@pytest.mark.parametrize("told", ["created", "listed", "damaged"])
async def test_what_was_seen_before_its_removal_stays_removed_though_it_is_told_later(
    index: MemoryIndex, point: RestorePoint, told: str
) -> None:
    removal = wrapped(removed(point))
    await indexing.record_removed(index.store, removal)
    seen, later = removal.time - timedelta(milliseconds=1), {"time": removal.time + timedelta(seconds=1)}

    if told == "created":
        news = created(point).model_copy(update={"seen_at": seen})
        await indexing.record_created(index.store, wrapped(news).model_copy(update=later))
    elif told == "listed":
        listing = listed(point).model_copy(update={"seen_at": seen})
        await indexing.make_browsable(index.store, wrapped(listing).model_copy(update=later))
    else:
        lost = Damage(code="repository_damaged", detail="Of a test.")
        damage = RestorePointDamaged(
            organization_id=ORG, store_id=point.store_id, snapshot_id=point.snapshot_id, damage=lost, seen_at=seen
        )
        await indexing.record_damaged(index.store, wrapped(damage).model_copy(update=later))

    assert await find_restore_points.list_points(index.store, ORG, None) == []


async def test_what_was_removed_comes_back_when_it_is_found_again(index: MemoryIndex, point: RestorePoint) -> None:
    await indexing.record_removed(index.store, wrapped(removed(point)))
    assert await find_restore_points.list_points(index.store, ORG, None) == []
    news = wrapped(created(point))
    await indexing.record_created(index.store, news.model_copy(update={"time": news.time + timedelta(seconds=1)}))
    assert not (await find_restore_points.get_point(index.store, ORG, point.snapshot_id)).browsable
    await index.hold(point, TREE)
    assert (await find_restore_points.get_point(index.store, ORG, point.snapshot_id)).browsable


async def test_what_is_sent_again_is_written_again_and_can_still_be_browsed(
    index: MemoryIndex, point: RestorePoint
) -> None:
    kept = index.documents.kept
    whole = dict(kept)
    for lost, name in enumerate(sorted(kept)):
        if lost % 2:
            del kept[name]
        else:
            kept[name] = kept[name] | {"entries": b"damaged"}
    for event in directories(point.store_id, TREE.pages, each=2):
        await indexing.index_directories(index.store, wrapped(event))
    assert kept != whole
    for event in directories(point.store_id, TREE.pages, each=2):
        await indexing.index_directories(index.store, wrapped(event.model_copy(update={"again": True})))
    assert kept == whole
    assert await index.names(point, b"/docs") == ["empty", "link", "note.txt"]


async def test_restore_points_are_listed_newest_first_by_store(index: MemoryIndex) -> None:
    store, other = new_store(), new_store()
    points = [a_point(store, TREE, age_minutes=age) for age in (5, 1, 9)]
    for told in (*points, a_point(other, TREE, age_minutes=3)):
        await indexing.record_created(index.store, wrapped(created(told)))
    of_store = [p.restore_point for p in await find_restore_points.list_points(index.store, ORG, store)]
    assert of_store == [points[1], points[0], points[2]]
    assert len(await find_restore_points.list_points(index.store, ORG, None)) == 4
    assert await find_restore_points.list_points(index.store, OTHER, store) == []
    assert await find_restore_points.list_points(index.store, ORG, AppId("odd")) == []


async def test_restore_points_of_a_source_are_found_in_all_stores(index: MemoryIndex) -> None:
    source = AppId("source")
    points = [a_point(new_store(), TREE, source_id=source) for _ in range(2)]
    for told in (*points, a_point(new_store(), TREE, source_id=None), a_point(new_store(), TREE, source_id="another")):
        await indexing.record_created(index.store, wrapped(created(told)))
    found = await index.store.points_from(ORG, source)
    assert {p.restore_point.snapshot_id for p in found} == {p.snapshot_id for p in points}
    assert await index.store.points_from(OTHER, source) == []
    assert await index.store.points_from(ORG, AppId("")) == []
    assert len(await find_restore_points.list_from(index.store, ORG, source, limit=1)) == 1


async def test_the_newest_restore_points_of_several_sources_are_found_together(index: MemoryIndex) -> None:
    sources, store = [AppId("nas"), AppId("mail")], new_store()
    points = [a_point(store, TREE, source_id=sources[hour % 2], time=NOON + timedelta(hours=hour)) for hour in range(7)]
    for told in (*points, a_point(new_store(), TREE, source_id="another", time=NOON + timedelta(days=1))):
        await indexing.record_created(index.store, wrapped(created(told)))

    async def latest(*source_ids: AppId, limit: int = 5) -> list[str]:
        found = await find_restore_points.list_latest(index.store, ORG, source_ids, limit=limit)
        return [point.restore_point.snapshot_id for point in found]

    newest_first = [point.snapshot_id for point in reversed(points)]
    assert await latest(*sources) == newest_first[:5]
    assert await latest(*sources, sources[0], AppId(""), limit=50) == newest_first
    assert await latest(sources[1], limit=2) == [points[5].snapshot_id, points[3].snapshot_id]
    assert await latest() == []


async def test_two_stores_may_hold_the_same_restore_point(index: MemoryIndex, point: RestorePoint) -> None:
    counterpart = point.model_copy(update={"store_id": new_store()})
    await indexing.record_created(index.store, wrapped(created(counterpart)))
    found = await find_restore_points.get_point(index.store, ORG, point.snapshot_id)
    assert (found.restore_point.store_id, found.browsable) == (point.store_id, True)


async def test_the_newest_store_is_the_likeliest_to_be_there_still(index: MemoryIndex) -> None:
    old, new, unlisted = new_store(), new_store(), new_store()
    told = a_point(old, TREE)
    for store in (old, new):
        await index.hold(told.model_copy(update={"store_id": store}), TREE)
    unlisted_twin = told.model_copy(update={"store_id": unlisted})
    await indexing.record_created(index.store, wrapped(created(unlisted_twin)))
    same = await find_restore_points.list_same(index.store, ORG, told.snapshot_id)
    assert [p.restore_point.store_id for p in same] == [new, old, unlisted]
    assert (await find_restore_points.get_point(index.store, ORG, told.snapshot_id)) == same[0]
    assert await find_restore_points.list_same(index.store, OTHER, told.snapshot_id) == []


async def test_another_organization_finds_nothing(index: MemoryIndex, point: RestorePoint) -> None:
    with pytest.raises(NotFound, match="snapshot_not_found"):
        await find_restore_points.get_point(index.store, OTHER, point.snapshot_id)
    with pytest.raises(NotFound, match="snapshot_not_found"):
        await browse.list_files(index.store, OTHER, point.snapshot_id, path=b"/", limit=1, cursor=None)


@pytest.mark.parametrize("path", [b"/", b"/srv/data"])
async def test_the_root_is_the_root_of_the_source(index: MemoryIndex, point: RestorePoint, path: bytes) -> None:
    wanted = ["big", "docs", "odd", "srv", "top.txt"] if path == b"/" else ["deep"]
    assert await index.names(point, path) == wanted


async def test_a_path_may_begin_with_the_place_on_the_source(index: MemoryIndex, point: RestorePoint) -> None:
    assert await index.names(point, b"/srv/data/docs") == ["empty", "link", "note.txt"]
    assert (await index.browse(point, b"/srv/data/docs/", limit=1)).path == "/docs"


async def test_an_empty_directory_has_no_entries(index: MemoryIndex, point: RestorePoint) -> None:
    empty = await index.browse(point, b"/docs/empty")
    assert (empty.total, empty.totals, empty.items, empty.next_cursor) == (0, Below(0, 0, 0), [], None)


async def test_odd_names_are_shown_and_found_again(index: MemoryIndex, point: RestorePoint) -> None:
    items = (await index.browse(point, b"/odd")).items
    assert [item["name"] for item in items] == [name.decode("utf-8", "backslashreplace") for name in sorted(ODD)]
    for item in items:
        if item["name"] != "\\xff":
            assert await index.names(point, item["path"].encode()) == ["inside"]
    for number, name in enumerate(ODD):
        assert (await index.browse(point, b"/odd/" + name)).items[0]["size"] == number


@pytest.mark.parametrize(
    ("path", "code"),
    [
        (b"/nothing", "path_not_found"),
        (b"/docs/nothing/more", "path_not_found"),
        (b"/top.txt/x", "path_not_found"),
        (b"/docs/link/x", "path_not_found"),
        (b"/big/9999", "path_not_found"),
        (b"/srv/data/nothing", "path_not_found"),
        (b"/top.txt", "not_a_directory"),
        (b"/docs/link", "not_a_directory"),
        (b"/big/249", "not_a_directory"),
        (b"/docs/../docs", "path_invalid"),
        (b"docs", "path_invalid"),
        (b"", "path_invalid"),
    ],
)
async def test_a_path_that_leads_to_no_directory_is_refused(
    index: MemoryIndex, point: RestorePoint, path: bytes, code: str
) -> None:
    with pytest.raises(CairnError, match=code):
        await index.browse(point, path)


async def test_an_unknown_restore_point_is_not_found(index: MemoryIndex) -> None:
    with pytest.raises(NotFound, match="snapshot_not_found"):
        await find_restore_points.get_point(index.store, ORG, SnapshotId("nope"))


@pytest.mark.parametrize(
    ("given", "hint"), [("1bc52fda", " The whole id is needed."), ("1b" * 32, ""), ("1b" * 99, "")]
)
def test_an_id_that_was_cut_short_gets_a_hint(given: str, hint: str) -> None:
    with pytest.raises(NotFound) as caught:
        choose_point([], SnapshotId(given))
    assert caught.value.detail == f"There is no restore point {given[:64]!r}.{hint}"
