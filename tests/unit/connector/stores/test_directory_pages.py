"""Directories in the form that the restore index keeps."""

import hashlib
import os
from collections.abc import Iterator

import msgspec
import zstandard
from connector.stores.directory_pages import PAGE_BYTES_MAX, PageMaker
from contracts.messages.restore_index import PAGE_ENTRIES, DirectoriesListed, DirectoryPage
from contracts.values import AppId, OrganizationId
from restic_reader import Directory, Entry, LargeDirectory, Totals
from restic_reader.structs import ExtendedAttribute

CHILD = hashlib.sha256(b"child").hexdigest()
ROOT = hashlib.sha256(b"root").hexdigest()
FURTHER = [None, None, None, None]


def rows(page: DirectoryPage) -> list[list[object]]:
    return msgspec.msgpack.decode(zstandard.decompress(page.entries), type=list[list[object]])


def file(name: str, **facts: object) -> Entry:
    return Entry(quoted_name=name, type="file", **facts)  # type: ignore[arg-type]


def test_an_entry_says_all_that_the_contract_names_in_its_order() -> None:
    below = {CHILD: Totals(files=3, dirs=1, bytes=42)}
    owner = {"uid": 1, "gid": 2, "user": "u", "group": "g", "links": 3}
    entries = [
        Entry(quoted_name="b", type="dir", mode=(1 << 31) | 0o755, subtree=CHILD, **owner),  # type: ignore[arg-type]
        Entry(quoted_name="c", type="symlink", mode=0o777, linktarget="/x", **owner),  # type: ignore[arg-type]
        file(r"a\xff", size=7, mode=0o644, mtime="1970-01-01T00:00:01.5Z", **owner),
    ]

    (page,) = PageMaker().pages(Directory(ROOT, entries, Totals(files=5, dirs=2, bytes=49), below))

    tail = [1, 2, 3, "u", "g"]
    assert rows(page) == [
        [b"a\xff", "file", 7, 1_500_000_000, 0o100644, None, None, *tail, None, *FURTHER],
        [b"b", "dir", 42, 0, 0o40755, bytes.fromhex(CHILD), None, *tail, 3, *FURTHER],
        [b"c", "symlink", 0, 0, 0o120777, None, b"/x", *tail, None, *FURTHER],
    ]
    assert (page.page, page.pages, page.count, page.total) == (0, 1, 3, 3)
    assert page.totals.model_dump() == {"files": 5, "directories": 2, "bytes": 49}


def test_an_entry_tells_its_content_its_other_times_and_its_attributes() -> None:
    attributes = (ExtendedAttribute("user.a", b"1"), ExtendedAttribute("user.long", b"x" * 1025))
    times = {"mtime": "1970-01-01T00:00:01Z", "ctime": "1970-01-01T00:00:01.5Z", "atime": "1970-01-01T00:00:00Z"}
    entries = [
        file("one", content=(CHILD,), extended_attributes=attributes, **times),
        file("two", content=(CHILD, ROOT)),
        file("two-again", content=(ROOT, CHILD)),
    ]

    (page,) = PageMaker().pages(Directory(ROOT, entries, Totals(3, 0, 0)))

    one, two, again = (row[13:] for row in rows(page))
    named = [[b"user.a", b"1", 1], [b"user.long", None, 1025]]
    assert one == [bytes.fromhex(CHILD)[:8], 500_000_000, -1_000_000_000, named]
    assert two[1:] == [None, None, None]
    assert len({one[0], two[0], again[0]}) == 3


def test_times_that_need_more_than_eight_bytes_are_told_beside_the_nearest_that_do_not() -> None:
    far = {"mtime": "9999-12-31T23:59:59.999999999Z", "ctime": "1601-01-01T00:00:00Z", "atime": ""}
    apart = {"mtime": "1700-01-01T00:00:00Z", "ctime": "2200-01-01T00:00:00Z", "atime": "1700-01-01T00:00:00Z"}
    first, since = -8_520_336_000 * 10**9, 15_778_454_400 * 10**9
    most = (1 << 63) - 1

    (page,) = PageMaker().pages(Directory(ROOT, [file("a", **far), file("b", **apart)], Totals(2, 0, 0)))

    a, b = rows(page)
    assert (a[3], *a[14:16]) == (most, -most, None)
    assert (b[3], *b[14:16]) == (first, most, 0)
    moments = [[None if each is None else int.from_bytes(each, signed=True) for each in row[17]] for row in (a, b)]  # type: ignore[attr-defined,arg-type]
    assert moments == [[253_402_300_799_999_999_999, -11_644_473_600 * 10**9, None], [first, first + since, first]]


