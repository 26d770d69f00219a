"""A running assignment service for the tests of this folder."""

from collections.abc import AsyncIterator

import pytest_asyncio
from assignment.app import ASSIGNMENT
from assignment.settings import Settings
from contracts.topics import ASSIGNMENT_EVENTS, CONNECTOR_EVENTS
from fastapi import FastAPI

from tests.support import builders as make
from tests.support.door import Asker, internal_client, open_asker
from tests.support.environment import Corner
from tests.support.kafka import Wire
from tests.support.served import http
from tests.support.waiting import eventually_async

__all__ = ["http"]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def app(corner: Corner, wire: Wire) -> AsyncIterator[FastAPI]:
    """The service, handling messages in this process, once it knows `fs` and `s3`."""
    await wire.ensure(CONNECTOR_EVENTS)
    await wire.publish(make.integration_offered(make.fs_integration()))
    await wire.publish(make.integration_offered(make.s3_integration()))
    async with (
        ASSIGNMENT.open_app(corner.settings(Settings)) as running,
        internal_client(corner.settings(), running) as client,
    ):

        async def knows_both() -> bool:
            return len((await client.get("/internal/integrations")).json()["items"]) == 2

        await eventually_async(knows_both)
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def assignment(app: FastAPI, wire: Wire) -> AsyncIterator[Asker]:
    """Its door to Kafka."""
    async with open_asker(wire, ASSIGNMENT_EVENTS) as asker:
        yield asker
