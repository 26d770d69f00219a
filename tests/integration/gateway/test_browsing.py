"""Directories and entries of a real backup, beside what restic and the file system tell of them."""

import base64
import os
import pwd
import stat
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote_from_bytes

import pytest
import pytest_asyncio

from tests.integration.gateway.client import Client, Json, log_in
from tests.integration.gateway.conftest import Platform
from tests.integration.restic_reader.restic_cli import Restic

PASSPHRASE = "a passphrase"
SIZES = {b"b": 30, b"caf\xe9": 10, b"a\nb": 20, b"z z": 10, "ü".encode(): 0}


@dataclass
class Kept:
    """A tree of odd things, backed up; the tree is still as it was."""

    root: Path
    snapshot_id: str
    restic: Restic

    def url(self, what: str, path: bytes, **asked: object) -> str:
        """Where something of the restore point is asked for."""
        more = "".join(f"&{name}={text}" for name, text in asked.items())
        return f"/snapshots/{self.snapshot_id}/{what}?path={quote_from_bytes(path)}{more}"


def make_tree(root: Path) -> None:
    """Odd names, owners, modes, links, times and extended attributes."""
    sizes, odd = root / "sizes", root / "odd"
    (sizes / "deep" / "deeper").mkdir(parents=True)
    (sizes / "deep" / "deeper" / "x").write_bytes(bytes(25))
    for number, (name, size) in enumerate(SIZES.items()):
        (sizes / os.fsdecode(name)).write_bytes(bytes(size))
        os.utime(sizes / os.fsdecode(name), ns=(10**18, 10**18 + number % 3 * 10**9))
    odd.mkdir()
    file = odd / os.fsdecode(b"f\xfe")
    file.write_bytes(b"content")
    (odd / "hard").hardlink_to(file)
    (odd / "soft").symlink_to(os.fsdecode(b"../\xff"))
    os.mkfifo(odd / "pipe", 0o640)
    for name, value in ((b"user.text", b"gr\xc3\xbcn"), (b"user.bytes", b"\xff\x00"), (b"user.long", bytes(2000))):
        os.setxattr(file, name, value)
    if os.geteuid() == 0:
        os.chown(file, 4_000_000_000, 12_345)
    file.chmod(0o6755)
    os.utime(file, ns=(1_700_000_000_987_000_000, 1_600_000_000_123_000_000))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def kept(platform: Platform) -> AsyncIterator[Kept]:
    root, place = platform.files / "odd-things", platform.files / "store-of-odd-things"
    make_tree(root)
    async with log_in(platform.url, platform.credentials) as api:
        urn_id = await api.resource(await api.inventory())
        source = (await api.connector("source", urn_id, {"root": str(root)}))["id"]
        store = (await api.connector("store", urn_id, {"root": str(place), "passphrase": PASSPHRASE}))["id"]
        await api.post(f"/connectors/{store}/stores/create")
        body = {"type": "backup", "origin_id": source, "target_id": store}
        job = await api.finished((await api.post("/scheduling/scheduler/run", body))["id"])
        assert job["status"] == "succeeded", (await api.call("GET", f"/scheduling/jobs/{job['id']}/log")).text
        [point] = (await api.get(f"/snapshots/store/{store}"))["items"]
        yield Kept(root, point["snapshot_id"], Restic(platform.restic, str(place), password=PASSPHRASE))


async def walk(api: Client, kept: Kept, path: str = "/") -> dict[str, Json]:
    """All that is below a directory by how it is shown, each asked for as one entry, too."""
    found: dict[str, Json] = {}
    for row in (await api.get(kept.url("files", path.encode(), limit=1000)))["items"]:
        entry = await api.get(kept.url("entry", row["path"].encode()))
        assert row.items() <= {**entry, **({"link_target": None} if "link_target" not in row else {})}.items()
        found[row["path"]] = entry
        if row["type"] == "dir":
            found |= await walk(api, kept, row["path"])
    return found


async def test_every_entry_is_told_as_restic_tells_it(api: Client, kept: Kept) -> None:
    found = await walk(api, kept)
    nodes = {_shown(node["path"]): node for node in kept.restic.ls(kept.snapshot_id)}
    assert {_shown(path) for path in found} == set(nodes)
    for path, entry in found.items():
        node = nodes[_shown(path)]
        assert (entry["type"], entry["uid"], entry["gid"]) == (node["type"], node.get("uid", 0), node.get("gid", 0))
        assert entry["permissions"][1:] == stat.filemode(_posix(node["mode"]))[1:], path
        if entry["type"] == "file":
            assert entry["size"] == node.get("size", 0)
        for time in ("mtime", "ctime", "atime"):
            assert entry[time][:23] == _utc(node[time]), (path, time)


