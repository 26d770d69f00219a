"""A directory in any order: its pages one after the other are its entries, sorted."""

import asyncio
import contextlib
import itertools
from collections.abc import Callable
from typing import Any, cast, get_args

import pytest
from contracts.errors import CairnError, TemporaryError
from contracts.messages.restore_index import RestorePoint
from contracts.paths import shown
from hypothesis import given
from hypothesis import strategies as some
from restore_index.domain.entries import SortFields
from restore_index.domain.sort_order import BY_NAME, Direction, Order, Sort, SortKeys, split_position
from restore_index.store.sorted_directories import SortedDirectories

from tests.support.waiting import eventually_async
from tests.unit.restore_index.memory_index import MemoryIndex
from tests.unit.restore_index.trees import MTIME_NS, ORG, File, Tree

ORDERS = [Order(sort, direction) for sort, direction in itertools.product(get_args(Sort), get_args(Direction))]
NUMBERS = some.integers(-(2**66), 2**66) | some.integers(0, 3)
FILES = some.dictionaries(some.binary(min_size=1, max_size=3).filter(lambda n: b"/" not in n), NUMBERS, max_size=40)
TREE = Tree(
    {
        b"many": {f"{i:03}".encode(): File(i * 7919 % 10, mtime_ns=MTIME_NS - i % 7 * 10**9) for i in range(250)},
        b"few": {b"z": 1, b"a": 3, b"m": {b"x": 1, b"y": {b"q": 1}}, b"n": {}, b"\xff": 2},
        b"none": {},
    },
    page_entries=100,
)


def sorted_rows(rows: list[dict[str, Any]], order: Order) -> list[dict[str, Any]]:
    """Rows that come by name, in an order."""
    backwards = order.direction == "desc"
    return rows[::-1] if order.sort == "name" and backwards else sorted(rows, key=_key(order), reverse=False)


def _key(order: Order) -> Callable[[dict[str, Any]], Any]:
    if order.sort == "name":
        return lambda _: 0
    if order.sort == "size":
        return lambda row: row["size"] if order.direction == "asc" else -row["size"]
    return lambda row: row["mtime"] if order.direction == "asc" else [-ord(c) for c in row["mtime"]]


async def in_pages(
    index: MemoryIndex, point: RestorePoint, path: bytes, order: Order, limit: int
) -> list[dict[str, Any]]:
    """A directory, read page by page."""
    rows: list[dict[str, Any]] = []
    cursor: str | None = None
    while cursor or not rows:
        part = await index.browse(point, path, limit=limit, cursor=cursor, order=order)
        assert len(part.items) == min(limit, part.total - len(rows))
        rows, cursor = rows + part.items, part.next_cursor
        if not part.total:
            break
    return rows


@pytest.mark.parametrize("path", [b"/many", b"/few", b"/none"])
@pytest.mark.parametrize("order", ORDERS)
async def test_pages_of_any_size_are_the_sorted_directory(
    index: MemoryIndex, point: RestorePoint, path: bytes, order: Order
) -> None:
    by_name = (await index.browse(point, path)).items
    assert [row["name"] for row in by_name] == [shown(n) for n in sorted(TREE.root[path[1:]])]  # type: ignore[index,arg-type]
    for limit in (1, 7, 99, 100, 101, 249, 250, 1000):
        assert await in_pages(index, point, path, order, limit) == sorted_rows(by_name, order)


async def test_a_directory_is_sorted_by_all_that_is_below_it(index: MemoryIndex, point: RestorePoint) -> None:
    rows = (await index.browse(point, b"/", order=Order("size", "desc"))).items
    assert [(row["name"], row["size"], row["files"]) for row in rows] == [
        ("many", 1125, 250),
        ("few", 8, 5),
        ("none", 0, 0),
    ]


