"""Which integrations organizations do without, and what this area has to know of the apps."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from chassis.persistence.aggregates import Aggregates
from chassis.persistence.mongo_aggregates import LISTING, MongoAggregates
from chassis.runtime.service_runtime import ServiceRuntime
from contracts.messages.assignment import App
from contracts.messages.connector.offers import Integration
from contracts.queries.installations import KnownIntegration
from contracts.values import IntegrationId, OrganizationId

from assignment.installations.domain import Absence, Installation, absences

Upgraded = Callable[[App, Integration], App]


@dataclass(frozen=True)
class KnownParts:
    """What other areas know: the integrations on offer, the apps, and what an app is in another version."""

    integrations: Callable[[OrganizationId], Awaitable[Sequence[KnownIntegration]]]
    apps: Callable[[OrganizationId], Awaitable[Sequence[App]]]
    upgraded: Upgraded


@dataclass(frozen=True)
class InstallationStore:
    """Messages about one integration are handled in order."""

    installations: Aggregates[Installation]
    parts: KnownParts

    async def apps_with(self, org: OrganizationId, integration_id: IntegrationId) -> list[App]:
        """The apps of an organization that use an integration."""
        return [app for app in await self.parts.apps(org) if app.integration.id == integration_id]


async def open_installations(runtime: ServiceRuntime) -> Aggregates[Installation]:
    """The collection in MongoDB, with its index made."""
    made = MongoAggregates(runtime.database["installations"], Installation, runtime.outbox, indexes=(LISTING,))
    await made.setup()
    return made


async def absent(installations: Aggregates[Installation], org: OrganizationId) -> Mapping[IntegrationId, Absence]:
    """The integrations that an organization does not have, or is about to give up."""
    return absences((await installations.find(org)).items)
