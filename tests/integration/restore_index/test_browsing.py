"""Restore points over Kafka and MongoDB: listings in, browsing over HTTP."""

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote

import pytest
from chassis.ids import new_id
from contracts.messages.restore_index import DirectoriesListed, RestorePoint, RestorePointBrowsable
from contracts.topics import LISTINGS, dead_letters
from contracts.values import OrganizationId

from tests.integration.restore_index.conftest import Door, hold
from tests.support.kafka import Ear, Wire, header
from tests.support.waiting import eventually_async
from tests.unit.restore_index.trees import Link, Tree, a_point, created, directories, listed, new_store, page, removed

ODD = [b"line\nbreak", b"caf\xe9", b"quo\"te's", b"n" * 255, b"..hidden", b"a b+c%41&=#?", b"\xff\xfe", "né".encode()]
TREE = Tree(
    {
        b"docs": {b"empty": {}, b"note.txt": 12, b"link": Link(b"/etc/pa\xffsswd")},
        b"odd": {name: {b"inside": index} for index, name in enumerate(ODD)},
        b"many": {f"{i:05}".encode(): i for i in range(10_000)},
    }
)


@pytest.fixture(scope="module")
def point() -> RestorePoint:
    return a_point(new_store(), TREE)


@pytest.fixture(scope="module", autouse=True)
async def held(door: Door, wire: Wire, point: RestorePoint) -> None:
    await hold(wire, point, TREE, each=3)
    await door.browsable(point)


