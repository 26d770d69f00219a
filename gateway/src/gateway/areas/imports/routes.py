"""All resources of a self-managed inventory at once, as a list."""

from typing import Annotated, Any

from contracts.errors import Invalid
from fastapi import APIRouter, Query, Request, Response
from starlette.requests import ClientDisconnect

from gateway.access.rights import Right
from gateway.areas.imports.lists import read, received
from gateway.areas.imports.schemas import ImportView, import_view, preview_view
from gateway.areas.imports.service import Imports
from gateway.clients.catalog import CatalogClient
from gateway.http.dependencies import Audit, IdempotencyKey, Provided, Who, intent_for, provided
from gateway.http.openapi import headers, problems, writes
from gateway.http.proxy import ProxyResponse

router = APIRouter(prefix="/api/v1", tags=["resources"])
Catalog = Annotated[CatalogClient, provided(CatalogClient)]
Service = Annotated[Imports, provided(Imports)]
DryRun = Annotated[bool, Query(description="Nothing is changed; the answer tells what would be")]
Force = Annotated[bool, Query(description="Resources that connectors use may go, and all, if the list is empty")]
_LIST = {
    "schema": {"type": "string", "format": "binary"},
    "example": "ObjectStorage;Photos;urn:example:photos;s3.example.com\n",
}
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "UTF-8, without a header: a line `Class;Name;URN;Hostname` for each resource. Hostname is an "
        "endpoint, or several by comma: a host name or an IP address, a port may follow; or an identifier: a path, a "
        "UUID, or what begins with `urn:` or `arn:`",
        "content": dict.fromkeys(("application/octet-stream", "text/csv", "text/plain"), _LIST),
    }
}
_EXPORT: dict[int | str, dict[str, object]] = {
    200: {
        "description": "A line for each resource, oldest first.",
        "headers": headers("Content-Disposition"),
        "content": {"text/csv": {"schema": {"type": "string"}}},
    },
    **problems(404),
}


@router.post(
    "/inventories/{inv}/resources/bulk",
    summary="Import resources",
    responses=writes(404, 409, 429),
    openapi_extra=_BODY,
)
async def import_resources(
    inv: str,
    request: Request,
    *,
    audit: Audit,
    services: Provided,
    imports: Service,
    who: Who,
    idempotency_key: IdempotencyKey = None,
    dry_run: DryRun = False,
    force: Force = False,
) -> ImportView:
    """Makes a list what the inventory holds: lines `Class;Name;URN;Hostname` without a header, endpoints by comma.

    Resources are told apart by their URNs. One that is there already gets the name, class and endpoints of its line and
    keeps all else, its subclass too unless the class is another; one that the list lacks is removed. The list is used
    as a whole or not at all: a 422 `list_invalid` names lines, columns and reasons. Without `force` it may lack no
    resource that connectors use (`resources_in_use`).
    """
    who.require(Right.WRITE)
    await imports.check(who, inv)
    try:
        with imports.turn():
            async with received(request.stream(), most_bytes=imports.most_bytes) as upload:
                if dry_run:
                    return preview_view(inv, *await imports.preview(who, inv, upload))
                intent = await intent_for(request, services, who, key=idempotency_key, body=upload.digest)
                wanted = await read(upload)
    except ClientDisconnect:
        raise Invalid("body_incomplete", "The request body ended before it was complete.") from None
    async with audit.change(who, "resources.import", "inventory", inv, rows=wanted.rows, force=force) as found:
        result = await imports.run(who, inv, wanted, intent, force=force)
        found |= {name: result[name] for name in ("added", "changed", "unchanged", "removed")}
    return import_view(inv, result)


@router.get(
    "/inventories/{inv}/resources/export",
    summary="Export resources",
    response_class=Response,
    responses=_EXPORT,
)
async def export_resources(inv: str, catalog: Catalog, who: Who) -> Response:
    """All resources of an inventory as such a list, also of a managed one. Imported, it changes nothing."""
    who.require(Right.READ)
    return ProxyResponse(lambda: catalog.resource_list(who, inv))
