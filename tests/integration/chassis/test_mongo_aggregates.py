"""Aggregates in MongoDB keep their promises."""

import secrets
from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio
from chassis.persistence.mongo import Database, Document, open_database
from chassis.persistence.mongo_aggregates import LISTING, MongoAggregates
from chassis.persistence.outbox import Outbox
from pymongo import AsyncMongoClient, monitoring

from tests.contracts.aggregates_suite import ORG, AggregatesSuite, Ground, Thing, keys_of
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


class _Finds(monitoring.CommandListener):
    """What a server is asked to find."""

    def __init__(self) -> None:
        self.filters: list[dict[str, Any]] = []

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        if event.command_name == "find":
            self.filters.append(dict(event.command["filter"]))

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        pass

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        pass


async def test_one_document_is_asked_for_by_its_id_alone(corner: Corner) -> None:
    """With the organization in the filter too, a server reads the index entries of all its documents for one."""
    finds = _Finds()
    async with AsyncMongoClient[Document](corner.settings().mongodb_uri, event_listeners=[finds]) as client:
        things = MongoAggregates(client["find_own"]["things"], Thing, Outbox("test", client["find_own"], Notebook()))
        await things.load(ORG, "one")
        await things.get(ORG, "one")
    assert finds.filters == [{"_id": "one"}, {"_id": "one"}]
