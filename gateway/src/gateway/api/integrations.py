"""Integrations. All that the workers offer are installed."""

from contracts.errors import NotFound
from fastapi import APIRouter

from gateway.api.bodies.connectors import Installation
from gateway.api.documents import problems
from gateway.api.gate import Opened, Right, Who
from gateway.api.views.base import PageView, whole
from gateway.api.views.connectors import IntegrationView, integration_view

router = APIRouter(prefix="/api/v1", tags=["integrations"])


@router.get("/integrations/catalog", summary="List integrations that can be installed")
async def list_catalog(gate: Opened, who: Who) -> PageView[IntegrationView]:
    """Complete. Empty until a worker has told what it can run."""
    return await _offered(gate, who)


@router.get("/integrations/installed", summary="List installed integrations")
async def list_installed(gate: Opened, who: Who) -> PageView[IntegrationView]:
    """Complete, with the schema of each protocol's fields."""
    return await _offered(gate, who)


@router.post("/integrations/installed", summary="Install an integration", responses=problems(404, 413))
async def install(body: Installation, gate: Opened, who: Who) -> IntegrationView:
    """Integrations come with the workers, so one that is offered is installed already, and others cannot be."""
    who.require(Right.WRITE)
    for integration in await gate.owners.integrations(who):
        if integration.name == body.name and body.version in ("", integration.version):
            return integration_view(integration)
    raise NotFound("integration_not_found", "No worker offers an integration of this name and version.")


async def _offered(gate: Opened, who: Who) -> PageView[IntegrationView]:
    if not who.may(Right.READ):
        return whole([])
    return whole([integration_view(i) for i in await gate.owners.integrations(who)])
