"""Archives, links and the audit log, from the outside."""

import asyncio
import io
import json
import os
import subprocess
import tarfile
import zipfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import pytest_asyncio
import zstandard
from restic_reader import LocalFiles, Repository

from tests.integration.gateway.client import Client, Json, log_in
from tests.integration.gateway.conftest import Platform
from tests.integration.gateway.members import accounts_of, add_member, badge_for
from tests.integration.gateway.test_backups import a_run, connectors
from tests.support.waiting import eventually_async

BIG = 24 << 20
MANY = [os.urandom(40).hex() for _ in range(300)]


@dataclass
class Shelf:
    """A tree in a restore point."""

    root: Path
    store: str
    snapshot_id: str

    def at(self, area: str) -> str:
        return f"/snapshots/{self.snapshot_id}/{area}"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shelf(platform: Platform) -> Shelf:
    root = platform.files / "shelf"
    folder = root / "folder"
    (folder / "empty").mkdir(parents=True)
    (folder / "letter.txt").write_bytes(b"Dear reader,\n" * 1000)
    (folder / "random.bin").write_bytes(os.urandom(3 << 20))
    (folder / "nothing").touch()
    (folder / "grün & ü.txt").write_text("umlauts")
    Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9")).write_text("not UTF-8")
    deep = folder.joinpath(*["n" * 60] * 5)
    deep.mkdir(parents=True)
    (deep / "deep").write_text("far below")
    (folder / "program").write_text("#!/bin/sh\n")
    (folder / "program").chmod(0o4755)
    (folder / "link").symlink_to("/etc/hostname")
    os.link(folder / "letter.txt", folder / "hard")
    os.utime(folder / "letter.txt", ns=(0, 1_234_567_890_123_456_789))
    os.mkfifo(folder / "pipe")
    (root / "beside.txt").write_text("beside")
    (root / "many").mkdir()
    for name in MANY:
        (root / "many" / name).touch()
    (root / "big.bin").write_bytes(os.urandom(BIG))
    async with log_in(platform.url, platform.credentials) as api:
        source, store = await connectors(platform, api, root)
        job = await api.finished((await api.post("/scheduling/scheduler/run", a_run(source, store)))["id"])
        assert job["status"] == "succeeded", job
        [point] = (await api.get(f"/snapshots/store/{store}"))["items"]
        return Shelf(root, store, point["snapshot_id"])


@pytest_asyncio.fixture(loop_scope="session")
async def nobody(platform: Platform) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody without a badge."""
    async with httpx.AsyncClient(base_url=platform.url, trust_env=False, timeout=30) as http:
        yield http


@contextmanager
def spoilt(platform: Platform, shelf: Shelf, path: bytes, *, blob: int) -> Iterator[str]:
    """A store in which one byte of one blob of a file is wrong; the pack. What shares a pack is restic's to choose."""
    place = platform.files / f"store-of-{shelf.root.name}"
    with Repository.open(LocalFiles(place), "a passphrase") as repository:
        node = repository.resolve(repository.snapshot(shelf.snapshot_id).tree, path)
        location = repository.locate((node.content or ())[blob])
    pack = place / "data" / location.pack[:2] / location.pack
    kept = pack.read_bytes()
    pack.chmod(0o600)
    pack.write_bytes(kept[: location.offset] + bytes([kept[location.offset] ^ 1]) + kept[location.offset + 1 :])
    try:
        yield pack.name
    finally:
        pack.write_bytes(kept)


async def archive(api: Client, shelf: Shelf, paths: list[str], form: str) -> httpx.Response:
    answer = await api.call("POST", shelf.at("archive"), json={"paths": paths, "format": form})
    assert answer.status_code == 200, answer.text
    return answer


def unpacked(content: bytes, form: str, place: Path) -> Path:
    """What Info-ZIP's or GNU's program makes of an archive, in a directory of its own."""
    place.mkdir()
    packed = place.parent / f"{place.name}.{form}"
    packed.write_bytes(content)
    command = ["unzip", "-q", "-K", str(packed), "-d", str(place)]
    if form == "tar.zst":
        command = ["tar", "--zstd", "-xpf", str(packed), "-C", str(place)]
    subprocess.run(command, check=True)
    return place


