"""Searching in restore points over a store in memory, held against a slow and plain reading of what a search means."""

import dataclasses
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from chassis.persistence.mongo import Document
from contracts.errors import CairnError, Conflict, Invalid, NotFound
from contracts.messages.restore_index import RestorePoint
from contracts.values import AppId, OrganizationId
from hypothesis import given
from hypothesis import strategies as st
from restore_index.domain.hash_table import HashTable
from restore_index.domain.name_segments import pack_segment, select_pages
from restore_index.domain.paths import show_path
from restore_index.domain.search.conditions import read_conditions
from restore_index.domain.search.results import POINTS_SHOWN, read_cursor, write_cursor
from restore_index.store import MemoryDocuments, NameSegments
from restore_index.usecases import indexing
from restore_index.usecases.search import Question, search_point, search_points

from tests.support.random_cases import random_cases
from tests.unit.restore_index.memory_index import MemoryIndex
from tests.unit.restore_index.naive_search import entries, matches, size_of, type_of
from tests.unit.restore_index.trees import (
    MTIME_NS,
    ORG,
    File,
    Link,
    Node,
    Tree,
    a_point,
    created,
    listed,
    new_store,
    page,
    removed,
    wrapped,
)

Json = dict[str, Any]
TIMES = [MTIME_NS, MTIME_NS - 10**9, MTIME_NS + 5 * 10**9]
NAMES = st.sampled_from([b"a", b"B", b"ab.txt", b"A.TXT", b"c\xff", "É.txt".encode(), b"bab", b"x.jpg", b".", b"a\nb"])
FILES = st.builds(File, st.integers(0, 3), mtime_ns=st.sampled_from(TIMES)) | st.just(Link(b"a"))
TREES = st.dictionaries(
    NAMES, st.recursive(FILES, lambda inner: st.dictionaries(NAMES, inner, max_size=4), max_leaves=12), max_size=6
)
MOMENTS = st.sampled_from([datetime.fromtimestamp(ns // 10**9, UTC) for ns in TIMES])
ASKED = st.fixed_dictionaries(
    {},
    optional={
        "q": st.sampled_from([b"a", b"b", b".TXT", b"\xff", b"\\xFF", b"e\xcc\x81", b"zz", b"\n"]),
        "glob": st.sampled_from([b"*.txt", b"a*", b"[!a]*", b"?", b"**/a/**", b"a/*", b"**/b*", b"*/**/*.txt", b"a"]),
        "ext": st.lists(st.sampled_from([b"txt", b".JPG", b"none"]), min_size=1, max_size=2),
        "types": st.lists(st.sampled_from(["file", "dir", "symlink"]), min_size=1, max_size=2),
        "min_size": st.integers(0, 4),
        "max_size": st.integers(0, 4),
        "modified_after": MOMENTS,
        "modified_before": MOMENTS,
    },
).filter(bool)


async def found(
    index: MemoryIndex, point: RestorePoint, *, path: bytes = b"/", limit: int = 1000, **asked: Any
) -> list[Json]:
    """All pages of an answer."""
    return await _all(lambda q: search_point(index.store, ORG, point.snapshot_id, q), path, limit, asked)


async def everywhere(
    index: MemoryIndex, *, path: bytes = b"/", limit: int = 1000, store_id: AppId | None = None,
    source_id: AppId | None = None, org: OrganizationId = ORG, **asked: Any,
) -> list[Json]:  # fmt: skip
    """All pages of an answer across restore points."""
    return await _all(
        lambda q: search_points(index.store, org, q, store_id=store_id, source_id=source_id), path, limit, asked
    )


async def _all(search: Any, path: bytes, limit: int, asked: Json) -> list[Json]:
    items: list[Json] = []
    cursor: str | None = ""
    while cursor is not None:
        hits = await search(Question(read_conditions(**asked), path, limit, cursor))
        assert len(hits.items) <= limit
        assert len(hits.items) == limit or hits.next_cursor is None
        items, cursor = items + hits.items, hits.next_cursor
    return items


def paths(items: list[Json]) -> list[str]:
    return [item["path"] for item in items]


def expected(tree: Mapping[bytes, Node], asked: Json) -> list[tuple[str, str, int]]:
    return [
        (show_path(path), type_of(node), size_of(node)) for path, node in entries(tree) if matches(path, node, asked)
    ]


@random_cases(25)
@given(TREES, ASKED, st.integers(1, 4), st.integers(1, 5))
async def test_what_is_found_is_what_looking_at_every_entry_finds(
    root: Mapping[bytes, Node], asked: Json, page_entries: int, limit: int
) -> None:
    index, tree = MemoryIndex(), Tree(root, page_entries=page_entries)
    point = a_point(new_store(), tree)
    await index.hold(point, tree)
    for size in (1000, limit):
        items = await found(index, point, limit=size, **asked)
        assert [(i["path"], i["type"], i["size"]) for i in items] == expected(root, asked)


@random_cases(12)
@given(
    st.lists(TREES, min_size=1, max_size=4),
    ASKED,
    st.integers(1, 4),
    st.lists(st.integers(0, 1), min_size=4, max_size=4),
)
async def test_across_restore_points_each_path_is_found_once_with_those_that_have_it(
    roots: list[Mapping[bytes, Node]], asked: Json, limit: int, where: list[int]
) -> None:
    index, stores, source = MemoryIndex(), [new_store(), new_store()], new_store()
    points = []
    for age, root in enumerate([*roots, roots[0]]):
        tree = Tree(root, page_entries=2)
        points.append((a_point(stores[where[age % 4]], tree, age_minutes=age, source_id=source), root))
        await index.hold(points[-1][0], tree)
    having: dict[tuple[bytes, ...], list[tuple[str, Node]]] = {}
    for point, root in points:
        for path, node in entries(root):
            if matches(path, node, asked):
                having.setdefault(path, []).append((point.snapshot_id, node))
    for size in (1000, limit):
        items = await everywhere(index, source_id=source, limit=size, **asked)
        assert [
            (i["path"], i["size"], [p["snapshot_id"] for p in i["restore_points"]], i["restore_points_total"])
            for i in items
        ] == [
            (show_path(path), size_of(several[0][1]), [s for s, _ in several], len(several))
            for path, several in sorted(having.items())
        ]


async def test_an_entry_is_shown_as_its_directory_shows_it() -> None:
    index = MemoryIndex()
    tree = Tree({b"docs": {b"A.txt": 12, b"link": Link(b"../\xff"), b"l2": Link(b"second"), b"d": {b"in": 3}}})
    point = a_point(new_store(), tree)
    await index.hold(point, tree)
    browsed = (await index.browse(point, b"/docs")).items
    assert await found(index, point, glob=b"docs/*") == browsed


async def test_only_what_is_below_a_path_is_found() -> None:
    index = MemoryIndex()
    tree = Tree({b"a": {b"x": 1, b"b\xff": {b"x": 2}}, b"x": 3, b"e": {}})
    point = a_point(new_store(), tree, paths=("/srv/data",))
    await index.hold(point, tree)
    for path, asked, meant in [
        (b"/", {"q": b"x"}, ["/a/b\\xff", "/a/b\\xff/x", "/a/x", "/x"]),
        (b"/a", {"q": b"x"}, ["/a/b\\xff", "/a/b\\xff/x", "/a/x"]),
        (b"/a/", {"glob": b"a/*"}, ["/a/b\\xff", "/a/x"]),
        (b"/a", {"glob": b"x"}, ["/a/b\\xff/x", "/a/x"]),
        (b"/a", {"glob": b"/x"}, []),
        (b"/a/b\\xff", {"q": b"x"}, ["/a/b\\xff/x"]),
        (b"/srv/data/a/b\xff", {"q": b"x"}, ["/a/b\\xff/x"]),
        (b"/e", {"q": b"x"}, []),
    ]:
        assert paths(await found(index, point, path=path, limit=1, **asked)) == meant
        assert paths(await everywhere(index, path=path, limit=1, **asked)) == meant
    for path, error in [(b"/no", NotFound), (b"/x", Invalid), (b"a", Invalid), (b"/a/..", Invalid), (b"/\0", Invalid)]:
        with pytest.raises(error):
            await found(index, point, path=path, q=b"x")
        with pytest.raises(error):
            await everywhere(index, path=path, q=b"x")


async def test_a_path_need_not_be_in_all_restore_points() -> None:
    index, store = MemoryIndex(), new_store()
    for age, root in enumerate([{b"a": {b"x": 1}}, {b"b": {b"x": 2}}, {b"a": 5}]):
        tree = Tree(root)
        await index.hold(a_point(store, tree, age_minutes=age), tree)
    [item] = await everywhere(index, path=b"/a", q=b"x")
    assert (item["path"], item["restore_points_total"]) == ("/a/x", 1)


async def test_of_many_restore_points_the_newest_are_shown_and_all_are_counted() -> None:
    index, store, tree = MemoryIndex(), new_store(), Tree({b"a": 1})
    points = [a_point(store, tree, age_minutes=age) for age in range(POINTS_SHOWN + 5)]
    for point in reversed(points):
        await index.hold(point, tree)
    [item] = await everywhere(index, store_id=store, q=b"A")
    assert [p["snapshot_id"] for p in item["restore_points"]] == [p.snapshot_id for p in points[:POINTS_SHOWN]]
    assert item["restore_points_total"] == len(points)
    assert item["restore_points"][0] == {
        "snapshot_id": points[0].snapshot_id,
        "creation_time": "2026-11-23T12:00:00.000Z",
        "store_id": store,
        "source_id": "source",
    }


async def test_where_is_searched_is_chosen_by_source_and_store() -> None:
    index, stores, sources = MemoryIndex(), [new_store(), new_store()], [new_store(), new_store()]
    for n, store in enumerate(stores):
        for m, source in enumerate(sources):
            tree = Tree({f"x{n}{m}".encode(): 1})
            await index.hold(a_point(store, tree, source_id=source), tree)
    assert paths(await everywhere(index, q=b"x")) == ["/x00", "/x01", "/x10", "/x11"]
    assert paths(await everywhere(index, q=b"x", store_id=stores[1])) == ["/x10", "/x11"]
    assert paths(await everywhere(index, q=b"x", source_id=sources[1])) == ["/x01", "/x11"]
    assert paths(await everywhere(index, q=b"x", source_id=sources[1], store_id=stores[0])) == ["/x01"]
    assert await everywhere(index, q=b"x", source_id=AppId("nobody")) == []
    assert await everywhere(index, q=b"x", org=OrganizationId("other")) == []


async def test_what_two_stores_share_is_found_once_and_what_is_not_browsable_or_removed_not_at_all() -> None:
    index, tree = MemoryIndex(), Tree({b"x": 1})
    point = a_point(new_store(), tree)
    counterpart = point.model_copy(update={"store_id": new_store()})
    gone = a_point(point.store_id, tree)
    for told in (point, counterpart, gone):
        await index.hold(told, tree)
    await indexing.record_removed(index.store, wrapped(removed(gone)))
    await indexing.record_created(index.store, wrapped(created(a_point(point.store_id, tree))))
    [item] = await everywhere(index, q=b"x")
    assert [p["store_id"] for p in item["restore_points"]] == [counterpart.store_id]
    with pytest.raises(NotFound, match="snapshot_not_found"):
        await found(index, gone, q=b"x")
    unlisted = a_point(point.store_id, tree)
    await indexing.record_created(index.store, wrapped(created(unlisted)))
    with pytest.raises(CairnError, match="restore_point_not_browsable"):
        await found(index, unlisted, q=b"x")


@pytest.mark.parametrize("levels", [200, pytest.param(1500, marks=pytest.mark.long)])
async def test_a_deep_tree_is_searched_page_by_page(levels: int) -> None:
    index, store, pages = MemoryIndex(), new_store(), list(Tree({b"x": 1}).pages)
    for level in range(levels):
        below = bytes.fromhex(pages[-1].tree_id)
        rows = [[b"d", "dir", level, 0, 0, below, None], [b"x", "file", 2, 0, 0, None, None]]
        pages.append(page(f"{level:064x}", rows))
    point = a_point(store, pages[-1].tree_id)
    await index.store.directories.add(ORG, store, pages)
    await indexing.make_browsable(index.store, wrapped(listed(point)))
    assert len(await found(index, point, q=b"x", limit=60)) == levels + 1
    assert len(await found(index, point, glob=b"**/x", limit=150)) == levels + 1
    assert len(await found(index, point, min_size=2, types=["file"])) == levels


async def test_a_directory_of_many_pages_is_searched_page_by_page() -> None:
    index = MemoryIndex()
    tree = Tree({f"{n:04}".encode(): n for n in range(2000)}, page_entries=7)
    point = a_point(new_store(), tree)
    await index.hold(point, tree)
    assert [i["size"] for i in await found(index, point, q=b"5", limit=13)] == [n for n in range(2000) if "5" in str(n)]
    assert paths(await found(index, point, min_size=1234, max_size=1236, limit=1)) == ["/1234", "/1235", "/1236"]


async def test_a_cursor_belongs_to_one_question() -> None:
    index = MemoryIndex()
    tree = Tree({b"a": 1, b"aa": 2, b"aaa": {b"a": 3}})
    point = a_point(new_store(), tree)
    await index.hold(point, tree)

    async def page(cursor: str, *, path: bytes = b"/", q: bytes = b"a") -> list[str]:
        question = Question(read_conditions(q=q), path, 1, cursor)
        return paths((await search_point(index.store, ORG, point.snapshot_id, question)).items)

    question = Question(read_conditions(q=b"a"), b"/", 1, None)
    cursor = (await search_point(index.store, ORG, point.snapshot_id, question)).next_cursor or ""
    assert await page(cursor) == await page(cursor, q=b"A") == ["/aa"]
    other = (await search_points(index.store, ORG, question, store_id=None, source_id=None)).next_cursor or ""
    for bad, changed in [
        (cursor, {"q": b"aa"}), (cursor, {"path": b"/aaa"}), (other, {}), ("rubbish", {}), ("é", {}), (cursor[:-3], {}),
        ("A" * 20_000, {}), (write_cursor(b"12345678", [b"a"]), {}),
    ]:  # fmt: skip
        with pytest.raises(Invalid, match="cursor_invalid"):
            await page(bad, **changed)
    with pytest.raises(Invalid, match="cursor_invalid"):
        read_cursor(b"12345678", write_cursor(b"12345678", [b"a" * (2 << 20)]))


async def test_what_comes_while_an_answer_is_read_is_there_in_what_follows() -> None:
    index, store = MemoryIndex(), new_store()
    old, new = Tree({b"a": 1, b"b": 1}), Tree({b"a": 1, b"a2": 1, b"b": 1, b"c": 1})
    await index.hold(a_point(store, old, age_minutes=5), old)
    question = Question(read_conditions(types=["file"]), b"/", 1, None)
    first = await search_points(index.store, ORG, question, store_id=store, source_id=None)
    await index.hold(a_point(store, new), new)
    later = dataclasses.replace(question, limit=10, cursor=first.next_cursor)
    rest = await search_points(index.store, ORG, later, store_id=store, source_id=None)
    assert paths(rest.items) == ["/a2", "/b", "/c"]
    assert [item["restore_points_total"] for item in rest.items] == [1, 2, 1]


@pytest.mark.parametrize("harm", ["lost", "frame", "names", "columns"])
async def test_while_names_are_missing_nothing_partial_is_answered_and_a_rebuilt_index_finds_all(harm: str) -> None:
    tree = Tree({b"a": {b"x": 1}, b"b": {b"x": 2}, b"c": {b"x": 3}})
    for number in range(2):
        index, store = MemoryIndex(), new_store()
        point = a_point(store, tree)
        await index.hold(point, tree)
        if harm == "lost":
            del index.segments.kept[f"{store}/{number}"]
        else:
            index.segments.kept[f"{store}/{number}"][harm] = b"rubbish"
        index.restart()
        for q in (b"x", b"y"):
            with pytest.raises(Conflict, match="names_missing"):
                await found(index, point, q=q)
        await index.store.directories.add(ORG, store, tree.pages, again=True)
        assert paths(await found(index, point, q=b"x")) == ["/a/x", "/b/x", "/c/x"]


async def test_names_that_are_damaged_while_they_are_needed_are_reported() -> None:
    index, store = MemoryIndex(packed_bytes=0), new_store()
    tree = Tree({b"x": 1})
    point = a_point(store, tree)
    await index.hold(point, tree)
    assert paths(await found(index, point, q=b"x")) == ["/x"]
    index.segments.kept[f"{store}/0"]["names"] = b"rubbish"
    with pytest.raises(Conflict, match="names_missing"):
        await found(index, point, q=b"X ")


async def test_a_segment_that_was_replaced_meanwhile_is_read_again() -> None:
    index, store = MemoryIndex(packed_bytes=0), new_store()
    old, tree = Tree({b"x": {b"old": 1}}), Tree({b"y": {b"new": 1}})
    for age, each in ((5, old), (0, tree)):
        await index.hold(a_point(store, each, age_minutes=age), each)
    point = a_point(store, tree)
    await index.hold(point, tree)
    assert paths(await found(index, point, q=b"new")) == ["/y/new"]
    for number in range(2):
        segment = await index.store.names.get(ORG, store, number)
        assert segment is not None
        if number == 0:
            smaller = select_pages(segment, [False] * 2)
            index.segments.kept[f"{store}/0"] |= dataclasses.asdict(smaller)
    assert paths(await found(index, point, q=b"ew")) == ["/y/new"]
    assert paths(await found(index, point, q=b"new")) == ["/y/new"]


class Interrupted(MemoryDocuments):
    """Something happens just before a certain document is read, once."""

    def __init__(self) -> None:
        super().__init__()
        self.happens: dict[str, Callable[[], Awaitable[None]]] = {}

    async def get(self, document_id: str, *, without: str | None = None) -> Document | None:
        if happens := self.happens.pop(document_id, None):
            await happens()
        return await super().get(document_id, without=without)


@pytest.mark.parametrize("number", range(7))
@pytest.mark.parametrize("known", [False, True], ids=["first search", "later search"])
async def test_names_that_are_rewritten_while_they_are_read_are_found(number: int, known: bool) -> None:
    index, store, tree = MemoryIndex(packed_bytes=0), new_store(), Tree({b"%d" % n: {b"x%d" % n: n} for n in range(12)})
    index.segments = Interrupted()
    index.restart()
    point = a_point(store, tree)
    await index.hold(point, tree)
    if known:
        assert len(await found(index, point, q=b"x")) == 12
    names = NameSegments(index.segments)
    index.segments.happens[f"{store}/{number}"] = lambda: names.rewrite(ORG, store, HashTable(0))
    assert len(await found(index, point, q=b"X")) == 12
    newer = Tree({b"y": {b"x": 1}, **tree.root})
    later = a_point(store, newer)
    await index.hold(later, newer)
    assert len(await found(index, later, q=b"x")) == 13


async def test_segments_that_came_twice_or_in_vain_change_nothing() -> None:
    index, store = MemoryIndex(), new_store()
    tree = Tree({b"a": {b"x": 1}, b"many": {f"x{n}".encode(): n for n in range(9)}}, page_entries=2)
    point = a_point(store, tree)
    await index.store.directories.add(ORG, store, tree.pages[:4])
    for segment in [segment async for _, segment in index.store.names.read(ORG, store)]:
        await index.store.names.append(ORG, store, segment)
    await index.store.names.append(ORG, store, pack_segment([]))
    await index.hold(point, tree)
    assert len(await found(index, point, q=b"x", limit=3)) == 10


async def test_little_memory_is_enough() -> None:
    index = MemoryIndex(packed_bytes=0, segment_map_bytes=0)
    tree = Tree({f"d{n}".encode(): {f"x{n}{m}".encode(): m for m in range(9)} for n in range(9)}, page_entries=4)
    stores = [new_store() for _ in range(3)]
    for store in stores:
        await index.hold(a_point(store, tree, age_minutes=stores.index(store)), tree)
    items = await everywhere(index, q=b"x", limit=10)
    assert (len(items), {item["restore_points_total"] for item in items}) == (81, {3})
