"""Indexes of a service, at its first start, at later ones, and after an upgrade."""

import asyncio
import secrets
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from chassis.persistence.mongo import Collection, ensure_indexes
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


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest_asyncio.fixture(loop_scope="session")
async def things(corner: Corner, heard: Heard) -> AsyncIterator[Collection]:
    settings = corner.settings()
    async with AsyncMongoClient(settings.mongodb_uri, event_listeners=[heard]) as client:
        yield client[f"{settings.database_prefix}indexes"][f"things_{secrets.token_hex(4)}"]


async def names(things: Collection) -> set[str]:
    return set(await things.index_information()) - {"_id_"}


async def test_only_missing_indexes_are_made(things: Collection, heard: Heard) -> None:
    for indexes in ([("org", "kind", "_id")], [("org", "kind", "_id")], [("org", "kind", "_id"), ("day",)]):
        await ensure_indexes(things, *indexes)
    assert await names(things) == {"org_1_kind_1__id_1", "day_1"}
    assert heard.names.count("createIndexes") == 2


async def test_processes_that_start_for_the_first_time_at_once_all_make_them(things: Collection) -> None:
    indexes = ("org", "kind", "_id"), ("org", "_id"), ("day",)
    for collection in (things, things.first, things.second):
        await asyncio.gather(*(ensure_indexes(collection, *indexes) for _ in range(4)))
        assert await names(collection) == {"org_1_kind_1__id_1", "org_1__id_1", "day_1"}


async def test_indexes_of_an_earlier_version_go_once_the_new_ones_are_there(things: Collection, heard: Heard) -> None:
    await ensure_indexes(things, ("org",), ("kind",), ("day",))
    await things.insert_one({"_id": "1", "org": "o", "kind": "k", "day": "d"})
    for _ in range(2):
        await ensure_indexes(things, ("org", "kind", "_id"), ("day",), obsolete=("org_1", "kind_1"))
    assert await names(things) == {"org_1_kind_1__id_1", "day_1"}
    assert heard.names.count("dropIndexes") == 2
    assert max(i for i, name in enumerate(heard.names) if name == "createIndexes") < heard.names.index("dropIndexes")
    assert await things.find_one({"org": "o", "kind": "k"})


async def test_processes_may_upgrade_at_once(things: Collection) -> None:
    for collection in (things, things.first, things.second):
        await ensure_indexes(collection, ("org",), ("kind",))
        upgrades = (ensure_indexes(collection, ("org", "kind", "_id"), obsolete=("org_1", "kind_1")) for _ in range(4))
        await asyncio.gather(*upgrades)
        assert await names(collection) == {"org_1_kind_1__id_1"}


async def test_an_index_that_somebody_else_made_stays(things: Collection) -> None:
    await things.create_index([("org", 1), ("kind", 1)], name="mine")
    await ensure_indexes(things, ("org", "kind"), obsolete=("org_1",))
    assert await names(things) == {"mine"}


async def test_each_field_of_a_query_is_looked_up_after_an_upgrade(things: Collection, corner: Corner) -> None:
    await ensure_indexes(things, ("org",), ("kind",))
    await things.insert_many({"_id": str(n), "org": "o", "kind": f"k{n}", "day": "d"} for n in range(5_000))
    await ensure_indexes(things, ("org", "kind", "_id"), obsolete=("org_1", "kind_1"))
    plan = str(await things.find({"org": "o", "kind": "k7"}).sort("_id", 1).explain())
    # FerretDB shows the plan of PostgreSQL, where a scan of the table is called so; MongoDB calls it COLLSCAN.
    assert "Seq Scan" not in plan
    assert "COLLSCAN" not in plan
