"""The versions of a file over time, over a store in memory."""

from collections.abc import Mapping
from typing import Any

import pytest
from contracts.errors import CairnError, Invalid, NotFound
from contracts.messages.restore_index import RestorePoint
from contracts.values import AppId, OrganizationId
from restore_index.usecases import indexing
from restore_index.usecases.file_versions import Versions, list_versions

from tests.unit.restore_index.memory_index import MemoryIndex
from tests.unit.restore_index.trees import ORG, File, Link, Node, Tree, a_point, created, new_store, wrapped

SOURCE = AppId("source")
LATER = 1_795_435_300_000_000_000
A, B = File(1, b"a"), File(2, b"b")
Dir = Mapping[bytes, Node]


class Past:
    """Restore points of one source, an hour apart, the first the oldest."""

    def __init__(self, *trees: Dir, stores: int = 1, **facts: Any) -> None:
        self.index = MemoryIndex()
        self.trees = [Tree(tree, 3) for tree in trees]
        self.stores = [new_store() for _ in range(stores)]
        self.points = [
            a_point(self.stores[n % stores], tree, age_minutes=60 * (len(trees) - n), source_id=SOURCE, **facts)
            for n, tree in enumerate(self.trees)
        ]

    async def held(self) -> "Past":
        for point, tree in zip(self.points, self.trees, strict=True):
            await self.index.hold(point, tree)
        return self

    async def versions(self, path: bytes = b"/a", *, limit: int = 100, cursor: str | None = None) -> Versions:
        return await list_versions(self.index.store, ORG, SOURCE, path=path, limit=limit, cursor=cursor)

    async def told(self, path: bytes = b"/a") -> list[tuple[str, list[int]]]:
        """What changed, and the numbers of the restore points; newest first."""
        number = {point.snapshot_id: n for n, point in enumerate(self.points)}
        return [
            (",".join(v["changed"]), [number[p["snapshot_id"]] for p in v["restore_points"]])
            for v in (await self.versions(path)).items
        ]


@pytest.mark.parametrize(
    ("trees", "told"),
    [
        ([{b"a": A}], [("", [0])]),
        ([{b"a": A}] * 3, [("", [2, 1, 0])]),
        ([{}, {b"a": A}], [("created", [1])]),
        ([{}, {b"a": A}, {b"a": A, b"x": B}], [("created", [2, 1])]),
        ([{b"a": A}, {}], [("removed", [1]), ("", [0])]),
        ([{b"a": A}, {}, {}, {b"a": A}], [("reappeared", [3]), ("removed", [2, 1]), ("", [0])]),
        ([{b"a": A}, {}, {b"a": B}], [("reappeared,content,size", [2]), ("removed", [1]), ("", [0])]),
        ([{b"a": A}, {b"a": B}, {b"a": A}], [("content,size", [2]), ("content,size", [1]), ("", [0])]),
        ([{b"a": A}, {b"a": File(1, b"a", LATER)}], [("mtime", [1]), ("", [0])]),
        ([{b"a": A}, {b"a": {b"x": A}}], [("type", [1]), ("", [0])]),
        ([{b"a": Link(b"x")}, {b"a": Link(b"y")}], [("link_target", [1]), ("", [0])]),
        ([{b"a": {b"x": A}}, {b"a": {b"x": B}}], [("content,size", [1]), ("", [0])]),
        ([{b"a": {b"x": A}}, {b"a": {b"x": File(1, b"z")}}], [("content", [1]), ("", [0])]),
    ],
)
async def test_versions_of_one_path(trees: list[Dir], told: list[tuple[str, list[int]]]) -> None:
    assert await (await Past(*trees).held()).told() == told


async def test_a_version_as_it_is_shown() -> None:
    past = await Past({b"d": {b"a": A}}, {b"d": {b"a": B}}, {b"d": {b"a": B}}).held()
    found = await past.versions(b"/d/a")
    assert (found.path, found.total, found.next_cursor) == ("/d/a", 2, None)
    assert found.items[0] == {
        "changed": ["content", "size"],
        "entry": {
            "name": "a", "path": "/d/a", "type": "file", "size": 2, "mtime": "2026-11-23T12:00:00.123Z", "mode": 0o640,
        },
        "first_seen": "2026-11-23T10:00:00.000Z",
        "last_seen": "2026-11-23T11:00:00.000Z",
        "restore_points": [
            {"snapshot_id": p.snapshot_id, "store_id": p.store_id, "creation_time": f"2026-11-23T{hour}:00:00.000Z"}
            for p, hour in ((past.points[2], 11), (past.points[1], 10))
        ],
        "restore_point_count": 2,
    }  # fmt: skip


async def test_restore_points_of_all_stores_make_one_past() -> None:
    same = File(1, b"a")
    trees: list[Dir] = [{b"a": same}, {b"a": same}, {b"a": File(1, b"z")}, {b"a": File(1, b"y")}]
    past = await Past(*trees, stores=2).held()
    assert await past.told() == [("content", [3, 2]), ("", [1, 0])]


async def test_a_restore_point_that_two_stores_share_counts_once() -> None:
    past = await Past({b"a": A}, {b"a": A}).held()
    counterpart = past.points[0].model_copy(update={"store_id": new_store()})
    await past.index.hold(counterpart, past.trees[0])
    assert await past.told() == [("", [1, 0])]


