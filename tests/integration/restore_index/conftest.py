"""A restore index on real servers."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest_asyncio
from contracts.messages.restore_index import RestorePoint
from contracts.topics import CONNECTOR_EVENTS, LISTINGS, RESTORE_INDEX_EVENTS
from contracts.values import OrganizationId
from restore_index.app import RESTORE_INDEX
from restore_index.settings import Settings

from tests.support.door import InternalApi, tokenless_client
from tests.support.environment import Corner
from tests.support.kafka import Ear, Wire
from tests.support.waiting import eventually_async
from tests.unit.restore_index.trees import ORG, Tree, created, directories, listed

TOPICS = (CONNECTOR_EVENTS, LISTINGS, RESTORE_INDEX_EVENTS)


class Door(InternalApi):
    """The internal API, and what tests ask of it again and again."""

    async def known(self, store_id: str, tree_ids: list[str], org: OrganizationId = ORG) -> httpx.Response:
        return await self.post("/internal/directories/known", {"store_id": store_id, "tree_ids": tree_ids}, org)

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
    async with RESTORE_INDEX.open_app(settings) as app, tokenless_client(app) as http:
        yield Door(http, settings, org=ORG)


@pytest_asyncio.fixture(loop_scope="session")
async def ear(door: Door, wire: Wire) -> AsyncIterator[Ear]:
    """Hears everything from now on, while an index runs."""
    async with wire.listening(*TOPICS) as listening:
        yield listening