def test_an_empty_directory_has_one_empty_page() -> None:
    (page,) = PageMaker().pages(Directory(ROOT, [], Totals(0, 0, 0)))

    assert (rows(page), page.pages, page.total) == ([], 1, 0)


def test_large_directories_are_split() -> None:
    entries = [file(f"{number:06}") for number in range(PAGE_ENTRIES * 2 + 1)]

    made = list(PageMaker().pages(Directory(ROOT, entries, Totals(len(entries), 0, 0))))

    assert [p.count for p in made] == [PAGE_ENTRIES, PAGE_ENTRIES, 1]
    assert [rows(p)[0][0] for p in made] == [b"000000", b"004096", b"008192"]
    assert {p.total for p in made} == {len(entries)}


def test_names_that_do_not_compress_make_more_pages_not_larger_ones() -> None:
    entries = [file(os.urandom(125).hex()) for _ in range(PAGE_ENTRIES)]

    made = list(PageMaker().pages(Directory(ROOT, entries, Totals(len(entries), 0, 0))))

    assert len(made) > 1
    assert all(len(p.entries) <= PAGE_BYTES_MAX for p in made)
    assert sum(p.count for p in made) == PAGE_ENTRIES


def large(entries: list[Entry], totals: Totals, below: dict[str, Totals]) -> LargeDirectory:
    def parts() -> Iterator[list[Entry]]:
        return (entries[start : start + 1000] for start in range(0, len(entries), 1000))

    return LargeDirectory(ROOT, len(entries), totals, parts, lambda part: below)


def test_a_large_directory_has_the_pages_that_a_small_one_has() -> None:
    totals, below = Totals(6000, 6000, 9), {CHILD: Totals(files=3, dirs=1, bytes=42)}
    entries = [
        file(f"{n:06}", size=n) if n % 2 else Entry(quoted_name=f"{n:06}", type="dir", subtree=CHILD)
        for n in range(12_000)
    ]

    streamed = list(PageMaker().pages(large(entries, totals, below)))

    assert streamed == list(PageMaker().pages(Directory(ROOT, entries, totals, below)))
    assert [page.count for page in streamed] == [PAGE_ENTRIES, PAGE_ENTRIES, 12_000 - 2 * PAGE_ENTRIES]


def test_no_page_of_a_large_directory_is_too_large_for_kafka() -> None:
    attributes = tuple(ExtendedAttribute(f"user.{n}", os.urandom(900)) for n in range(5))
    entries = [
        file(os.urandom(100).hex(), user="ü" * 50, content=(os.urandom(32).hex(),), extended_attributes=attributes)
        for _ in range(500)
    ] + [Entry(quoted_name=f"x{n:04}", type="symlink", linktarget=os.urandom(1000).hex()) for n in range(1000)]

    made = list(PageMaker().pages(large(entries, Totals(1500, 0, 0), {})))

    assert len({page.pages for page in made}) == 1
    assert sum(page.count for page in made) == 1500
    assert max(len(zstandard.decompress(page.entries)) for page in made) <= 640_000
    assert max(len(page.model_dump_json(by_alias=True)) for page in made) < 1_000_000


def test_no_page_grows_with_the_number_of_pages() -> None:
    entries = [file(f"{number:0255}") for number in range(1500)]

    made = list(PageMaker(entries_per_page=1).pages(Directory(ROOT, entries, Totals(len(entries), 0, 0))))

    assert len(made) == 1500
    assert max(len(p.model_dump_json(by_alias=True)) for p in made) < 2000


def test_pages_survive_their_way_as_json() -> None:
    entries = [file(f"{number:06}") for number in range(PAGE_ENTRIES + 1)]
    made = tuple(PageMaker().pages(Directory(ROOT, entries, Totals(len(entries), 0, 0))))
    event = DirectoriesListed.model_construct(
        organization_id=OrganizationId("o"), store_id=AppId("s"), directories=made
    )

    read = DirectoriesListed.model_validate_json(event.model_dump_json(by_alias=True))

    assert [rows(p) for p in read.directories] == [rows(p) for p in made]


def test_times_beyond_eight_bytes_and_contents_without_ids_do_not_stop_a_page() -> None:
    late = {"mtime": "9999-12-31T23:59:59.999999999Z", "ctime": "0001-01-01T00:00:00Z"}
    entries = [file("late", **late), file("odd", content=("no id",))]
    (page,) = PageMaker().pages(Directory(ROOT, entries, Totals(2, 0, 0), {}))
    late_row, odd_row = rows(page)
    assert (late_row[3], late_row[14]) == ((1 << 63) - 1, 1 - (1 << 63))
    assert isinstance(odd_row[13], bytes)
