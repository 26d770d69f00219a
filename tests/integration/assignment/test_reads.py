"""The internal HTTP API of the assignment service."""

from typing import Any
from urllib.parse import quote

import httpx
import pytest
from assignment.app import ASSIGNMENT
from assignment.settings import Settings
from chassis.ids import new_id
from contracts.messages.assignment import AppReconfigured
from contracts.messages.catalog import Resource
from contracts.values import OrganizationId
from fastapi import FastAPI

from tests.support import builders as make
from tests.support.door import Asker, internal_client
from tests.support.environment import Corner
from tests.support.waiting import eventually_async

STRANGER = OrganizationId("stranger")


def as_json(resource: Resource) -> dict[str, Any]:
    return resource.model_dump(mode="json", by_alias=True)


async def shown_names(http: httpx.AsyncClient, app_id: str) -> tuple[str, list[str]]:
    app = (await http.get(f"/internal/apps/{app_id}")).json()
    return app["resource"]["name"], app["endpoints"]


async def test_integrations_are_listed_with_their_schemas(http: httpx.AsyncClient) -> None:
    items = (await http.get("/internal/integrations")).json()["items"]
    assert [i["name"] for i in items] == ["fs", "s3"]
    assert items[0]["protocols"][0]["schemas"]["source"] == make.FS_SCHEMA
    assert items[0]["matches"] == [{"class": "file-storage", "subclass": "posix"}]


async def test_a_newer_version_of_an_integration_takes_over_and_an_older_does_not(
    assignment: Asker, http: httpx.AsyncClient
) -> None:
    for version in ("1.10.0", "1.9.0"):
        await assignment.wire.publish(make.integration_offered(make.fs_integration(version=version)))
    newest = make.an_integration("zz", matches="service/zz")
    await assignment.wire.publish(make.integration_offered(newest))

    async def versions() -> dict[str, str]:
        items = (await http.get("/internal/integrations")).json()["items"]
        return {i["name"]: i["version"] for i in items}

    async def settled() -> bool:
        known = await versions()
        return known["fs"] == "1.10.0" and "zz" in known

    await eventually_async(settled)
    assert (await assignment.ask(make.assign_app())).accepted
    assert (await versions())["fs"] == "1.10.0"


async def test_apps_are_listed_by_kind(assignment: Asker, http: httpx.AsyncClient) -> None:
    sources = {str((await assignment.ask(make.assign_app())).result["id"]) for _ in range(3)}
    store = (await assignment.ask(make.assign_app(kind="store"))).result["id"]
    everything = {a["id"] for a in (await http.get("/internal/apps")).json()["items"]}
    assert {*sources, store} <= everything
    listed = {a["id"] for a in (await http.get("/internal/apps", params={"kind": "source"})).json()["items"]}
    assert sources <= listed
    assert store not in listed
    assert (await http.get("/internal/apps", params={"kind": "teapot"})).status_code == 400


async def test_a_changed_resource_shows_with_its_apps_at_once(assignment: Asker, http: httpx.AsyncClient) -> None:
    resource_id = new_id()
    before = make.a_resource(id=resource_id, endpoints=[{"endpoint": "old.example", "kind": "host"}])
    own, borrowed = [
        str((await assignment.ask(make.assign_app(resource=before, endpoints=endpoints))).result["id"])
        for endpoints in (("own.example",), ())
    ]
    after = make.a_resource(
        id=resource_id, name="renamed", revision=3, endpoints=[{"endpoint": "new.example", "kind": "host"}]
    )
    await assignment.wire.publish(make.resource_changed(after))

    async def fresh() -> bool:
        return await shown_names(http, borrowed) == ("renamed", ["new.example"])

    await eventually_async(fresh)
    told = await assignment.ear.message(AppReconfigured, lambda e: e.app_id == borrowed)
    assert (told.data.app.revision, told.data.app.endpoints) == (2, ("new.example",))
    assert await shown_names(http, own) == ("renamed", ["own.example"])

    late = after.model_copy(update={"name": "late", "revision": 2})
    await assignment.wire.publish(make.resource_changed(late))
    await assignment.wire.publish(make.resource_removed(resource_id, revision=4))
    last = after.model_copy(update={"id": new_id(), "name": "barrier", "revision": 9})
    await assignment.wire.publish(make.resource_changed(last))
    assert (await assignment.ask(make.assign_app())).accepted
    listed = (await http.get("/internal/apps")).json()["items"]
    assert {a["resource"]["name"] for a in listed if a["resource"]["id"] == resource_id} == {"renamed"}
    moved = [e.data.app_id for e in assignment.heard(AppReconfigured) if e.data.app.resource.id == resource_id]
    assert moved == [borrowed]


