"""Integrations. All that the workers offer are installed, but for those that an organization does without."""

from typing import Annotated

from contracts.messages.assignment import AppKind
from fastapi import APIRouter, Query, Response

from gateway.access.rights import Right
from gateway.areas.integrations.schemas import (
    CountedIntegrationView,
    Installation,
    IntegrationView,
    Status,
    UpgradeBody,
    counted_view,
    integration_view,
)
from gateway.areas.integrations.service import Integrations, matching
from gateway.areas.integrations.usage import (
    IntegrationSummaryView,
    IntegrationVersionView,
    UpgradeView,
    summary_view,
    upgrade_view,
    version_views,
)
from gateway.audit_log.entries import INSTALL, UNINSTALL, UPGRADE
from gateway.http.answers import PageView, page, whole
from gateway.http.dependencies import Audit, Paged, RequestIntent, Who, provided
from gateway.http.openapi import problems, writes

router = APIRouter(prefix="/api/v1", tags=["integrations"])
Service = Annotated[Integrations, provided(Integrations)]


@router.get("/integrations/catalog", summary="List integrations that can be installed")
async def list_catalog(integrations: Service, who: Who) -> PageView[IntegrationView]:
    """Complete, those too that are not installed. Empty until a worker has announced what it can run."""
    if not who.may(Right.READ):
        return whole([])
    known, use = await integrations.known(who)
    return whole([integration_view(each, use.get(each.integration.id)) for each in known])


@router.get("/integrations/catalog/{name}/versions", summary="List versions of an integration", responses=problems(404))
async def list_integration_versions(name: str, integrations: Service, who: Who) -> PageView[IntegrationVersionView]:
    """Those that workers offer, with their pools, and those that connectors use; newest first, complete."""
    who.require(Right.READ)
    return whole(version_views(*await integrations.named(who, name)))


@router.get("/integrations/available", summary="Browse integrations")
async def list_available(
    integrations: Service,
    who: Who,
    paged: Paged,
    search: Annotated[str, Query(max_length=1000, description="A part of name, title or help")] = "",
    support: Annotated[
        str, Query(max_length=200, description="A class that it works with, or class and subclass: `object-storage/s3`")
    ] = "",
    status: Annotated[list[Status], Query(alias="installation_status", description="One of these; none: any")] = [],  # noqa: B006 - never changed
    kinds: Annotated[list[AppKind], Query(alias="type[]", description="It can be one of these")] = [],  # noqa: B006
) -> PageView[CountedIntegrationView]:
    """By name, with how many connectors use each."""
    if not who.may(Right.READ):
        return whole([])
    known, use = await integrations.known(who)
    found = matching(known, use, search=search, support=support, statuses=status, kinds=kinds)
    shown = found[paged.offset : paged.offset + paged.limit]
    return page(len(found), [counted_view(each, use.get(each.integration.id)) for each in shown])


@router.get("/integrations/installed", summary="List installed integrations")
async def list_installed(integrations: Service, who: Who) -> PageView[IntegrationView]:
    """Complete, with the schema of each protocol's fields."""
    if not who.may(Right.READ):
        return whole([])
    known, use = await integrations.known(who)
    return whole([integration_view(each, use.get(each.integration.id)) for each in known if each.installed])


@router.post("/integrations/installed", summary="Install an integration", responses=writes(404))
async def install(
    body: Installation, audit: Audit, integrations: Service, who: Who, intent: RequestIntent
) -> IntegrationView:
    """Integrations come with the workers: one that is offered is installed already, unless it was uninstalled."""
    who.require(Right.WRITE)
    wanted = await integrations.to_install(who, body.name, body.version)
    if not wanted.installed:
        async with audit.change(who, INSTALL, "integration", wanted.integration.id):
            await integrations.install(who, wanted, intent)
    return integration_view(*await integrations.one(who, wanted.integration.id))


@router.get("/integrations/installed/{integration}", summary="Read an installed integration", responses=problems(404))
async def read_installed(integration: str, integrations: Service, who: Who) -> CountedIntegrationView:
    """One that the organization has."""
    who.require(Right.READ)
    return counted_view(*await integrations.one(who, integration))


@router.delete(
    "/integrations/installed/{integration}",
    summary="Uninstall an integration",
    status_code=204,
    responses=writes(404, 409),
)
async def uninstall(integration: str, audit: Audit, integrations: Service, who: Who, intent: RequestIntent) -> Response:
    """From then on it is neither offered nor chosen. Refused while connectors use it (`integration_in_use`).

    A connector that is created at the same moment keeps it installed.
    """
    who.require(Right.WRITE)
    async with audit.change(who, UNINSTALL, "integration", integration):
        await integrations.uninstall(who, integration, intent)
    return Response(status_code=204)


@router.put(
    "/integrations/installed/{integration}/current", summary="Upgrade an integration", responses=writes(404, 409)
)
async def upgrade(
    integration: str,
    audit: Audit,
    integrations: Service,
    who: Who,
    intent: RequestIntent,
    body: UpgradeBody | None = None,
) -> UpgradeView:
    """Takes the connectors that use an older version to the one on offer, with their configuration checked again.

    Those that do not fit are named, and incomplete until what they lack is there. New connectors, and those that are
    changed, get the version on offer anyway.
    """
    who.require(Right.WRITE)
    version = body.version if body else ""
    async with audit.change(who, UPGRADE, "integration", integration, version=version):
        return upgrade_view(await integrations.upgrade(who, integration, version, intent))


@router.get(
    "/integrations/installed/{integration}/summary", summary="See what uses an integration", responses=problems(404)
)
async def summarize(integration: str, integrations: Service, who: Who) -> IntegrationSummaryView:
    """How many connectors use it, and in which versions."""
    who.require(Right.READ)
    return summary_view(*await integrations.one(who, integration))
