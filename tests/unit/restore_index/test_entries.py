"""Pages, what is shown of their entries, and cursors."""

import os

import msgspec
import pytest
import zstandard
from contracts.errors import Invalid
from contracts.messages.restore_index import DirectoryPage
from restore_index.domain.directory_listing import START, ListPosition, read_cursor, show_entry, show_time, write_cursor
from restore_index.domain.entries import FullEntry, Rows, check_page, page_with, read_row, unpack, unpack_rows
from restore_index.domain.sort_order import BY_NAME

from tests.unit.restore_index.trees import MTIME_NS, File, Link, Tree, page

TREE = "ab" * 32
ROW = [b"a", "file", 1, MTIME_NS, 0o100644, None, None, 0, 0, 1, "", "", None]


def row(name: bytes, subtree: bytes | None = None) -> list[object]:
    return [name, "dir" if subtree else "file", 1, MTIME_NS, 0o644, subtree, None, 0, 0, 1, "", "", None]


def test_a_page_comes_back_as_it_was_packed() -> None:
    tree = Tree({b"a": 3, b"b": Link(b"a"), b"c": {b"d": 5}})
    names = [(e.name, e.type, e.size) for e in unpack(tree.pages[-1].entries)]
    assert names == [(b"a", "file", 3), (b"b", "symlink", 0), (b"c", "dir", 5)]
    assert check_page(tree.pages[-1])[:2] == (b"a", {tree.pages[0].tree_id})


@pytest.mark.parametrize(
    "damaged",
    [
        page("zz" * 32, [ROW]),
        page("ab" * 31, [ROW]),
        page(TREE, [ROW], count=2),
        page(TREE, [ROW], total=2),
        page(TREE, [ROW], page=1),
        page(TREE, [ROW, ROW]),
        page(TREE, [row(b"b"), row(b"a")]),
        page(TREE, [row(b"a", subtree=b"short")]),
        page(TREE, [], pages=2, total=2),
        page(TREE, [row(f"{i:05}".encode()) for i in range(4097)]),
        page(TREE, [[b"a", "file"]]),
        page(TREE, [], entries=b"no zstd at all"),
        page(TREE, [], entries=zstandard.compress(b"no message pack")),
        page(TREE, [], entries=zstandard.compress(bytes(65 << 20))),
        page(TREE, [], entries=zstandard.compress(msgspec.msgpack.encode({"a": 1}))),
    ],
    ids=range(15),
)
def test_a_page_that_is_not_what_it_says_is_refused(damaged: DirectoryPage) -> None:
    with pytest.raises(Invalid, match="page_damaged"):
        check_page(damaged)


def test_rows_are_read_one_by_one_with_all_their_fields() -> None:
    told = File(5, b"12345678", attributes=((b"user.a", None, 2000),))
    [row] = unpack_rows(Tree({b"a": told}).pages[0].entries)
    entry = read_row(row)
    assert (entry.name, entry.user, entry.content, entry.ctime_since) == (b"a", "me", b"12345678", 2_000_000)
    assert entry.attributes == ((b"user.a", None, 2000),)


def test_rows_of_older_workers_are_read_without_what_they_do_not_tell() -> None:
    [row] = unpack_rows(page(TREE, [ROW]).entries)
    assert (read_row(row).name, read_row(row).content, read_row(row).attributes) == (b"a", None, None)
    with pytest.raises(Invalid, match="page_damaged"):
        read_row(b"\xc0")


def test_an_entry_is_found_by_its_name() -> None:
    rows = Rows(Tree({f"{i:03}".encode(): i for i in range(100)}).pages[0].entries)
    found = rows.find(b"042")
    assert found is not None
    assert (found.size, rows[-1].size, len(rows)) == (42, 99, 100)
    assert rows.find(b"0425") is None
    assert rows.find(b"zzz") is None
    assert Rows(b"").find(b"a") is None


@pytest.mark.parametrize(("name", "number"), [(b"a", 0), (b"b", 0), (b"m", 1), (b"mm", 1), (b"z", 2), (b"zz", 2)])
def test_a_name_tells_its_page(name: bytes, number: int) -> None:
    assert page_with((b"b", b"m", b"z"), name) == number
    assert page_with((), name) == 0


def test_an_entry_is_shown_with_a_path_that_leads_to_it() -> None:
    link = FullEntry(
        name=b"l\xff", type="symlink", size=0, mtime_ns=MTIME_NS, mode=0o120777, subtree=None, link_target=b".."
    )
    assert show_entry([b"d"], link) == {
        "name": "l\\xff",
        "path": "/d/l\\xff",
        "type": "symlink",
        "size": 0,
        "mtime": "2026-11-23T12:00:00.123Z",
        "mode": 0o777,
        "link_target": "..",
    }
    setuid = FullEntry(name=b"f", type="file", size=1, mtime_ns=0, mode=0o104755, subtree=None, link_target=None)
    shown = show_entry([], setuid)
    assert (shown["path"], shown["mode"]) == ("/f", 0o4755)
    assert "link_target" not in shown


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
        (10**30, "9999-12-31T23:59:59.999Z"),
        (-62_135_596_800 * 10**9 - 1, "0000-12-31T23:59:59.999Z"),
        (-62_162_121_600 * 10**9, "0000-02-29T00:00:00.000Z"),
        (-(10**30), "0000-01-01T00:00:00.000Z"),
    ],
)
def test_any_time_can_be_shown(ns: int, text: str) -> None:
    assert show_time(ns) == text


def test_a_cursor_leads_back_to_its_place() -> None:
    assert read_cursor(TREE, BY_NAME, write_cursor(TREE, BY_NAME, ListPosition(3, 4095))) == ListPosition(3, 4095)
    assert read_cursor(TREE, BY_NAME, None) == START
    assert read_cursor(TREE, BY_NAME, "") == START


@pytest.mark.parametrize(
    "cursor", ["rubbish", "é", "AAAA", "=", "%00", "x" * 1000, write_cursor("cd" * 32, BY_NAME, START)]
)
@pytest.mark.parametrize("tree_id", [TREE, ""])
def test_a_cursor_of_something_else_is_refused(tree_id: str, cursor: str) -> None:
    with pytest.raises(Invalid, match="cursor_invalid"):
        read_cursor(tree_id, BY_NAME, cursor)


def test_random_bytes_are_never_a_page() -> None:
    for _ in range(200):
        with pytest.raises(Invalid):
            unpack(os.urandom(64))
