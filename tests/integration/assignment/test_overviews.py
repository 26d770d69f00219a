"""What the assignment service says of connectors beside how they are configured, over Kafka and HTTP."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest_asyncio
from assignment.app import ASSIGNMENT
from assignment.settings import Settings
from chassis.ids import new_id
from chassis.messaging.envelopes import envelope
from contracts.envelope import Envelope
from contracts.messages.connector.connection_tests import Check, ConnectionTested, TestConnection, TestReport
from contracts.messages.connector.stores import StoreInitialized
from contracts.topics import CONNECTOR_EVENTS, connector_commands
from contracts.values import AppId, CommandId
from fastapi import FastAPI

from tests.support import builders as make
from tests.support.door import Asker
from tests.support.environment import Corner
from tests.support.kafka import Wire
from tests.support.waiting import eventually_async

Json = dict[str, Any]


def news_of_test(app_id: str, **report: Any) -> Envelope[Any]:
    checks = (Check(name="reachable", ok=True, duration_ms=0.5, detail="it is there"),)
    facts: Json = {"ok": True, "checks": checks} | report
    event = ConnectionTested(
        organization_id=make.ORG,
        app_id=AppId(app_id),
        command_id=CommandId(new_id()),
        report=TestReport(**facts),
        revision=1,
        trigger="manual",
    )
    return envelope(event, service="connector")


async def assigned(assignment: Asker, **facts: Any) -> str:
    return str((await assignment.ask(make.assign_app(**facts))).result["id"])


async def overview(http: httpx.AsyncClient, app_id: str) -> Json:
    answer = await http.get(f"/internal/overviews/{app_id}")
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def app(corner: Corner, wire: Wire) -> AsyncIterator[FastAPI]:
    """The service, which has each change followed by a test."""
    await wire.ensure(CONNECTOR_EVENTS)
    await wire.publish(make.integration_offered(make.fs_integration()))
    async with ASSIGNMENT.open_app(corner.settings(Settings, test_changes=True)) as running:
        yield running


async def test_a_change_is_followed_by_a_test_and_the_last_test_is_told(
    assignment: Asker, http: httpx.AsyncClient
) -> None:
    async with assignment.wire.listening(connector_commands()) as workers:
        app_id = await assigned(assignment)
        asked = await workers.message(TestConnection, lambda each: each.app.id == app_id)
    assert (asked.data.trigger, asked.data.app.revision) == ("change", 1)
    assert (await overview(http, app_id))["last_test"] is None

    first, second = news_of_test(app_id, ok=False), news_of_test(app_id)
    # Heard twice, as any event may be.
    for event in (first, first, second, second):
        await assignment.wire.publish(event)

    async def both() -> list[Json] | None:
        items: list[Json] = (await http.get(f"/internal/connection-tests/{app_id}")).json()["items"]
        return items if len(items) > 1 else None

    kept = await eventually_async(both)
    assert [each["command_id"] for each in kept or []] == [second.data.command_id, first.data.command_id]
    last = (await overview(http, app_id))["last_test"]
    assert (last["command_id"], last["report"]["ok"], last["trigger"]) == (second.data.command_id, True, "manual")

    assert (await assignment.ask(make.remove_app(app_id))).accepted

    async def forgotten() -> bool:
        return (await http.get(f"/internal/connection-tests/{app_id}")).json()["items"] == []

    await eventually_async(forgotten)
    assert (await http.get(f"/internal/overviews/{app_id}")).status_code == 404


async def test_whether_a_store_has_storage_is_known_until_it_changes(
    assignment: Asker, http: httpx.AsyncClient
) -> None:
    store = await assigned(assignment, kind="store")
    await assignment.wire.publish(news_of_test(store, initialized=False))

    async def is_told(expected: bool) -> bool:
        return (await overview(http, store))["initialized"] is expected

    await eventually_async(lambda: is_told(False))
    made = StoreInitialized(organization_id=make.ORG, app_id=AppId(store), adopted=False, repository_id="r", revision=1)
    await assignment.wire.publish(make.wrap(made))
    await eventually_async(lambda: is_told(True))
    assert (await assignment.ask(make.reconfigure_app(store, kind="store", name="elsewhere"))).accepted
    assert (await overview(http, store))["initialized"] is None


async def test_the_connectors_of_a_resource_and_the_stores_of_an_inventory_are_told(
    assignment: Asker, http: httpx.AsyncClient
) -> None:
    resource = make.a_resource(id=new_id(), inventory_id=new_id())
    source, store = [await assigned(assignment, resource=resource, kind=kind) for kind in ("source", "store")]
    await assigned(assignment, kind="store")

    async def listed(**asked: str) -> list[Json]:
        answer = await http.get("/internal/overviews", params=asked)
        assert answer.status_code == 200, answer.text
        items: list[Json] = answer.json()["items"]
        return items

    rows = await listed(resource_id=resource.id)
    assert [row["app"]["id"] for row in rows] == [source, store]
    assert ["store" in row["partners"] for row in rows] == [True, True]
    assert [row["resource_removed"] for row in rows] == [False, False]
    [only] = await listed(kind="store", inventory_id=resource.inventory_id)
    assert only == rows[1]
    assert await listed(resource_id="nothing") == []
    for place in ({"resource_id": resource.id}, {"inventory_id": resource.inventory_id}):
        items = (await http.get("/internal/apps", params=place)).json()["items"]
        assert [each["id"] for each in items] == [source, store]
        of_a_kind = (await http.get("/internal/apps", params={**place, "kind": "store"})).json()["items"]
        assert [each["id"] for each in of_a_kind] == [store]

    await assignment.wire.publish(make.resource_removed(resource.id, revision=2))

    async def is_gone() -> bool:
        return all(row["resource_removed"] for row in await listed(resource_id=resource.id))

    await eventually_async(is_gone)
