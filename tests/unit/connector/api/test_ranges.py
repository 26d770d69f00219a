"""What a request for a file amounts to."""

import pytest
from connector.api.ranges import Answer, answer, etag, last_modified
from connector.downloads.content import FoundFile, Span

FOUND = FoundFile(name=b"file", size=100, tag="abc", mtime_ns=1_700_000_000_500_000_000)
EMPTY = FoundFile(name=b"empty", size=0, tag="e3", mtime_ns=0)
WHOLE = Answer(200, Span(0, 100))
MODIFIED = "Tue, 14 Nov 2023 22:13:20 GMT"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("bytes=0-0", Answer(206, Span(0, 1))),
        ("bytes=0-99", Answer(206, Span(0, 100))),
        ("bytes=10-", Answer(206, Span(10, 90))),
        ("bytes=10-1000", Answer(206, Span(10, 90))),
        ("bytes=-1", Answer(206, Span(99, 1))),
        ("bytes=-1000", Answer(206, Span(0, 100))),
        ("bytes= 5-6 ", Answer(206, Span(5, 2))),
        ("bytes=100-", Answer(416)),
        ("bytes=-0", Answer(416)),
        ("bytes=5-4", WHOLE),
        ("bytes=-", WHOLE),
        ("bytes=a-b", WHOLE),
        ("bytes=0-1,5-6", WHOLE),
        ("lines=0-1", WHOLE),
        ("", WHOLE),
        ("bytes=99999999999999999999-", Answer(416)),
        (f"bytes={'9' * 5000}-", Answer(416)),
        ("bytes=5-99999999999999999999", Answer(206, Span(5, 95))),
        (f"bytes=-{'9' * 5000}", Answer(206, Span(0, 100))),
        (f"bytes={'0' * 5000}5-6", Answer(206, Span(5, 2))),
        ("Bytes=0-9", Answer(206, Span(0, 10))),
        ("bytes=200-300,400-", Answer(416)),
        ("bytes=200-300, 0-1", WHOLE),
        ("bytes=200-300,5-4", WHOLE),
        ("bytes=0-1,x", WHOLE),
        ("bytes=,0-1,", Answer(206, Span(0, 2))),
        ("bytes=0-1\n", WHOLE),
        ("bytes=\u0661-\u0662", WHOLE),
    ],
)
def test_ranges(given: str, expected: Answer) -> None:
    assert answer({"range": given}, FOUND) == expected


def test_ranges_are_for_get_only() -> None:
    assert answer({"range": "bytes=0-9"}, FOUND, method="HEAD") == WHOLE
    assert answer({"range": "bytes=500-"}, FOUND, method="HEAD") == WHOLE


@pytest.mark.parametrize("given", ["bytes=0-", "bytes=-5", "bytes=0-0"])
def test_no_range_of_an_empty_file_can_be_satisfied(given: str) -> None:
    assert answer({"range": given}, EMPTY) == Answer(416)
    assert answer({}, EMPTY) == Answer(200, Span(0, 0))


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"if-none-match": '"abc"'}, 304),
        ({"if-none-match": 'W/"abc"'}, 304),
        ({"if-none-match": '"x", "abc"'}, 304),
        ({"if-none-match": "*"}, 304),
        ({"if-none-match": '"x"'}, 200),
        ({"if-none-match": '"x"', "if-modified-since": MODIFIED}, 200),
        ({"if-modified-since": MODIFIED}, 304),
        ({"if-modified-since": "Tue, 14 Nov 2023 22:13:19 GMT"}, 200),
        ({"if-modified-since": "yesterday"}, 200),
        ({"if-modified-since": "1 Jan 99999999999999999999 00:00:00"}, 200),
        ({"if-modified-since": "Tue, 14 Nov 2023 22:13:20 +99999999999"}, 200),
        ({"if-unmodified-since": MODIFIED}, 200),
        ({"if-unmodified-since": "Tue, 14 Nov 2023 22:13:19 GMT"}, 412),
        ({"if-unmodified-since": "yesterday"}, 200),
        ({"if-unmodified-since": "Tue, 14 Nov 2023 22:13:19 GMT", "if-match": '"abc"'}, 200),
        ({"if-unmodified-since": MODIFIED, "if-match": '"x"'}, 412),
        ({"if-unmodified-since": MODIFIED, "if-none-match": '"abc"'}, 304),
        ({"if-match": '"abc"'}, 200),
        ({"if-match": "*"}, 200),
        ({"if-match": '"x"'}, 412),
        ({"if-match": 'W/"abc"'}, 412),
        ({"if-none-match": '"abc"', "range": "bytes=0-1"}, 304),
    ],
)
def test_conditions(headers: dict[str, str], status: int) -> None:
    assert answer(headers, FOUND).status == status


@pytest.mark.parametrize(
    ("condition", "status"), [('"abc"', 206), ('"x"', 200), ('W/"abc"', 200), (MODIFIED, 206), ("Tue, 14 Nov", 200)]
)
def test_a_range_counts_only_while_its_condition_holds(condition: str, status: int) -> None:
    assert answer({"range": "bytes=0-1", "if-range": condition}, FOUND).status == status


def test_validators_are_written_as_http_has_them() -> None:
    assert etag(FOUND) == '"abc"'
    assert last_modified(FOUND) == MODIFIED
    assert last_modified(FoundFile(name=b"", size=0, tag="", mtime_ns=10**30)) is None