async def files(door: Door, point: RestorePoint, path: bytes, query: str = "") -> dict[str, Any]:
    answer = await door.get(f"/internal/restore-points/{point.snapshot_id}/files?path={quote(path)}{query}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_directories_of_more_than_two_gibibytes_are_opened(door: Door, wire: Wire) -> None:
    large = Tree({b"images": {b"disk.img": 3 << 30}})
    told = a_point(new_store(), large)
    await hold(wire, told, large)
    await door.browsable(told)

    assert (await files(door, told, b"/images"))["totals"]["bytes"] == 3 << 30
    entry = await door.get(f"/internal/restore-points/{told.snapshot_id}/entry?path=/")
    assert (entry.status_code, entry.json()["size"]) == (200, 3 << 30)


async def test_a_listed_restore_point_is_announced_once_with_its_totals(door: Door, wire: Wire, ear: Ear) -> None:
    told = a_point(new_store(), TREE)
    for _ in range(2):
        await hold(wire, told, TREE)
    opened = await ear.message(RestorePointBrowsable, lambda e: e.snapshot_id == told.snapshot_id)
    assert opened.data.totals == TREE.totals
    marker = a_point(told.store_id, TREE)
    await hold(wire, marker, TREE)
    await ear.message(RestorePointBrowsable, lambda e: e.snapshot_id == marker.snapshot_id)
    announced = [r for r in ear.heard if header(r, "ce_type") == RestorePointBrowsable.TYPE]
    assert len(announced) == 2


async def test_a_restore_point_as_it_is_told(door: Door, point: RestorePoint) -> None:
    shown = (await door.get(f"/internal/restore-points/{point.snapshot_id}")).json()
    assert shown == {
        **point.model_dump(mode="json"),
        "browsable": True,
        "damage": None,
        "totals": TREE.totals.model_dump(),
        "legal_hold": None,
        "being_deleted": False,
        "maybe_deleted": False,
    }
    assert shown["time"] == "2026-11-23T12:00:00.000Z"
    of_store = (await door.get(f"/internal/restore-points?store_id={point.store_id}")).json()
    assert of_store == {"items": [shown]}


async def test_a_directory_as_it_is_shown(door: Door, point: RestorePoint) -> None:
    found = await files(door, point, b"/docs")
    assert (found["path"], found["total"], found["next_cursor"]) == ("/docs", 3, None)
    assert found["breadcrumbs"] == [{"name": "/", "path": "/"}, {"name": "docs", "path": "/docs"}]
    assert found["totals"] == {"files": 2, "directories": 1, "bytes": 12}
    assert found["items"][1:] == [
        {
            "name": "link",
            "path": "/docs/link",
            "type": "symlink",
            "size": 0,
            "mtime": "2026-11-23T12:00:00.123Z",
            "mode": 0o777,
            "link_target": "/etc/pa\\xffsswd",
        },
        {
            "name": "note.txt",
            "path": "/docs/note.txt",
            "type": "file",
            "size": 12,
            "mtime": "2026-11-23T12:00:00.123Z",
            "mode": 0o640,
        },
    ]
    assert (await files(door, point, b"/docs/empty"))["items"] == []


async def test_odd_names_are_found_by_their_bytes_and_by_what_is_shown(door: Door, point: RestorePoint) -> None:
    for item in (await files(door, point, b"/odd"))["items"]:
        inside = await files(door, point, item["path"].encode())
        assert (inside["path"], inside["total"]) == (item["path"], 1)
    for index, name in enumerate(ODD):
        assert (await files(door, point, b"/odd/" + name))["items"][0]["size"] == index


async def test_a_directory_of_10000_entries_is_read_by_pages(door: Door, point: RestorePoint) -> None:
    seen: list[int] = []
    query = "&limit=999"
    while query:
        found = await files(door, point, b"/many", query)
        assert found["total"] == 10_000
        seen += [item["size"] for item in found["items"]]
        query = f"&limit=999&cursor={found['next_cursor']}" if found["next_cursor"] else ""
    assert seen == list(range(10_000))
    assert len((await files(door, point, b"/many", "&limit=50000"))["items"]) == 1000
    assert len((await files(door, point, b"/many"))["items"]) == 100


@pytest.mark.parametrize(("order", "sizes"), [("asc", range(10_000)), ("desc", range(9_999, -1, -1))])
async def test_a_directory_of_10000_entries_is_read_by_size(
    door: Door, point: RestorePoint, order: str, sizes: range
) -> None:
    seen: list[int] = []
    cursor = ""
    while len(seen) < 10_000:
        found = await files(door, point, b"/many", f"&limit=1000&sort=size&order={order}&cursor={cursor}")
        seen, cursor = seen + [item["size"] for item in found["items"]], found["next_cursor"]
    assert (seen, cursor) == (list(sizes), None)


async def test_an_entry_as_it_is_shown(door: Door, point: RestorePoint) -> None:
    note = (await door.get(f"/internal/restore-points/{point.snapshot_id}/entry?path=/docs/note.txt")).json()
    assert (note["path"], note["permissions"], note["user"], note["links"]) == ("/docs/note.txt", "-rw-r-----", "me", 1)
    assert (note["ctime"], note["attributes"], note["totals"]) == ("2026-11-23T12:00:00.125Z", [], None)
    root = (await door.get(f"/internal/restore-points/{point.snapshot_id}/entry")).json()
    assert (root["path"], root["totals"]) == ("/", TREE.totals.model_dump())


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("path=/nothing", 404, "path_not_found"),
        ("path=/docs/note.txt", 400, "not_a_directory"),
        ("path=/many/09999", 400, "not_a_directory"),
        ("path=/many/10000", 404, "path_not_found"),
        ("path=docs", 400, "path_invalid"),
        ("path=/docs/..", 400, "path_invalid"),
        ("path=/%00", 400, "path_invalid"),
        ("path=", 400, "path_invalid"),
        ("path=/" + "x" * 20_000, 404, "path_not_found"),
        ("path=/docs&cursor=rubbish", 400, "cursor_invalid"),
        ("limit=0", 400, "request_invalid"),
        ("sort=colour", 400, "request_invalid"),
        ("sort=size&order=up", 400, "request_invalid"),
        ("limit=x", 400, "request_invalid"),
    ],
)
async def test_a_question_that_leads_nowhere_is_refused(
    door: Door, point: RestorePoint, query: str, status: int, code: str
) -> None:
    answer = await door.get(f"/internal/restore-points/{point.snapshot_id}/files?{query}")
    assert (answer.status_code, answer.json()["code"]) == (status, code)


