"""Aggregates in MongoDB keep their promises."""

import secrets
from collections.abc import AsyncIterator

import pytest_asyncio
from chassis.persistence.mongo import Database, open_database
from chassis.persistence.mongo_aggregates import LISTING, MongoAggregates
from chassis.persistence.outbox import Outbox

from tests.contracts.aggregates_suite import AggregatesSuite, Ground, Thing, keys_of
from tests.support.environment import Corner
from tests.support.notebook import Notebook


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def database(corner: Corner) -> AsyncIterator[Database]:
    async with open_database(corner.settings(), "aggregates") as opened:
        yield opened


class TestMongoAggregates(AggregatesSuite):
    """`AggregatesSuite` on a MongoDB server."""

    @pytest_asyncio.fixture(loop_scope="session")
    async def ground(self, database: Database) -> AsyncIterator[Ground]:
        notebook = Notebook()
        outbox = Outbox("test", database, notebook)
        collection = database[f"things_{secrets.token_hex(4)}"]
        aggregates = MongoAggregates(collection, Thing, outbox, keys_of, (("org", "colour", "_id"), LISTING))
        await aggregates.setup()
        yield Ground(aggregates, lambda: list(notebook.sent))
        await outbox.settle()
        await collection.drop()
