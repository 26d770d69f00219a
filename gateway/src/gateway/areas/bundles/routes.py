"""Bundles: values for the fields of many connectors, of the organization or of one inventory."""

from typing import Annotated

from contracts.queries.bundles import BundleQuestion
from contracts.values import IntegrationId, InventoryId
from fastapi import APIRouter, Depends, Query, Response

from gateway.access.principal import Principal
from gateway.access.rights import Right
from gateway.areas.bundles.schemas import BundleBody, BundleView, bundle_view
from gateway.areas.bundles.service import Bundles, ReadBundle
from gateway.areas.connectors.revisions import ExpectedRevision, expected_revision, tag_of
from gateway.http.answers import PageView, page
from gateway.http.dependencies import Audit, Paged, RequestIntent, Who, WhoInOrganization, provided
from gateway.http.openapi import headers, problems, writes

router = APIRouter(prefix="/api/v1", tags=["bundles"])
Service = Annotated[Bundles, provided(Bundles)]
Expected = Annotated[ExpectedRevision, Depends(expected_revision)]
_OF_ORGANIZATION = "/account/organizations/{org}/bundles"
_OF_INVENTORY = "/bundles/inventories/{inv}"
_TAGGED: dict[int | str, dict[str, object]] = {
    200: {"description": "The bundle; its `ETag` is its revision.", "headers": headers("ETag")}
}


async def conditions(
    paged: Paged,
    search: Annotated[str, Query(max_length=1000, description="A part of the name, whatever the case")] = "",
    integration_id: Annotated[str, Query(max_length=200, description="Only for this integration")] = "",
    environment: Annotated[str, Query(max_length=255, description="Only for this environment")] = "",
    tags: Annotated[
        list[str] | None, Query(alias="tags[]", description="Only with all of these tags in their scope")
    ] = None,
) -> BundleQuestion:
    """Which bundles a listing is about: those whose own scope names what is asked for."""
    return BundleQuestion(
        integration_id=IntegrationId(integration_id) if integration_id else None,
        environment=environment,
        tags=tuple(tags or ()),
        search=search,
        limit=paged.limit,
        offset=paged.offset,
    )


Conditions = Annotated[BundleQuestion, Depends(conditions)]


@router.get(_OF_ORGANIZATION, summary="List bundles of the organization", responses=problems(404))
async def list_bundles(bundles: Service, who: WhoInOrganization, asked: Conditions) -> PageView[BundleView]:
    """Bundles that fill the fields of connectors anywhere in the organization.

    Secrets are in clear for owners and administrators, and masked for others, as in a single read.
    """
    return await _listed(bundles, who, asked)


@router.post(_OF_ORGANIZATION, summary="Create a bundle for the organization", responses=writes(404, 409))
async def create_bundle(
    body: BundleBody, audit: Audit, bundles: Service, who: WhoInOrganization, intent: RequestIntent
) -> BundleView:
    """Fields that a connector within the scope is not given get their values from here, and follow later changes.

    Where several bundles give a field a value, that of the inventory counts before that of the organization, then that
    of the bundle with more conditions (each tag is one), then that whose scope lies within the other's. Different
    values where none of this decides are refused (`bundles_tie`).
    """
    who.require(Right.WRITE)
    async with audit.change(who, "bundle.create", "bundle", intent.id_for("bundle"), **body.summary()):
        return bundle_view(await bundles.create(who, body.request(), intent, inventory_id=None))


@router.get(
    _OF_ORGANIZATION + "/{bundle}", summary="Read a bundle of the organization", responses={**_TAGGED, **problems(404)}
)
async def read_bundle(bundle: str, bundles: Service, who: WhoInOrganization, response: Response) -> BundleView:
    """One bundle. Secrets are in clear for owners and administrators; others read `masked` in place of the value.

    Each read of secrets stands in the audit log (`secret.read`).
    """
    return await _read(bundle, bundles, who, response)


@router.put(
    _OF_ORGANIZATION + "/{bundle}",
    summary="Change a bundle of the organization",
    responses={**_TAGGED, **writes(404, 409, 412)},
)
async def change_bundle(
    bundle: str,
    body: BundleBody,
    *,
    audit: Audit,
    bundles: Service,
    who: WhoInOrganization,
    intent: RequestIntent,
    expected: Expected,
    response: Response,
) -> BundleView:
    """Takes the full body of a creation. Connectors follow for the fields that came from the bundle.

    A secret that is sent back `masked`, as it was read, stays as it is. Without `If-Match` the last change wins.
    """
    who.require(Right.WRITE)
    async with audit.change(who, "bundle.change", "bundle", bundle, **body.summary()):
        shown = await bundles.change(who, bundle, body.request(), intent, inventory_id=None, expected=expected)
    return _tagged(shown, response)


