"""Inventories."""

from typing import Annotated

from contracts.inventory_types import MANAGED, InventoryType
from fastapi import APIRouter, Query, Response

from gateway.access.rights import Right
from gateway.areas.inventories.schemas import (
    CoverageView,
    InventoryBody,
    InventoryName,
    InventoryRowView,
    InventoryView,
    SyncView,
    TypedBody,
    TypedBodyOf,
    coverage_view,
    inventory_row,
    inventory_view,
)
from gateway.areas.inventories.service import Inventories
from gateway.clients.catalog import CatalogClient
from gateway.http.answers import PageView, page
from gateway.http.dependencies import Audit, Paged, RequestIntent, Who, WhoInOrganization, provided
from gateway.http.openapi import problems, writes

router = APIRouter(prefix="/api/v1", tags=["inventories"])
Catalog = Annotated[CatalogClient, provided(CatalogClient)]
Service = Annotated[Inventories, provided(Inventories)]


@router.get("/account/organizations/{org}/inventories", summary="List inventories", responses=problems(404))
async def list_inventories(
    catalog: Catalog,
    who: WhoInOrganization,
    paged: Paged,
    kind: Annotated[InventoryType | None, Query(alias="type", description="Only this type")] = None,
    search: Annotated[str, Query(max_length=1000, description="A part of the name, whatever the case")] = "",
) -> PageView[InventoryRowView]:
    """Inventories of the organization, without their configuration."""
    if not who.may(Right.READ):
        return page(0, [])
    found = await catalog.inventories(who, search=search, kind=kind, limit=paged.limit, offset=paged.offset)
    return page(found.total, [inventory_row(i) for i in found.items])


@router.post("/account/organizations/{org}/inventories", summary="Create an inventory", responses=writes(404, 409))
async def create_inventory(
    body: InventoryBody, audit: Audit, inventories: Service, who: WhoInOrganization, intent: RequestIntent
) -> InventoryView:
    """An inventory of any type, with the block of its type.

    Nothing is contacted: whether the credentials work, a sync tells. Settings that the type requires and that are
    missing are named (`inventory_invalid`).
    """
    who.require(Right.WRITE)
    async with audit.change(who, "inventory.create", "inventory", intent.id_for("inventory"), **body.summary()):
        return inventory_view(await inventories.create(who, body.request(), intent))


@router.post(
    "/account/organizations/{org}/inventories/self-managed",
    summary="Create a self-managed inventory",
    responses=writes(404, 409),
)
async def create_self_managed(
    body: InventoryName, audit: Audit, inventories: Service, who: WhoInOrganization, intent: RequestIntent
) -> InventoryView:
    """An inventory whose resources are typed in."""
    who.require(Right.WRITE)
    async with audit.change(who, "inventory.create", "inventory", intent.id_for("inventory"), **body.summary()):
        return inventory_view(await inventories.create(who, body.request(), intent))


def _add_creation_of(kind: InventoryType) -> None:
    @router.post(
        f"/account/organizations/{{org}}/inventories/{kind}",
        operation_id=f"create_{kind}_inventory",
        summary=f"Create an inventory of type {kind}",
        responses=writes(404, 409),
    )
    async def create_managed(
        body: Annotated[TypedBody, TypedBodyOf(kind)],
        audit: Audit,
        inventories: Service,
        who: WhoInOrganization,
        intent: RequestIntent,
    ) -> InventoryView:
        """As the creation of an inventory of any type, whose type is in the path."""
        who.require(Right.WRITE)
        async with audit.change(who, "inventory.create", "inventory", intent.id_for("inventory"), **body.summary()):
            return inventory_view(await inventories.create(who, body.request(), intent))


for _kind in MANAGED:
    _add_creation_of(_kind)


@router.get("/inventories/coverage", summary="Read the coverage of all inventories")
async def read_coverage(catalog: Catalog, who: Who) -> CoverageView:
    """How many resources of the organization are protected, unprotected, and left out."""
    who.require(Right.READ)
    return coverage_view(await catalog.coverage(who))


@router.get("/inventories/{inv}", summary="Read an inventory", responses=problems(404))
async def read_inventory(inv: str, inventories: Service, who: Who) -> InventoryView:
    """One inventory. Secrets are in clear for owners and administrators; others read `masked` in place of the value.

    Each read of secrets stands in the audit log (`secret.read`).
    """
    who.require(Right.READ)
    return inventory_view(await inventories.read(who, inv))


@router.post("/inventories/{inv}", summary="Change an inventory", responses=writes(404, 409))
async def change_inventory(
    inv: str, body: InventoryBody, audit: Audit, inventories: Service, who: Who, intent: RequestIntent
) -> InventoryView:
    """Takes the full body of a creation. The type is fixed.

    A secret that is sent back `masked`, as it was read, stays as it is.
    """
    who.require(Right.WRITE)
    async with audit.change(who, "inventory.change", "inventory", inv, **body.summary()):
        return inventory_view(await inventories.change(who, inv, body.request(), intent))


@router.delete("/inventories/{inv}", summary="Remove an inventory", status_code=204, responses=writes(404, 409))
async def remove_inventory(inv: str, audit: Audit, inventories: Service, who: Who, intent: RequestIntent) -> Response:
    """Removes its resources too. Refused (`inventory_in_use`) while connectors use one of them."""
    who.require(Right.WRITE)
    async with audit.change(who, "inventory.remove", "inventory", inv):
        await inventories.remove(who, inv, intent)
    return Response(status_code=204)


# By GET although it may change something: the method that clients use.
@router.get("/inventories/{inv}/sync", summary="Sync an inventory")
async def sync_inventory(inv: str, inventories: Service, who: Who) -> SyncView:
    """Always 200: `ok` says whether it could be synced, `error` why not. A self-managed inventory always is in sync."""
    error = await inventories.sync(who, inv)
    return SyncView(ok=not error, error=error)
