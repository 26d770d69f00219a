"""Names of directories as searches read them: packed, unpacked, and some of them dropped."""

import base64
import dataclasses

import pytest
from contracts.errors import Conflict
from contracts.values import OrganizationId
from hypothesis import given
from hypothesis import strategies as st
from restore_index.domain.case_folding import fold, fold_text
from restore_index.domain.entries import Entry, check_page
from restore_index.domain.hash_table import HashTable
from restore_index.domain.name_segments import (
    NamedPage,
    Segment,
    pack_segment,
    read_columns,
    read_frame,
    read_links,
    read_names,
    read_text,
    select_pages,
)
from restore_index.domain.segment_columns import TYPES
from restore_index.store import MemoryDocuments, NameSegments

from tests.unit.restore_index.trees import ORG, Link, Tree, new_store

TREE = bytes(range(32))
NUMBER = st.integers(-(2**63), 2**64 - 1)
entries = st.builds(
    Entry,
    st.binary(min_size=1, max_size=6).filter(lambda name: b"\0" not in name),
    st.sampled_from(TYPES),
    st.integers(0, 2**64 - 1),
    NUMBER,
    st.integers(0, 2**32 - 1),
    st.none() | st.binary(min_size=32, max_size=32),
    st.none() | st.binary(max_size=5),
)
pages = st.builds(
    NamedPage,
    st.binary(min_size=32, max_size=32),
    st.integers(0, 5),
    st.integers(1, 6),
    st.integers(0, 2**64 - 1),
    st.lists(entries, max_size=4),
)


def told(page: NamedPage) -> NamedPage:
    """What can be read of a page again."""
    return page._replace(
        entries=[
            Entry(
                e.name,
                e.type,
                e.size,
                e.mtime_ns // 10**6,
                e.mode,
                e.subtree,
                (e.link_target or b"") if e.type == "symlink" else None,
            )
            for e in page.entries
        ]
    )


def read(segment: Segment) -> list[NamedPage]:
    frame, columns, links = read_frame(segment), read_columns(segment), iter(read_links(segment))
    names = read_names(segment).split(b"\0")[:-1]
    children = {
        (page, entry): frame.child(m)
        for m, (page, entry) in enumerate(zip(frame.child_pages, frame.child_entries, strict=True))
    }
    found = []
    for n in range(len(frame)):
        start, end = frame.entries[n], frame.entries[n + 1]
        rows = [
            Entry(names[i], TYPES[columns.types[i]], columns.sizes[i], columns.mtimes[i], columns.modes[i],
                  children.get((n, i - start)), next(links) if TYPES[columns.types[i]] == "symlink" else None)
            for i in range(start, end)
        ]  # fmt: skip
        assert read_names(segment)[frame.names[n] : frame.names[n + 1]] == b"".join(e.name + b"\0" for e in rows)
        text = read_text(segment)[frame.texts[n] : frame.texts[n + 1]]
        assert text == b"".join(fold(e.name) + b"\0" for e in rows)
        found.append(NamedPage(frame.tree(n), frame.pages[n], frame.of[n], frame.files[n], rows))
    return found


@given(st.lists(pages, max_size=4))
def test_pages_come_back_as_they_were(some: list[NamedPage]) -> None:
    assert read(pack_segment(some)) == [told(page) for page in some]


@given(st.lists(st.tuples(pages, st.booleans()), max_size=5))
def test_some_of_its_pages_make_the_segment_that_they_would_have_made(some: list[tuple[NamedPage, bool]]) -> None:
    smaller = select_pages(pack_segment([page for page, _ in some]), [kept for _, kept in some])
    assert read(smaller) == [told(page) for page, kept in some if kept]


def entry(name: bytes, **facts: object) -> Entry:
    return Entry(
        name=name,
        **{"type": "file", "size": 1, "mtime_ns": 0, "mode": 0o644, "subtree": None, "link_target": None, **facts},
    )  # type: ignore[arg-type]


def test_what_cannot_be_is_kept_as_the_nearest_that_can() -> None:
    odd = [entry(b"a\0b", type="door", size=-5, mode=-1), entry(b"c", size=2**64 - 1, mtime_ns=2**64 - 1)]
    [page] = read(pack_segment([NamedPage(TREE, 0, 1, 0, odd)]))
    assert [(e.name, e.type, e.size, e.mode) for e in page.entries] == [
        (b"a\\x00b", "irregular", 0, 0xFFFFFFFF),
        (b"c", "file", 2**64 - 1, 0o644),
    ]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("README", "readme"),
        ("STRASSE", "straße"),
        ("ΣΊΣΥΦΟΣ", "σίσυφος"),
        ("É", "e\u0301"),
        ("ﬁn", "FIN"),
        ("K", "\u212a"),
    ],
)
def test_texts_that_differ_in_case_or_writing_are_the_same(one: str, other: str) -> None:
    assert fold_text(one) == fold_text(other) == fold(one.encode()).decode()


@given(st.lists(st.binary(max_size=8).filter(lambda name: b"\0" not in name), max_size=5))
def test_names_are_folded_together_as_each_by_itself(names: list[bytes]) -> None:
    assert fold(b"\0".join(names)) == b"\0".join(map(fold, names))


