"""Integrations of an organization: those that workers offer, but for those that it does without."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chassis.messaging.command_client import Commands
from chassis.telemetry.tracing import span
from contracts.errors import NotFound
from contracts.messages.assignment import AppKind
from contracts.messages.installations import InstallIntegration, UninstallIntegration, UpgradeIntegration
from contracts.queries.installations import IntegrationUse, KnownIntegration, Upgrade
from contracts.resource_classes import is_same_class, is_same_subclass
from contracts.values import IntegrationId

from gateway.access.principal import Principal
from gateway.areas.integrations.schemas import Status, installation_of, kinds_of
from gateway.clients.assignment import AssignmentClient
from gateway.idempotency.intents import Intent

Use = Mapping[IntegrationId, IntegrationUse]


@dataclass(frozen=True)
class Integrations:
    """What can be done with integrations."""

    assignment: AssignmentClient
    commands: Commands

    async def known(self, who: Principal) -> tuple[Sequence[KnownIntegration], Use]:
        """All integrations, by name, and what the connectors of the organization use of them."""
        known = await self.assignment.known_integrations(who)
        return known, {each.integration_id: each for each in await self.assignment.integration_use(who)}

    async def one(self, who: Principal, integration_id: str) -> tuple[KnownIntegration, IntegrationUse | None]:
        """An integration that is installed. Raises `NotFound`."""
        known, use = await self.known(who)
        for each in known:
            if each.integration.id == integration_id and each.installed:
                return each, use.get(each.integration.id)
        raise NotFound("integration_not_found", "No integration with this id is installed.")

    async def named(self, who: Principal, name: str) -> tuple[KnownIntegration, IntegrationUse | None]:
        """An integration by its name, installed or not. Raises `NotFound`."""
        known, use = await self.known(who)
        for each in known:
            if each.integration.name == name:
                return each, use.get(each.integration.id)
        raise NotFound("integration_not_found", "No worker offers an integration of this name.")

    async def to_install(self, who: Principal, name: str, version: str) -> KnownIntegration:
        """What would be installed. Raises `NotFound` for what no worker offers."""
        for known in await self.assignment.known_integrations(who):
            if known.offered and known.integration.name == name and version in ("", known.integration.version):
                return known
        raise NotFound("integration_not_found", "No worker offers an integration of this name and version.")

    async def install(self, who: Principal, known: KnownIntegration, intent: Intent) -> None:
        """Have an integration at hand that the organization did without."""
        with span("gateway.install_integration"):
            command = InstallIntegration(organization_id=who.organization_id, integration_id=known.integration.id)
            await self.commands.carry_out(command, **intent.ids)

    async def uninstall(self, who: Principal, integration_id: str, intent: Intent) -> None:
        """Do without an integration. Raises `Conflict` (`integration_in_use`)."""
        with span("gateway.uninstall_integration"):
            command = UninstallIntegration(
                organization_id=who.organization_id, integration_id=IntegrationId(integration_id)
            )
            await self.commands.carry_out(command, **intent.ids)

    async def upgrade(self, who: Principal, integration_id: str, version: str, intent: Intent) -> Upgrade:
        """Have all connectors of an integration use the version on offer."""
        with span("gateway.upgrade_integration"):
            command = UpgradeIntegration(
                organization_id=who.organization_id, integration_id=IntegrationId(integration_id), version=version
            )
            return Upgrade.model_validate(await self.commands.carry_out(command, **intent.ids))


def matching(
    known: Sequence[KnownIntegration],
    use: Use,
    *,
    search: str = "",
    support: str = "",
    statuses: Sequence[Status] = (),
    kinds: Sequence[AppKind] = (),
) -> list[KnownIntegration]:
    """The integrations that fulfil all conditions; of several statuses or kinds one is enough."""
    return [
        each
        for each in known
        if _mentions(each, search.casefold())
        and (not support or _supports(each, support))
        and (not statuses or installation_of(each, use.get(each.integration.id)).status in statuses)
        and (not kinds or set(kinds) & set(kinds_of(each.integration)))
    ]


def _mentions(known: KnownIntegration, search: str) -> bool:
    integration = known.integration
    return any(search in text.casefold() for text in (integration.name, integration.title, integration.help))


def _supports(known: KnownIntegration, support: str) -> bool:
    class_, _, subclass = support.partition("/")
    return any(
        is_same_class(match.class_, class_) and (not subclass or is_same_subclass(class_, match.subclass, subclass))
        for match in known.integration.matches
    )
