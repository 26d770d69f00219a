"""Reads of the assignment service."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from chassis.http.client import ServiceClient
from contracts.messages.assignment import AppKind
from contracts.messages.catalog import Resource
from contracts.messages.connector.offers import Integration
from contracts.queries.assignment import Choice, ChoiceQuestion, ReachableApp
from contracts.queries.base import Listing
from contracts.queries.classification import LabelUse
from contracts.queries.connection_tests import ConnectorOverview, KeptTest
from contracts.queries.installations import IntegrationUse, KnownIntegration
from contracts.queries.wizard import (
    CompatibilityQuestion,
    CompatibleIntegrations,
    Draft,
    DraftQuestion,
    Form,
    FormQuestion,
)
from contracts.topics import DEFAULT_POOL
from contracts.values import IntegrationId, Value

from gateway.access.principal import Principal
from gateway.clients.base import segment


@dataclass(frozen=True)
class AssignmentClient:
    """Integrations, and resources put to use. Unknown and foreign ids raise `NotFound`, silence `Unavailable`."""

    service: ServiceClient
    pools: Collection[str] = ()
    """Pools other than the default one whose workers the gateway knows where to find."""

    async def integrations(self, who: Principal) -> Sequence[Integration]:
        """The integrations on offer."""
        answer = await self.service.get("/internal/integrations", who.caller())
        return Listing[Integration].model_validate(answer).items

    async def known_integrations(self, who: Principal) -> Sequence[KnownIntegration]:
        """All integrations that workers offer or offered, by name, as the organization has them."""
        answer = await self.service.get("/internal/installations", who.caller())
        return Listing[KnownIntegration].model_validate(answer).items

    async def integration_use(self, who: Principal) -> Sequence[IntegrationUse]:
        """What the connectors of the organization use of integrations; those that nothing uses are left out."""
        answer = await self.service.get("/internal/installations/use", who.caller())
        return Listing[IntegrationUse].model_validate(answer).items

    async def choose(
        self,
        who: Principal,
        *,
        kind: AppKind,
        resource: Resource | None,
        integration_id: str | None,
        protocol: str | None,
        in_use: IntegrationId | None = None,
        is_kept: bool = False,
    ) -> Choice:
        """Which integration and protocol an app would get. Raises what the assignment would be refused with.

        `in_use`: the integration that the app has already, which it may keep though no worker offers it any more.
        `is_kept`: all that is named is what the app has, and stays.
        """
        # Asked by POST, as the question holds a whole resource; nothing changes by it.
        question = ChoiceQuestion(
            kind=kind,
            resource=resource,
            integration_id=IntegrationId(integration_id) if integration_id else None,
            protocol=protocol,
            in_use=in_use,
            is_kept=is_kept,
        ).model_dump(mode="json", by_alias=True)
        return Choice.model_validate(await self.service.post("/internal/choice", who.caller(), question))

    async def compatible(self, who: Principal, question: CompatibilityQuestion) -> CompatibleIntegrations:
        """The integrations for a resource and a kind."""
        answer = await self._ask(who, "integrations", question)
        return CompatibleIntegrations.model_validate(answer)

    async def form(self, who: Principal, question: FormQuestion) -> Form:
        """What a person fills in. Raises what an assignment of that integration would be refused with."""
        return Form.model_validate(await self._ask(who, "form", question))

    async def draft(self, who: Principal, question: DraftQuestion) -> Draft:
        """What would become of a description of an app."""
        return Draft.model_validate(await self._ask(who, "draft", question))

    async def _ask(self, who: Principal, about: str, question: Value) -> Any:
        asked = question.model_dump(mode="json", by_alias=True)
        return await self.service.post(f"/internal/wizard/{about}", who.caller(), asked)

    async def apps(
        self,
        who: Principal,
        kind: AppKind | None = None,
        *,
        resource_id: str | None = None,
        inventory_id: str | None = None,
    ) -> Sequence[ReachableApp]:
        """All apps of the organization, or those of one kind, of a resource, of the resources of an inventory."""
        asked = {"kind": kind, "resource_id": resource_id, "inventory_id": inventory_id}
        params = {name: value for name, value in asked.items() if value is not None}
        answer = await self.service.get("/internal/apps", who.caller(), params)
        return Listing[ReachableApp].model_validate(answer).items

    async def app(self, who: Principal, app_id: str) -> ReachableApp:
        """One app; of the pools that reach it the default one comes first, then those that can be found."""
        path = f"/internal/apps/{segment(app_id, missing='app')}"
        app = ReachableApp.model_validate(await self.service.get(path, who.caller()))
        # A pool that was given up, or has another name by now, stays known for what it announced.
        pools = sorted(app.pools, key=lambda pool: pool != DEFAULT_POOL and pool not in self.pools)
        return app.model_copy(update={"pools": tuple(pools)})

    async def label_uses(self, who: Principal) -> Sequence[LabelUse]:
        """How often each environment and data class is used, but those that nothing carries."""
        answer = await self.service.get("/internal/labels", who.caller())
        return Listing[LabelUse].model_validate(answer).items

    async def overview(self, who: Principal, app_id: str) -> ConnectorOverview:
        """One app with its last test and what is in its reach."""
        path = f"/internal/overviews/{segment(app_id, missing='app')}"
        return ConnectorOverview.model_validate(await self.service.get(path, who.caller()))

    async def overviews(self, who: Principal, **asked: str | None) -> Sequence[ConnectorOverview]:
        """Apps of a resource (`resource_id`), or of a `kind` in an inventory (`inventory_id`), oldest first."""
        params = {name: value for name, value in asked.items() if value}
        answer = await self.service.get("/internal/overviews", who.caller(), params)
        return Listing[ConnectorOverview].model_validate(answer).items

    async def connection_tests(self, who: Principal, app_id: str) -> Sequence[KeptTest]:
        """The tests of an app that are kept, newest first."""
        path = f"/internal/connection-tests/{segment(app_id, missing='app')}"
        return Listing[KeptTest].model_validate(await self.service.get(path, who.caller())).items
