"""The internal HTTP API of this area: what other processes read."""

from typing import Annotated

from chassis.http.server import caller_reader
from chassis.http.tokens import Caller, Tokens
from contracts.queries.base import Listing
from contracts.queries.installations import IntegrationUse, KnownIntegration
from fastapi import APIRouter, Depends

from assignment.installations import usecases
from assignment.installations.store import InstallationStore


def build_routes(store: InstallationStore, tokens: Tokens) -> APIRouter:
    """Integrations as an organization has them, and what it uses of them."""
    routes, read = APIRouter(prefix="/internal/installations"), caller_reader(tokens)

    @routes.get("")
    async def listing(caller: Annotated[Caller, Depends(read)]) -> Listing[KnownIntegration]:
        return Listing(items=tuple(await usecases.list_known(store, caller.organization_id)))

    @routes.get("/use")
    async def use(caller: Annotated[Caller, Depends(read)]) -> Listing[IntegrationUse]:
        return Listing(items=await usecases.list_use(store, caller.organization_id))

    return routes
