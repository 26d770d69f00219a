"""A store full of restore points that Cairn did not make, some of them damaged, through the public door."""

import io
import json
import zipfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.integration.gateway.client import Client, Json, log_in
from tests.integration.gateway.conftest import Platform
from tests.support.repository_writer import RepositoryWriter
from tests.support.waiting import eventually_async

PASSPHRASE = "a passphrase"
YEARS = ["1601", "2263", "2400", "3000"]


@dataclass
class Elsewhere:
    """A store, what is in it by a short name, and the files that were taken away."""

    store: str
    root: Path
    points: dict[str, str] = field(default_factory=dict)
    packs: dict[str, Path] = field(default_factory=dict)

    async def rows(self, api: Client) -> dict[str, Json]:
        listed = {row["snapshot_id"]: row for row in (await api.get(f"/snapshots/store/{self.store}"))["items"]}
        return {name: listed[snapshot_id] for name, snapshot_id in self.points.items() if snapshot_id in listed}

    async def states(self, api: Client) -> dict[str, str]:
        return {name: row["state"] for name, row in (await self.rows(api)).items()}

    def url(self, name: str, asked: str) -> str:
        return f"/snapshots/{self.points[name]}/{asked}"


def node(name: str, **facts: Any) -> str:
    kind = "dir" if "subtree" in facts else "file"
    mode = 1 << 31 | 0o755 if kind == "dir" else 0o644
    return json.dumps({"name": name, "type": kind, "mode": mode, "mtime": "2026-01-02T03:04:05Z", **facts})


def write(it: Elsewhere) -> None:
    with RepositoryWriter(it.root, PASSPHRASE, scrypt_n=16) as writer:

        def add(name: str, nodes: list[str], paths: list[str]) -> None:
            root = writer.tree(nodes)
            it.packs[name] = writer.finish_pack("tree")
            it.points[name] = writer.snapshot(root, paths=paths, time=f"2026-01-0{len(it.points) + 1}T00:00:00Z")

        def a_file(name: str, **facts: Any) -> str:
            return node(name, content=[writer.data(name.encode())], size=len(name.encode()), **facts)

        share = writer.tree([a_file("u.txt"), a_file("con.txt")])
        data = writer.tree([a_file("x")])
        gone = writer.tree([a_file("z")])
        it.packs["share"] = writer.finish_pack("tree")
        add("relative", [a_file("a"), node("d", subtree=writer.tree([a_file("x")]))], ["/home/me/d", "/home/me/a"])
        add("old and new", [a_file(year, mtime=f"{year}-06-01T12:00:00Z") for year in YEARS], ["/data"])
        add("windows", [node(r"\\\\nas\\share", subtree=share), node("E", subtree=data)], [r"\\nas\share"])
        add("lost", [a_file("good"), node("sub", subtree=gone)], ["/data"])
        it.points["unread"] = writer.snapshot("no tree")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def elsewhere(platform: Platform) -> AsyncIterator[Elsewhere]:
    it = Elsewhere("", platform.files / "made-elsewhere")
    write(it)
    it.packs["lost"].rename(it.packs["lost"].with_suffix(".away"))
    async with log_in(platform.url, platform.credentials) as api:
        urn_id = await api.resource(await api.inventory("elsewhere"), "urn:elsewhere")
        it.store = (await api.connector("store", urn_id, {"root": str(it.root), "passphrase": PASSPHRASE}))["id"]
        await api.post(f"/connectors/{it.store}/stores/create")
        await eventually_async(lambda: _settled(it, api), 60)
        yield it


async def _settled(it: Elsewhere, api: Client) -> bool:
    states = await it.states(api)
    return states.keys() == it.points.keys() and "indexing" not in states.values()


async def test_each_is_browsable_or_says_what_is_wrong(api: Client, elsewhere: Elsewhere) -> None:
    rows = await elsewhere.rows(api)
    assert {name: row["state"] for name, row in rows.items()} == {
        "relative": "browsable",
        "old and new": "browsable",
        "windows": "browsable",
        "lost": "damaged",
        "unread": "damaged",
    }
    assert rows["lost"]["damage"] == {
        "code": "repository_damaged",
        "detail": f"The pack {elsewhere.packs['lost'].name} is damaged: the file is missing.",
    }
    assert rows["unread"]["damage"]["detail"].startswith(f"The snapshot {elsewhere.points['unread']} is damaged")
    assert rows["unread"]["creation_time"] > "2026-01-09"
    assert rows["relative"]["damage"] is None


