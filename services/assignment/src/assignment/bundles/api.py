"""The internal HTTP API of bundles: what other processes read."""

from typing import Annotated

from chassis.http.server import caller_reader
from chassis.http.tokens import Caller, Tokens
from contracts.messages.bundles import Bundle
from contracts.queries.base import Page
from contracts.queries.bundles import BundleQuestion, ClearFields
from contracts.values import BundleId, IntegrationId
from fastapi import APIRouter, Depends

from assignment.bundles import usecases
from assignment.bundles.domain.bundles import clear_fields
from assignment.bundles.store import BundleStore
from assignment.bundles.usecases import Integrations


def build_routes(store: BundleStore, tokens: Tokens, integrations: Integrations) -> APIRouter:
    """The routes of bundles."""
    routes, read = APIRouter(prefix="/internal/bundles"), caller_reader(tokens)

    # By POST, as the question holds a list; nothing changes by it.
    @routes.post("/search")
    async def search(caller: Annotated[Caller, Depends(read)], question: BundleQuestion) -> Page[Bundle]:
        return await usecases.list_bundles(store, caller.organization_id, question)

    @routes.get("/clear-fields", dependencies=[Depends(read)])
    async def clear(integration_id: IntegrationId | None = None) -> ClearFields:
        return ClearFields(names=clear_fields(await integrations(), integration_id))

    @routes.get("/{bundle_id}")
    async def one(caller: Annotated[Caller, Depends(read)], bundle_id: str) -> Bundle:
        return await usecases.get_bundle(store, caller.organization_id, BundleId(bundle_id))

    return routes