@router.delete(
    _OF_ORGANIZATION + "/{bundle}",
    summary="Remove a bundle of the organization",
    status_code=204,
    responses=writes(404, 409, 412),
)
async def remove_bundle(
    bundle: str, audit: Audit, bundles: Service, who: WhoInOrganization, intent: RequestIntent, expected: Expected
) -> Response:
    """Connectors lose what came from it, and get what another bundle gives; one that lacks something then says so.

    Only the passphrase that a store got stays: what is in the store can be read with no other one.
    """
    who.require(Right.WRITE)
    async with audit.change(who, "bundle.remove", "bundle", bundle):
        await bundles.remove(who, bundle, intent, inventory_id=None, expected=expected)
    return Response(status_code=204)


@router.get(_OF_INVENTORY, summary="List bundles of an inventory", responses=problems(404))
async def list_inventory_bundles(inv: str, bundles: Service, who: Who, asked: Conditions) -> PageView[BundleView]:
    """Bundles that fill the fields of connectors of this inventory's resources, before those of the organization."""
    return await _listed(bundles, who, asked.model_copy(update={"inventory_id": InventoryId(inv)}))


@router.post(_OF_INVENTORY, summary="Create a bundle for an inventory", responses=writes(404, 409))
async def create_inventory_bundle(
    inv: str, body: BundleBody, audit: Audit, bundles: Service, who: Who, intent: RequestIntent
) -> BundleView:
    """As for the organization; its values count before those of the organization. It is removed with the inventory."""
    who.require(Right.WRITE)
    written = audit.change(
        who, "bundle.create", "bundle", intent.id_for("bundle"), inventory_id=inv[:200], **body.summary()
    )
    async with written:
        return bundle_view(await bundles.create(who, body.request(), intent, inventory_id=inv))


@router.get(
    _OF_INVENTORY + "/{bundle}", summary="Read a bundle of an inventory", responses={**_TAGGED, **problems(404)}
)
async def read_inventory_bundle(inv: str, bundle: str, bundles: Service, who: Who, response: Response) -> BundleView:
    """As for the organization."""
    return await _read(bundle, bundles, who, response, inventory_id=inv)


@router.put(
    _OF_INVENTORY + "/{bundle}",
    summary="Change a bundle of an inventory",
    responses={**_TAGGED, **writes(404, 409, 412)},
)
async def change_inventory_bundle(
    inv: str,
    bundle: str,
    body: BundleBody,
    *,
    audit: Audit,
    bundles: Service,
    who: Who,
    intent: RequestIntent,
    expected: Expected,
    response: Response,
) -> BundleView:
    """As for the organization."""
    who.require(Right.WRITE)
    async with audit.change(who, "bundle.change", "bundle", bundle, **body.summary()):
        shown = await bundles.change(who, bundle, body.request(), intent, inventory_id=inv, expected=expected)
    return _tagged(shown, response)


@router.delete(
    _OF_INVENTORY + "/{bundle}",
    summary="Remove a bundle of an inventory",
    status_code=204,
    responses=writes(404, 409, 412),
)
async def remove_inventory_bundle(
    inv: str, bundle: str, audit: Audit, bundles: Service, who: Who, intent: RequestIntent, expected: Expected
) -> Response:
    """As for the organization."""
    who.require(Right.WRITE)
    async with audit.change(who, "bundle.remove", "bundle", bundle):
        await bundles.remove(who, bundle, intent, inventory_id=inv, expected=expected)
    return Response(status_code=204)


async def _listed(bundles: Bundles, who: Principal, asked: BundleQuestion) -> PageView[BundleView]:
    if not who.may(Right.READ):
        # Clients expect an empty listing, not a refusal, for an account without grants.
        return page(0, [])
    found = await bundles.list(who, asked)
    return page(found.total, [bundle_view(each) for each in found.items])


async def _read(
    bundle: str, bundles: Bundles, who: Principal, response: Response, *, inventory_id: str | None = None
) -> BundleView:
    who.require(Right.READ)
    return _tagged(await bundles.read(who, bundle, inventory_id=inventory_id), response)


def _tagged(shown: ReadBundle, response: Response) -> BundleView:
    response.headers["ETag"] = tag_of(shown.bundle)
    return bundle_view(shown)
