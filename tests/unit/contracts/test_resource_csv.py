"""Lists of resources as CSV: rows or a report, and back."""

import pytest
from contracts.endpoints import endpoint_of
from contracts.messages.catalog import Resource
from contracts.resource_classes import RESOURCE_CLASSES, class_of
from contracts.resource_csv import (
    COLUMNS,
    MOST_FAULTS,
    MOST_ROWS,
    Fault,
    Report,
    Row,
    read_list,
    says_the_same,
    write_line,
)
from contracts.resource_rules import address_fault
from contracts.values import InventoryId, ResourceId
from hypothesis import given
from hypothesis import strategies as st

NAS = Row("file-storage", "NAS", "urn:nas", ("nas.example.com",))


def rows(text: str) -> list[Row]:
    found = read_list(text.encode())
    assert isinstance(found, list)
    return found


def faults(content: str | bytes) -> list[Fault]:
    found = read_list(content if isinstance(content, bytes) else content.encode())
    assert isinstance(found, Report)
    assert found.total >= len(found.faults) > 0
    return found.faults


def resource(urn: str, *, class_: str = "compute", name: str = "", endpoints: tuple[str, ...] = ()) -> Resource:
    facts = {"class_": class_, "subclass": "", "service": "", "tags": (), "excluded_from_coverage": False}
    made = tuple(map(endpoint_of, endpoints))
    id_, inventory = ResourceId(urn), InventoryId("i")
    return Resource(id=id_, inventory_id=inventory, urn=urn, name=name or urn, endpoints=made, revision=1, **facts)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_lines_end_as_they_do_on_any_machine(end: str, mark: str) -> None:
    text = mark + end.join(["", "file-storage;NAS;urn:nas;nas.example.com", "", "  ", "x;;urn:x;"])
    assert rows(text) == [NAS, Row("x", "urn:x", "urn:x", ())]


def test_an_empty_list_has_no_rows() -> None:
    assert [rows(text) for text in ("", "\n\r\n", "\ufeff", " ")] == [[], [], [], []]


@pytest.mark.parametrize(
    "written", ["ObjectStorage", "Object Storage", "object-storage", "OBJECT_STORAGE", " object storage"]
)
def test_classes_are_read_as_people_write_them(written: str) -> None:
    assert rows(f"{written};a;urn:a;")[0].class_ == class_of(written) == "object-storage"


def test_an_unknown_class_stays_as_it_comes() -> None:
    assert rows("Mainframe (old);a;urn:a;")[0].class_ == "Mainframe (old)"
    assert all(class_of(each.name) == class_of(each.title) == each.name for each in RESOURCE_CLASSES)


def test_quotes_hold_what_would_part_cells_and_endpoints() -> None:
    text = 'compute;"a;b ""c""";urn:a;"h1, ""h2,x"" ,[::1]:22"'
    assert faults(text)[0].detail.startswith("has a quote in the wrong place")
    text = 'compute;"a;b ""c""";urn:a;"h1, ""h2,x"",[::1]:22"'
    assert rows(text) == [Row("compute", 'a;b "c"', "urn:a", ("h1", "h2,x", "[::1]:22"))]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Class;Name;URN;Hostname\nx;a;urn:a;h", (1, "", "is a header")),
        ("\n\nCLASS;NAME;URN;ENDPOINTS", (3, "", "is a header")),
        ("x;a;urn:a;h\nx;a;urn:b", (2, "", "has 3 columns; there must be four")),
        ("x,a,urn:b,h", (1, "", "has one column; there must be four, separated by semicolons")),
        ("x;a;urn:a;h;", (1, "", "has 5 columns")),
        ("\x07;a;urn:a;h", (1, "class", "contains control characters")),
        ("x;a;;h", (1, "urn", "must not be empty")),
        ("x;a\x00;urn:a;h", (1, "name", "contains control characters")),
        ('x;"a\nb";urn:a;h\nx;;urn:a;h', (1, "name", "contains control characters")),
        ("x;" + "a" * 513 + ";urn:a;h", (1, "name", "is longer than 512")),
        ("x;a;urn:a;h:99999", (1, "hostname", "has a port")),
        ("x;a;urn:a;h,,g", (1, "hostname.1", "must not be empty")),
        ("x;a;urn:a;h,user@g", (1, "hostname.1", "must be a host name")),
        ("x;a;urn:a;" + ",".join(["h"] * 101), (1, "hostname", "has more than 100 endpoints")),
        ("x;a;urn:a;h\n\nx;b;urn:a;h", (3, "urn", "is the URN of line 1 too")),
        ('x;"a;urn:a;h\nx;b;urn:b;h', (1, "", "opens a quote that is not closed")),
        ('x;"a"b;urn:a;h', (1, "", "has a quote in the wrong place")),
        ("x;" + "a" * 200_000 + ";urn:a;h", (1, "", "has a cell that is too long")),
    ],
)
def test_faults_name_the_line_the_column_and_the_reason(text: str, expected: tuple[int, str, str]) -> None:
    line, column, words = expected
    first = faults(text)[0]
    assert (first.line, first.column) == (line, column)
    assert words in first.detail


