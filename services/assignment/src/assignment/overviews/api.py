"""The internal HTTP API of overviews."""

from typing import Annotated

from chassis.http.server import caller_reader
from chassis.http.tokens import Caller, Tokens
from contracts.messages.assignment import AppKind
from contracts.queries.base import Listing
from contracts.queries.connection_tests import ConnectorOverview
from contracts.values import AppId, InventoryId, ResourceId
from fastapi import APIRouter, Depends

from assignment.apps.store import AssignmentStore
from assignment.connection_tests.store import ConnectionTestStore
from assignment.overviews import usecases


def build_routes(store: AssignmentStore, tests: ConnectionTestStore, tokens: Tokens) -> APIRouter:
    """The reads of this area."""
    routes, read = APIRouter(prefix="/internal/overviews"), caller_reader(tokens)

    @routes.get("")
    async def listing(
        caller: Annotated[Caller, Depends(read)],
        kind: AppKind | None = None,
        inventory_id: InventoryId | None = None,
        resource_id: ResourceId | None = None,
    ) -> Listing[ConnectorOverview]:
        found = await usecases.list_overviews(
            store, tests, caller.organization_id, kind=kind, inventory_id=inventory_id, resource_id=resource_id
        )
        return Listing(items=tuple(found))

    @routes.get("/{app_id}")
    async def one(caller: Annotated[Caller, Depends(read)], app_id: str) -> ConnectorOverview:
        return await usecases.get_overview(store, tests, caller.organization_id, AppId(app_id))

    return routes