async def test_a_file_is_told_as_the_file_system_tells_it(api: Client, kept: Kept) -> None:
    entry = await api.get(kept.url("entry", b"/odd/f\xfe"))
    at = os.lstat(kept.root / "odd" / os.fsdecode(b"f\xfe"))
    assert (entry["name"], entry["path"], entry["size"]) == ("f\\xfe", "/odd/f\\xfe", 7)
    assert (entry["uid"], entry["gid"], entry["links"]) == (at.st_uid, at.st_gid, 2)
    assert (entry["mode"], entry["permissions"]) == (0o6755, "-rwsr-sr-x")
    assert entry["mtime"] == "2020-09-13T12:26:40.123Z"
    told = {a["name"]: (a["value"], a["encoding"], a["length"]) for a in entry["attributes"]}
    assert told == {
        "user.bytes": (base64.b64encode(b"\xff\0").decode(), "base64", 2),
        "user.long": (None, None, 2000),
        "user.text": ("grün", "text", 5),
    }
    assert [c["path"] for c in entry["breadcrumbs"]] == ["/", "/odd", "/odd/f\\xfe"]
    assert await api.get(kept.url("entry", b"/odd/f\\xfe")) == entry
    kinds = {row["name"]: row["type"] for row in (await api.get(kept.url("files", b"/odd")))["items"]}
    assert kinds == {"f\\xfe": "file", "hard": "file", "pipe": "fifo", "soft": "symlink"}
    soft = await api.get(kept.url("entry", b"/odd/soft"))
    owner = pwd.getpwuid(os.lstat(kept.root / "odd" / "soft").st_uid).pw_name
    assert (soft["link_target"], soft["user"]) == ("../\\xff", owner)


async def test_directories_have_totals_and_a_way_back(api: Client, kept: Kept) -> None:
    root = await api.get(kept.url("entry", b"/"))
    assert (root["name"], root["type"], root["mode"], root["breadcrumbs"]) == ("/", "dir", None, [_crumb("/", "/")])
    listed = await api.get(kept.url("files", b"/sizes/deep"))
    assert listed["breadcrumbs"] == [_crumb("/", "/"), _crumb("sizes", "/sizes"), _crumb("deep", "/sizes/deep")]
    assert (listed["total"], listed["totals"]) == (1, {"files": 1, "directories": 1, "bytes": 25})
    assert (listed["items"][0]["files"], listed["items"][0]["size"]) == (1, 25)
    assert (await api.get(kept.url("files", b"/")))["totals"] == root["totals"]
    assert (await api.get(kept.url("entry", b"/sizes/deep")))["totals"] == listed["totals"]


@pytest.mark.parametrize(
    ("sort", "order", "names"),
    [
        ("name", "asc", ["a\nb", "b", "caf\\xe9", "deep", "z z", "ü"]),
        ("name", "desc", ["ü", "z z", "deep", "caf\\xe9", "b", "a\nb"]),
        ("size", "asc", ["ü", "caf\\xe9", "z z", "a\nb", "deep", "b"]),
        ("size", "desc", ["b", "deep", "a\nb", "caf\\xe9", "z z", "ü"]),
        ("mtime", "asc", ["b", "z z", "caf\\xe9", "ü", "a\nb", "deep"]),
        ("mtime", "desc", ["deep", "a\nb", "caf\\xe9", "ü", "b", "z z"]),
    ],
)
async def test_directories_are_sorted_and_paged(
    api: Client, kept: Kept, sort: str, order: str, names: list[str]
) -> None:
    for limit in (1, 4, 100):
        seen: list[str] = []
        cursor: Any = ""
        while cursor is not None:
            page = await api.get(kept.url("files", b"/sizes", sort=sort, order=order, limit=limit, cursor=cursor))
            seen, cursor = seen + [row["name"] for row in page["items"]], page["next_cursor"]
        assert seen == names


async def test_wrong_questions_are_refused(api: Client, kept: Kept) -> None:
    cursor = (await api.get(kept.url("files", b"/sizes", limit=1)))["next_cursor"]
    for asked in ({"sort": "size"}, {"order": "desc"}, {"sort": "mtime", "order": "desc"}):
        problem = await api.problem("GET", kept.url("files", b"/sizes", cursor=cursor, **asked))
        assert (problem["status"], problem["code"]) == (400, "cursor_invalid")
    for odd in ({"sort": "colour"}, {"order": "up"}, {"sort": ""}, {"order": "%00"}):
        assert (await api.problem("GET", kept.url("files", b"/sizes", **odd)))["code"] == "request_invalid"
    for path, status, code in (
        (b"/nothing", 404, "path_not_found"),
        (b"/odd/soft/x", 404, "path_not_found"),
        (b"/odd/..", 400, "path_invalid"),
        (b"odd", 400, "path_invalid"),
        (b"/\0", 400, "request_invalid"),
    ):
        problem = await api.problem("GET", kept.url("entry", path))
        assert (problem["status"], problem["code"]) == (status, code), path
    for snapshot in ("0" * 64, "nothing", "..", "%ff"):
        assert (await api.problem("GET", f"/snapshots/{snapshot}/entry?path=/"))["status"] == 404


def _crumb(name: str, path: str) -> Json:
    return {"name": name, "path": path}


def _shown(path: str) -> str:
    """A path as both tell it: restic has one replacement character for each byte that is no UTF-8."""
    return path.replace("\\xe9", "\ufffd").replace("\\xfe", "\ufffd")


def _posix(mode: int) -> int:
    """The permission bits of a mode as Go writes it."""
    special = ((1 << 23, stat.S_ISUID), (1 << 22, stat.S_ISGID), (1 << 20, stat.S_ISVTX))
    return mode & 0o777 | sum(bit for flag, bit in special if mode & flag)


def _utc(time: str) -> str:
    whole, _, rest = time.partition(".")
    fraction = rest.rstrip("Z").partition("+")[0].partition("-")[0].ljust(3, "0")[:3] if rest else "000"
    zone = time[len(whole) :].lstrip(".0123456789") or "Z"
    moment = datetime.fromisoformat(whole.removesuffix("Z") + zone.replace("Z", "+00:00"))
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{fraction}"
