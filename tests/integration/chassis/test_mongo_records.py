"""Records in MongoDB keep their promises."""

import secrets
from collections.abc import AsyncIterator

import pytest_asyncio
from chassis.persistence.aggregates import LISTING, MongoAggregates
from chassis.persistence.mongo import Database, open_database
from chassis.persistence.outbox import Outbox

from tests.contracts.records_suite import Ground, RecordsSuite, Thing, keys_of
from tests.support.environment import Corner
from tests.support.notebook import Notebook


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def database(corner: Corner) -> AsyncIterator[Database]:
    async with open_database(corner.settings(), "records") as opened:
        yield opened


class TestMongoRecords(RecordsSuite):
    """`RecordsSuite` on a MongoDB server."""

    @pytest_asyncio.fixture(loop_scope="session")
    async def ground(self, database: Database) -> AsyncIterator[Ground]:
        notebook = Notebook()
        outbox = Outbox("test", database, notebook)
        collection = database[f"things_{secrets.token_hex(4)}"]
        records = MongoAggregates(collection, Thing, outbox, keys_of, (("org", "colour", "_id"), LISTING))
        await records.setup()
        yield Ground(records, lambda: list(notebook.sent))
        await outbox.settle()
        await collection.drop()
