"""A running catalog for the tests of this folder."""

from collections.abc import AsyncIterator

import pytest_asyncio
from catalog.app import CATALOG
from catalog.settings import Settings
from contracts.topics import CATALOG_EVENTS
from fastapi import FastAPI

from tests.support.door import Asker, open_asker
from tests.support.environment import Corner
from tests.support.kafka import Wire
from tests.support.served import http

__all__ = ["http"]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def app(corner: Corner) -> AsyncIterator[FastAPI]:
    """The catalog, handling commands in this process."""
    async with CATALOG.open_app(corner.settings(Settings)) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def catalog(app: FastAPI, wire: Wire) -> AsyncIterator[Asker]:
    """Its door to Kafka."""
    async with open_asker(wire, CATALOG_EVENTS) as asker:
        yield asker