@given(FILES, some.sampled_from(ORDERS[2:]), some.integers(1, 5), some.sampled_from([4, 8, 1 << 14]))
def test_any_entries_are_sorted(files: dict[bytes, int], order: Order, page_entries: int, bucket: int) -> None:
    entries = [SortFields(name, "file", key, key) for name, key in sorted(files.items())]
    pages = [entries[start : start + page_entries] for start in range(0, len(entries), page_entries)]
    keys = SortKeys(order, bucket_entries=bucket, samples_per_bucket=2)
    for number, page in enumerate(pages):
        keys.add(number, page)
    found = [pages[page][entry] for page, entry in map(split_position, keys.sorted())]
    sign = -1 if order.direction == "desc" else 1
    assert found == sorted(entries, key=lambda e: sign * e.size)


async def test_a_cursor_is_good_for_its_directory_and_order_only(index: MemoryIndex, point: RestorePoint) -> None:
    cursors = {order: (await index.browse(point, b"/many", limit=3, order=order)).next_cursor for order in ORDERS}
    for order, cursor in cursors.items():
        for other in (o for o in ORDERS if o != order):
            with pytest.raises(CairnError, match="cursor_invalid"):
                await index.browse(point, b"/many", cursor=cursor, order=other)
        for path, bad in ((b"/few", cursor), (b"/many", "rubbish"), (b"/none", cursor)):
            with pytest.raises(CairnError, match="cursor_invalid"):
                await index.browse(point, path, cursor=bad, order=order)


async def test_an_order_is_worked_out_once(index: MemoryIndex, point: RestorePoint) -> None:
    directories = index.store.directories
    many = await directories.get(ORG, point.store_id, next(p.tree_id for p in TREE.pages if p.pages > 1))
    assert many is not None
    kept, forgetful = (SortedDirectories(directories, cache_bytes=size) for size in (2000, 10))
    order = Order("size", "asc")
    first = await kept.get(ORG, point.store_id, many, order)
    assert await kept.get(ORG, point.store_id, many, order) is first
    again = [await forgetful.get(ORG, point.store_id, many, order) for _ in range(2)]
    assert again[0] == again[1] == first
    assert again[0] is not again[1]


async def test_what_takes_long_goes_on_while_the_client_comes_again(index: MemoryIndex, point: RestorePoint) -> None:
    directories = index.store.directories
    many = await directories.get(ORG, point.store_id, next(p.tree_id for p in TREE.pages if p.pages > 1))
    assert many is not None
    sorted_directories = SortedDirectories(directories, cache_bytes=2000, patience_seconds=0)

    async def ask() -> int:
        return len(await sorted_directories.get(ORG, point.store_id, many, Order("size", "asc")))

    with pytest.raises(TemporaryError, match="directory_being_sorted"):
        await ask()

    async def done() -> bool:
        with contextlib.suppress(TemporaryError):
            return await ask() == 250
        return False

    await eventually_async(done)


async def test_others_have_their_turn_between_pages_that_are_in_memory(index: MemoryIndex, point: RestorePoint) -> None:
    directories, seen = index.store.directories, list[str]()
    many = await directories.get(ORG, point.store_id, next(p.tree_id for p in TREE.pages if p.pages > 1))
    assert many is not None

    class Watched:
        async def packed(self, *asked: Any, page: int) -> bytes:
            seen.append("page")
            return await directories.packed(*asked, page=page)

    async def others() -> None:
        while True:
            seen.append("others")
            await asyncio.sleep(0)

    waiting = asyncio.create_task(others())
    await SortedDirectories(cast("Any", Watched()), cache_bytes=0).get(ORG, point.store_id, many, Order("size", "asc"))
    waiting.cancel()
    search_slots = [key for key, _ in itertools.groupby(seen)]
    assert search_slots.count("page") == seen.count("page") == many.pages


async def test_a_directory_with_a_page_lost_is_not_shown_in_part(index: MemoryIndex, point: RestorePoint) -> None:
    many = next(p.tree_id for p in TREE.pages if p.pages > 1)
    del index.documents.kept[f"{point.store_id}/{many}#1"]
    index.restart()
    for order in ORDERS:
        with pytest.raises(TemporaryError, match="restore_point_not_browsable"):
            await index.browse(point, b"/many", order=order)


def test_by_name_is_what_is_not_asked_for() -> None:
    assert Order() == BY_NAME == ("name", "asc")