async def test_many_restore_points_are_looked_into_once_for_each_directory() -> None:
    trees: list[Dir] = [{b"d": {b"a": A}, b"n": {b"%d" % (n % 5): A}} for n in range(120)]
    past = await Past(*trees).held()
    asked: list[str] = []
    get = past.index.store.directories.get

    async def counted(org: OrganizationId, store_id: str, tree_id: str) -> Any:
        asked.append(tree_id)
        return await get(org, store_id, tree_id)

    past.index.store.directories.get = counted  # type: ignore[method-assign]
    [version] = (await past.versions(b"/d/a")).items
    assert (version["restore_point_count"], len(version["restore_points"])) == (120, 100)
    assert version["restore_points"][0]["snapshot_id"] == past.points[-1].snapshot_id
    assert len(asked) == 5 + 1


async def test_pages_make_up_the_whole() -> None:
    past = await Past(*[{b"a": File(n + 1, b"%d" % n)} for n in range(7)]).held()
    whole = (await past.versions()).items
    for limit in (1, 2, 3, 7):
        cursor, seen = None, []
        for _ in range(8):
            page = await past.versions(limit=limit, cursor=cursor)
            assert (page.total, len(page.items) <= limit) == (7, True)
            seen += page.items
            cursor = page.next_cursor
            if not cursor:
                break
        assert seen == whole
    foreign = (await past.versions(limit=1)).next_cursor
    assert foreign
    with pytest.raises(Invalid, match="cursor_invalid"):
        await past.versions(b"/b", cursor=foreign)
    for wrong in ("x", "é", "AAAA", foreign[:16], "A" * 60):
        with pytest.raises(Invalid, match="cursor_invalid"):
            await past.versions(cursor=wrong)


async def test_a_page_stays_right_when_newer_restore_points_arrive() -> None:
    past = await Past({b"a": A}, {b"a": B}, {b"a": A}).held()
    first = await past.versions(limit=1)
    newer = Tree({b"a": B})
    await past.index.hold(a_point(past.stores[0], newer, source_id=SOURCE), newer)
    rest = (await past.versions(cursor=first.next_cursor)).items
    assert [v["restore_points"][0]["snapshot_id"] for v in rest] == [p.snapshot_id for p in past.points[1::-1]]


async def test_paths_may_begin_with_the_source_and_need_not_be_utf8() -> None:
    odd = b"caf\xe9"
    past = await Past({odd: {odd: A}}, {odd: {odd: B}}, paths=("/srv/data",)).held()
    for path in (b"/caf\xe9/caf\xe9", b"/caf\\xe9/caf\\xe9", b"/srv/data/caf\xe9/caf\\xe9", b"/caf\xe9/caf\xe9/"):
        found = await past.versions(path)
        assert (found.path, found.total) == ("/caf\\xe9/caf\\xe9", 2)


async def test_a_source_that_moved_is_asked_by_the_place_it_had() -> None:
    past = Past({b"a": A}, {b"a": B})
    past.points[0] = past.points[0].model_copy(update={"paths": ("/old",)})
    await past.held()
    assert await past.told(b"/old/a") == [("removed", [1]), ("", [0])]
    assert await past.told(b"/srv/data/a") == [("created", [1])]


async def test_the_root_has_versions_too() -> None:
    past = await Past({b"a": A}, {b"a": A}, {b"a": B}).held()
    assert await past.told(b"/") == [("content,size", [2]), ("", [1, 0])]
    [newest, _] = (await past.versions(b"/srv/data")).items
    assert (newest["entry"]["path"], newest["entry"]["size"], newest["entry"]["mtime"]) == ("/", 2, None)


async def test_what_no_restore_point_has_is_not_found() -> None:
    past = await Past({b"a": A, b"d": {b"x": A}}).held()
    for path in (b"/b", b"/a/x", b"/d/x/y", b"/srv/data/b"):
        with pytest.raises(NotFound, match="path_not_found"):
            await past.versions(path)
    for path in (b"a", b"/a/../d", b"/\0", b"//"):
        with pytest.raises(Invalid, match="path_invalid"):
            await past.versions(path)
    for org, source in ((OrganizationId("other"), SOURCE), (ORG, AppId("nobody"))):
        with pytest.raises(NotFound, match="path_not_found"):
            await list_versions(past.index.store, org, source, path=b"/a", limit=10, cursor=None)


async def test_restore_points_that_are_being_indexed_do_not_count_unless_there_are_no_others() -> None:
    past = Past({b"a": A}, {b"a": B})
    unlisted: RestorePoint = past.points[1]
    await indexing.record_created(past.index.store, wrapped(created(unlisted)))
    with pytest.raises(CairnError, match="restore_point_not_browsable"):
        await past.versions()
    await past.index.hold(past.points[0], past.trees[0])
    assert await past.told() == [("", [0])]


async def test_what_a_lost_page_held_is_not_reported_as_removed() -> None:
    many = {f"{n}".encode(): A for n in range(9)}
    past = await Past({b"d": many}, {b"d": many | {b"x": A}}).held()
    lost = next(p.tree_id for p in past.trees[1].pages if p.pages > 1)
    del past.index.documents.kept[f"{past.stores[0]}/{lost}#0"]
    past.index.restart()
    with pytest.raises(CairnError, match="restore_point_not_browsable"):
        await past.versions(b"/d/1")
