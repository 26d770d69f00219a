"""What each entry of a tar tells, as Python's own reader understands it."""

import io
import os
import tarfile

import pytest
import zstandard
from connector.downloads.archives.tar_archive import tar_zst_pieces
from restic_reader import Found, Node, ReadFile
from restic_reader.structs import ExtendedAttribute

BASE = {"quoted_name": "", "mtime": "2026-01-02T03:04:05Z", "mode": 0o640}


def an_entry(path: bytes, *pieces: bytes, **facts: object) -> ReadFile:
    node = Node(**{**BASE, "type": "file", **facts})  # type: ignore[arg-type]
    return ReadFile(Found(path, node), sum(map(len, pieces)), shrinks=True, pieces=iter(pieces))


def tarred(*entries: ReadFile) -> tarfile.TarFile:
    packed = b"".join(tar_zst_pieces(iter(entries)))
    plain = zstandard.ZstdDecompressor().decompressobj().decompress(packed)
    assert len(plain) % 10_240 == 0
    return tarfile.open(fileobj=io.BytesIO(plain))


def test_contents_come_back() -> None:
    contents = {"empty": b"", "block": b"x" * 512, "odd": os.urandom(5000), "large": os.urandom(3 << 20)}
    made = tarred(*(an_entry(n.encode(), c[:1000], c[1000:]) for n, c in contents.items()))

    assert {m.name: made.extractfile(m).read() for m in made} == contents  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "name",
    [b"plain", "grün".encode(), b"caf\xe9", b"n" * 100, b"n" * 101, b"\xff" * 255, b"new\nline", b"d/" * 500 + b"x"],
)
def test_names_and_targets_stay_as_they_are(name: bytes) -> None:
    [file, link] = tarred(an_entry(name), an_entry(b"l", type="symlink", linktarget_raw=name))

    assert os.fsencode(file.name) == name
    assert os.fsencode(link.linkname) == name


@pytest.mark.parametrize(
    ("mtime", "told"),
    [
        ("2026-01-02T03:04:05Z", 1767323045),
        ("2026-01-02T03:04:05.123456789Z", 1767323045.123456789),
        ("1969-12-31T23:59:58.5Z", -1.5),
        ("0001-01-01T00:00:00Z", -62135596800),
        ("9999-12-31T00:00:00Z", 253402214400),
    ],
)
def test_times(mtime: str, told: float) -> None:
    assert next(iter(tarred(an_entry(b"f", mtime=mtime)))).mtime == told


def test_owners_modes_and_attributes() -> None:
    attributes = (ExtendedAttribute("user.a=b", b"\0\xff"), ExtendedAttribute("user.none"))
    facts = {"uid": 1 << 31, "gid": 12, "user": "ü" * 40, "group": "staff", "mode": 1 << 23 | 0o755}
    [told] = tarred(an_entry(b"f", extended_attributes=attributes, **facts))

    assert (told.uid, told.gid, told.uname, told.gname, told.mode) == (1 << 31, 12, "ü" * 40, "staff", 0o4755)
    assert os.fsencode(told.pax_headers["SCHILY.xattr.user.a%3Db"]) == b"\0\xff"
    assert told.pax_headers["SCHILY.xattr.user.none"] == ""


def test_what_is_no_file() -> None:
    device = os.makedev(8, 1)
    kinds = {"dir": {}, "fifo": {}, "chardev": {"device": device}, "dev": {"device": device}}
    directory, fifo, character, block = tarred(*(an_entry(k.encode(), type=k, **facts) for k, facts in kinds.items()))

    assert directory.isdir()
    assert fifo.isfifo()
    assert character.ischr()
    assert block.isblk()
    assert (block.devmajor, block.devminor) == (8, 1)
    assert (fifo.devmajor, directory.size) == (0, 0)