def facts(root: Path, *, exact: bool) -> dict[bytes, tuple[Any, ...]]:
    """All below a directory: kind and mode, time, content or target. A zip has whole seconds, and no pipes."""
    found: dict[bytes, tuple[Any, ...]] = {}
    for path in root.rglob("*"):
        told, name = path.lstat(), os.fsencode(path.relative_to(root))
        time = told.st_mtime_ns if exact else told.st_mtime_ns // 1_000_000_000
        if path.is_symlink():
            found[name] = told.st_mode, time if exact else None, path.readlink()
        elif exact or not path.is_fifo():
            found[name] = told.st_mode, time, path.read_bytes() if path.is_file() else None
    return found


@pytest.mark.parametrize("form", ["zip", "tar.zst"])
async def test_folder_comes_back_as_it_was(api: Client, shelf: Shelf, tmp_path: Path, form: str) -> None:
    answer = await archive(api, shelf, ["/folder"], form)

    place = unpacked(answer.content, form, tmp_path / "out")
    assert [p.name for p in place.iterdir()] == ["folder"]
    exact = form == "tar.zst"
    assert facts(place / "folder", exact=exact) == facts(shelf.root / "folder", exact=exact)
    assert (
        answer.headers["content-disposition"]
        == f"attachment; filename=\"folder.{form}\"; filename*=UTF-8''folder.{form}"
    )
    assert answer.headers["content-type"] == {"zip": "application/zip", "tar.zst": "application/zstd"}[form]


async def test_python_reads_both(api: Client, shelf: Shelf) -> None:
    zipped = zipfile.ZipFile(io.BytesIO((await archive(api, shelf, ["/folder"], "zip")).content))
    packed = (await archive(api, shelf, ["/folder"], "tar.zst")).content
    with tarfile.open(fileobj=io.BytesIO(zstandard.ZstdDecompressor().decompressobj().decompress(packed))) as tarred:
        names = {os.fsencode(member.name) for member in tarred}

    assert zipped.testzip() is None
    assert {b"folder", b"folder/empty", b"folder/caf\xe9", b"folder/pipe"} < names
    assert zipped.read("folder/letter.txt") == (shelf.root / "folder" / "letter.txt").read_bytes()


@pytest.mark.parametrize(
    ("paths", "names", "called"),
    [
        (["/beside.txt"], {"beside.txt"}, "beside.txt.zip"),
        (["/folder/letter.txt", "/folder/nothing"], {"letter.txt", "nothing"}, "folder.zip"),
        (["/folder/nothing", "/beside.txt", "/folder/nothing/"], {"folder/nothing", "beside.txt"}, None),
        (["/folder/empty", "/folder/empty"], {"empty/"}, "empty.zip"),
        (["/folder/caf\\xe9"], {"cafΘ"}, "caf\\xe9.zip"),
    ],
)
async def test_selections(api: Client, shelf: Shelf, paths: list[str], names: set[str], called: str | None) -> None:
    answer = await archive(api, shelf, paths, "zip")

    assert set(zipfile.ZipFile(io.BytesIO(answer.content)).namelist()) == names
    plain = (called or f"restore-point-{shelf.snapshot_id[:8]}.zip").replace("\\", "_")
    assert f'filename="{plain}"' in answer.headers["content-disposition"]


async def test_everything_once_whatever_else_is_chosen(api: Client, shelf: Shelf) -> None:
    answer = await archive(api, shelf, ["/folder/letter.txt", "/", "/folder"], "zip")

    names = zipfile.ZipFile(io.BytesIO(answer.content)).namelist()
    assert len(names) == len(set(names)) == len(facts(shelf.root, exact=False))


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"paths": [], "format": "zip"}, 400, "request_invalid"),
        ({"paths": ["/"], "format": "rar"}, 400, "request_invalid"),
        ({"paths": ["/"]}, 400, "request_invalid"),
        ({"paths": "/", "format": "zip"}, 400, "request_invalid"),
        ({"paths": [None], "format": "zip"}, 400, "request_invalid"),
        ({"paths": ["/"] * 10_001, "format": "zip"}, 400, "request_invalid"),
        ({"paths": ["folder"], "format": "zip"}, 400, "path_invalid"),
        ({"paths": ["/folder/../beside.txt"], "format": "zip"}, 400, "path_invalid"),
        ({"paths": ["/%00"], "format": "zip"}, 404, "path_not_found"),
        ({"paths": ["/", "/no such"], "format": "zip"}, 404, "path_not_found"),
        ({"paths": ["/beside.txt/x"], "format": "tar.zst"}, 404, "path_not_found"),
        ({"paths": ["/" + "x" * 9000], "format": "zip"}, 404, "path_not_found"),
    ],
)
async def test_bad_selections_are_problems(api: Client, shelf: Shelf, body: Json, status: int, code: str) -> None:
    problem = await api.problem("POST", shelf.at("archive"), json=body)

    assert (problem["status"], problem["code"]) == (status, code)
    if code == "path_not_found":
        assert body["paths"][-1][:8] in problem["detail"]