def test_a_line_is_named_where_it_begins() -> None:
    assert [(f.line, f.column) for f in faults('x;"a\nb";urn:a;h\nx;a;;h')] == [(1, "name"), (3, "urn")]


def test_other_encodings_are_named_with_their_line() -> None:
    assert faults("x;ä;urn:a;h\r\nx;ä;urn:b;h".encode("latin-1")) == [
        Fault(1, "", "is not UTF-8: save the file with that encoding")
    ]
    assert faults(b"x;a;urn:a;h\rx;b;urn:b;h\r\nx;\xff;urn:b;h")[0].line == 3
    assert faults("x;a;urn:a;h".encode("utf-16"))[0].line == 1


def test_of_many_faults_the_first_are_told_and_all_are_counted() -> None:
    found = read_list(b"nothing\n" * 1000)
    assert isinstance(found, Report)
    assert (len(found.faults), found.total) == (MOST_FAULTS, 1000)


def test_a_list_has_an_end() -> None:
    assert MOST_ROWS == 200_000
    text = "\n".join(f"x;;u{n};" for n in range(15)).encode()
    assert isinstance(read_list(text, most_rows=15), list)
    report = read_list(text, most_rows=10)
    assert isinstance(report, Report)
    assert [f.line for f in report.faults] == [11]


def test_formulas_of_spreadsheets_are_data() -> None:
    for name in ("=1+1", "+a", "-a", "@a"):
        assert write_line(resource("urn:a", name=name)) == f"compute;{name};urn:a;\r\n"


PIECES = st.sampled_from(
    [";", '"', ",", "\n", "\r", "\r\n", "\x00", " ", "\ufeff", "a", "urn", "Class", "host:1", "[::1]", "é"]
)
TEXTS = st.one_of(st.text(), st.lists(PIECES, max_size=60).map("".join))


@given(st.one_of(TEXTS.map(lambda text: text.encode(errors="surrogatepass")), st.binary()))
def test_whatever_comes_is_rows_or_a_report(content: bytes) -> None:
    found = read_list(content)
    if isinstance(found, Report):
        assert found.total >= len(found.faults) > 0
        assert all(f.line > 0 and f.detail and f.column.split(".")[0] in (*COLUMNS, "") for f in found.faults)
    else:
        assert len({row.urn for row in found}) == len(found)
        # As the catalog will take them.
        for row in found:
            assert resource(row.urn, class_=row.class_, name=row.name, endpoints=row.endpoints)


LETTERS = st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"])
ODD_LETTERS = st.sampled_from([";", '"', ",", " ", "\ufeff", "a", "=", "é"])


def texts(*words: str) -> st.SearchStrategy[str]:
    """What a label may be, and often one that CSV makes something of."""
    odd = st.text(ODD_LETTERS, min_size=1, max_size=8)
    text = st.one_of(st.text(LETTERS, min_size=1, max_size=40), odd, st.sampled_from(["a", *words]))
    return text.map(lambda each: each if each.strip() else f"{each}b")


ADDRESSES = st.one_of(
    st.sampled_from(["host", "a,b", 'a"b', "10.0.0.1:22", "[::1]:443", "https://h/p,q;r", "hostname"]),
    texts(),
    st.text(LETTERS, max_size=20).map("/{}".format),
).filter(lambda address: address_fault(address) is None)
RESOURCES = st.lists(
    st.builds(
        resource,
        texts("urn"),
        class_=st.one_of(texts("class", "Compute"), st.just("")),
        name=texts("name"),
        endpoints=st.lists(ADDRESSES, max_size=4).map(tuple),
    ),
    unique_by=lambda each: each.urn,
    max_size=6,
)


@given(RESOURCES)
def test_what_is_written_is_read_as_no_change(resources: list[Resource]) -> None:
    found = read_list("".join(map(write_line, resources)).encode())
    assert isinstance(found, list)
    assert [row.urn for row in found] == [each.urn for each in resources]
    assert all(says_the_same(row, each) for row, each in zip(found, resources, strict=True))


def test_a_class_may_be_left_out() -> None:
    assert rows(";a;urn:a;h\n  ;b;urn:b;h") == [Row("", "a", "urn:a", ("h",)), Row("", "b", "urn:b", ("h",))]


def test_what_looks_like_a_header_is_written_so_that_it_is_none() -> None:
    odd = resource("urn", class_="class", name="name", endpoints=("hostname",))
    assert rows(write_line(odd)) == [Row("class", "name", "urn", ("hostname",))]
