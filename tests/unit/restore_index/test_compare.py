"""What differs between two restore points, over a store in memory."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from contracts.errors import CairnError, Invalid, NotFound
from contracts.messages.restore_index import RestorePoint
from contracts.values import OrganizationId
from restore_index.usecases import indexing
from restore_index.usecases.change_scan import ScanLimits
from restore_index.usecases.compare import ChangePage, Comparisons

from tests.unit.restore_index.memory_index import MemoryIndex
from tests.unit.restore_index.trees import ORG, File, Link, Node, Tree, a_point, created, new_store, wrapped

LATER = 1_795_435_300_000_000_000
A, B, C = File(1, b"a"), File(20, b"b"), File(300, b"c")
Dir = Mapping[bytes, Node]


class ComparedPair:
    """Two restore points in an index."""

    def __init__(self, old: Dir, new: Dir, *, stores: int = 1, bounds: ScanLimits | None = None) -> None:
        self.index = MemoryIndex()
        self.trees = Tree(old), Tree(new)
        first = new_store()
        last = first if stores == 1 else new_store()
        self.points = a_point(first, self.trees[0]), a_point(last, self.trees[1])
        self.bounds = bounds

    async def held(self) -> "ComparedPair":
        for point, tree in zip(self.points, self.trees, strict=True):
            await self.index.hold(point, tree)
        self.comparisons = Comparisons(self.index.store, self.bounds)
        return self

    async def rows(self, path: bytes = b"/", *, limit: int = 1000, cursor: str | None = None) -> ChangePage:
        old, new = (point.snapshot_id for point in self.points)
        return await self.comparisons.list_changes(ORG, (old, new), path=path, limit=limit, cursor=cursor)


async def told(old: Dir, new: Dir, *, stores: int = 1, path: bytes = b"/") -> list[str]:
    """The rows in short."""
    compared = await ComparedPair(old, new, stores=stores).held()
    return [short(row) for row in (await compared.rows(path)).items]


def short(row: dict[str, Any]) -> str:
    origin = f"{row['from']} > " if row["change"] == "moved" else ""
    what = f" {','.join(row['changed'])}" if row.get("changed") else ""
    return f"{row['change']} {origin}{row['path']}{what}"


@pytest.mark.parametrize(
    ("old", "new", "rows"),
    [
        ({b"a": A}, {b"a": A}, []),
        ({}, {b"a": A}, ["added /a"]),
        ({b"a": A}, {}, ["removed /a"]),
        ({b"a": A}, {b"a": B}, ["changed /a content,size"]),
        ({b"a": A}, {b"a": File(1, b"z")}, ["changed /a content"]),
        ({b"a": A}, {b"a": File(1, b"a", LATER)}, ["changed /a mtime"]),
        ({b"a": A}, {b"a": File(1, b"a", mode=0o100600)}, ["changed /a mode"]),
        ({b"a": A}, {b"a": File(1, b"a", attributes=((b"user.x", b"1", 1),))}, ["changed /a attributes"]),
        ({b"l": Link(b"x")}, {b"l": Link(b"y")}, ["changed /l link_target"]),
        ({b"a": A}, {b"a": Link(b"x")}, ["removed /a", "added /a"]),
        ({b"a": A}, {b"a": {b"x": B}}, ["removed /a", "added /a", "added /a/x"]),
        ({b"a": {b"x": B}}, {b"a": A}, ["removed /a", "added /a", "removed /a/x"]),
        ({b"d": {b"x": A, b"y": B}}, {b"d": {b"x": A}}, ["removed /d/y"]),
        ({b"d": {}}, {}, ["removed /d"]),
        ({}, {b"d": {b"e": {b"x": A}}}, ["added /d", "added /d/e", "added /d/e/x"]),
        ({b"a": {b"x": A}, b"a-": B}, {}, ["removed /a", "removed /a/x", "removed /a-"]),
    ],
)
async def test_rows_of_one_change(old: Dir, new: Dir, rows: list[str]) -> None:
    assert await told(old, new) == rows


BIG: Dir = {f"{n:02}".encode(): File(n + 1, b"%d" % n) for n in range(50)}
EDITED: Dir = {**BIG, b"07": File(9, b"new")}


@pytest.mark.parametrize(
    ("old", "new", "rows"),
    [
        ({b"a": B}, {b"z": B}, ["moved /a > /z"]),
        ({b"a": B}, {b"z": File(20, b"b", LATER)}, ["moved /a > /z mtime"]),
        ({b"a": B}, {b"z": File(20, b"x")}, ["removed /a", "added /z"]),
        ({b"a": File(0)}, {b"z": File(0)}, ["removed /a", "added /z"]),
        ({b"a": Link(b"x")}, {b"z": Link(b"x")}, ["removed /a", "added /z"]),
        ({b"a": {}}, {b"z": {}}, ["removed /a", "added /z"]),
        ({b"a": B}, {b"a": B, b"z": B}, ["added /z"]),
        ({b"a": B, b"b": B}, {b"z": B}, ["removed /b", "moved /a > /z"]),
        ({b"a": B, b"b": B}, {b"d": {b"b": B}}, ["removed /a", "added /d", "moved /b > /d/b"]),
        ({b"d": BIG}, {b"e": BIG}, ["moved /d > /e"]),
        ({b"d": BIG}, {b"n": {b"m": {b"d": BIG}}}, ["added /n", "added /n/m", "moved /d > /n/m/d"]),
        ({b"n": {b"m": {b"d": BIG}}}, {b"d": BIG}, ["moved /n/m/d > /d", "removed /n", "removed /n/m"]),
        ({b"d": BIG}, {b"d": {b"d": BIG}}, None),
        ({b"d": {b"e": BIG, b"x": A}}, {b"z": {b"e": BIG, b"x": B}}, [
            "removed /d", "removed /d/x", "added /z", "moved /d/e > /z/e", "added /z/x",
        ]),
        ({b"a": B}, {b"a": {b"x": B}}, ["added /a", "moved /a > /a/x"]),
        ({b"a": {b"x": B}}, {b"a": B}, ["removed /a", "moved /a/x > /a"]),
    ],
)  # fmt: skip
async def test_what_is_somewhere_else_now_was_moved(old: Dir, new: Dir, rows: list[str] | None) -> None:
    found = await told(old, new)
    assert found == rows if rows else all(row.startswith("moved") for row in found[1:])


async def test_a_renamed_directory_with_an_edit_inside_tells_what_moved_one_by_one() -> None:
    found = await told({b"d": {b"e": BIG, b"f": BIG}}, {b"z": {b"e": EDITED, b"f": BIG}})
    assert [row for row in found if not row.startswith("moved /d/e/")] == [
        "removed /d", "removed /d/e", "removed /d/e/07",
        "added /z", "added /z/e", "added /z/e/07", "moved /d/f > /z/f",
    ]  # fmt: skip
    assert sum(row.startswith("moved /d/e/") for row in found) == 49


async def test_a_large_directory_that_moved_as_a_whole_is_not_looked_into() -> None:
    large = {f"{n}".encode(): {f"{m}".encode(): File(9, b"%d-%d" % (n, m)) for m in range(9)} for n in range(30)}
    bounds = ScanLimits(pages=10, found=8)
    compared = await ComparedPair({b"old": large}, {b"box": {b"inner": large}}, bounds=bounds).held()
    rows = await compared.rows()
    assert [short(row) for row in rows.items] == ["added /box", "moved /old > /box/inner"]
    assert rows.moves_complete


async def test_between_stores_sizes_stand_for_contents_and_only_directories_are_seen_to_move() -> None:
    old = {b"a": File(1, b"a"), b"b": File(1, b"b"), b"c": File(5, b"c"), b"d": BIG}
    new = {b"a": File(1, b"z"), b"b": File(2, b"b"), b"e": File(5, b"c"), b"z": BIG}
    assert await told(old, new, stores=2) == [
        "changed /b content,size", "removed /c", "added /e", "moved /d > /z",
    ]  # fmt: skip


async def test_a_row_tells_what_was_and_what_is() -> None:
    compared = await ComparedPair({b"a": A, b"l": Link(b"x")}, {b"a": B}).held()
    changed, removed = (await compared.rows()).items
    owner = {"uid": 1000, "gid": 1000, "user": "me", "group": "us"}
    form = {"size": 1, "mtime": "2026-11-23T12:00:00.123Z", "mode": 0o640, **owner}
    assert changed == {
        "change": "changed", "path": "/a", "type": "file", "changed": ["content", "size"],
        "old": form, "new": {**form, "size": 20},
    }  # fmt: skip
    assert removed["old"]["link_target"] == "x"
    assert "new" not in removed


async def test_the_summary_comes_with_the_only_page_or_once_all_was_looked_at() -> None:
    old = {b"a": A, b"b": B, b"x": A, b"y": {b"z": C}}
    new = {b"a": File(1, b"n"), b"b": File(20, b"b", LATER), b"w": A, b"v": {b"z": C}}
    summary = {
        "added": {"count": 0, "bytes": 0},
        "removed": {"count": 0, "bytes": 0},
        "changed": {"count": 2, "bytes": 1},
        "moved": {"count": 2, "bytes": 301},
    }
    compared = await ComparedPair(old, new).held()
    assert (await compared.rows()).summary == summary
    compared = await ComparedPair(old, new).held()
    first = await compared.rows(limit=1)
    assert first.next_cursor
    second = await compared.rows(limit=2, cursor=first.next_cursor)
    assert second.summary == summary


async def test_a_path_may_be_on_one_side_only_and_begin_with_the_source() -> None:
    old, new = {b"d": {b"x": A}}, {b"d": {b"x": A}, b"e": {b"y": B}}
    assert await told(old, new, path=b"/e") == ["added /e/y"]
    assert await told(new, old, path=b"/srv/data/e/") == ["removed /e/y"]
    assert await told(old, new, path=b"/d") == []


async def test_names_that_are_not_utf8_are_shown_and_asked_for() -> None:
    odd = b"caf\xe9"
    compared = await ComparedPair({odd: {odd: A}}, {odd: {odd: B}}).held()
    [row] = (await compared.rows()).items
    assert row["path"] == "/caf\\xe9/caf\\xe9"
    assert (await compared.rows(b"/caf\\xe9")).items == [row]
    assert (await compared.rows(b"/caf\xe9")).items == [row]


async def test_questions_that_cannot_be_right_are_refused() -> None:
    compared = await ComparedPair({b"a": A, b"d": {b"x": A}}, {b"d": {b"x": B}}).held()
    for path, error in {
        b"/nothing": NotFound, b"/a": Invalid, b"/d/x": Invalid, b"a": Invalid, b"/../a": Invalid, b"/\0": Invalid,
    }.items():  # fmt: skip
        with pytest.raises(error):
            await compared.rows(path)
    cursor = (await compared.rows(limit=1)).next_cursor
    assert cursor
    with pytest.raises(Invalid, match="cursor_invalid"):
        await compared.rows(b"/d", cursor=cursor)
    for wrong in ("x", "é", "AAAA", cursor[:8], "A" * 30, "=", "\0"):
        with pytest.raises(Invalid, match="cursor_invalid"):
            await compared.rows(cursor=wrong)


async def test_a_cursor_goes_on_after_whatever_path_it_names() -> None:
    compared = await ComparedPair({}, {b"b": {b"x": A, b"y": B}, b"c": C}).held()
    cursors: list[str | None] = [None]
    while len(cursors) < 5 and (cursors[-1] or len(cursors) == 1):
        cursors.append((await compared.rows(limit=1, cursor=cursors[-1])).next_cursor)
    shown = [[short(r) for r in (await compared.rows(cursor=cursor)).items] for cursor in cursors if cursor]
    assert [len(rows) for rows in shown] == [3, 2, 1]


async def test_only_restore_points_that_are_there_and_open_are_compared() -> None:
    compared = await ComparedPair({b"a": A}, {b"a": B}).held()
    unlisted = a_point(new_store(), compared.trees[0])
    await indexing.record_created(compared.index.store, wrapped(created(unlisted)))
    old: RestorePoint = compared.points[0]
    for org, other, code in (
        (ORG, unlisted.snapshot_id, "restore_point_not_browsable"),
        (ORG, "f" * 64, "snapshot_not_found"),
        (OrganizationId("other"), old.snapshot_id, "snapshot_not_found"),
    ):
        for pair in ((old.snapshot_id, other), (other, old.snapshot_id)):
            with pytest.raises(CairnError, match=code):
                await compared.comparisons.list_changes(org, pair, path=b"/", limit=10, cursor=None)  # type: ignore[arg-type]


async def test_a_restore_point_does_not_differ_from_itself() -> None:
    compared = await ComparedPair({b"d": BIG}, {}).held()
    same = (compared.points[0].snapshot_id, compared.points[0].snapshot_id)
    rows = await compared.comparisons.list_changes(ORG, same, path=b"/", limit=10, cursor=None)
    assert (rows.items, rows.next_cursor) == ([], None)


async def test_a_stream_that_cannot_go_on_does_not_end_as_if_it_were_whole() -> None:
    old: Dir = {b"a": A, b"z": {b"y": {b"x": A}}}
    compared = await ComparedPair(old, {b"a": B, b"z": {b"y": {b"x": B}}}).held()
    comparison = await compared.comparisons.compare(
        ORG, (compared.points[0].snapshot_id, compared.points[1].snapshot_id), path=b"/"
    )
    lost = Tree({b"x": B}).tree_id
    get = compared.index.store.directories.get

    async def forgetful(org: OrganizationId, store_id: str, tree_id: str) -> Any:
        return None if tree_id == lost else await get(org, store_id, tree_id)

    compared.index.store.directories.get = forgetful  # type: ignore[method-assign]
    lines: list[dict[str, Any]] = []

    async def read() -> None:
        async for part in comparison.stream_rows():
            lines.extend(part)

    with pytest.raises(CairnError, match="restore_point_not_browsable"):
        await read()
    assert all("summary" not in line for line in lines)


async def test_a_stream_that_is_left_leaves_nothing_under_way() -> None:
    wide: Dir = {b"%03d" % n: {b"x": File(1, b"%d" % n)} for n in range(300)}
    compared = await ComparedPair(wide, {name: {b"x": B} for name in wide}).held()
    pair = (compared.points[0].snapshot_id, compared.points[1].snapshot_id)
    before = asyncio.all_tasks()
    parts = (await compared.comparisons.compare(ORG, pair, path=b"/")).stream_rows()
    assert await anext(parts)
    await parts.aclose()
    assert asyncio.all_tasks() == before


async def test_trees_may_be_deep() -> None:
    old: dict[bytes, Node] = {b"x": A}
    new: dict[bytes, Node] = {b"x": B}
    for _ in range(300):
        old, new = {b"d": old}, {b"d": new}
    deep = "/d" * 300
    assert await told(old, new) == [f"changed {deep}/x content,size"]
    gone = await told({b"d": old, b"e": A}, {b"e": B})
    assert (len(gone), gone[-2]) == (303, f"removed /d{deep}/x")


async def test_thousands_of_equal_files_are_paired() -> None:
    many: Dir = {f"{n:05}".encode(): File(5, b"same") for n in range(1000)}
    renamed: Dir = {f"{n:05}.bak".encode(): File(5, b"same") for n in range(1000)}
    rows = (await (await ComparedPair({b"d": many}, {b"d": renamed}).held()).rows()).items
    assert {row["change"] for row in rows} == {"moved"}
