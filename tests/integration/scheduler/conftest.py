"""A scheduler on real servers."""

from collections.abc import AsyncIterator

import httpx
import pytest_asyncio
from chassis.http.tokens import Caller, Tokens
from chassis.runtime.settings import read_key
from contracts.topics import CONNECTOR_EVENTS, OUTCOMES, SCHEDULER_COMMANDS, SCHEDULER_EVENTS, tasks
from contracts.values import OrganizationId
from scheduler.app import SCHEDULER
from scheduler.settings import Settings

from tests.support.environment import Corner
from tests.support.kafka import Ear, Wire
from tests.unit.scheduler.builder import ORG

TOPICS = (SCHEDULER_COMMANDS, CONNECTOR_EVENTS, SCHEDULER_EVENTS, OUTCOMES, tasks())


class Door:
    """The internal API, asked for one organization."""

    def __init__(self, http: httpx.AsyncClient, tokens: Tokens) -> None:
        self.http = http
        self._tokens = tokens

    async def get(self, path: str, org: OrganizationId = ORG) -> httpx.Response:
        token = self._tokens.sign(Caller(organization_id=org, account_id="tester"), ttl_seconds=60)
        return await self.http.get(path, headers={"authorization": f"Bearer {token}"})


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def door(corner: Corner) -> AsyncIterator[Door]:
    settings = corner.settings(Settings)
    async with SCHEDULER.open_app(settings) as app:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://scheduler") as http:
            yield Door(http, Tokens(read_key(settings.service_key_file), audience="cairn-internal"))


@pytest_asyncio.fixture(loop_scope="session")
async def ear(door: Door, wire: Wire) -> AsyncIterator[Ear]:
    """Hears everything from now on, while a scheduler runs."""
    async with wire.listening(*TOPICS) as listening:
        yield listening
