"""Zips that old readers could not even hold, and what each entry tells."""

import io
import os
import stat
import struct
import zipfile
from collections.abc import Iterator
from itertools import repeat

import pytest
from connector.downloads.archives.windows_names import windows_path
from connector.downloads.archives.zip_archive import FORMAT_LIMITS, Limits, zip_pieces
from contracts.errors import PermanentError
from restic_reader import Found, Node, ReadFile

MTIME = "2026-01-02T03:04:05.5Z"


def a_file(path: bytes, *pieces: bytes, shrinks: bool = True, mtime: str = MTIME, mode: int = 0o640) -> ReadFile:
    node = Node(quoted_name="", type="file", mode=mode, mtime=mtime)
    return ReadFile(Found(path, node), sum(map(len, pieces)), shrinks, iter(pieces))


def a_node(path: bytes, kind: str, mode: int = 0o755, target: str = "") -> ReadFile:
    node = Node(quoted_name="", type=kind, mode=mode, mtime=MTIME, linktarget=target)
    return ReadFile(Found(path, node), 0, True, iter(()))


def pieces(*files: ReadFile, limits: Limits = FORMAT_LIMITS) -> bytes:
    return b"".join(zip_pieces(iter(files), limits=limits))


def zipped(*files: ReadFile, limits: Limits = FORMAT_LIMITS) -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(pieces(*files, limits=limits)))


class Hollow(io.RawIOBase):
    """A file of which only the ends are kept; in between it must not be read."""

    def __init__(self, pieces: Iterator[bytes], *, kept: int = 1 << 16) -> None:
        super().__init__()
        self.tail, self.length, self.at = b"", 0, 0
        for piece in pieces:
            self.length += len(piece)
            self.tail = (self.tail + piece[-kept:])[-kept:]

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        self.at = offset + (0, self.at, self.length)[whence]
        return self.at

    def tell(self) -> int:
        return self.at

    def read(self, size: int = -1) -> bytes:
        start = self.at - (self.length - len(self.tail))
        assert start >= 0
        data = self.tail[start:] if size < 0 else self.tail[start : start + size]
        self.at += len(data)
        return data


def test_contents_come_back_whatever_their_size_and_kind() -> None:
    contents = {
        "empty": b"", "short": b"a", "text": b"words " * 10_000, "noise": os.urandom(5000),
        "large text": b"many words " * 200_000, "large noise": os.urandom(2 << 20),
    }  # fmt: skip
    made = zipped(*(a_file(n.encode(), c, shrinks="noise" not in n) for n, c in contents.items()))

    assert made.testzip() is None
    assert {i.filename: made.read(i) for i in made.infolist()} == contents
    assert made.getinfo("text").compress_size < 1000
    assert made.getinfo("noise").compress_type == zipfile.ZIP_STORED
    assert made.getinfo("large noise").compress_size < (2 << 20) + 1000


def test_modes_links_and_directories_are_told() -> None:
    made = zipped(
        a_node(b"d", "dir", 1 << 31 | 0o750),
        a_file(b"d/f", b"x", mode=0o4755 & 0o777 | 1 << 23),
        a_node(b"l", "symlink", 0o777, "d/f"),
    )

    modes = {i.filename: i.external_attr >> 16 for i in made.infolist()}
    assert modes == {"d/": stat.S_IFDIR | 0o750, "d/f": stat.S_IFREG | 0o4755, "l": stat.S_IFLNK | 0o777}
    assert made.getinfo("d/").is_dir()
    assert made.read("l") == b"d/f"


@pytest.mark.parametrize(
    ("mtime", "shown", "extended"),
    [
        (MTIME, (2026, 1, 2, 3, 4, 4), 1767323045),
        ("1969-12-31T23:59:59Z", (1980, 1, 1, 0, 0, 0), -1),
        ("0001-01-01T00:00:00Z", (1980, 1, 1, 0, 0, 0), None),
        ("9999-01-01T00:00:00Z", (2107, 12, 31, 23, 59, 58), None),
    ],
)
def test_times(mtime: str, shown: tuple[int, ...], extended: int | None) -> None:
    [entry] = zipped(a_file(b"f", b"x", mtime=mtime)).infolist()

    assert entry.date_time == shown
    if extended is not None:
        assert entry.extra == b"UT\5\0\1" + extended.to_bytes(4, "little", signed=True)


