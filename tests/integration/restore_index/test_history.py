"""Versions and differences over Kafka and MongoDB, asked over HTTP."""

import json
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from contracts.messages.restore_index import RestorePoint
from contracts.values import OrganizationId

from tests.integration.restore_index.conftest import Door, hold
from tests.support.kafka import Wire
from tests.unit.restore_index.trees import File, Tree, a_point, new_store

SOURCE = "0198b1c2-0000-7000-8000-00000000000b"
ODD = b"caf\xe9 &=#?"
MANY = {f"{n:05}".encode(): File(n + 1, b"%d" % n) for n in range(6000)}
SHIFTED = {b"00000-new": File(3, b"new"), **MANY, b"03000": File(7, b"other")}
OLD = Tree({b"d": {ODD: 5, b"gone": 9}, b"many": MANY, b"same": {b"x": 1}})
NEW = Tree({b"d": {ODD: 6}, b"many": SHIFTED, b"moved": {b"gone": 9}, b"same": {b"x": 1}})


@pytest.fixture(scope="module")
def points() -> tuple[RestorePoint, RestorePoint]:
    store = new_store()
    return a_point(store, OLD, age_minutes=60, source_id=SOURCE), a_point(store, NEW, source_id=SOURCE)


@pytest.fixture(scope="module", autouse=True)
async def held(door: Door, wire: Wire, points: tuple[RestorePoint, RestorePoint]) -> None:
    for point, tree in zip(points, (OLD, NEW), strict=True):
        await hold(wire, point, tree, each=3)
        await door.browsable(point)


def place(points: tuple[RestorePoint, RestorePoint], query: str = "") -> str:
    return f"/internal/restore-points/{points[0].snapshot_id}/diff/{points[1].snapshot_id}?{query}"


EXPECTED = [
    ("changed", "/d/caf\\xe9 &=#?"),
    ("added", "/many/00000-new"),
    ("changed", "/many/03000"),
    ("added", "/moved"),
    ("moved", "/moved/gone"),
]


def short(rows: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(row["change"], row["path"]) for row in rows]


async def test_what_differs_in_pages_and_as_a_stream(door: Door, points: tuple[RestorePoint, RestorePoint]) -> None:
    whole = (await door.get(place(points))).json()
    assert short(whole["items"]) == EXPECTED
    assert whole["items"][-1]["from"] == "/d/gone"
    assert (whole["next_cursor"], whole["moves_complete"]) == (None, True)
    paged, query = [], "limit=2"
    while query:
        page = (await door.get(place(points, query))).json()
        paged += page["items"]
        query = f"limit=2&cursor={page['next_cursor']}" if page["next_cursor"] else ""
    assert paged == whole["items"]
    answer = await door.get(place(points, "stream=true"))
    assert answer.headers["content-type"] == "application/x-ndjson"
    *rows, last = [json.loads(line) for line in answer.text.splitlines()]
    assert rows == whole["items"]
    assert last == {"summary": whole["summary"], "moves_complete": True}


async def test_versions_of_a_file(door: Door, points: tuple[RestorePoint, RestorePoint]) -> None:
    for path in (b"/d/" + ODD, b"/srv/data/d/caf\\xe9 &=#?"):
        answer = await door.get(f"/internal/versions?source_id={SOURCE}&path={quote(path)}")
        found = answer.json()
        assert [v["changed"] for v in found["items"]] == [["content", "size"], []]
        seen = [[p["snapshot_id"] for p in v["restore_points"]] for v in found["items"]]
        assert seen == [[points[1].snapshot_id], [points[0].snapshot_id]]
    gone = (await door.get(f"/internal/versions?source_id={SOURCE}&path=/d/gone")).json()
    assert [v["changed"] for v in gone["items"]] == [["removed"], []]


async def test_odd_questions_are_refused(door: Door, points: tuple[RestorePoint, RestorePoint]) -> None:
    def check(answer: httpx.Response, status: int, code: str) -> None:
        assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text

    versions = f"/internal/versions?source_id={SOURCE}"
    check(await door.get(f"{versions}&path=/nothing"), 404, "path_not_found")
    check(await door.get(f"{versions}&path=/a%00"), 400, "path_invalid")
    check(await door.get(f"{versions}&path=/d&cursor=%F0"), 400, "cursor_invalid")
    check(await door.get(f"{versions}&path=/d", OrganizationId("other")), 404, "path_not_found")
    check(await door.get("/internal/versions?source_id=%00&path=/d"), 404, "path_not_found")
    for query, status, code in (
        ("path=/../x", 400, "path_invalid"),
        ("path=/many/00001", 400, "not_a_directory"),
        ("path=/nothing", 404, "path_not_found"),
        ("cursor=AAAA", 400, "cursor_invalid"),
        ("limit=0", 400, "request_invalid"),
        ("limit=999999999999999999999", 200, ""),
        ("stream=perhaps", 400, "request_invalid"),
        ("stream=true&path=/nothing", 404, "path_not_found"),
    ):
        answer = await door.get(place(points, query))
        assert (answer.status_code, answer.json().get("code", "")) == (status, code), answer.text
    assert (await door.get(place(points), OrganizationId("other"))).status_code == 404
    unknown = points[0].model_copy(update={"snapshot_id": "\x00"})
    assert (await door.get(place((points[1], unknown)).replace("\0", "%00"))).status_code == 404
