"""Paths in zips of what was backed up on Windows."""

import re
from urllib.parse import unquote_to_bytes

import pytest
from connector.downloads.archives.windows_names import is_windows, windows_path
from hypothesis import given
from hypothesis import strategies as some

DEVICES = ["con", "PRN", "Aux", "nul", "COM1", "lpt9", "LPT²", "CONIN$"]
NAMES = some.text(some.sampled_from('aC.: %0123\\/?"<>|*²Ü\x01UNnas'), min_size=1, max_size=8).map(str.encode)
PATHS = NAMES.filter(lambda path: all(path.split(b"/")))


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        (rb"\\nas\share", b"UNC/nas/share"),
        (rb"\\nas\share/u.txt", b"UNC/nas/share/u.txt"),
        (b"C/Users/me/100%.txt", b"C/Users/me/100%.txt"),
        (b"C/50%25/a", b"C/50%2525/a"),
        (b"C/a:stream", b"C/a%3Astream"),
        (rb"C/back\slash", b"C/back%5Cslash"),
        (b"C/dots../space ", b"C/dots.%2E/space%20"),
        (b"C/con.txt", b"C/%63on.txt"),
        (b"C/console.txt", b"C/console.txt"),
        (b"unc/nas/share", b"%75nc/nas/share"),
        (b"C/UNC/x", b"C/UNC/x"),
        (rb"\\?\GLOBALROOT\x", rb"%5C%5C%3F%5CGLOBALROOT%5Cx"),
        ("C/grün".encode(), "C/grün".encode()),
    ],
)
def test_paths_become_what_windows_opens(path: bytes, shown: bytes) -> None:
    assert windows_path(path) == shown


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("ending", ["", ".txt", " .txt"])
def test_no_name_is_that_of_a_device(device: str, ending: str) -> None:
    assert windows_path(f"C/{device}{ending}".encode()).startswith(b"C/%")


@given(PATHS)
def test_no_part_of_a_path_is_refused_by_windows(path: bytes) -> None:
    for part in windows_path(path).split(b"/"):
        assert part
        assert not re.search(rb'[<>:"|?*\\\x00-\x1f]|[. ]\Z', part)


@given(PATHS, PATHS)
def test_no_two_paths_become_one(one: bytes, other: bytes) -> None:
    assert (one == other) == (windows_path(one) == windows_path(other))


@given(PATHS.filter(lambda path: not path.startswith(b"\\\\")))
def test_decoding_leads_back(path: bytes) -> None:
    assert unquote_to_bytes(windows_path(path)) == path


@pytest.mark.parametrize(
    ("paths", "windows"),
    [
        (["C:\\Users"], True),
        (["d:/data", "/x"], True),
        ([r"\\nas\share"], True),
        (["/C:/x", "C:x", "bucket"], False),
        ([], False),
    ],
)
def test_where_files_were_tells_windows(paths: list[str], windows: bool) -> None:
    assert is_windows(paths) is windows
