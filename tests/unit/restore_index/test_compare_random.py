"""Whatever two trees are: the differences that are reported turn the one into the other."""

import asyncio
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from restore_index.usecases.change_scan import ScanLimits
from restore_index.usecases.compare import Comparison, Comparisons

from tests.support.random_cases import random_cases
from tests.unit.restore_index.memory_index import MemoryIndex
from tests.unit.restore_index.trees import ORG, File, Link, Node, Tree, a_point, new_store

NAMES = st.sampled_from([b"a", b"b", b"c", b"d", b"a-b", b"\xff", "é".encode()])
FORMS: dict[str, Any] = {
    "mtime_ns": st.sampled_from([0, 10**18]),
    "mode": st.sampled_from([0o100644, 0o100600]),
}
FULL = st.builds(File, size=st.sampled_from([1, 7]), content=st.sampled_from([b"1", b"2", b"3"]), **FORMS)
FILES = FULL | st.builds(File, size=st.just(0), **FORMS)
LEAVES = FILES | st.builds(Link, st.sampled_from([b"x", b"y"]))
TREES = st.recursive(
    st.dictionaries(NAMES, LEAVES, max_size=5),
    lambda inner: st.dictionaries(NAMES, LEAVES | inner, max_size=5),
    max_leaves=30,
)
Shown = dict[str, Any]
Paths = dict[str, Shown]


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Mapping[bytes, Node], Mapping[bytes, Node]]:
    """Two trees, mostly one made of parts of the other."""
    old = draw(TREES)
    if draw(st.booleans()):
        return old, draw(TREES)
    parts = [part for _, part in nodes(old)]
    inner = st.sampled_from(parts) if parts else LEAVES
    new = dict(old)
    for name in draw(st.lists(NAMES, max_size=3)):
        new[name] = draw(inner | st.dictionaries(NAMES, inner, max_size=3))
    for name in draw(st.lists(NAMES, max_size=2)):
        new.pop(name, None)
    return old, new


def nodes(tree: Mapping[bytes, Node], at: str = "") -> Iterator[tuple[str, Node]]:
    for name, node in sorted(tree.items()):
        path = f"{at}/{name.decode(errors='backslashreplace')}"
        yield path, node
        if isinstance(node, Mapping):
            yield from nodes(node, path)


def forms(tree: Mapping[bytes, Node]) -> dict[str, Any]:
    """What can be known of everything in a tree."""
    return {path: "dir" if isinstance(node, Mapping) else node for path, node in nodes(tree)}


async def compared(old: Tree, new: Tree, *, bounds: ScanLimits | None = None, two_stores: bool = False) -> Comparison:
    index, store = MemoryIndex(), new_store()
    points = [a_point(store, old), a_point(new_store() if two_stores else store, new)]
    for point, tree in zip(points, (old, new), strict=True):
        await index.hold(point, tree)
    comparisons = Comparisons(index.store, bounds)
    return await comparisons.compare(ORG, (points[0].snapshot_id, points[1].snapshot_id), path=b"/")


async def streamed(comparison: Comparison) -> tuple[list[Shown], Shown]:
    lines = [line async for part in comparison.stream_rows() for line in part]
    return [line for line in lines[:-1] if "change" in line], lines[-1]


async def paged(comparison: Comparison, *, limit: int, most_pages: int) -> list[Shown]:
    rows: list[Shown] = []
    cursor: str | None = None
    for _ in range(10_000):
        part = await comparison.page_of_changes(comparison.position(cursor), limit=limit, most_pages=most_pages)
        rows += part.items
        cursor = part.next_cursor
        if cursor is None:
            return rows
    raise AssertionError("it has no end")


async def scanned(comparison: Comparison) -> Shown | None:
    """The summary as it comes in advance."""
    made = await comparison.scans.make(comparison.trees, comparison.roots)
    return made.summary and made.summary.show()


def check_moves(rows: list[Shown], old: Mapping[bytes, Node], new: Mapping[bytes, Node]) -> list[Shown]:
    """Each is sound; returns the rows with moves as what left and what arrived."""
    before, after = dict(nodes(old)), dict(nodes(new))
    plain: list[Shown] = []
    for row in rows:
        if row["change"] != "moved":
            plain.append(row)
            continue
        left, arrived = before[row["from"]], after[row["path"]]
        for path, node, change in ((row["from"], left, "removed"), (row["path"], arrived, "added")):
            plain.append({"change": change, "path": path, "node": node})
            if isinstance(node, Mapping):
                plain += [{"change": change, "path": path + below, "node": n} for below, n in nodes(node)]
        if isinstance(left, File) and isinstance(arrived, File):
            assert left.size == arrived.size > 0
            assert left.content == arrived.content is not None
        else:
            assert isinstance(left, Mapping)
            assert left == arrived
    return plain


def apply(rows: list[Shown], old: Mapping[bytes, Node], new: Mapping[bytes, Node]) -> dict[str, Any]:
    """What the first tree becomes by the rows; nothing is reported twice, and nothing that is not so."""
    result, after = forms(old), forms(new)
    for row in sorted(rows, key=lambda r: r["change"] != "removed"):
        path = row["path"]
        match row["change"]:
            case "removed":
                del result[path]
            case "added":
                assert path not in result
                result[path] = after[path]
            case "changed":
                assert row["changed"]
                result[path] = after[path]
    return result


@random_cases(25)
@given(pair=pairs(), entries=st.sampled_from([1, 2, 4096]), limit=st.integers(1, 4), most=st.sampled_from([1, 3, 100]))
def test_the_rows_turn_one_tree_into_the_other(pair: Any, entries: int, limit: int, most: int) -> None:
    async def check() -> None:
        old, new = pair
        comparison = await compared(Tree(old, entries), Tree(new, entries))
        rows, last = await streamed(comparison)
        assert apply(check_moves(rows, old, new), old, new) == forms(new)
        assert await paged(comparison, limit=limit, most_pages=most) == rows
        assert last["moves_complete"] is True
        assert await scanned(comparison) == last["summary"]
        order = [
            (row["path"].encode().replace(b"\\xff", b"\xff").split(b"/"), row["change"] != "removed") for row in rows
        ]
        assert all(one < next_one for one, next_one in pairwise(order))

    asyncio.run(check())


@random_cases(10)
@given(pair=pairs(), bounds=st.builds(ScanLimits, pages=st.integers(1, 8), found=st.integers(0, 4)))
def test_the_rows_are_right_when_the_first_look_was_cut_short(pair: Any, bounds: ScanLimits) -> None:
    async def check() -> None:
        old, new = pair
        comparison = await compared(Tree(old, 2), Tree(new, 2), bounds=bounds)
        rows, last = await streamed(comparison)
        assert apply(check_moves(rows, old, new), old, new) == forms(new)
        assert await paged(comparison, limit=3, most_pages=2) == rows
        assert (await scanned(comparison)) in (None, last["summary"])

    asyncio.run(check())


@random_cases(10)
@given(tree=TREES)
def test_nothing_differs_from_itself_nor_from_its_copy_elsewhere(tree: Any) -> None:
    async def check() -> None:
        for two_stores in (False, True):
            rows, last = await streamed(await compared(Tree(tree), Tree(tree), two_stores=two_stores))
            assert rows == []
            assert last["moves_complete"] is True

    asyncio.run(check())
