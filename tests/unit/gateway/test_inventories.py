"""Inventories, asked without servers."""

from typing import Any, cast

import httpx
import pytest
from chassis.messaging.command_client import Commands
from contracts.values import OrganizationId
from gateway.access.principal import Principal
from gateway.areas.inventories.service import Inventories

from tests.unit.gateway.services import a_problem, clients_of

ORG = OrganizationId("org")


async def sync(answer: httpx.Response, *roles: str) -> str:
    clients = clients_of(lambda _: answer)
    inventories = Inventories(clients.catalog, clients.assignment, cast("Commands", None))
    return await inventories.sync(Principal(account_id="someone", organization_id=ORG, roles=roles), "inv-1")


def an_inventory(kind: str) -> httpx.Response:
    facts: dict[str, Any] = {"id": "inv-1", "organization_id": ORG, "name": "cellar", "type": kind, "revision": 1}
    return httpx.Response(200, json=facts)


@pytest.mark.parametrize(
    ("answer", "roles", "told"),
    [
        (an_inventory("self-managed"), ("operator",), ""),
        (an_inventory("aws"), ("owner",), "cannot be synced yet"),
        (a_problem(404, "inventory_not_found"), ("owner",), "No."),
        (a_problem(503, "service_unavailable"), ("owner",), "No."),
        (an_inventory("self-managed"), ("auditor",), "None of your roles"),
        (an_inventory("self-managed"), (), "None of your roles"),
    ],
)
async def test_sync_always_has_an_answer(answer: httpx.Response, roles: tuple[str, ...], told: str) -> None:
    error = await sync(answer, *roles)
    assert told in error
    assert bool(told) == bool(error)
