"""Files of restore points, when several stores share a repository."""

import httpx
import pytest
from contracts.errors import CairnError
from contracts.values import OrganizationId
from gateway.access.principal import Principal
from gateway.areas.downloads.service import Downloads

from tests.unit.gateway.services import Answer, a_problem, clients_of

WHO = Principal(account_id="someone", organization_id=OrganizationId("org"))
SNAPSHOT = "5f" * 32
Stores = dict[str, httpx.Response]


def point(store_id: str) -> dict[str, object]:
    facts = {"snapshot_id": SNAPSHOT, "store_id": store_id, "tree_id": "t", "time": "2026-11-23T08:00:00Z"}
    codes = {"damaged": "repository_damaged", "frozen": "thaw_required"}
    damage = {"code": codes[store_id], "detail": "The pack 12 is away."} if store_id in codes else None
    return {**facts, "browsable": not (damage or store_id.startswith("new")), "damage": damage}


def build_downloads(answer: Answer) -> Downloads:
    clients = clients_of(answer)
    return Downloads(clients.restore_index, clients.connector)


def downloads(stores: Stores) -> Downloads:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/internal/restore-points":
            assert request.url.params["snapshot_id"] == SNAPSHOT
            return httpx.Response(200, json={"items": [point(s) for s in stores]})
        return stores[request.url.path.split("/")[3]]

    return build_downloads(answer)


async def download(stores: Stores) -> bytes:
    opened = downloads(stores).file(WHO, SNAPSHOT, b"/a", method="GET", headers={}, on_store=lambda _: None)
    async with opened as stream:
        return await stream.answer.aread()


@pytest.mark.parametrize(
    "unusable",
    [
        a_problem(404, "app_not_found"),
        a_problem(422, "passphrase_wrong"),
        a_problem(503, "store_unreachable"),
        a_problem(404, "snapshot_not_found"),
    ],
)
async def test_file_is_read_through_another_store_of_the_same_repository(unusable: httpx.Response) -> None:
    assert await download({"first": unusable, "second": httpx.Response(200, content=b"whole")}) == b"whole"


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        ("app_not_found", "path_not_found", "path_not_found"),
        ("path_not_found", "app_not_found", "path_not_found"),
        ("path_not_found", "passphrase_wrong", "path_not_found"),
        ("app_not_found", "app_not_found", "app_not_found"),
    ],
)
async def test_what_a_store_that_is_there_says_is_told(first: str, second: str, told: str) -> None:
    with pytest.raises(CairnError) as raised:
        await download({"first": a_problem(404, first), "second": a_problem(404, second)})
    assert raised.value.code == told


async def test_restore_point_of_no_store_is_not_there() -> None:
    with pytest.raises(CairnError, match="snapshot_not_found"):
        await download({})


async def test_conditions_reach_the_worker() -> None:
    heard: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        heard.append(request)
        return httpx.Response(200, json={"items": [point("store")]})

    sent = {"if-none-match": '"5f"', "range": "bytes=0-1"}
    async with build_downloads(answer).file_headers(WHO, SNAPSHOT, b"/a", headers=sent):
        pass
    told = dict(heard[-1].headers.raw)
    assert told[b"if-none-match"] == b'"5f"'
    assert told[b"range"] == b"bytes=0-1"


async def packed(stores: Stores) -> tuple[bytes, str, list[str]]:
    likely: list[str] = []
    opened = downloads(stores).archive(WHO, SNAPSHOT, [b"/\xff"], "zip", on_store=likely.append)
    async with opened as stream:
        return await stream.answer.aread(), stream.store_id, likely


async def test_archive_comes_from_the_first_store_that_gives_it() -> None:
    stores = {"first": a_problem(503, "store_unreachable"), "second": httpx.Response(200, content=b"zip")}

    assert await packed(stores) == (b"zip", "second", ["first"])


async def test_archive_waits_until_its_restore_point_can_be_browsed() -> None:
    stores = {"new": httpx.Response(200, content=b"zip")}

    with pytest.raises(CairnError) as raised:
        await packed(stores)
    assert (raised.value.code, raised.value.kind) == ("restore_point_not_browsable", "unavailable")
    assert (await packed({**stores, "old": httpx.Response(200, content=b"whole")}))[:2] == (b"whole", "old")


@pytest.mark.parametrize("store", ["damaged", "frozen"])
async def test_what_can_be_read_of_a_damaged_restore_point_is_handed_out(store: str) -> None:
    stores = {store: httpx.Response(200, content=b"whole")}

    assert await download(stores) == (await packed(stores))[0] == b"whole"


@pytest.mark.parametrize(
    ("store", "said", "told"),
    [
        ("damaged", "repository_damaged", "restore_point_damaged"),
        ("damaged", "blob_missing", "restore_point_damaged"),
        ("damaged", "path_not_found", "path_not_found"),
        ("whole", "repository_damaged", "repository_damaged"),
        ("frozen", "thaw_required", "thaw_required"),
    ],
)
async def test_what_cannot_be_read_of_it_is_told_as_its_damage(store: str, said: str, told: str) -> None:
    stores = {store: a_problem(422, said)}
    for ask in (download, packed):
        with pytest.raises(CairnError) as raised:
            await ask(stores)
        assert raised.value.code == told
        assert ("The pack 12 is away." in raised.value.detail) == (told == "restore_point_damaged")


async def test_whether_a_selection_is_one_file_is_asked_of_the_first_that_knows() -> None:
    stores = {"first": a_problem(404, "app_not_found"), "second": httpx.Response(200, json={"one_file": True})}

    assert await downloads(stores).is_one_file(WHO, SNAPSHOT, [b"/a"])
    with pytest.raises(CairnError, match="path_not_found"):
        await downloads({**stores, "second": a_problem(404, "path_not_found")}).is_one_file(WHO, SNAPSHOT, [b"/a"])
