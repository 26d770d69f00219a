"""All that is known of one entry, as it is shown."""

from typing import Any

import pytest
from contracts.errors import CairnError
from contracts.messages.restore_index import RestorePoint
from restore_index.domain.entries import Below, FullEntry
from restore_index.domain.entry_details import show_attribute, show_permissions
from restore_index.usecases import browse

from tests.unit.restore_index.memory_index import MemoryIndex
from tests.unit.restore_index.trees import MTIME_NS, ORG, File, Link, Tree

ATTRIBUTES = ((b"user.color", b"gr\xc3\xbcn", 5), (b"user.raw", b"\xff\0", 2), (b"user.\xfe", None, 5000))
TREE = Tree(
    {
        b"docs": {
            b"caf\xe9": File(12, mode=0o104755, attributes=ATTRIBUTES),
            b"link": Link(b"../\xff"),
            b"inner": {b"x": 5},
        }
    }
)


async def show(index: MemoryIndex, point: RestorePoint, path: bytes) -> dict[str, Any]:
    return await browse.show_entry(index.store, ORG, point.snapshot_id, path=path)


@pytest.mark.parametrize("path", [b"/docs/caf\xe9", b"/docs/caf\\xe9", b"/srv/data/docs/caf\xe9"])
async def test_a_file_is_shown_with_all_that_is_known(index: MemoryIndex, point: RestorePoint, path: bytes) -> None:
    assert await show(index, point, path) == {
        "name": "caf\\xe9",
        "path": "/docs/caf\\xe9",
        "breadcrumbs": [
            {"name": "/", "path": "/"},
            {"name": "docs", "path": "/docs"},
            {"name": "caf\\xe9", "path": "/docs/caf\\xe9"},
        ],
        "type": "file",
        "size": 12,
        "mode": 0o4755,
        "permissions": "-rwsr-xr-x",
        "uid": 1000,
        "gid": 1000,
        "user": "me",
        "group": "us",
        "links": 1,
        "link_target": None,
        "mtime": "2026-11-23T12:00:00.123Z",
        "ctime": "2026-11-23T12:00:00.125Z",
        "atime": "2026-11-23T12:00:00.123Z",
        "attributes": [
            {"name": "user.color", "value": "grün", "encoding": "text", "length": 5},
            {"name": "user.raw", "value": "/wA=", "encoding": "base64", "length": 2},
            {"name": "user.\\xfe", "value": None, "encoding": None, "length": 5000},
        ],
        "totals": None,
    }


async def test_a_directory_is_shown_with_its_totals(index: MemoryIndex, point: RestorePoint) -> None:
    docs = await show(index, point, b"/docs/")
    assert (docs["type"], docs["size"], docs["files"], docs["permissions"]) == ("dir", 17, 3, "drwxr-xr-x")
    assert docs["totals"] == Below(files=3, directories=1, bytes=17)


async def test_a_link_is_shown_with_its_target(index: MemoryIndex, point: RestorePoint) -> None:
    link = await show(index, point, b"/docs/link")
    assert (link["type"], link["link_target"], link["permissions"]) == ("symlink", "../\\xff", "lrwxrwxrwx")


@pytest.mark.parametrize("path", [b"/", b"/srv/data"])
async def test_of_the_root_its_totals_are_known(index: MemoryIndex, point: RestorePoint, path: bytes) -> None:
    root = await show(index, point, path)
    assert (root["name"], root["path"], root["type"], root["mode"], root["mtime"]) == ("/", "/", "dir", None, None)
    assert root["totals"] == Below(files=3, directories=2, bytes=17)
    assert root.keys() == {*await show(index, point, b"/docs/link"), "files"}


@pytest.mark.parametrize("path", [b"/nothing", b"/docs/link/x", b"/docs/caf"])
async def test_what_is_not_there_is_not_found(index: MemoryIndex, point: RestorePoint, path: bytes) -> None:
    with pytest.raises(CairnError, match="path_not_found"):
        await show(index, point, path)


@pytest.mark.parametrize(
    ("kind", "mode", "text"),
    [
        ("file", 0o100644, "-rw-r--r--"),
        ("file", 0o6751, "-rwsr-s--x"),
        ("dir", 0o41777, "drwxrwxrwt"),
        ("symlink", 0o777, "lrwxrwxrwx"),
        ("dev", 0o660, "brw-rw----"),
        ("chardev", 0o620, "crw--w----"),
        ("fifo", 0, "p---------"),
        ("socket", 0o700, "srwx------"),
        ("irregular", 0o700, "?rwx------"),
        ("whatever", 2**40, "?---------"),
    ],
)
def test_modes_are_shown_as_by_ls(kind: str, mode: int, text: str) -> None:
    assert show_permissions(FullEntry(b"x", kind, 0, MTIME_NS, mode)) == text


@pytest.mark.parametrize(
    ("value", "shown", "encoding"),
    [
        (b"", "", "text"),
        (b"a b", "a b", "text"),
        (b"a\n", "YQo=", "base64"),
        (b"\x1b[1m", "G1sxbQ==", "base64"),
        ("\u202e".encode(), "4oCu", "base64"),
    ],
)
def test_values_are_text_where_they_can_be_read(value: bytes, shown: str, encoding: str) -> None:
    told = show_attribute(b"n", value, len(value))
    assert (told["value"], told["encoding"]) == (shown, encoding)
