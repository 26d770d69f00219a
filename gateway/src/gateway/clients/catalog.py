"""Reads of the catalog."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from chassis.http.client import ServiceClient
from chassis.http.transport import Answer
from contracts.errors import NotFound
from contracts.inventory_types import InventoryType
from contracts.messages.catalog import Resource
from contracts.queries.base import Page
from contracts.queries.catalog import CountedInventory, Coverage, CoverageStatus, ListedResource, ResourceSort
from contracts.queries.classification import UsedClassification

from gateway.access.principal import Principal
from gateway.clients.base import segment


@dataclass(frozen=True)
class ResourceFilter:
    """Which resources are wanted, in which order. Nothing set: all of them, oldest first."""

    inventory_id: str | None = None
    classes: Sequence[str] = ()
    exclude_classes: Sequence[str] = ()
    tags: Sequence[str] = ()
    """All of which a resource must have."""
    status: CoverageStatus | None = None
    search: str = ""
    sort: ResourceSort = "created"

    def parameters(self) -> Mapping[str, str | Sequence[str] | None]:
        """As the catalog is asked."""
        return {
            "inventory_id": self.inventory_id,
            "class": self.classes,
            "exclude_class": self.exclude_classes,
            "tag": self.tags,
            "status": self.status,
            "search": self.search,
            "sort": self.sort,
        }


@dataclass(frozen=True)
class CatalogClient:
    """Inventories and resources. Unknown and foreign ids raise `NotFound`, silence `Unavailable`."""

    service: ServiceClient

    async def inventories(
        self, who: Principal, *, search: str = "", kind: InventoryType | None = None, limit: int, offset: int
    ) -> Page[CountedInventory]:
        """Inventories of the organization; `search` is a part of the name."""
        params: dict[str, str | int] = {"limit": limit, "offset": offset}
        params |= {k: v for k, v in (("search", search), ("type", kind)) if v}
        return Page[CountedInventory].model_validate(
            await self.service.get("/internal/inventories", who.caller(), params)
        )

    async def inventory(self, who: Principal, inventory_id: str) -> CountedInventory:
        """One inventory."""
        path = f"/internal/inventories/{segment(inventory_id, missing='inventory')}"
        return CountedInventory.model_validate(await self.service.get(path, who.caller()))

    async def coverage(self, who: Principal) -> Coverage:
        """How much of the organization is protected."""
        return Coverage.model_validate(await self.service.get("/internal/inventories/coverage", who.caller()))

    async def resources(
        self, who: Principal, wanted: ResourceFilter, *, limit: int, offset: int
    ) -> Page[ListedResource]:
        """Resources of an inventory, or of all, which the filter lets through, in its order."""
        params: dict[str, str | int | Sequence[str]] = {"limit": limit, "offset": offset}
        # Left out rather than sent empty: an empty id would be that of an inventory which does not exist.
        params |= {name: value for name, value in wanted.parameters().items() if value}
        return Page[ListedResource].model_validate(await self.service.get("/internal/resources", who.caller(), params))

    async def resource(self, who: Principal, resource_id: str, *, inventory_id: str | None = None) -> Resource:
        """One resource; with `inventory_id`, only when it is in that inventory."""
        path = f"/internal/resources/{segment(resource_id, missing='resource')}"
        found = Resource.model_validate(await self.service.get(path, who.caller()))
        # The catalog finds a resource by its id alone; the public address names its inventory as well.
        if inventory_id is not None and found.inventory_id != inventory_id:
            raise NotFound("resource_not_found", "There is no such resource in this inventory.")
        return found

    @asynccontextmanager
    async def resource_list(self, who: Principal, inventory_id: str) -> AsyncIterator[Answer]:
        """All resources of an inventory as a list of lines, read as it comes."""
        path = f"/internal/inventories/{segment(inventory_id, missing='inventory')}/list"
        async with self.service.stream(path, who.caller()) as answer:
            yield answer

    async def classification(self, who: Principal) -> UsedClassification:
        """The environments and data classes that the organization offers."""
        return UsedClassification.model_validate(await self.service.get("/internal/classification", who.caller()))
