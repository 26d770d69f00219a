"""File names in headers and paths in queries."""

import pytest
from connector.api.files import _media_type, path_of
from connector.api.streaming import attachment
from connector.downloads.content import FoundFile
from contracts.errors import Invalid
from contracts.paths import shown
from starlette.requests import Request


def found(name: bytes) -> FoundFile:
    return FoundFile(name=name, size=0, tag="", mtime_ns=0)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (b"a b.txt", "attachment; filename=\"a b.txt\"; filename*=UTF-8''a%20b.txt"),
        (b'q"\\x', "attachment; filename=\"q__x\"; filename*=UTF-8''q%22%5Cx"),
        ("\u00e9".encode(), "attachment; filename=\"_\"; filename*=UTF-8''%C3%A9"),
        (b"\xff\n", "attachment; filename=\"_xff_\"; filename*=UTF-8''%5Cxff%0A"),
    ],
)
def test_any_name_fits_into_a_header(name: bytes, expected: str) -> None:
    assert attachment(shown(name)) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (b"a.txt", "text/plain"),
        (b"a.tar.gz", "application/octet-stream"),
        (b"unknown", "application/octet-stream"),
        (b"data:text/html,x", "application/octet-stream"),
    ],
)
def test_the_media_type_goes_by_the_name(name: bytes, expected: str) -> None:
    assert _media_type(found(name)) == expected


def request(query: bytes) -> Request:
    return Request({"type": "http", "query_string": query, "headers": []})


@pytest.mark.parametrize(
    ("query", "path"),
    [
        (b"path=/a", b"/a"),
        (b"x=1&path=%2Fa%FF+b%2B", b"/a\xff b+"),
        (b"path=/a%26b&y", b"/a&b"),
        (b"path=/a=b", b"/a=b"),
    ],
)
def test_paths_are_bytes(query: bytes, path: bytes) -> None:
    assert path_of(request(query)) == path


@pytest.mark.parametrize("query", [b"", b"path=", b"PATH=/a"])
def test_a_path_must_be_given(query: bytes) -> None:
    with pytest.raises(Invalid, match="path_missing"):
        path_of(request(query))
