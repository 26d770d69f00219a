"""Which pool of workers does something about connectors."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import cast

import httpx
import pytest
from chassis.http.client import ServiceClient
from contracts.errors import Conflict, Forbidden, TemporaryError
from contracts.messages.restore_index import RestorePoint
from contracts.queries.assignment import ReachableApp
from contracts.values import AppId, OrganizationId, SnapshotId, TreeId
from gateway.access.principal import Principal
from gateway.clients.assignment import AssignmentClient
from gateway.clients.connector import ConnectorClient
from gateway.clients.pools import pool_of

from tests.unit.gateway.services import a_problem, clients_of
from tests.unit.gateway.test_domain import an_app


def reached_by(*pools: str, name: str = "nas") -> ReachableApp:
    return ReachableApp.model_validate(an_app().model_dump() | {"pools": pools, "name": name})


@pytest.mark.parametrize(
    ("parties", "pool"),
    [
        ([("default", "branch")], "default"),
        ([("branch",)], "branch"),
        ([()], "default"),
        ([("default", "branch"), ("branch",)], "branch"),
        ([("branch", "other"), ("default", "other")], "other"),
        ([("branch",), ()], "default"),
        ([(), ("branch",)], "default"),
        ([("default",), ("branch",), ()], "default"),
    ],
)
def test_the_first_pool_that_reaches_everything(parties: list[tuple[str, ...]], pool: str) -> None:
    assert pool_of(*(reached_by(*pools) for pools in parties)) == pool


def test_parties_that_no_pool_reaches_together_are_refused_in_words() -> None:
    with pytest.raises(Conflict) as caught:
        pool_of(reached_by("default", name="files"), reached_by("branch", name="shelf"))
    assert caught.value.code == "no_common_pool"
    assert "'files': default" in caught.value.detail
    assert "'shelf': branch" in caught.value.detail


async def test_a_pool_that_can_be_found_comes_before_one_that_was_given_up() -> None:
    app = reached_by("default", "given-up", "named", "new")

    class Service:
        async def get(self, *_: object) -> object:
            return app.model_dump(mode="json", by_alias=True)

    client = AssignmentClient(cast("ServiceClient", Service()), {"named", "new"})
    who = cast("Principal", SimpleNamespace(caller=lambda: None))

    found = await client.app(who, app.id)

    assert found.pools == ("default", "named", "new", "given-up")


WHO = Principal(account_id="someone", organization_id=OrganizationId("org"))
POINT = RestorePoint(
    snapshot_id=SnapshotId("a" * 64), store_id=AppId("store"), tree_id=TreeId("b" * 64), time=datetime.now(UTC)
)


def refusing_workers(*pools: str) -> ConnectorClient:
    """Workers of the default pool, the only one with an address, that may not use the root of a store of `pools`."""

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.startswith("/internal/apps/"):
            return httpx.Response(200, json=reached_by(*pools).model_dump(mode="json", by_alias=True))
        return a_problem(403, "root_forbidden")

    return clients_of(answer).connector


async def read_a_file(connector: ConnectorClient) -> None:
    async with connector.file(WHO, POINT, b"/x", method="GET", headers={}):
        pass


async def read_locks(connector: ConnectorClient) -> None:
    await connector.store_locks(WHO, "store")


async def look_at_a_selection(connector: ConnectorClient) -> None:
    await connector.is_one_file(WHO, POINT, [b"/x"])


@pytest.mark.parametrize("ask", [read_a_file, read_locks, look_at_a_selection])
async def test_a_store_of_a_pool_without_an_address_is_refused_as_such(
    ask: Callable[[ConnectorClient], Awaitable[None]],
) -> None:
    with pytest.raises(TemporaryError, match="pool_unreachable"):
        await ask(refusing_workers("branch"))
    for pools in ((), ("default",)):
        with pytest.raises(Forbidden, match="root_forbidden"):
            await ask(refusing_workers(*pools))


async def test_nobody_is_asked_for_pools_while_the_default_worker_answers() -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return httpx.Response(200, json={"items": []})

    await clients_of(answer).connector.store_locks(WHO, "store")
    assert asked == ["/internal/stores/store/locks"]
