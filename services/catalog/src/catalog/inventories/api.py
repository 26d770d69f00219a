"""What other processes read of inventories and resources."""

from typing import Annotated

from chassis.http.server import caller_reader
from chassis.http.tokens import Caller, Tokens
from contracts.inventory_types import InventoryType
from contracts.messages.catalog import Resource
from contracts.queries import catalog as queries
from contracts.queries.base import Page
from contracts.queries.sealing import SealedOwners, SealedQuestion
from contracts.values import InventoryId, ResourceId
from fastapi import APIRouter, Depends, Query

from catalog.inventories import usecases
from catalog.inventories.store import InventoryStore
from catalog.inventories.usecases import CountedInventory

PAGE = 50
MOST = 10_000
Limit = Annotated[int, Query(ge=1, le=MOST, description=f"How many at most; up to {MOST}")]
Offset = Annotated[int, Query(ge=0, le=2**31 - 1, description="How many to skip")]


def build_routes(store: InventoryStore, tokens: Tokens) -> APIRouter:
    """What is read of inventories and their resources."""
    routes = APIRouter()
    routes.include_router(_inventories(store, tokens), prefix="/internal/inventories")
    routes.include_router(_resources(store, tokens), prefix="/internal/resources")
    routes.include_router(_sealing(store, tokens), prefix="/internal/sealing")
    return routes


def _inventories(store: InventoryStore, tokens: Tokens) -> APIRouter:
    routes, read = APIRouter(), caller_reader(tokens)

    @routes.get("")
    async def listing(
        caller: Annotated[Caller, Depends(read)],
        kind: Annotated[InventoryType | None, Query(alias="type")] = None,
        search: str = "",
        limit: Limit = PAGE,
        offset: Offset = 0,
    ) -> Page[queries.CountedInventory]:
        total, found = await usecases.list_inventories(
            store, caller.organization_id, text=search, kind=kind, limit=limit, offset=offset
        )
        return Page(total=total, items=tuple(map(_inventory, found)))

    @routes.get("/{inventory_id}")
    async def one(caller: Annotated[Caller, Depends(read)], inventory_id: str) -> queries.CountedInventory:
        return _inventory(await usecases.get_inventory(store, caller.organization_id, InventoryId(inventory_id)))

    return routes


def _resources(store: InventoryStore, tokens: Tokens) -> APIRouter:
    routes, read = APIRouter(), caller_reader(tokens)

    @routes.get("")
    async def listing(
        caller: Annotated[Caller, Depends(read)],
        inventory_id: str | None = None,
        search: str = "",
        limit: Limit = PAGE,
        offset: Offset = 0,
    ) -> Page[Resource]:
        within = InventoryId(inventory_id) if inventory_id is not None else None
        page = await usecases.list_resources(
            store, caller.organization_id, within, text=search, limit=limit, offset=offset
        )
        return Page(total=page.total, items=tuple(page.items))

    @routes.get("/{resource_id}")
    async def one(caller: Annotated[Caller, Depends(read)], resource_id: str) -> Resource:
        return await usecases.get_resource(store, caller.organization_id, ResourceId(resource_id))

    return routes


def _sealing(store: InventoryStore, tokens: Tokens) -> APIRouter:
    routes, read = APIRouter(), caller_reader(tokens)

    # By POST, as a key that is named in an address would be written into logs; nothing changes by it.
    @routes.post("")
    async def sealed(caller: Annotated[Caller, Depends(read)], question: SealedQuestion) -> SealedOwners:
        return await usecases.list_sealed(store, caller.organization_id, question)

    return routes


def _inventory(counted: CountedInventory) -> queries.CountedInventory:
    return queries.CountedInventory(**dict(counted.inventory), count=counted.count)