async def test_odd_texts_are_problems(api: Client, shelf: Shelf) -> None:
    for raw in (
        b'{"paths": ["/\\u0000"], "format": "zip"}',
        b'{"paths": ["/\\ud800"], "format": "zip"}',
        b"[",
        b"[]",
        b"",
    ):
        problem = await api.problem("POST", shelf.at("archive"), content=raw)
        assert problem["status"] == 400, raw
    assert (await api.problem("POST", "/snapshots/nothing/archive", json={"paths": ["/"], "format": "zip"}))[
        "status"
    ] == 404


async def test_archive_by_a_query(api: Client, shelf: Shelf) -> None:
    query = "path=/folder/caf%E9&path=/beside.txt&format=tar.zst"
    answer = await api.call("GET", f"{shelf.at('archive')}?{query}")

    plain = zstandard.ZstdDecompressor().decompressobj().decompress(answer.content)
    with tarfile.open(fileobj=io.BytesIO(plain)) as tarred:
        assert [os.fsencode(m.name) for m in tarred] == [b"beside.txt", b"folder/caf\xe9"]
    for query in ("", "?format=zip", "?path=/&format=x", "?path="):
        assert (await api.problem("GET", f"{shelf.at('archive')}{query}"))["status"] == 400, query


async def link(api: Client, shelf: Shelf, paths: list[str], **options: Any) -> str:
    made = await api.post(shelf.at("links"), {"paths": paths, **options})
    assert made["url"].startswith(f"{urlsplit(made['url']).scheme}://")
    parts = urlsplit(made["url"])
    return f"{parts.path}?{parts.query}"


async def test_link_to_a_file_needs_no_badge(
    platform: Platform, api: Client, shelf: Shelf, nobody: httpx.AsyncClient
) -> None:
    made = await api.post(shelf.at("links"), {"paths": ["/folder/letter.txt"], "format": None, "expires_in": 60})
    whole = (shelf.root / "folder" / "letter.txt").read_bytes()

    assert made["url"].startswith(f"{platform.url}/api/v1/snapshots/")
    assert (await nobody.get(made["url"])).content == whole
    part = await nobody.get(made["url"], headers={"range": "bytes=5-9"})
    assert (part.status_code, part.content) == (206, whole[5:10])
    head = await nobody.head(made["url"])
    assert (head.status_code, head.headers["content-length"]) == (200, str(len(whole)))


async def test_link_to_an_archive(api: Client, shelf: Shelf, nobody: httpx.AsyncClient) -> None:
    folder = await nobody.get(await link(api, shelf, ["/folder/empty"]))
    alone = await nobody.get(await link(api, shelf, ["/beside.txt"], format="tar.zst"))

    assert zipfile.ZipFile(io.BytesIO(folder.content)).namelist() == ["empty/"]
    assert alone.headers["content-type"] == "application/zstd"


async def test_link_permits_nothing_else(api: Client, shelf: Shelf, nobody: httpx.AsyncClient) -> None:
    file, folder = await link(api, shelf, ["/beside.txt"]), await link(api, shelf, ["/folder"])
    token = file.partition("?link=")[2]

    async def refused(url: str, code: str = "link_invalid", *, status: int = 401, **parts: Any) -> None:
        answer = await nobody.get(url, **parts)
        assert (answer.status_code, answer.json()["code"]) == (status, code), url

    await refused(file.replace("/content?", "/archive?"))
    await refused(folder.replace("/archive?", "/content?"))
    await refused(file.replace(shelf.snapshot_id, "0" * 64))
    for odd in (token[:-1], token[:-4] + "AAAA", "A" + token[1:], "x", "", "%ff", "é"):
        await refused(f"/api/v1{shelf.at('content')}?link={odd}")
    await refused(f"/api/v1{shelf.at('content')}?link={token * 100}", "address_too_long", status=414)
    assert (await nobody.get(f"{file}&path=/big.bin")).text == "beside"
    bearer = {"authorization": f"Bearer {token}"}
    await refused("/api/v1/account/me", "token_invalid", headers=bearer)
    badge = api.http.headers["authorization"].partition(" ")[2]
    await refused(f"/api/v1{shelf.at('content')}?link={badge}")


