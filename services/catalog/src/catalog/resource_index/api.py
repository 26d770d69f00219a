"""What other processes read of inventories and of all resources at once."""

from typing import Annotated

from chassis.http.server import caller_reader
from chassis.http.tokens import Caller, Tokens
from contracts.inventory_types import InventoryType
from contracts.queries.base import Page
from contracts.queries.catalog import CountedInventory, Coverage, CoverageStatus, ListedResource, ResourceSort
from contracts.values import InventoryId
from fastapi import APIRouter, Depends, Query

from catalog.inventories.store import InventoryStore
from catalog.resource_index import usecases
from catalog.resource_index.domain.resource_query import ResourceQuery
from catalog.resource_index.store.index import ResourceIndex

PAGE = 50
MOST = 10_000
Limit = Annotated[int, Query(ge=1, le=MOST, description=f"How many at most; up to {MOST}")]
Offset = Annotated[int, Query(ge=0, le=2**31 - 1, description="How many to skip")]
Several = Annotated[list[str], Query()]


def build_routes(index: ResourceIndex, store: InventoryStore, tokens: Tokens) -> APIRouter:
    """Listings of resources and inventories, and coverage."""
    routes = APIRouter()
    routes.include_router(_inventories(index, store, tokens), prefix="/internal/inventories")
    routes.include_router(_resources(index, tokens), prefix="/internal/resources")
    return routes


def _inventories(index: ResourceIndex, store: InventoryStore, tokens: Tokens) -> APIRouter:
    routes, read = APIRouter(), caller_reader(tokens)

    @routes.get("")
    async def listing(
        caller: Annotated[Caller, Depends(read)],
        kind: Annotated[InventoryType | None, Query(alias="type")] = None,
        search: str = "",
        limit: Limit = PAGE,
        offset: Offset = 0,
    ) -> Page[CountedInventory]:
        org = caller.organization_id
        return await usecases.list_inventories(index, store, org, text=search, kind=kind, limit=limit, offset=offset)

    @routes.get("/coverage")
    async def coverage(caller: Annotated[Caller, Depends(read)]) -> Coverage:
        return await usecases.get_coverage(index, caller.organization_id)

    @routes.get("/{inventory_id}")
    async def one(caller: Annotated[Caller, Depends(read)], inventory_id: str) -> CountedInventory:
        return await usecases.get_inventory(index, store, caller.organization_id, InventoryId(inventory_id))

    return routes


def _resources(index: ResourceIndex, tokens: Tokens) -> APIRouter:
    routes, read = APIRouter(), caller_reader(tokens)

    @routes.get("")
    async def listing(
        caller: Annotated[Caller, Depends(read)],
        inventory_id: str | None = None,
        class_: Annotated[list[str], Query(alias="class")] = [],  # noqa: B006
        exclude_class: Several = [],  # noqa: B006
        tag: Several = [],  # noqa: B006
        status: CoverageStatus | None = None,
        search: str = "",
        sort: ResourceSort = "created",
        limit: Limit = PAGE,
        offset: Offset = 0,
    ) -> Page[ListedResource]:
        query = ResourceQuery(
            inventory_id=InventoryId(inventory_id) if inventory_id is not None else None,
            classes=frozenset(class_),
            exclude_classes=frozenset(exclude_class),
            tags=frozenset(tag),
            status=status,
            search=search,
            sort=sort,
        )
        return await usecases.list_resources(index, caller.organization_id, query, limit=limit, offset=offset)

    return routes
