"""The internal HTTP API of bundles: what other processes read."""

from typing import Annotated

from chassis.http.server import caller_reader
from chassis.http.tokens import Caller, Tokens
from contracts.messages.bundles import Bundle
from contracts.queries.base import Page
from contracts.queries.bundles import ClearFields
from contracts.values import BundleId, IntegrationId, InventoryId
from fastapi import APIRouter, Depends, Query

from assignment.bundles import usecases
from assignment.bundles.domain.bundles import clear_fields
from assignment.bundles.store import BundleStore
from assignment.bundles.usecases import Conditions, Integrations


def build_routes(store: BundleStore, tokens: Tokens, integrations: Integrations) -> APIRouter:
    """The routes of bundles."""
    routes, read = APIRouter(prefix="/internal/bundles"), caller_reader(tokens)

    @routes.get("")
    async def listing(
        caller: Annotated[Caller, Depends(read)],
        inventory_id: InventoryId | None = None,
        integration_id: IntegrationId | None = None,
        environment: str = "",
        tag: Annotated[tuple[str, ...], Query()] = (),
        search: str = "",
        limit: int = 50,
        offset: int = 0,
    ) -> Page[Bundle]:
        asked = Conditions(inventory_id, integration_id, environment, tag, search)
        return await usecases.list_bundles(store, caller.organization_id, asked, limit=limit, offset=offset)

    @routes.get("/clear-fields", dependencies=[Depends(read)])
    async def clear(integration_id: IntegrationId | None = None) -> ClearFields:
        return ClearFields(names=clear_fields(await integrations(), integration_id))

    @routes.get("/{bundle_id}")
    async def one(caller: Annotated[Caller, Depends(read)], bundle_id: str) -> Bundle:
        return await usecases.get_bundle(store, caller.organization_id, BundleId(bundle_id))

    return routes
