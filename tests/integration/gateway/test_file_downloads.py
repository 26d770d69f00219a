"""Files of any name and shape, downloaded through the gateway: whole, in part, many at once, and left half-way."""

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest
import pytest_asyncio

from tests.integration.gateway.client import Client, log_in
from tests.integration.gateway.conftest import Platform
from tests.support.waiting import eventually_async

SPARSE = 64 << 20
QUIET_ROUNDS, MOST_ROUNDS = 3, 30
NAMES = {
    "\U0001f600 smile.txt".encode(): "attachment; filename=\"_ smile.txt\"; filename*=UTF-8''%F0%9F%98%80%20smile.txt",
    b"..double.dots..": "attachment; filename=\"..double.dots..\"; filename*=UTF-8''..double.dots..",
    b".hidden": "attachment; filename=\".hidden\"; filename*=UTF-8''.hidden",
    b"back\\slash": "attachment; filename=\"back_slash\"; filename*=UTF-8''back%5Cslash",
    b"\x01\t\x1b[0m\x7f": "attachment; filename=\"___[0m_\"; filename*=UTF-8''%01%09%1B%5B0m%7F",
    b"page.html": "attachment; filename=\"page.html\"; filename*=UTF-8''page.html",
    b"\xff" * 255: f"attachment; filename=\"{'_xff' * 255}\"; filename*=UTF-8''{'%5Cxff' * 255}",
    "\u202eexe.txt".encode(): "attachment; filename=\"_exe.txt\"; filename*=UTF-8''%E2%80%AEexe.txt",
}


@dataclass
class Shelf:
    """A finished backup."""

    snapshot_id: str
    root: Path
    store: Path

    def content(self, name: bytes | str) -> str:
        return f"/snapshots/{self.snapshot_id}/content?path=/{quote(name, safe='')}"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shelf(platform: Platform) -> Shelf:
    root, place = platform.files / "downloads", platform.files / "store-of-downloads"
    root.mkdir()
    for name in NAMES:
        Path(os.fsdecode(os.fsencode(root) + b"/" + name)).write_bytes(name)
    for n in range(20):
        (root / f"part-{n:02}").write_bytes(os.urandom(300_000 + n))
    (root / "empty").touch()
    (root / "big").write_bytes(os.urandom(48 << 20))
    with (root / "sparse").open("wb") as file:
        file.truncate(SPARSE)
        file.seek(SPARSE // 2)
        file.write(b"an island")
    async with log_in(platform.url, platform.credentials) as api:
        urn_id = await api.resource(await api.inventory())
        source = (await api.connector("source", urn_id, {"root": str(root)}))["id"]
        store = (await api.connector("store", urn_id, {"root": str(place), "passphrase": "a passphrase"}))["id"]
        await api.post(f"/connectors/{store}/stores/create")
        run = {"type": "backup", "origin_id": source, "target_id": store}
        assert (await api.finished((await api.post("/scheduling/scheduler/run", run))["id"]))["status"] == "succeeded"
        [point] = (await api.get(f"/snapshots/store/{store}"))["items"]
        return Shelf(point["snapshot_id"], root, place)


@pytest.mark.parametrize(("name", "disposition"), NAMES.items())
async def test_any_name_is_told_and_nothing_is_shown_inline(
    api: Client, shelf: Shelf, name: bytes, disposition: str
) -> None:
    answer = await api.call("GET", shelf.content(name))

    assert (answer.status_code, answer.content) == (200, name)
    assert answer.headers["content-disposition"] == disposition
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("asked", "status", "size"),
    [
        (None, 200, 0),
        ("bytes=0-", 416, None),
        ("bytes=-1", 416, None),
        ("bytes=0-0,5-6", 416, None),
        ("bytes=5-4", 200, 0),
    ],
)
async def test_an_empty_file_is_empty(
    api: Client, shelf: Shelf, asked: str | None, status: int, size: int | None
) -> None:
    answer = await api.call("GET", shelf.content("empty"), headers={"Range": asked} if asked else {})

    assert answer.status_code == status
    assert (answer.headers.get("content-range") == "bytes */0") == (status == 416)
    if size is not None:
        assert (answer.content, answer.headers["content-length"]) == (b"", "0")


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=-1", SPARSE - 1, SPARSE - 1),
        (f"bytes={SPARSE // 2 - 5}-{SPARSE // 2 + 20}", SPARSE // 2 - 5, SPARSE // 2 + 20),
        (f"bytes={SPARSE - 10}-99999999999999999999999999", SPARSE - 10, SPARSE - 1),
        (f"bytes=-{'9' * 40}", 0, SPARSE - 1),
    ],
)
async def test_parts_of_a_file_with_holes(api: Client, shelf: Shelf, asked: str, first: int, last: int) -> None:
    answer = await api.call("GET", shelf.content("sparse"), headers={"Range": asked})

    with (shelf.root / "sparse").open("rb") as file:
        file.seek(first)
        assert answer.content == file.read(last - first + 1)
    assert (answer.status_code, answer.headers["content-range"]) == (206, f"bytes {first}-{last}/{SPARSE}")


async def test_head_of_a_part_tells_the_whole(api: Client, shelf: Shelf) -> None:
    answer = await api.call("HEAD", shelf.content("sparse"), headers={"Range": "bytes=0-9"})

    assert (answer.status_code, answer.content, answer.headers["content-length"]) == (200, b"", str(SPARSE))


async def test_different_files_at_once_are_whole(api: Client, shelf: Shelf) -> None:
    names = [f"part-{n:02}" for n in range(20)] + ["big"]

    answers = await asyncio.gather(*(api.call("GET", shelf.content(name)) for name in names))

    assert [n for n, a in zip(names, answers, strict=True) if a.content != (shelf.root / n).read_bytes()] == []


async def test_downloads_that_are_left_leave_no_open_file_and_no_thread(
    platform: Platform, api: Client, shelf: Shelf
) -> None:
    worker = Path("/proc") / str(platform.running["connector"].process.pid)

    async def leave() -> None:
        async with api.http.stream("GET", f"/api/v1{shelf.content('big')}") as answer:
            await anext(answer.aiter_raw(1000))

    def open_packs() -> list[str]:
        return [to for to in map(_target, (worker / "fd").iterdir()) if to.startswith(str(shelf.store))]

    def threads() -> int:
        return len(list((worker / "task").iterdir()))

    async def threads_of_one_more_round() -> int:
        before = threads()
        await asyncio.gather(*(leave() for _ in range(10)))
        await eventually_async(lambda: open_packs() == [])
        return threads() - before

    # Pools of threads fill when they are used, and nobody can say when they are full; one thread more for each
    # download would be ten with every round.
    added = [await threads_of_one_more_round() for _ in range(QUIET_ROUNDS)]
    while any(more > 0 for more in added[-QUIET_ROUNDS:]) and len(added) < MOST_ROUNDS:
        added.append(await threads_of_one_more_round())

    assert all(more <= 0 for more in added[-QUIET_ROUNDS:]), added
    assert (await api.call("GET", shelf.content("part-00"))).status_code == 200


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:
        return ""