@pytest.mark.parametrize("wanted", [{}, {"integration_id": "int-fs", "protocol": "fs"}])
async def test_a_choice_tells_which_fields_may_travel_in_clear(http: httpx.AsyncClient, wanted: dict[str, Any]) -> None:
    asked = {"kind": "source", "resource": as_json(make.a_resource()), "integration_id": None, "protocol": None}
    got = (await http.post("/internal/choice", json={**asked, **wanted})).json()
    assert got == {"integration_id": "int-fs", "protocol": "fs", "clear_fields": ["root"]}


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ({"integration_id": "nobody"}, "integration_not_found"),
        ({"integration_id": "int-s3"}, "integration_incompatible"),
        ({"protocol": "ftp"}, "protocol_not_found"),
        ({"kind": "destination"}, "kind_not_offered"),
        ({"kind": "teapot"}, "request_invalid"),
        ({"resource": {}}, "request_invalid"),
    ],
)
async def test_a_choice_that_cannot_be_made_is_a_problem(
    http: httpx.AsyncClient, wanted: dict[str, Any], code: str
) -> None:
    asked = {"kind": "source", "resource": as_json(make.a_resource()), **wanted}
    answer = await http.post("/internal/choice", json=asked)
    assert (answer.status_code, answer.json()["code"]) == (400, code)


@pytest.mark.parametrize("odd", ["nothing", "%00", "%FF", quote("../x"), "a" * 5000, "$where", "%20"])
async def test_unknown_and_odd_ids_are_404(http: httpx.AsyncClient, odd: str) -> None:
    answer = await http.get(f"/internal/apps/{odd}")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


async def test_other_organizations_see_nothing(assignment: Asker, app: FastAPI, corner: Corner) -> None:
    id_ = (await assignment.ask(make.assign_app())).result["id"]
    async with internal_client(corner.settings(), app, org=STRANGER) as stranger:
        assert (await stranger.get(f"/internal/apps/{id_}")).status_code == 404
        assert (await stranger.get("/internal/apps")).json() == {"items": []}
    refused = await assignment.rejection(make.remove_app(str(id_), org=STRANGER))
    assert refused.code == "app_not_found"


async def test_nobody_asks_without_a_token(http: httpx.AsyncClient) -> None:
    headers = {"authorization": "Bearer forged"}
    for path in ("/internal/integrations", "/internal/apps", "/internal/apps/x"):
        assert (await http.get(path, headers=headers)).status_code == 401
    assert (await http.post("/internal/choice", json={}, headers=headers)).status_code == 401


async def test_it_is_ready_once_an_integration_is_known(fresh_corner: Corner, http: httpx.AsyncClient) -> None:
    assert (await http.get("/health/ready")).status_code == 200
    settings = fresh_corner.settings(Settings)
    async with ASSIGNMENT.open_app(settings) as empty, internal_client(settings, empty) as client:
        answer = await client.get("/health/ready")
        assert (answer.status_code, list(answer.json()["failed"])) == (503, ["integrations"])
        asked = {"kind": "source", "resource": as_json(make.a_resource())}
        assert (await client.post("/internal/choice", json=asked)).status_code == 503
