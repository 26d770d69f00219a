"""Files of the year 1601 and of the year 3000 have the times they have, whatever asks for them."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
import zstandard
from contracts.errors import Invalid
from contracts.messages.restore_index import RestorePoint
from restore_index.domain.entries import read_row, unpack, unpack_rows
from restore_index.domain.search.conditions import read_conditions
from restore_index.domain.sort_order import Order
from restore_index.usecases.browse import show_entry
from restore_index.usecases.compare import Comparisons
from restore_index.usecases.search import Question, search_point

from tests.unit.restore_index.memory_index import MemoryIndex
from tests.unit.restore_index.trees import MTIME_NS, ORG, File, Tree, a_point, new_store, page

YEARS = [1, 1601, 1677, 1970, 2026, 2262, 2263, 2400, 3000, 9999]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def ns(year: int) -> int:
    return (datetime(year, 6, 1, 12, tzinfo=UTC) - EPOCH) // timedelta(microseconds=1) * 1000


def name(year: int) -> bytes:
    return b"%04d" % year


TREE = Tree({b"d": {name(year): File(1, b"x", mtime_ns=ns(year)) for year in reversed(YEARS)}})
SHOWN = {f"{year:04}": f"{year:04}-06-01T12:00:00.000Z" for year in YEARS}


async def test_a_listing_and_an_entry_tell_the_time(index: MemoryIndex, point: RestorePoint) -> None:
    listed = {row["name"]: row["mtime"] for row in (await index.browse(point, b"/d")).items}
    entries = {year: await show_entry(index.store, ORG, point.snapshot_id, path=b"/d/" + name(year)) for year in YEARS}
    assert listed == SHOWN == {entry["name"]: entry["mtime"] for entry in entries.values()}
    assert entries[3000]["ctime"] == "3000-06-01T12:00:00.002Z"
    assert entries[3000]["atime"] == "1970-01-01T00:00:00.000Z"


@pytest.mark.parametrize("direction", ["asc", "desc"])
async def test_a_directory_is_sorted_by_them(index: MemoryIndex, point: RestorePoint, direction: str) -> None:
    rows = (await index.browse(point, b"/d", order=Order("mtime", direction))).items  # type: ignore[arg-type]
    assert [row["name"] for row in rows] == sorted(SHOWN, reverse=direction == "desc")


@pytest.mark.parametrize("year", YEARS)
async def test_a_search_by_time_finds_them(index: MemoryIndex, point: RestorePoint, year: int) -> None:
    conditions = read_conditions(
        types=["file"],
        modified_after=datetime(year, 1, 1, tzinfo=UTC),
        modified_before=datetime(year, 12, 31, tzinfo=UTC),
    )
    found = await search_point(index.store, ORG, point.snapshot_id, Question(conditions, b"/", 10, None))
    assert [(row["name"], row["mtime"]) for row in found.items] == [(f"{year:04}", SHOWN[f"{year:04}"])]


async def test_a_comparison_tells_one_far_time_from_another(index: MemoryIndex) -> None:
    trees = [Tree({b"f": File(1, b"x", mtime_ns=ns(year))}) for year in (2400, 3000)]
    store_id = new_store()
    old, new = [a_point(store_id, tree) for tree in trees]
    for held, tree in zip((old, new), trees, strict=True):
        await index.hold(held, tree)
    pair = old.snapshot_id, new.snapshot_id
    rows = await Comparisons(index.store).list_changes(ORG, pair, path=b"/", limit=10, cursor=None)
    [row] = rows.items
    assert (row["changed"], row["old"]["mtime"][:4], row["new"]["mtime"][:4]) == (["mtime"], "2400", "3000")


def test_pages_of_older_workers_are_read_as_they_are() -> None:
    most = (1 << 63) - 1
    told = [[b"a", "file", 1, most, 0o644, None, None], [b"b", "file", 1, -most, 0o644, None, None]]
    packed = page("ab" * 32, told).entries
    assert [entry.mtime_ns for entry in unpack(packed)] == [most, -most]
    assert [read_row(row).mtime_ns for row in unpack_rows(packed)] == [most, -most]


@pytest.mark.parametrize("beyond", [[None, None, None], [b"x" * 11, None, None], [b"x" * 10, b"x" * 11, None]])
def test_a_time_that_nothing_has_is_refused(beyond: list[bytes | None]) -> None:
    usual = [b"a", "file", 1, MTIME_NS, 0o644, None, None, 0, 0, 1, "", "", None, None, 0, 0, None]
    [row] = unpack_rows(zstandard.compress(msgspec.msgpack.encode([[*usual, beyond]])))
    with pytest.raises(Invalid, match="page_damaged"):
        read_row(row)
