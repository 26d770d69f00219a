"""Indexes of a service, at its first start and at later ones."""

import asyncio

import pytest
from chassis.persistence.mongo import ensure_indexes
from pymongo import AsyncMongoClient, monitoring

from tests.support.environment import Corner

pytestmark = pytest.mark.integration


class Heard(monitoring.CommandListener):
    """Names of the commands that were sent."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        self.names.append(event.command_name)

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        pass

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        pass


async def test_only_missing_indexes_are_made(corner: Corner) -> None:
    heard = Heard()
    settings = corner.settings()
    async with AsyncMongoClient(settings.mongodb_uri, event_listeners=[heard]) as client:
        things = client[f"{settings.database_prefix}indexes"].things
        for fields in (("org", "kind"), ("org", "kind"), ("org", "kind", "day")):
            await ensure_indexes(things, *fields)
        made = {name for name in await things.index_information() if name != "_id_"}
    assert made == {"org_1", "kind_1", "day_1"}
    assert heard.names.count("createIndexes") == 3


async def test_processes_that_start_for_the_first_time_at_once_all_make_them(corner: Corner) -> None:
    settings = corner.settings()
    async with AsyncMongoClient(settings.mongodb_uri) as client:
        database = client[f"{settings.database_prefix}at_once"]
        for name in ("first", "second", "third"):
            await asyncio.gather(*(ensure_indexes(database[name], "org", "kind", "day") for _ in range(4)))
            assert set(await database[name].index_information()) == {"_id_", "org_1", "kind_1", "day_1"}
