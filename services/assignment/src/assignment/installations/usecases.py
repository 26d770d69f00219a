"""One function per verb: load, decide, save together with the events."""

import logging
from collections.abc import Sequence
from contextlib import AbstractContextManager

from chassis.http.problems import to_problem
from chassis.telemetry import semantic_conventions as semconv
from chassis.telemetry.tracing import span
from contracts.envelope import Envelope
from contracts.messages.base import Event
from contracts.messages.installations import (
    AppUpgradeDue,
    InstallIntegration,
    IntegrationInstalled,
    IntegrationUninstalled,
    IntegrationUsed,
    UninstallIntegration,
    UpgradeIntegration,
)
from contracts.queries.installations import IntegrationUse, KnownIntegration
from contracts.values import OrganizationId
from opentelemetry.trace import Span

from assignment.installations import domain
from assignment.installations.domain import Installation, installation_id
from assignment.installations.store import InstallationStore

log = logging.getLogger(__name__)
EVENTS_A_SAVE = 500
"""A document with its messages must stay far below what the database takes."""


async def install(store: InstallationStore, command: Envelope[InstallIntegration]) -> None:
    """Have an integration at hand again."""
    org, wanted = command.data.organization_id, command.data.integration_id
    with _span("assignment.install_integration", org):
        aggregate = await store.installations.load(org, installation_id(org, wanted), cause=command)
        domain.require_offered(domain.require_known(await store.parts.integrations(org), wanted))
        back = aggregate.value is not None and aggregate.value.state != "installed"
        events = [IntegrationInstalled(organization_id=org, integration_id=wanted)] if back else []
        installed = Installation(integration_id=wanted, state="installed")
        await store.installations.save(aggregate, installed, events=events, cause=command, result={"id": wanted})
        log.info("integration installed", extra={"organization_id": org, "integration": wanted})


async def uninstall(store: InstallationStore, command: Envelope[UninstallIntegration]) -> None:
    """Do without an integration, unless connectors use it."""
    org, wanted = command.data.organization_id, command.data.integration_id
    with _span("assignment.uninstall_integration", org):
        aggregate = await store.installations.load(org, installation_id(org, wanted), cause=command)
        known = domain.require_known(await store.parts.integrations(org), wanted)
        # Saved before the apps are looked up: an app that is assigned meanwhile is among them or says that it uses the
        # integration. Without the cause, so that a process that dies before the next save does both again.
        leaving = Installation(integration_id=wanted, state="leaving")
        aggregate = await store.installations.save(aggregate, leaving)
        if users := await store.apps_with(org, wanted):
            refused = to_problem(domain.in_use(known.integration, users))
            kept = Installation(integration_id=wanted, state="installed")
            await store.installations.save(aggregate, kept, cause=command, result=refused)
            return
        gone = Installation(integration_id=wanted, state="uninstalled")
        events = [IntegrationUninstalled(organization_id=org, integration_id=wanted)]
        await store.installations.save(aggregate, gone, events=events, cause=command, result={"id": wanted})
        log.info("integration uninstalled", extra={"organization_id": org, "integration": wanted})


async def note_use(store: InstallationStore, event: Envelope[IntegrationUsed]) -> None:
    """Install an integration again that was uninstalled at the moment when an app was assigned with it."""
    org, used, app_id = event.data.organization_id, event.data.integration_id, event.data.app_id
    with _span("assignment.note_integration_use", org):
        aggregate = await store.installations.load(org, installation_id(org, used), cause=event)
        if aggregate.value is None or aggregate.value.state == "installed":
            return
        if not any(app.id == app_id for app in await store.apps_with(org, used)):
            return  # It was removed since, or uses another one.
        events = [IntegrationInstalled(organization_id=org, integration_id=used, app_id=app_id)]
        installed = Installation(integration_id=used, state="installed")
        await store.installations.save(aggregate, installed, events=events, cause=event)
        log.warning("integration is used, so it is installed again", extra={"integration": used, "app_id": app_id})


async def upgrade(store: InstallationStore, command: Envelope[UpgradeIntegration]) -> None:
    """Have the apps of an integration use the version on offer. What each lacks then is in the result."""
    org, wanted = command.data.organization_id, command.data.integration_id
    with _span("assignment.upgrade_integration", org):
        aggregate = await store.installations.load(org, installation_id(org, wanted), cause=command)
        known = domain.require_known(await store.parts.integrations(org), wanted)
        integration = domain.require_offered(known, command.data.version)
        behind = domain.outdated(await store.apps_with(org, wanted), integration)
        after = [store.parts.upgraded(app, integration) for app in behind]
        # A message for each app, as only the handler of an app's messages may write the app (decision 0003).
        due: list[Event] = [AppUpgradeDue(organization_id=org, app_id=app.id) for app in behind]
        value = aggregate.value or Installation(integration_id=wanted, state="installed")
        while len(due) > EVENTS_A_SAVE:
            aggregate = await store.installations.save(aggregate, value, events=due[:EVENTS_A_SAVE])
            due = due[EVENTS_A_SAVE:]
        result = domain.upgrade(integration, after).model_dump(mode="json")
        await store.installations.save(aggregate, value, events=due, cause=command, result=result)
        log.info("integration upgraded", extra={"integration": wanted, "connectors": len(behind)})


async def list_known(store: InstallationStore, org: OrganizationId) -> Sequence[KnownIntegration]:
    """All integrations as an organization has them, by name."""
    with _span("assignment.list_installations", org):
        return await store.parts.integrations(org)


async def list_use(store: InstallationStore, org: OrganizationId) -> tuple[IntegrationUse, ...]:
    """What the connectors of an organization use."""
    with _span("assignment.list_integration_use", org):
        return domain.use_of(await store.parts.apps(org))


def _span(name: str, org: OrganizationId) -> AbstractContextManager[Span]:
    return span(name, attributes={semconv.ORGANIZATION: org})