async def test_link_expires(api: Client, shelf: Shelf, nobody: httpx.AsyncClient) -> None:
    url = await link(api, shelf, ["/beside.txt"], expires_in=1)

    async def expired() -> bool:
        answer = await nobody.get(url)
        return answer.status_code == 401 and answer.json()["code"] == "link_expired"

    await eventually_async(expired, 10)


@pytest.mark.parametrize(
    "body", [{"expires_in": 0}, {"expires_in": 604_801}, {"expires_in": "x"}, {"format": "rar"}, {"paths": []}]
)
async def test_bad_links_are_not_made(api: Client, shelf: Shelf, body: Json) -> None:
    problem = await api.problem("POST", shelf.at("links"), json={"paths": ["/"], **body})

    assert (problem["status"], problem["code"]) == (400, "request_invalid")


async def test_links_are_no_longer_than_a_url_may_be(api: Client, shelf: Shelf, nobody: httpx.AsyncClient) -> None:
    unknown = await api.problem("POST", shelf.at("links"), json={"paths": ["/no such"]})
    few = await link(api, shelf, [f"/many/{name}" for name in MANY[:80]])
    many = await api.problem("POST", shelf.at("links"), json={"paths": [f"/many/{name}" for name in MANY]})

    assert unknown["code"] == "path_not_found"
    assert len(zipfile.ZipFile(io.BytesIO((await nobody.get(few)).content)).namelist()) == 80
    assert (many["status"], many["code"], many["fields"][0]["field"]) == (400, "link_too_long", "paths")


async def test_link_ends_with_the_rights_of_its_maker(
    platform: Platform, api: Client, shelf: Shelf, nobody: httpx.AsyncClient
) -> None:
    settings, org = platform.corner.settings(), api.organization_id
    async with accounts_of(settings) as accounts:
        maker = await add_member(accounts, org, "operator")
        headers = {"authorization": f"Bearer {badge_for(platform.folder / 'badge.key', maker, org)}"}
        made = await nobody.post(f"/api/v1{shelf.at('links')}", json={"paths": ["/beside.txt"]}, headers=headers)
        url = made.json()["url"]
        assert (await nobody.get(url)).text == "beside"
        [grant] = (await accounts.grants.find(org, {"account_id": maker})).items
        record = await accounts.grants.load(org, grant.id)
        await accounts.grants.save(record, grant.model_copy(update={"role": "nothing"}))

        async def refused() -> bool:
            return (await nobody.get(url)).status_code == 403

        await eventually_async(refused, 10)
    operator = await nobody.get(f"/api/v1{api.org('/audit')}", headers=headers)
    assert (operator.status_code, operator.json()["code"]) == (403, "forbidden")


async def rows(api: Client, **query: Any) -> list[Json]:
    return await api.audited(**query)


async def newest(api: Client, outcome: str, action: str) -> Json:
    """The newest entry, once it has come to its end."""

    async def found() -> Json | None:
        [row, *_] = await rows(api, limit=1, action=action)
        return row if row["outcome"] == outcome else None

    row = await eventually_async(found, 10)
    assert row
    return row