@pytest.mark.parametrize("odd", ["nobody", "%00", "a%00b", "%ff", "%F0%9F%92%A9", "'", "x" * 5000])
async def test_an_odd_id_is_not_found(door: Door, odd: str) -> None:
    for path in ("", "/files", "/entry"):
        answer = await door.get(f"/internal/restore-points/{odd}{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, "snapshot_not_found")
    assert (await door.get(f"/internal/restore-points?store_id={odd}")).json() == {"items": []}
    assert (await door.known(odd.replace("%00", "\0"), ["ab" * 32, odd.replace("%00", "\0")])).json() == {"known": {}}


async def test_nobody_else_sees_a_restore_point_and_nobody_without_a_token(door: Door, point: RestorePoint) -> None:
    other = OrganizationId("other")
    for path in ("", "/files", "/entry"):
        url = f"/internal/restore-points/{point.snapshot_id}{path}"
        assert (await door.get(url, other)).status_code == 404
        assert (await door.http.get(url)).status_code == 401
    assert (await door.get(f"/internal/restore-points?store_id={point.store_id}", other)).json() == {"items": []}
    assert (await door.known(point.store_id, [point.tree_id], other)).json() == {"known": {}}


async def test_while_it_is_indexed_a_restore_point_is_unavailable(door: Door, wire: Wire) -> None:
    told = a_point(new_store(), TREE)
    await wire.publish(created(told))

    async def noted() -> bool:
        return (await door.get(f"/internal/restore-points/{told.snapshot_id}")).status_code == 200

    await eventually_async(noted)
    answer = await door.get(f"/internal/restore-points/{told.snapshot_id}/files?path=/")
    assert (answer.status_code, answer.json()["code"]) == (503, "restore_point_not_browsable")
    assert answer.headers["retry-after"] == "1"


async def test_a_removed_restore_point_is_gone(door: Door, wire: Wire) -> None:
    told = a_point(new_store(), TREE)
    await hold(wire, told, TREE)
    await door.browsable(told)
    await wire.publish(removed(told))

    async def gone() -> bool:
        return (await door.get(f"/internal/restore-points/{told.snapshot_id}")).status_code == 404

    await eventually_async(gone)


async def test_known_directories_need_not_be_sent_again(door: Door, point: RestorePoint) -> None:
    ids = [str(p.tree_id) for p in TREE.pages]
    unknown = [new_id().replace("-", "") * 2 for _ in range(4000)]
    known = (await door.known(point.store_id, ids + unknown)).json()["known"]
    assert known.keys() == set(ids)
    assert known[TREE.tree_id] == TREE.totals.model_dump()
    assert (await door.known(point.store_id, ["ab" * 32] * 5001)).status_code == 400


async def test_pages_that_have_arrived_need_not_be_sent_again(door: Door, wire: Wire) -> None:
    store, tree = new_store(), Tree({f"{i:03}".encode(): i for i in range(100)}, page_entries=9)
    question = {"store_id": store, "tree_id": tree.tree_id, "pages": len(tree.pages)}

    async def arrived() -> object:
        answer = await door.post("/internal/directories/arrived", question)
        return answer.json()["arrived"]

    assert await arrived() == 0
    for event in directories(store, tree.pages[:7], each=2):
        await wire.publish(event)
    await eventually_async(lambda: _is(arrived, 7))
    for event in directories(store, tree.pages[7:], each=2):
        await wire.publish(event)
    await eventually_async(lambda: _is(arrived, len(tree.pages)))
    for odd in ({"pages": 0}, {"first": -1}, {"pages": 1 << 40}, {"tree_id": None}):
        assert (await door.post("/internal/directories/arrived", question | odd)).status_code == 400
    for unknown in ("", "no id", "\0", "é" * 100):
        answer = await door.post("/internal/directories/arrived", question | {"tree_id": unknown})
        assert answer.json() == {"arrived": 0}


async def _is(asked: Callable[[], Awaitable[object]], wanted: object) -> bool:
    return await asked() == wanted


async def test_a_lost_listing_leaves_nothing_half_known_and_can_be_sent_again(door: Door, wire: Wire) -> None:
    told = a_point(new_store(), TREE)
    lost, *others = directories(told.store_id, TREE.pages, each=3)
    for event in (*others, listed(told)):
        await wire.publish(event)

    async def parked() -> bool:
        found = await wire.read(dead_letters(LISTINGS))
        mine = [r for r in found if r.key == told.store_id.encode()]
        return any("directories_missing" in (header(r, "__connect.errors.exception.message") or "") for r in mine)

    await eventually_async(parked, 20)
    assert TREE.tree_id not in (await door.known(told.store_id, [TREE.tree_id])).json()["known"]
    for event in (lost, *others, listed(told)):
        await wire.publish(event)
    assert (await door.browsable(told))["totals"] == TREE.totals.model_dump()


async def test_damaged_pages_are_parked_and_the_next_listing_is_kept(door: Door, wire: Wire) -> None:
    told = a_point(new_store(), TREE)
    for bad in (page("ab" * 32, [], entries=b"rubbish"), page("odd", []), page("cd" * 32, [], count=3)):
        await wire.publish(
            DirectoriesListed.model_construct(
                organization_id=OrganizationId("org"), store_id=told.store_id, directories=(bad,)
            )
        )
    await hold(wire, told, TREE)
    await door.browsable(told)
    found = await wire.read(dead_letters(LISTINGS))
    reasons = [header(r, "__connect.errors.exception.message") for r in found if r.key == told.store_id.encode()]
    assert len(reasons) == 3
    assert all("page_damaged" in (reason or "") for reason in reasons)
