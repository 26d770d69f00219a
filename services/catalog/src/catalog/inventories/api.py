"""What other processes read of single resources, and of what is sealed."""

from typing import Annotated

from chassis.http.server import caller_reader
from chassis.http.tokens import Caller, Tokens
from contracts.messages.catalog import Resource
from contracts.queries.sealing import SealedOwners, SealedQuestion
from contracts.values import ResourceId
from fastapi import APIRouter, Depends

from catalog.inventories import usecases
from catalog.inventories.store import InventoryStore


def build_routes(store: InventoryStore, tokens: Tokens) -> APIRouter:
    """One resource as it is kept, and sealed values; listings are the business of the index."""
    routes = APIRouter()
    routes.include_router(_resources(store, tokens), prefix="/internal/resources")
    routes.include_router(_sealing(store, tokens), prefix="/internal/sealing")
    return routes


def _resources(store: InventoryStore, tokens: Tokens) -> APIRouter:
    routes, read = APIRouter(), caller_reader(tokens)

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
