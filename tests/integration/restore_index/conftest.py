"""A restore index on real servers."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest_asyncio
from chassis.http.tokens import Caller, Tokens
from chassis.runtime.settings import read_key
from contracts.messages.restore_index import RestorePoint
from contracts.topics import CONNECTOR_EVENTS, LISTINGS, RESTORE_INDEX_EVENTS
from contracts.values import OrganizationId
from restore_index.app import RESTORE_INDEX
from restore_index.settings import Settings

from tests.support.environment import Corner
from tests.support.kafka import Ear, Wire
from tests.support.waiting import eventually_async
from tests.unit.restore_index.trees import ORG, Tree, created, directories, listed

TOPICS = (CONNECTOR_EVENTS, LISTINGS, RESTORE_INDEX_EVENTS)


class Door:
    """The internal API, asked for one organization."""

    def __init__(self, http: httpx.AsyncClient, tokens: Tokens) -> None:
        self.http = http
        self._tokens = tokens

    def _headers(self, org: OrganizationId) -> dict[str, str]:
        token = self._tokens.sign(Caller(organization_id=org, account_id="tester"), ttl_seconds=60)
        return {"authorization": f"Bearer {token}"}

    async def get(self, path: str, org: OrganizationId = ORG) -> httpx.Response:
        return await self.http.get(path, headers=self._headers(org))

    async def known(self, store_id: str, tree_ids: list[str], org: OrganizationId = ORG) -> httpx.Response:
        return await self.post("/internal/directories/known", {"store_id": store_id, "tree_ids": tree_ids}, org)

    async def post(self, path: str, body: dict[str, Any], org: OrganizationId = ORG) -> httpx.Response:
        return await self.http.post(path, json=body, headers=self._headers(org))

    async def browsable(self, point: RestorePoint) -> dict[str, Any]:
        """The restore point, once it can be browsed."""

        async def asked() -> dict[str, Any] | None:
            answer = await self.get(f"/internal/restore-points/{point.snapshot_id}")
            return answer.json() if answer.status_code == 200 and answer.json()["browsable"] else None

        return await eventually_async(asked, 20) or {}


async def hold(wire: Wire, point: RestorePoint, tree: Tree, *, each: int = 100) -> None:
    """Tell everything about a restore point, as a worker does."""
    await wire.publish(created(point))
    for event in directories(point.store_id, tree.pages, each=each):
        await wire.publish(event)
    await wire.publish(listed(point))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def door(corner: Corner) -> AsyncIterator[Door]:
    settings = corner.settings(Settings)
    async with RESTORE_INDEX.open_app(settings) as app:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://restore-index") as http:
            yield Door(http, Tokens(read_key(settings.service_key_file), audience="cairn-internal"))


@pytest_asyncio.fixture(loop_scope="session")
async def ear(door: Door, wire: Wire) -> AsyncIterator[Ear]:
    """Hears everything from now on, while an index runs."""
    async with wire.listening(*TOPICS) as listening:
        yield listening
