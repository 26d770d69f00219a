"""A running catalog for the tests of this folder."""

from collections.abc import AsyncIterator

import pytest_asyncio
from catalog.app import CATALOG
from catalog.settings import Settings
from contracts.topics import CATALOG_EVENTS
from fastapi import FastAPI

from tests.support.door import Asker, open_asker, tokenless_client
from tests.support.environment import Corner
from tests.support.kafka import Wire
from tests.support.served import http
from tests.support.waiting import eventually_async

__all__ = ["http"]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def app(corner: Corner) -> AsyncIterator[FastAPI]:
    """The catalog, handling commands in this process, once it is ready."""
    async with CATALOG.open_app(corner.settings(Settings)) as running, tokenless_client(running) as http:

        async def ready() -> bool:
            return (await http.get("/health/ready")).status_code == 200

        await eventually_async(ready, 60)
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def catalog(app: FastAPI, wire: Wire) -> AsyncIterator[Asker]:
    """Its door to Kafka."""
    async with open_asker(wire, CATALOG_EVENTS) as asker:
        yield asker
