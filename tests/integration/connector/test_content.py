"""Files of restore points over HTTP: whole, in part, and nothing but what was backed up."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from contracts.messages.assignment import App
from contracts.messages.connector.task_events import TaskSucceeded
from contracts.values import OrganizationId
from fastapi import FastAPI

from tests.integration.connector.worker_fixture import WorkerFixture, write_tree
from tests.support.door import internal_client
from tests.support.waiting import eventually_async

LARGE = os.urandom(1 << 20) * 9 + b"tail"
TREE = {
    "a/plain.txt": b"0123456789",
    "a/empty": b"",
    "a/new\nline + plus & 100%": b"odd",
    "a/..b": b"dots",
    "large.bin": LARGE,
    "x" * 255: b"long",
}


@dataclass
class Shelf:
    """A store with one restore point."""

    store: App
    snapshot_id: str
    root: Path

    @property
    def where(self) -> str:
        return f"/internal/stores/{self.store.id}/snapshots/{self.snapshot_id}/content"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shelf(ground: WorkerFixture, app: FastAPI) -> Shelf:
    root = write_tree(ground.files("sources", "content"), TREE)
    Path(os.fsdecode(os.fsencode(root) + b"/a/raw\xff")).write_bytes(b"raw")
    (root / "a/raw\\xff").write_bytes(b"shown")
    Path(os.fsdecode(os.fsencode(root) + b"/a/only\xfe")).write_bytes(b"only")
    (root / "link").symlink_to("/etc/passwd")
    source = await ground.assign("source", root)
    store = await ground.store_made_by_hand("content")
    ended = await ground.ending(await ground.request(source, store), TaskSucceeded)
    return Shelf(store, ended.data.backup.snapshot_id, root)


async def get(http: httpx.AsyncClient, shelf: Shelf, path: str, **headers: str) -> httpx.Response:
    return await http.get(f"{shelf.where}?path={path}", headers=headers)


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("/a/plain.txt", b"0123456789"),
        ("/a/plain.txt/", b"0123456789"),
        ("%2Fa%2Fplain.txt", b"0123456789"),
        ("/a/empty", b""),
        ("/a/new%0Aline%20%2B+plus%20%26%20100%25", b"odd"),
        ("/a/..b", b"dots"),
        ("/" + "x" * 255, b"long"),
        ("/a/raw%FF", b"raw"),
        ("/a/raw%5Cxff", b"shown"),
        ("/a/only%5Cxfe", b"only"),
        ("/large.bin", LARGE),
    ],
)
async def test_files_come_byte_for_byte(http: httpx.AsyncClient, shelf: Shelf, path: str, content: bytes) -> None:
    answer = await get(http, shelf, path)

    assert answer.status_code == 200
    assert answer.content == content
    assert answer.headers["content-length"] == str(len(content))
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["content-disposition"].startswith("attachment; filename=")


async def test_a_path_may_begin_where_the_files_were_on_the_source(http: httpx.AsyncClient, shelf: Shelf) -> None:
    answer = await get(http, shelf, f"{shelf.root}/a/plain.txt")

    assert answer.content == b"0123456789"


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/missing", 404, "path_not_found"),
        ("/a/plain.txt/below", 404, "path_not_found"),
        ("/a", 400, "not_a_file"),
        ("/", 400, "not_a_file"),
        ("/link", 400, "not_a_file"),
        ("/link/x", 404, "path_not_found"),
        ("/../etc/passwd", 400, "path_invalid"),
        ("/a/../a/plain.txt", 400, "path_invalid"),
        ("/a//plain.txt", 400, "path_invalid"),
        ("a/plain.txt", 400, "path_invalid"),
        ("/a%00", 400, "path_invalid"),
        ("", 400, "path_missing"),
    ],
)
async def test_other_paths_are_problems(
    http: httpx.AsyncClient, shelf: Shelf, path: str, status: int, code: str
) -> None:
    answer = await get(http, shelf, path)

    assert (answer.status_code, answer.json()["code"]) == (status, code)


@pytest.mark.parametrize("snapshot", ["0" * 64, "abc", "..%2F..%2Fkeys", "%00"])
async def test_unknown_snapshots_are_not_found(http: httpx.AsyncClient, shelf: Shelf, snapshot: str) -> None:
    answer = await http.get(f"/internal/stores/{shelf.store.id}/snapshots/{snapshot}/content?path=/a")

    assert answer.status_code == 404


async def test_stores_of_others_are_not_found(ground: WorkerFixture, app: FastAPI, shelf: Shelf) -> None:
    async with internal_client(ground.corner.settings(), app, org=OrganizationId("other")) as stranger:
        answer = await stranger.get(f"{shelf.where}?path=/a/plain.txt")

    assert (answer.status_code, answer.json()["code"]) == (404, "app_not_found")


async def test_nobody_reads_without_a_token(app: FastAPI, shelf: Shelf) -> None:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://c") as nobody:
        assert (await nobody.get(f"{shelf.where}?path=/a/plain.txt")).status_code == 401


@pytest.mark.parametrize(
    ("asked", "status", "part", "told"),
    [
        ("bytes=2-4", 206, slice(2, 5), "bytes 2-4/10"),
        ("bytes=-3", 206, slice(7, 10), "bytes 7-9/10"),
        ("bytes=8-99", 206, slice(8, 10), "bytes 8-9/10"),
        ("bytes=0-0,2-3", 200, slice(0, 10), None),
    ],
)
async def test_ranges(
    http: httpx.AsyncClient, shelf: Shelf, asked: str, status: int, part: slice, told: str | None
) -> None:
    answer = await get(http, shelf, "/a/plain.txt", range=asked)

    assert (answer.status_code, answer.content) == (status, TREE["a/plain.txt"][part])
    assert answer.headers.get("content-range") == told


async def test_a_range_that_cannot_be_satisfied_tells_the_size(http: httpx.AsyncClient, shelf: Shelf) -> None:
    answer = await get(http, shelf, "/a/plain.txt", range="bytes=10-")

    assert (answer.status_code, answer.headers["content-range"]) == (416, "bytes */10")
    assert answer.json()["code"] == "range_not_satisfiable"


async def test_a_range_across_pieces_of_a_large_file(http: httpx.AsyncClient, shelf: Shelf) -> None:
    answer = await get(http, shelf, "/large.bin", range="bytes=1000000-8000000")

    assert hashlib.sha256(answer.content).digest() == hashlib.sha256(LARGE[1000000:8000001]).digest()


async def test_the_tag_spares_a_second_download(http: httpx.AsyncClient, shelf: Shelf) -> None:
    first = await get(http, shelf, "/a/plain.txt")
    tag = first.headers["etag"]

    unchanged = await get(http, shelf, "/a/plain.txt", **{"if-none-match": tag})
    resumed = await get(http, shelf, "/a/plain.txt", **{"if-range": tag, "range": "bytes=5-"})
    other = await get(http, shelf, "/a/plain.txt", **{"if-range": '"other"', "range": "bytes=5-"})

    assert (unchanged.status_code, unchanged.content) == (304, b"")
    assert (resumed.status_code, resumed.content) == (206, b"56789")
    assert other.status_code == 200


async def test_head_tells_all_but_the_bytes(http: httpx.AsyncClient, shelf: Shelf) -> None:
    answer = await http.head(f"{shelf.where}?path=/large.bin")

    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-length"] == str(len(LARGE))


async def test_where_blobs_lie_is_kept_on_the_disk(
    ground: WorkerFixture, http: httpx.AsyncClient, shelf: Shelf
) -> None:
    assert (await get(http, shelf, "/a/plain.txt")).content == b"0123456789"
    assert list((ground.folder / "work" / "blob-tables").glob("*/*.blobs"))


async def test_the_store_is_opened_anew_when_it_is_configured_anew(
    ground: WorkerFixture, http: httpx.AsyncClient, shelf: Shelf
) -> None:
    store = await ground.store_made_by_hand("rotated")
    source = await ground.assign("source", write_tree(ground.files("sources", "rotated"), {"a": b"a"}))
    ended = await ground.ending(await ground.request(source, store), TaskSucceeded)
    where = f"/internal/stores/{store.id}/snapshots/{ended.data.backup.snapshot_id}/content?path=/a"
    assert (await http.get(where)).status_code == 200

    root = Path(store.fields["root"].value or "")
    wrong = {"passphrase": ground.sealed(store.id, "wrong")}
    await ground.assign("store", root, id=store.id, fields=wrong)

    async def refused() -> bool:
        answer = await http.get(where)
        return answer.status_code == 400 and answer.json()["code"] == "passphrase_wrong"

    await eventually_async(refused)