@pytest.mark.parametrize("name", ["lost", "unread"])
@pytest.mark.parametrize(
    "asked", ["files", "entry?path=/good", "search?q=good", "content?path=/good", "archive", "links", "diff"]
)
async def test_whatever_is_asked_of_a_damaged_one_hears_why(
    api: Client, elsewhere: Elsewhere, name: str, asked: str
) -> None:
    method, parts = "GET", {}
    if asked in ("archive", "links"):
        method, parts = "POST", {"json": {"paths": ["/good", "/sub"], "format": "zip"}}
    url = elsewhere.url(name, f"diff/{elsewhere.points['relative']}" if asked == "diff" else asked)

    problem = await api.problem(method, url, **parts)

    assert (problem["status"], problem["code"]) == (409, "restore_point_damaged")
    assert (await elsewhere.rows(api))[name]["damage"]["detail"] in problem["detail"]


async def test_searches_name_what_they_could_not_look_into(api: Client, elsewhere: Elsewhere) -> None:
    found = await api.get("/search", store_id=elsewhere.store, q="x")
    assert found["left_out_total"] == 2
    assert {each["snapshot_id"] for each in found["left_out"]} == {elsewhere.points[n] for n in ("lost", "unread")}
    assert {each["code"] for each in found["left_out"]} == {"restore_point_damaged"}


@pytest.mark.parametrize(
    ("path", "status"), [("/d/x", 200), ("/home/me/d/x", 404), ("/home/me/d/d/x", 404), ("/home/me/a/d/x", 404)]
)
async def test_paths_are_those_of_the_tree(api: Client, elsewhere: Elsewhere, path: str, status: int) -> None:
    for asked in ("entry", "content"):
        answer = await api.call("GET", elsewhere.url("relative", asked), params={"path": path})
        assert answer.status_code == status, answer.text
    body = {"paths": [path], "format": "zip"}
    assert (await api.call("POST", elsewhere.url("relative", "archive"), json=body)).status_code == status


async def test_files_of_all_ages_have_their_times_everywhere(api: Client, elsewhere: Elsewhere) -> None:
    expected = {year: f"{year}-06-01T12:00:00.000Z" for year in YEARS}
    listed = (await api.get(elsewhere.url("old and new", "files"), sort="mtime", order="desc"))["items"]
    assert {row["name"]: row["mtime"] for row in listed} == expected
    assert [row["name"] for row in listed] == YEARS[::-1]
    for year in YEARS:
        asked = {
            "type": "file",
            "modified_after": f"{year}-01-01T00:00:00Z",
            "modified_before": f"{year}-12-31T00:00:00Z",
        }
        [found] = (await api.get(elsewhere.url("old and new", "search"), **asked))["items"]
        assert (found["name"], found["mtime"]) == (year, expected[year])
        answer = await api.call("GET", elsewhere.url("old and new", "content"), params={"path": f"/{year}"})
        assert f" Jun {year} 12:00:00 GMT" in answer.headers["last-modified"]


async def test_a_zip_of_a_share_has_names_that_windows_opens(api: Client, elsewhere: Elsewhere) -> None:
    body = {"paths": ["/"], "format": "zip"}
    answer = await api.call("POST", elsewhere.url("windows", "archive"), json=body)
    with zipfile.ZipFile(io.BytesIO(answer.content)) as made:
        told = {info.filename: info.comment.decode() for info in made.infolist()}
        assert made.read("UNC/nas/share/u.txt") == b"u.txt"
    share = r"\\nas\share"
    assert told == {
        "UNC/nas/share/": share,
        "UNC/nas/share/u.txt": f"{share}/u.txt",
        "UNC/nas/share/%63on.txt": f"{share}/con.txt",
        "E/": "",
        "E/x": "",
    }


async def test_it_can_be_browsed_once_the_pack_is_back(api: Client, elsewhere: Elsewhere) -> None:
    refreshed = await api.post(f"/connectors/{elsewhere.store}/stores/refresh")
    assert (refreshed["listed"], refreshed["damaged"]) == (2, 2)
    elsewhere.packs["lost"].with_suffix(".away").rename(elsewhere.packs["lost"])

    async def is_back() -> bool:
        await api.call("POST", f"/connectors/{elsewhere.store}/stores/refresh")
        return (await elsewhere.states(api))["lost"] == "browsable"

    await eventually_async(is_back, 60)

    assert [row["name"] for row in (await api.get(elsewhere.url("lost", "files")))["items"]] == ["good", "sub"]
    assert (await api.call("GET", elsewhere.url("lost", "content"), params={"path": "/sub/z"})).content == b"z"
    assert (await elsewhere.states(api))["unread"] == "damaged"
