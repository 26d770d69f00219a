"""Resources."""

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Query, Response

from gateway.access.rights import Right
from gateway.areas.resources.filters import Wanted
from gateway.areas.resources.schemas import (
    CoverageBody,
    EndpointsView,
    LockBody,
    ResourceBody,
    ResourceClassView,
    ResourceRowView,
    ResourceView,
    class_views,
    endpoints_of,
    resource_row,
    resource_view,
)
from gateway.areas.resources.service import Resources
from gateway.clients.catalog import CatalogClient
from gateway.http.answers import PageView, page, whole
from gateway.http.dependencies import Audit, Paged, RequestIntent, Who, WhoInOrganization, provided
from gateway.http.openapi import problems, writes

router = APIRouter(prefix="/api/v1", tags=["resources"])
Catalog = Annotated[CatalogClient, provided(CatalogClient)]
Service = Annotated[Resources, provided(Resources)]


@router.get(
    "/account/organizations/{org}/resource_classes",
    summary="List classes and subclasses of resources",
    responses=problems(404),
)
async def list_resource_classes(who: WhoInOrganization) -> PageView[ResourceClassView]:
    """The tree that forms offer, in one page. Other classes are taken as they come; `postgres` is `postgresql`."""
    return whole(class_views() if who.may(Right.READ) else [])


@router.get("/inventories/resources", summary="List resources of all inventories")
async def list_all_resources(
    catalog: Catalog,
    who: Who,
    paged: Paged,
    wanted: Wanted,
    inventory_id: Annotated[str | None, Query(description="Only those of this inventory")] = None,
) -> PageView[ResourceRowView]:
    """Resources of the organization whose URN or name contain `search`, by class, tags and state of protection."""
    if not who.may(Right.READ):
        return page(0, [])
    within = replace(wanted, inventory_id=inventory_id)
    found = await catalog.resources(who, within, limit=paged.limit, offset=paged.offset)
    return page(found.total, map(resource_row, found.items))


@router.get("/inventories/{inv}/resources", summary="List resources of an inventory", responses=problems(404))
async def list_resources(
    inv: str, resources: Service, who: Who, paged: Paged, wanted: Wanted
) -> PageView[ResourceRowView]:
    """Resources of one inventory whose URN or name contain `search`, by class, tags and state of protection."""
    if not who.may(Right.READ):
        return page(0, [])
    within = replace(wanted, inventory_id=inv)
    found = await resources.list_of(who, inv, within, limit=paged.limit, offset=paged.offset)
    return page(found.total, map(resource_row, found.items))


@router.post("/inventories/{inv}/resources", summary="Create a resource", responses=writes(404, 409))
async def create_resource(
    inv: str, body: ResourceBody, audit: Audit, resources: Service, who: Who, intent: RequestIntent
) -> ResourceView:
    """Only self-managed inventories take hand-made resources. The URN is unique in the inventory."""
    who.require(Right.WRITE)
    async with audit.change(who, "resource.create", "resource", intent.id_for("resource"), **body.summary()):
        return resource_view(await resources.register(who, inv, body.description(), intent))


@router.get("/inventories/{inv}/resources/{urn_id}", summary="Read a resource", responses=problems(404))
async def read_resource(inv: str, urn_id: str, catalog: Catalog, who: Who) -> ResourceView:
    """One resource."""
    who.require(Right.READ)
    return resource_view(await catalog.resource(who, urn_id, inventory_id=inv))


@router.post("/inventories/{inv}/resources/{urn_id}", summary="Change a resource", responses=writes(404, 409))
async def change_resource(
    inv: str,
    urn_id: str,
    body: ResourceBody,
    *,
    audit: Audit,
    catalog: Catalog,
    resources: Service,
    who: Who,
    intent: RequestIntent,
) -> ResourceView:
    """Takes the full body of a creation. The URN is fixed."""
    who.require(Right.WRITE)
    async with audit.change(who, "resource.change", "resource", urn_id, **body.summary()):
        known = await catalog.resource(who, urn_id, inventory_id=inv)
        return resource_view(await resources.change(who, known, body.description(), intent))


@router.patch(
    "/inventories/{inv}/resources/{urn_id}",
    summary="Take a resource out of coverage, or back in",
    responses=writes(404, 409),
)
async def cover_resource(
    inv: str,
    urn_id: str,
    body: CoverageBody,
    *,
    audit: Audit,
    catalog: Catalog,
    resources: Service,
    who: Who,
    intent: RequestIntent,
) -> ResourceView:
    """Also of managed inventories. A resource that is left out counts neither as protected nor as unprotected."""
    who.require(Right.WRITE)
    async with audit.change(who, "resource.cover", "resource", urn_id, **body.summary()):
        known = await catalog.resource(who, urn_id, inventory_id=inv)
        excluded = body.excluded_from_coverage
        return resource_view(await resources.flag(who, known, excluded_from_coverage=excluded, intent=intent))


@router.patch(
    "/inventories/{inv}/resources/{urn_id}/lock",
    summary="Lock or unlock a resource",
    responses=writes(404, 409),
)
async def lock_resource(
    inv: str,
    urn_id: str,
    body: LockBody,
    *,
    audit: Audit,
    catalog: Catalog,
    resources: Service,
    who: Who,
    intent: RequestIntent,
) -> ResourceView:
    """Also of managed inventories. While it is locked, no task of its connectors begins (`resource_locked`): new ones
    are refused, those that wait for a worker fail, and what runs already goes on.
    """
    who.require(Right.WRITE)
    async with audit.change(who, "resource.lock", "resource", urn_id, **body.summary()):
        known = await catalog.resource(who, urn_id, inventory_id=inv)
        return resource_view(await resources.flag(who, known, locked=body.locked, intent=intent))


@router.delete(
    "/inventories/{inv}/resources/{urn_id}",
    summary="Remove a resource",
    status_code=204,
    responses=writes(404, 409),
)
async def remove_resource(
    inv: str, urn_id: str, audit: Audit, resources: Service, who: Who, intent: RequestIntent
) -> Response:
    """Refused (`resource_in_use`) while connectors use it."""
    who.require(Right.WRITE)
    async with audit.change(who, "resource.remove", "resource", urn_id):
        await resources.unregister(who, inv, urn_id, intent)
    return Response(status_code=204)


@router.get(
    "/inventories/{inv}/resources/{urn_id}/endpoints", summary="List endpoints of a resource", responses=problems(404)
)
async def list_endpoints(inv: str, urn_id: str, catalog: Catalog, who: Who) -> EndpointsView:
    """All of them, in the order given, with the kind that follows from each address."""
    who.require(Right.READ)
    return EndpointsView(endpoints=endpoints_of(await catalog.resource(who, urn_id, inventory_id=inv)))
