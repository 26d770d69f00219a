"""What a person learns while making a connector. Nothing here changes anything."""

from dataclasses import dataclass, replace

from chassis.errors import Unavailable
from chassis.ids import new_id
from chassis.messaging.command_client import Commands, StillRunning
from chassis.messaging.envelopes import envelope
from chassis.telemetry.tracing import span
from contracts.messages.assignment import App, AppKind
from contracts.messages.catalog import Resource
from contracts.messages.connector.connection_tests import TestDraft, TestReport
from contracts.messages.outcomes import Problem
from contracts.queries.assignment import ReachableApp
from contracts.queries.wizard import CompatibilityQuestion, CompatibleIntegrations, Draft, Form, FormQuestion
from contracts.values import AppId, IntegrationId

from gateway.access.principal import Principal
from gateway.areas.connectors.bundle_values import with_following
from gateway.areas.connectors.descriptions import Descriptions
from gateway.areas.connectors.preconditions import ConnectorRequest, not_offered
from gateway.areas.connectors.resource_reads import resource_of
from gateway.clients.assignment import AssignmentClient
from gateway.clients.catalog import CatalogClient
from gateway.clients.pools import pool_of

_NO_ANSWER = "No worker that reaches it answered in time."


@dataclass(frozen=True)
class DryRun:
    """What would come of a connector."""

    draft: Draft
    problem: Problem | None
    """What it would be refused with, all faults at once."""
    report: TestReport | None = None
    """What connecting came to; None where nobody connected."""
    untested: str = ""
    """Why nobody did."""


@dataclass(frozen=True)
class Wizard:
    """The steps of making a connector."""

    catalog: CatalogClient
    assignment: AssignmentClient
    commands: Commands
    descriptions: Descriptions
    timeout_seconds: float

    async def compatible(self, who: Principal, *, kind: AppKind, urn_id: str, name: str) -> CompatibleIntegrations:
        """The integrations for a resource and a kind."""
        resource = await self._resource(who, urn_id)
        return await self.assignment.compatible(who, CompatibilityQuestion(kind=kind, resource=resource, name=name))

    async def form(
        self,
        who: Principal,
        integration_id: str,
        *,
        kind: AppKind,
        urn_id: str,
        environment: str | None,
        protocol: str | None,
    ) -> Form:
        """What a person fills in for a connector of an integration."""
        question = FormQuestion(
            kind=kind,
            integration_id=IntegrationId(integration_id),
            resource=await self._resource(who, urn_id),
            environment=environment,
            protocol=protocol,
        )
        return await self.assignment.form(who, question)

    async def dry_run(self, who: Principal, asked: ConnectorRequest, *, connector_id: str | None, test: bool) -> DryRun:
        """What would come of a connector, or of a change of one. Nothing is kept."""
        with span("gateway.dry_run_connector"):
            current = await self.assignment.app(who, connector_id) if connector_id else None
            resource = await resource_of(self.catalog, who, asked, replaces=current) if asked.urn_id else None
            if current is not None:
                asked = replace(asked, fields=with_following(who, current, asked.fields, self.descriptions.encryption))
            app_id = current.id if current else AppId(new_id())
            draft, problem = await self.descriptions.draft(who, app_id, asked, resource, replaces=current)
            app = draft.app
            if problem is not None or app is None:
                return DryRun(draft, problem, untested="What is wrong has to be corrected first.")
            if app.lacking:
                return DryRun(draft, None, untested=f"{app.lacking_in_words}.")
            if not app.is_offered:
                # Of a change, whose integration may stay: nobody would answer.
                return DryRun(draft, None, untested=not_offered(app))
            if not test:
                return DryRun(draft, None, untested="It was not asked for.")
            return await self._test(who, draft, app)

    async def _test(self, who: Principal, draft: Draft, app: ReachableApp) -> DryRun:
        command = TestDraft(
            organization_id=who.organization_id,
            draft_id=new_id(),
            app=App.model_validate({name: getattr(app, name) for name in App.model_fields}),
            pool=pool_of(app),
        )
        try:
            # Not carried out as other commands are: an operation, which a late outcome becomes, would be kept.
            outcome = await self.commands.send(
                envelope(command, service="gateway"), timeout_seconds=self.timeout_seconds
            )
        except StillRunning:
            return DryRun(draft, None, untested=_NO_ANSWER)
        except Unavailable as error:
            # Nobody was asked: what else there is to say is true all the same.
            return DryRun(draft, None, untested=error.detail)
        if not outcome.accepted:
            return DryRun(draft, None, untested=outcome.problem.detail if outcome.problem else _NO_ANSWER)
        return DryRun(draft, None, report=TestReport.model_validate(outcome.result))

    async def _resource(self, who: Principal, urn_id: str) -> Resource | None:
        return await self.catalog.resource(who, urn_id) if urn_id else None