@pytest.mark.parametrize(
    ("mtime", "ticks"),
    [
        ("1601-01-01T00:00:00Z", 0),
        ("1601-06-01T00:00:00.5000001Z", 130_464_005_000_001),
        ("1901-12-13T20:45:51Z", 94_969_899_510_000_000),
        ("2038-01-19T03:14:08Z", 137_919_572_480_000_000),
        ("3000-01-01T00:00:00Z", 441_481_536_000_000_000),
        ("9999-12-31T23:59:59.9999999Z", 2_650_467_743_999_999_999),
        ("1600-12-31T23:59:59Z", None),
        ("0001-01-01T00:00:00Z", None),
    ],
)
def test_times_out_of_reach_of_the_extended_timestamp_are_told_as_ntfs_has_them(mtime: str, ticks: int | None) -> None:
    [entry] = zipped(a_file(b"f", b"x", mtime=mtime)).infolist()

    times = struct.unpack("<2H4x2H3Q", entry.extra) if entry.extra else None
    assert times == (None if ticks is None else (10, 32, 1, 24, ticks, ticks, ticks))


def test_a_path_that_was_changed_for_its_readers_is_told_in_the_comment() -> None:
    share = rb"\\nas\share"
    files = (a_node(share, "dir"), a_file(share + "/grün?.txt".encode(), b"x"), a_file(b"C/plain", b"y"))
    made = zipfile.ZipFile(io.BytesIO(b"".join(zip_pieces(iter(files), rename=windows_path))))

    assert [(i.filename, i.comment.decode()) for i in made.infolist()] == [
        ("UNC/nas/share/", share.decode()),
        ("UNC/nas/share/grün%3F.txt", share.decode() + "/grün?.txt"),
        ("C/plain", ""),
    ]
    assert made.read("UNC/nas/share/grün%3F.txt") == b"x"


@pytest.mark.parametrize("name", [b"plain", "grün".encode(), b"caf\xe9", b"back\\slash", b"new\nline", b"x" * 60_000])
def test_names_stay_as_they_are(name: bytes) -> None:
    [entry] = zipped(a_file(name, b"x")).infolist()

    encoding = "utf-8" if entry.flag_bits & 0x800 else "cp437"
    assert entry.orig_filename.encode(encoding) == name


def test_a_name_that_a_zip_cannot_hold_is_refused() -> None:
    with pytest.raises(PermanentError, match="name_too_long"):
        zipped(a_file(b"x" * 65_536, b""))


@pytest.mark.long
def test_more_entries_than_two_bytes_count() -> None:
    made = zipped(*(a_file(b"%d" % n, b"") for n in range(70_000)))

    assert len(made.infolist()) == 70_000
    assert made.read("69999") == b""


def test_more_entries_than_its_count_can_hold() -> None:
    limits = Limits(entries=10)
    made = zipped(*(a_file(b"%d" % n, b"") for n in range(12)), limits=limits)

    assert len(made.infolist()) == 12
    assert made.read("11") == b""
    assert b"PK\x06\x06" in pieces(a_file(b"a", b""), limits=Limits(entries=1))
    assert b"PK\x06\x06" not in pieces(a_file(b"a", b""), limits=Limits(entries=2))


def test_files_and_archives_over_the_limit_of_plain_fields() -> None:
    content = os.urandom(3 << 20)
    limits = Limits(plain=2 << 20, zip64_from=2 << 20)
    made = zipped(a_file(b"large", content, shrinks=False), a_file(b"behind", b"small"), limits=limits)

    assert made.testzip() is None
    assert made.read("large") == content
    assert made.getinfo("behind").header_offset > len(content)
    assert made.read("behind") == b"small"
    assert [len(entry.extra) for entry in made.infolist()] == [9 + 4 + 16, 9 + 4 + 8]


@pytest.mark.long
def test_files_and_archives_over_4_gib() -> None:
    block, size = bytes(256 << 10), (4 << 30) + (256 << 10)
    node = Node(quoted_name="", type="file", mode=0o644, mtime=MTIME)
    huge = ReadFile(Found(b"huge", node), size, shrinks=False, pieces=repeat(block, size // len(block)))
    made = zipfile.ZipFile(Hollow(zip_pieces(iter((huge, a_file(b"behind", b"small"))))))  # type: ignore[arg-type]

    assert made.getinfo("huge").file_size == size
    assert made.getinfo("huge").compress_size > size
    assert made.getinfo("behind").header_offset > size
    assert made.read("behind") == b"small"
