"""Reads of the assignment service."""

from dataclasses import dataclass

from chassis.http.client import ServiceClient
from contracts.messages.assignment import AppKind
from contracts.messages.catalog import Resource
from contracts.messages.connector import Integration
from contracts.queries.assignment import ReachableApp
from contracts.values import IntegrationId, Value

from gateway.access.principal import Principal
from gateway.clients.base import page_of, segment


class Choice(Value):
    """Integration and protocol for an app, and which of its fields may travel in clear."""

    integration_id: IntegrationId
    protocol: str
    clear_fields: frozenset[str] = frozenset()


@dataclass(frozen=True)
class AssignmentClient:
    """Integrations, and resources put to use. Unknown and foreign ids raise `NotFound`, silence `Unavailable`."""

    service: ServiceClient

    async def integrations(self, who: Principal) -> list[Integration]:
        """The integrations on offer."""
        answer = await self.service.get("/internal/integrations", who.caller())
        return list(page_of(Integration, answer).items)

    async def choose(
        self, who: Principal, *, kind: AppKind, resource: Resource, integration_id: str | None, protocol: str | None
    ) -> Choice:
        """Which integration and protocol an app would get. Raises what the assignment would be refused with."""
        question = {
            "kind": kind,
            "resource": resource.model_dump(mode="json", by_alias=True),
            "integration_id": integration_id,
            "protocol": protocol,
        }
        return Choice.model_validate(await self.service.post("/internal/choice", who.caller(), question))

    async def apps(self, who: Principal, kind: AppKind | None = None) -> list[ReachableApp]:
        """All apps of the organization, or those of one kind."""
        answer = await self.service.get("/internal/apps", who.caller(), {"kind": kind} if kind else None)
        return list(page_of(ReachableApp, answer).items)

    async def app(self, who: Principal, app_id: str) -> ReachableApp:
        """One app."""
        path = f"/internal/apps/{segment(app_id, missing='app')}"
        return ReachableApp.model_validate(await self.service.get(path, who.caller()))
