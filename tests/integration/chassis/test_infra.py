"""The servers the other tests stand on."""

from contracts.messages.catalog import InventoryRemoved
from contracts.topics import CATALOG_EVENTS
from contracts.values import InventoryId, OrganizationId
from pymongo import AsyncMongoClient

from tests.support.environment import Corner
from tests.support.kafka import Wire


async def test_mongodb_keeps_documents(corner: Corner) -> None:
    settings = corner.settings()
    async with AsyncMongoClient(settings.mongodb_uri) as client:
        collection = client[f"{settings.database_prefix}smoke"]["things"]
        await collection.insert_one({"_id": "a", "n": 1})
        assert await collection.find_one({"_id": "a"}) == {"_id": "a", "n": 1}


async def test_kafka_carries_messages(wire: Wire) -> None:
    await wire.ensure(CATALOG_EVENTS)
    async with wire.listening(CATALOG_EVENTS) as ear:
        sent = await wire.publish(InventoryRemoved(organization_id=OrganizationId("o"), inventory_id=InventoryId("i")))
        heard = await ear.message(InventoryRemoved)
    assert (heard.id, heard.data) == (sent.id, sent.data)
