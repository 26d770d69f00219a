"""Connectors with what belongs to them, each page in one read."""

from typing import Annotated

from fastapi import APIRouter

from gateway.access.rights import Right
from gateway.areas.connectors.removal import Removals
from gateway.areas.connectors.schemas.overviews import ConnectionTestView, kept_test_view
from gateway.areas.overviews.schemas import (
    ConnectorRowView,
    RemovalView,
    ResourceConnectorsView,
    removal_view,
    resource_connectors_view,
    row_view,
)
from gateway.areas.overviews.service import Overviews
from gateway.http.answers import PageView, whole
from gateway.http.dependencies import Who, provided
from gateway.http.openapi import problems

router = APIRouter(prefix="/api/v1", tags=["connectors"])
Service = Annotated[Overviews, provided(Overviews)]
Removing = Annotated[Removals, provided(Removals)]


@router.get("/connectors/{connector}/tests", summary="List connection tests", responses=problems(404))
async def list_connection_tests(connector: str, overviews: Service, who: Who) -> PageView[ConnectionTestView]:
    """The last 50 that were made, newest first: those that somebody asked for, and those after each change."""
    who.require(Right.READ)
    return whole([kept_test_view(test) for test in await overviews.tests(who, connector)])


@router.get("/connectors/{connector}/removal", summary="What a removal would mean", responses=problems(404))
async def preview_removal(connector: str, removals: Removing, who: Who) -> RemovalView:
    """What uses the connector, what becomes of restore points, and why it would be refused. Nothing is changed."""
    who.require(Right.READ)
    return removal_view(await removals.preview(who, connector))


@router.get(
    "/inventories/{inv}/resources/{urn_id}/connectors",
    summary="What a resource is used as",
    responses=problems(404),
)
async def read_resource_connectors(inv: str, urn_id: str, overviews: Service, who: Who) -> ResourceConnectorsView:
    """Its sources, stores and destinations with their last test and backup and what can be done with them, and the
    latest restore points of its sources, in one read.
    """
    who.require(Right.READ)
    return resource_connectors_view(await overviews.of_resource(who, inv, urn_id))


@router.get("/inventories/{inv}/stores", summary="List the stores of an inventory", responses=problems(404))
async def list_inventory_stores(inv: str, overviews: Service, who: Who) -> PageView[ConnectorRowView]:
    """Complete, oldest first, with their last test, the last backup into them, and what can be done with them."""
    if not who.may(Right.READ):
        # Clients expect an empty listing, not a refusal, for an account without grants.
        return whole([])
    return whole([row_view(row) for row in await overviews.stores_of(who, inv)])
