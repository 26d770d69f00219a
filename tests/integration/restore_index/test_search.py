"""Searching through the internal API, on real servers."""

from typing import Any
from urllib.parse import quote

import pytest
from contracts.messages.restore_index import RestorePoint
from contracts.values import OrganizationId

from tests.integration.restore_index.conftest import Door, hold
from tests.support.kafka import Wire
from tests.unit.restore_index.naive_search import entries
from tests.unit.restore_index.trees import Link, Tree, a_point, new_store

ODD = [b"line\nbreak", b"caf\xe9", b"quo\"te's", b"n" * 255, b"..hidden", b"a b+c%41&=#?", b"\xff\xfe", "né".encode()]
TREE = Tree(
    {
        b"docs": {b"empty": {}, b"Note.TXT": 12, b"link": Link(b"/etc/pa\xffsswd")},
        b"odd": {name: {b"inside": index} for index, name in enumerate(ODD)},
        b"many": {f"{i:05}".encode(): i for i in range(10_000)},
    }
)
NEWER = Tree({b"docs": {b"Note.TXT": 13, b"other.txt": 5}})


@pytest.fixture(scope="module")
def point() -> RestorePoint:
    return a_point(new_store(), TREE, age_minutes=5, source_id=new_store())


@pytest.fixture(scope="module")
def newer(point: RestorePoint) -> RestorePoint:
    return a_point(point.store_id, NEWER, source_id=point.source_id)


@pytest.fixture(scope="module", autouse=True)
async def held(door: Door, wire: Wire, point: RestorePoint, newer: RestorePoint) -> None:
    for told, tree in ((point, TREE), (newer, NEWER)):
        for _ in range(2):
            await hold(wire, told, tree, each=3)
        await door.browsable(told)


async def search(door: Door, where: str, query: str) -> list[dict[str, Any]]:
    """All pages."""
    items: list[dict[str, Any]] = []
    cursor = ""
    while True:
        answer = await door.get(f"/internal/{where}search?{query}{cursor}")
        assert answer.status_code == 200, answer.text
        items += answer.json()["items"]
        if answer.json()["next_cursor"] is None:
            return items
        cursor = f"&cursor={answer.json()['next_cursor']}"


def inside(point: RestorePoint) -> str:
    return f"restore-points/{point.snapshot_id}/"


async def test_what_is_found_is_shown_as_its_directory_shows_it(door: Door, point: RestorePoint) -> None:
    files = (await door.get(f"/internal/{inside(point)}files?path=/docs")).json()["items"]
    assert await search(door, inside(point), "glob=docs/*") == files
    assert await search(door, inside(point), "q=note&ext=txt&type=file&min_size=12&max_size=12") == files[:1]
    assert await search(door, inside(point), "q=note&modified_after=2026-11-23T12:00:00.123Z&ext=.md,TXT") == files[:1]
    for nothing in ("q=note&min_size=13", "q=note&modified_before=2026-11-23T12:00:00.123Z", "q=note&type=dir"):
        assert await search(door, inside(point), nothing) == []


async def test_odd_names_are_found_by_their_bytes_and_by_what_is_shown(door: Door, point: RestorePoint) -> None:
    for name in ODD:
        for text in (quote(name), quote(name.decode("utf-8", "backslashreplace"))):
            [item] = await search(door, inside(point), f"q={text}")
            [below] = await search(door, inside(point), f"q=inside&path={quote(item['path'])}")
            assert below["size"] == ODD.index(name)


async def test_pages_of_an_answer_make_one(door: Door, point: RestorePoint) -> None:
    whole = await search(door, inside(point), "q=7&limit=5000")
    assert [item["size"] for item in whole] == [n for n in range(10_000) if "7" in str(n)]
    assert await search(door, inside(point), "q=7&limit=333") == whole


async def test_across_restore_points_each_path_comes_once(door: Door, point: RestorePoint, newer: RestorePoint) -> None:
    for where in (f"source_id={point.source_id}", f"store_id={point.store_id}"):
        found = await search(door, "", f"q=note&{where}")
        assert [(i["path"], i["size"], i["restore_points_total"]) for i in found] == [("/docs/Note.TXT", 13, 2)]
        assert [p["snapshot_id"] for p in found[0]["restore_points"]] == [newer.snapshot_id, point.snapshot_id]
    everything = await search(door, "", f"min_size=0&store_id={point.store_id}&limit=1000")
    assert len(everything) == len({path for tree in (TREE, NEWER) for path, _ in entries(tree.root)})
    assert await search(door, "", f"q=note&source_id={point.source_id}&store_id={new_store()}") == []


async def test_nobody_else_finds_anything_and_nobody_without_a_token(door: Door, point: RestorePoint) -> None:
    other = OrganizationId("other")
    assert (await door.get(f"/internal/{inside(point)}search?q=note", other)).status_code == 404
    assert (await door.get(f"/internal/search?q=note&store_id={point.store_id}", other)).json()["items"] == []
    for url in (f"/internal/{inside(point)}search?q=note", "/internal/search?q=note"):
        assert (await door.http.get(url)).status_code == 401


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("", 400, "conditions_missing"),
        ("limit=5&path=/docs", 400, "conditions_missing"),
        ("q=", 400, "request_invalid"),
        ("q=%00", 400, "request_invalid"),
        ("q=" + "x" * 10_000, 400, "request_invalid"),
        ("glob=" + "*a" * 5_000, 400, "request_invalid"),
        ("glob=" + "a/" * 101, 400, "request_invalid"),
        ("ext=,", 400, "request_invalid"),
        ("type=door", 400, "request_invalid"),
        ("min_size=-1", 400, "request_invalid"),
        ("min_size=x", 400, "request_invalid"),
        ("min_size=" + "9" * 5000, 400, "request_invalid"),
        ("modified_after=yesterday", 400, "request_invalid"),
        ("modified_after=" + "9" * 400, 400, "request_invalid"),
        ("q=a&limit=0", 400, "request_invalid"),
        ("min_size=" + "9" * 100, 400, "request_invalid"),
        ("q=a&cursor=rubbish", 400, "cursor_invalid"),
        ("q=a&cursor=%00%ff", 400, "cursor_invalid"),
        ("q=a&path=docs", 400, "path_invalid"),
        ("q=a&path=/docs/..", 400, "path_invalid"),
        ("q=a&path=/docs/Note.TXT", 400, "not_a_directory"),
        ("q=a&path=/nothing", 404, "path_not_found"),
    ],
)
async def test_a_question_that_cannot_be_answered_is_refused(
    door: Door, point: RestorePoint, query: str, status: int, code: str
) -> None:
    for url in (f"{inside(point)}search?{query}", f"search?store_id={point.store_id}&{query}"):
        answer = await door.get(f"/internal/{url}")
        assert (answer.status_code, answer.json()["code"]) == (status, code), url


@pytest.mark.parametrize(
    "query",
    [
        "q=%ed%a0%80",
        "q=" + quote("💩" * 900),
        "glob=[[[[[]]]]*?[!",
        "glob=" + "*a" * 1999,
        "glob=" + quote("**/" * 99 + "*"),
        "min_size=9223372036854775807",
        "max_size=0&q=.*",
        "modified_after=0001-01-01T00:00:00",
        "modified_before=9999-12-31T23:59:59.999999%2B00:00",
        "q='\";$where{}&ext=\\",
    ],
)
async def test_odd_questions_have_answers(door: Door, point: RestorePoint, query: str) -> None:
    for url in (f"{inside(point)}search?{query}", f"search?store_id={point.store_id}&{query}"):
        assert (await door.get(f"/internal/{url}")).status_code == 200
