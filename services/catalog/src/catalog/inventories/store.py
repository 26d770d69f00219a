"""Inventories and resources as they are kept. Both are written only while a command of their inventory is handled."""

from dataclasses import dataclass

from chassis.persistence.aggregates import Aggregates, Keys, Page, Search
from chassis.persistence.mongo_aggregates import LISTING, MongoAggregates
from chassis.runtime.service_runtime import ServiceRuntime
from contracts.inventory_types import InventoryType
from contracts.messages.catalog import Inventory, Resource
from contracts.values import InventoryId, OrganizationId, ResourceId


def resource_keys(resource: Resource) -> Keys:
    """What queries for resources lead with."""
    return {"inventory_id": resource.inventory_id, "urn": resource.urn}


@dataclass(frozen=True)
class InventoryStore:
    """The inventories and resources of the catalog."""

    inventories: Aggregates[Inventory]
    resources: Aggregates[Resource]

    async def search_inventories(
        self, org: OrganizationId, *, text: str, kind: InventoryType | None, limit: int, offset: int
    ) -> Page[Inventory]:
        """Inventories whose name holds the text, of one type or of all; oldest first."""
        search = Search(fields=("name",), text=text) if text else None
        if kind is None:
            return await self.inventories.find(org, search=search, limit=limit, offset=offset)
        # Chosen here: an organization has few inventories, and those of earlier versions have no key to ask by.
        found = [i for i in (await self.inventories.find(org, search=search)).items if i.type == kind]
        return Page[Inventory](total=len(found), items=found[offset : offset + limit])

    async def urn_owner(self, org: OrganizationId, inventory_id: InventoryId, urn: str) -> ResourceId | None:
        """Which resource of the inventory has the URN."""
        found = await self.resources.find(org, {"inventory_id": inventory_id, "urn": urn}, limit=1)
        return found.items[0].id if found.items else None

    async def resources_of(self, org: OrganizationId, inventory_id: InventoryId, *, limit: int) -> list[Resource]:
        """Some resources of an inventory, oldest first."""
        return (await self.resources.find(org, {"inventory_id": inventory_id}, limit=limit)).items


async def open_inventories(runtime: ServiceRuntime) -> InventoryStore:
    """The store in MongoDB, with its indexes made."""
    database, outbox = runtime.database, runtime.outbox
    inventories = MongoAggregates(database["inventories"], Inventory, outbox, indexes=(LISTING,))
    resources = MongoAggregates(
        database["resources"],
        Resource,
        outbox,
        keys=resource_keys,
        # PostgreSQL, where FerretDB keeps documents, has room for 2,704 bytes in an index entry: enough for the longest
        # URN, 512 characters of up to 4 bytes, and three ids.
        indexes=(
            ("org", "inventory_id", "urn", "_id"),  # urn_owner
            ("org", "inventory_id", "_id"),  # resources_of, scan of an inventory
        ),
        # The last one served searches before the index of resources did.
        obsolete=("inventory_id_1", "urn_1", "org_1_removed_1__id_1"),
    )
    await inventories.setup()
    await resources.setup()
    return InventoryStore(inventories, resources)