@pytest.mark.parametrize("part", ["frame", "names", "columns", "links"])
def test_a_damaged_segment_says_so(part: str) -> None:
    segment = pack_segment([NamedPage(TREE, 0, 1, 0, [entry(b"a", type="symlink", link_target=b"b")])])
    packed = getattr(segment, part)
    for bad in (packed[:-1], packed[:9] + bytes([packed[9] ^ 1]) + packed[10:], b"x"):
        with pytest.raises(Conflict, match="names_damaged"):
            read(dataclasses.replace(segment, **{part: bad}))


async def test_segments_are_read_in_order_from_any_number_on() -> None:
    documents, store = MemoryDocuments(), new_store()
    for n in range(30):
        await NameSegments(documents).append(ORG, store, pack_segment([NamedPage(TREE, n, 40, 0, [])]))
    for start in (0, 7, 29, 30, 99):
        found = [(n, read_frame(s).pages[0]) async for n, s in NameSegments(documents).read(ORG, store, start=start)]
        assert found == [(n, n) for n in range(start, 30)]
    assert [n async for n, _ in NameSegments(documents).read(OrganizationId("other"), store)] == []
    assert [n async for n, _ in NameSegments(documents).read(ORG, new_store())] == []


async def test_two_writers_leave_no_gap() -> None:
    documents, store = MemoryDocuments(), new_store()
    writers = [NameSegments(documents), NameSegments(documents)]
    for n in range(9):
        await writers[n % 2].append(ORG, store, pack_segment([NamedPage(TREE, n, 40, 0, [])]))
    found = [read_frame(s).pages[0] async for _, s in NameSegments(documents).read(ORG, store)]
    assert found == list(range(9))
    with pytest.raises(Conflict, match="store_foreign"):
        await NameSegments(documents).append(OrganizationId("other"), store, pack_segment([]))


async def test_what_is_gone_or_there_twice_is_dropped_and_small_segments_are_joined() -> None:
    documents, store, gone = MemoryDocuments(), new_store(), HashTable(0)
    names, tree = (
        NameSegments(documents),
        Tree({b"kept": {b"\xc9t\xc9": 1, b"link": Link(b"to")}, b"gone": {b"x": {b"y": 2}}}),
    )
    pages = [NamedPage(bytes.fromhex(p.tree_id), 0, 1, 7, check_page(p).entries) for p in tree.pages]
    for page in (*pages, pages[0], pages[-1])[:6]:
        await names.append(ORG, store, pack_segment([page]))
    documents.kept[f"{store}/5"] |= {"frame": b"damaged"}
    assert await names.count(ORG, store) == 6
    gone.put(pages[1].tree_id, b"")
    left = [page for page in pages if page.tree_id != pages[1].tree_id]

    for _ in range(2):
        await names.rewrite(ORG, store, gone)
        assert await names.count(ORG, store) == len(documents.kept) == 1
        assert await names.get(ORG, store, 0) == pack_segment(left)

    await names.append(ORG, store, pack_segment([pages[1]]))
    assert await names.count(ORG, store) == 2


WRITTEN_EARLIER = {
    "frame": (
        "D77#BB(;?S0JH;|#6V$U#0UTY00031006`Y0RR910ssI2#1H}i0|3Mb0|*=d000IY00009"
        "0002Q1Oxy8006`wVPOaW6BA|#f~LCVCmCR1z%W1~8bAaFk(aC"
    ),
    "names": "D77#BBq9+30K<u6a%prfR9I91Y-w(50B&_`TzD`rZeeX@0CRO>0RI4GDq@%",
    "text": "D77#BBqb>U0K=(ca%prfba-?CY-w(50B&_`TzD`rZeeX@0CRO>09<%xW&lv$t!M",
    "columns": (
        "D77#BBxx-I0Hgx|0ssLAprD|jpn(7Z2LS*90DF7;dwc%=|Nj0)M*l`e2nhcO2%@6@qM`u-{{aC20RI300093000a;K2To)+@B;1}G?V"
    ),
    "links": "D77#BBnw#p0FlH9bZ;+oXk~I`=|KT%",
}
"""A segment as it was stored before its format got modules of its own, each column in base 85."""


def test_a_segment_that_an_earlier_version_stored_is_read() -> None:
    segment = Segment(**{column: base64.b85decode(packed) for column, packed in WRITTEN_EARLIER.items()})
    first, second = read(segment)
    assert [(e.name, e.type, e.size, e.link_target) for e in first.entries] == [
        ("Écrit.TXT".encode(), "file", 2**40, None),
        (b"link", "symlink", 0, b"to/there"),
        (b"nul\\x00name", "file", 1, None),
    ]
    assert [(e.name, e.type, e.subtree) for e in second.entries] == [
        (b"sub", "dir", b"a" * 32),
        (b"\xff", "irregular", None),
    ]
    assert (first.tree_id, first.page, first.pages, first.files) == (b"a" * 32, 0, 1, 2)
    assert (second.tree_id, second.page, second.pages, second.files) == (b"b" * 32, 1, 2, 3)
