"""A scheduler on real servers."""

from collections.abc import AsyncIterator

import pytest_asyncio
from contracts.topics import CONNECTOR_EVENTS, OUTCOMES, SCHEDULER_COMMANDS, SCHEDULER_EVENTS, tasks
from scheduler.app import SCHEDULER
from scheduler.settings import Settings

from tests.support.door import InternalApi, tokenless_client
from tests.support.environment import Corner
from tests.support.kafka import Ear, Wire
from tests.unit.scheduler.builder import ORG

TOPICS = (SCHEDULER_COMMANDS, CONNECTOR_EVENTS, SCHEDULER_EVENTS, OUTCOMES, tasks())


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def door(corner: Corner) -> AsyncIterator[InternalApi]:
    """The internal API of a scheduler that handles messages in this process."""
    settings = corner.settings(Settings)
    async with SCHEDULER.open_app(settings) as app, tokenless_client(app) as http:
        yield InternalApi(http, settings, org=ORG)


@pytest_asyncio.fixture(loop_scope="session")
async def ear(door: InternalApi, wire: Wire) -> AsyncIterator[Ear]:
    """Hears everything from now on, while a scheduler runs."""
    async with wire.listening(*TOPICS) as listening:
        yield listening
