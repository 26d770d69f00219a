"""What other processes read: all resources of an inventory as the list that an import takes."""

from collections.abc import AsyncIterator
from typing import Annotated

from chassis.http.server import caller_reader
from chassis.http.tokens import Caller, Tokens
from contracts.resource_csv import write_line
from contracts.values import InventoryId
from fastapi import APIRouter, Depends
from fastapi.responses import StreamingResponse

from catalog.imports import usecases
from catalog.inventories.store import InventoryStore


def build_routes(inventories: InventoryStore, tokens: Tokens) -> APIRouter:
    """The list of an inventory."""
    routes, read = APIRouter(), caller_reader(tokens)

    @routes.get("/internal/inventories/{inventory_id}/list", response_class=StreamingResponse)
    async def export(caller: Annotated[Caller, Depends(read)], inventory_id: str) -> StreamingResponse:
        batches = await usecases.export(inventories, caller.organization_id, InventoryId(inventory_id))

        async def lines() -> AsyncIterator[bytes]:
            async for batch in batches:
                yield "".join(map(write_line, batch)).encode()

        named = {"content-disposition": f'attachment; filename="inventory-{inventory_id}.csv"'}
        return StreamingResponse(lines(), media_type="text/csv; charset=utf-8", headers=named)

    return routes