async def test_downloads_stand_in_the_audit_log(api: Client, shelf: Shelf, nobody: httpx.AsyncClient) -> None:
    me = await api.get("/account/me")
    answer = await api.call("GET", f"{shelf.at('content')}?path=/folder/caf%E9", headers={"range": "bytes=0-2"})
    assert answer.status_code == 206
    row = await newest(api, "completed", "file.download")
    assert (row["via"], row["code"], row["organization_id"]) == ("badge", None, api.organization_id)
    assert row["account_id"] in json.dumps(me)
    assert row["subject"] == {"kind": "snapshot", "id": shelf.snapshot_id}
    assert row["details"] == {
        "paths": ["/folder/caf\\xe9"], "paths_total": 1, "range": "bytes=0-2", "store_id": shelf.store, "bytes": 3
    }  # fmt: skip
    assert row["at"] <= row["ended_at"]

    content = (await nobody.get(await link(api, shelf, ["/folder"]))).content
    row = await newest(api, "completed", "archive.download")
    assert (row["via"], row["details"]["format"], row["details"]["bytes"]) == ("link", "zip", len(content))
    [made] = await rows(api, limit=1, action="link.create")
    assert (made["outcome"], made["details"]["paths"]) == ("completed", ["/folder"])

    before = await rows(api)
    assert (await api.call("HEAD", f"{shelf.at('content')}?path=/beside.txt")).status_code == 200
    assert await rows(api) == before
    assert (
        await api.call("GET", f"{shelf.at('content')}?path=/beside.txt", headers={"range": "bytes=99-"})
    ).status_code == 416
    assert (await newest(api, "failed", "file.download"))["code"] == "range_not_satisfiable"
    assert (await api.call("GET", f"{shelf.at('content')}?path=/no")).status_code == 404
    assert (await newest(api, "failed", "file.download"))["details"]["paths"] == ["/no"]


async def test_audit_log_comes_in_pages(api: Client, shelf: Shelf) -> None:
    await asyncio.gather(*(api.call("GET", f"{shelf.at('content')}?path=/beside.txt") for _ in range(7)))
    whole = await rows(api, action="file.download", limit=1000)
    seen, cursor = [], ""
    while cursor is not None:
        page = await api.get(api.org("/audit"), action="file.download", limit=3, cursor=cursor)
        seen += page["items"]
        cursor = page["next_cursor"]

    assert [r["id"] for r in seen] == [r["id"] for r in whole] == sorted((r["id"] for r in seen), reverse=True)
    assert len(whole) >= 7
    assert {r["action"] for r in whole} == {"file.download"}
    for odd in ({"cursor": "x"}, {"cursor": "0" * 101}, {"limit": 0}, {"action": "A"}):
        assert (await api.problem("GET", api.org("/audit"), params=odd))["status"] == 400, odd
    future = "ffffffff-ffff-7000-8000-000000000000"
    assert (await api.call("GET", api.org("/audit"), params={"cursor": future})).status_code in (200, 400)


async def test_archives_that_are_left_end_everywhere(platform: Platform, api: Client, shelf: Shelf) -> None:
    body = {"paths": ["/"], "format": "zip"}
    async with api.http.stream("POST", f"/api/v1{shelf.at('archive')}", json=body) as answer:
        await anext(answer.aiter_raw(1000))

    row = await newest(api, "cancelled", "archive.download")
    assert 0 < row["details"]["bytes"] < BIG


async def test_several_archives_at_once_are_whole(api: Client, shelf: Shelf) -> None:
    made = await asyncio.gather(*(archive(api, shelf, ["/folder"], form) for form in ("zip", "tar.zst") * 4))

    assert len({a.content for a in made}) == 2


async def test_archive_of_a_damaged_store_never_looks_whole(platform: Platform, api: Client, shelf: Shelf) -> None:
    with spoilt(platform, shelf, b"/big.bin", blob=-1):
        with pytest.raises(httpx.RemoteProtocolError):
            await archive(api, shelf, ["/"], "zip")
        row = await newest(api, "failed", "archive.download")
    assert row["code"] == "stream_broken"
    assert 0 < row["details"]["bytes"] < BIG
    assert (await archive(api, shelf, ["/"], "zip")).status_code == 200


async def test_archive_that_is_damaged_from_its_beginning_is_refused(
    platform: Platform, api: Client, shelf: Shelf
) -> None:
    with spoilt(platform, shelf, b"/big.bin", blob=0) as pack:
        refused = await api.problem("POST", shelf.at("archive"), json={"paths": ["/big.bin"], "format": "zip"})
    assert refused["code"] == "repository_damaged"
    assert pack in refused["detail"]
    assert (await archive(api, shelf, ["/big.bin"], "zip")).status_code == 200


async def test_no_link_is_in_any_log(platform: Platform, api: Client, shelf: Shelf, nobody: httpx.AsyncClient) -> None:
    url = await link(api, shelf, ["/beside.txt"])
    assert (await nobody.get(url)).status_code == 200
    assert (await nobody.get(url.replace("/content", "/archive"))).status_code == 401

    token = url.partition("?link=")[2]
    logs = "".join(log.read_text(errors="replace") for log in platform.folder.glob("*.log"))
    assert token not in logs
    assert token not in json.dumps(await rows(api, limit=1000))
