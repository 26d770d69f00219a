"""Integrations. All that the workers offer are installed."""

from typing import Annotated

from contracts.errors import NotFound
from fastapi import APIRouter

from gateway.access.rights import Right
from gateway.areas.integrations.schemas import Installation, IntegrationView, integration_view
from gateway.clients.assignment import AssignmentClient
from gateway.http.answers import PageView, whole
from gateway.http.dependencies import Who, provided
from gateway.http.openapi import problems

router = APIRouter(prefix="/api/v1", tags=["integrations"])
Assignment = Annotated[AssignmentClient, provided(AssignmentClient)]


# Two addresses for one list: clients look into the catalogue, install, and then look at what is installed.
@router.get("/integrations/catalog", summary="List integrations that can be installed")
async def list_catalog(assignment: Assignment, who: Who) -> PageView[IntegrationView]:
    """Complete. Empty until a worker has announced what it can run."""
    return await _offered(assignment, who)


@router.get("/integrations/installed", summary="List installed integrations")
async def list_installed(assignment: Assignment, who: Who) -> PageView[IntegrationView]:
    """Complete, with the schema of each protocol's fields."""
    return await _offered(assignment, who)


@router.post("/integrations/installed", summary="Install an integration", responses=problems(404, 413))
async def install(body: Installation, assignment: Assignment, who: Who) -> IntegrationView:
    """Integrations come with the workers, so one that is offered is installed already, and others cannot be."""
    who.require(Right.WRITE)
    for integration in await assignment.integrations(who):
        if integration.name == body.name and body.version in ("", integration.version):
            return integration_view(integration)
    raise NotFound("integration_not_found", "No worker offers an integration of this name and version.")


async def _offered(assignment: Assignment, who: Who) -> PageView[IntegrationView]:
    if not who.may(Right.READ):
        return whole([])
    return whole([integration_view(i) for i in await assignment.integrations(who)])
