"""Finding files in real backups, by the public API alone."""

import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
import pytest_asyncio
from chassis.ids import new_id

from tests.integration.gateway.client import Client, Json, log_in
from tests.integration.gateway.conftest import Platform

OLD, NEW = 1_700_000_000, 1_760_000_000


@dataclass
class Kept:
    """A source backed up twice: between, a file was changed, one removed and one added."""

    source: str
    store: str
    first: str
    second: str


async def back_up(api: Client, source: str, store: str) -> str:
    body = {"type": "backup", "origin_id": source, "target_id": store}
    job = await api.finished((await api.post("/scheduling/scheduler/run", body))["id"])
    assert job["status"] == "succeeded", (await api.call("GET", f"/scheduling/jobs/{job['id']}/log")).text
    return str((await api.get(f"/snapshots/store/{store}"))["items"][0]["snapshot_id"])


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def kept(platform: Platform) -> AsyncIterator[Kept]:
    root, place = platform.files / "searched", platform.files / "store-of-searched"
    letters = root / "Letters" / "2025"
    letters.mkdir(parents=True)
    for name, size in (("Invoice-ÉTÉ.PDF", 5000), ("invoice old.pdf", 10), ("notes.txt", 300)):
        (letters / name).write_bytes(os.urandom(size))
        os.utime(letters / name, (OLD, OLD))
    (root / os.fsdecode(b"invoice\xff.pdf")).write_bytes(b"odd")
    (root / "photos").mkdir()
    for number in range(150):
        (root / "photos" / f"img_{number:03}.jpg").write_bytes(b"%d" % number)
    async with log_in(platform.url, platform.credentials) as api:
        urn_id = await api.resource(await api.inventory())
        source = (await api.connector("source", urn_id, {"root": str(root)}))["id"]
        store = (await api.connector("store", urn_id, {"root": str(place), "passphrase": "a passphrase"}))["id"]
        await api.post(f"/connectors/{store}/stores/create")
        first = await back_up(api, source, store)
        (letters / "notes.txt").write_bytes(os.urandom(400))
        (letters / "invoice old.pdf").unlink()
        (letters / "receipt.pdf").write_bytes(b"new")
        yield Kept(source, store, first, await back_up(api, source, store))


async def found(api: Client, where: str, query: str) -> list[Json]:
    answer = await api.get(f"{where}search?{query}")
    assert answer["next_cursor"] is None
    items: list[Json] = answer["items"]
    return items


async def test_files_are_found_by_name_pattern_size_and_time(api: Client, kept: Kept) -> None:
    for query, names in [
        ("q=INVOICE", ["Invoice-ÉTÉ.PDF", "invoice old.pdf", "invoice\\xff.pdf"]),
        (f"q={quote('été')}", ["Invoice-ÉTÉ.PDF"]),
        ("q=invoice%FF", ["invoice\\xff.pdf"]),
        ("q=invoice+old", ["invoice old.pdf"]),
        ("glob=in*.pdf&min_size=11", ["Invoice-ÉTÉ.PDF"]),
        (f"glob={quote('letters/**')}&ext=txt", ["notes.txt"]),
        ("ext=.txt,pdf&path=/Letters&type=file", ["Invoice-ÉTÉ.PDF", "invoice old.pdf", "notes.txt"]),
        ("ext=txt&ext=none", ["notes.txt"]),
        ("type=dir&min_size=5000", ["Letters", "2025"]),
        ("modified_before=2023-11-15T00:00:00Z&max_size=299", ["invoice old.pdf"]),
        ("modified_after=2023-11-14T22:13:20Z&modified_before=2023-11-14T22:13:21Z&glob=n*", ["notes.txt"]),
        ("q=nothing+of+this+kind", []),
    ]:
        items = await found(api, f"/snapshots/{kept.first}/", query)
        assert [item["name"] for item in items] == names, query
        for item in items:
            above = quote(str(Path(item["path"]).parent))
            assert item in (await api.get(f"/snapshots/{kept.first}/files?path={above}"))["items"]


async def test_across_restore_points_each_path_is_found_once_with_those_that_have_it(api: Client, kept: Kept) -> None:
    for where in (
        f"source_id={kept.source}",
        f"store_id={kept.store}",
        f"source_id={kept.source}&store_id={kept.store}",
    ):
        rows = await found(api, "/", f"path=/Letters/2025&glob=*&{where}")
        told = {r["name"]: (r["size"], [p["snapshot_id"] for p in r["restore_points"]]) for r in rows}
        assert told == {
            "Invoice-ÉTÉ.PDF": (5000, [kept.second, kept.first]),
            "invoice old.pdf": (10, [kept.first]),
            "notes.txt": (400, [kept.second, kept.first]),
            "receipt.pdf": (3, [kept.second]),
        }
    points = (await api.get(f"/snapshots/store/{kept.store}"))["items"]
    [row] = await found(api, "/", "q=receipt.pdf")
    assert row["restore_points"] == [
        {key: points[0][key] for key in ("snapshot_id", "creation_time", "store_id", "source_id")}
    ]


async def test_pages_make_one_answer(api: Client, kept: Kept) -> None:
    for where in (f"/snapshots/{kept.first}/search?q=img", f"/search?q=img&store_id={kept.store}"):
        names: list[str] = []
        cursor = ""
        while True:
            page = await api.get(f"{where}&limit=40{cursor}")
            names += [item["name"] for item in page["items"]]
            if page["next_cursor"] is None:
                break
            cursor = f"&cursor={page['next_cursor']}"
        assert names == [f"img_{number:03}.jpg" for number in range(150)]
        assert len((await api.get(where))["items"]) == 100


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("", 400, "conditions_missing"),
        ("q=", 400, "request_invalid"),
        ("q=a%00", 400, "request_invalid"),
        ("q=" + "x" * 10_000, 400, "request_invalid"),
        ("glob=" + "*a" * 2_001, 400, "request_invalid"),
        ("type=door", 400, "request_invalid"),
        ("min_size=-1", 400, "request_invalid"),
        ("modified_after=soon", 400, "request_invalid"),
        ("q=a&limit=0", 400, "request_invalid"),
        ("q=a&cursor=rubbish", 400, "cursor_invalid"),
        ("q=a&path=/Letters/..", 400, "path_invalid"),
        ("q=a&path=/none", 404, "path_not_found"),
    ],
)
async def test_what_cannot_be_asked_is_refused(api: Client, kept: Kept, query: str, status: int, code: str) -> None:
    for where in (f"/snapshots/{kept.first}/search?", f"/search?store_id={kept.store}&"):
        problem = await api.problem("GET", where + query)
        assert (problem["status"], problem["code"]) == (status, code)


async def test_what_is_not_there_is_404_and_nobody_finds_anything_without_a_badge(
    platform: Platform, api: Client, kept: Kept
) -> None:
    unknown = new_id()
    for path in (
        f"/snapshots/{'ab' * 32}/search?q=a", "/snapshots/..%2f..%2fsearch/search?q=a",
        f"/search?q=a&source_id={unknown}", f"/search?q=a&store_id={unknown}", "/search?q=a&source_id=",
    ):  # fmt: skip
        assert (await api.problem("GET", path))["status"] == 404, path
    async with httpx.AsyncClient(base_url=platform.url, trust_env=False) as http:
        for path in (f"/snapshots/{kept.first}/search?q=a", "/search?q=a"):
            assert (await http.get(f"/api/v1{path}")).status_code == 401
