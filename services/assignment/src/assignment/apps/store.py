"""Apps, the integrations on offer, and what became of resources, as they are kept."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

from chassis.ids import utc_now
from chassis.persistence.aggregates import Aggregate, Aggregates, Keys
from chassis.persistence.mongo_aggregates import LISTING, MongoAggregates
from chassis.runtime.service_runtime import ServiceRuntime
from contracts.envelope import Envelope
from contracts.messages.assignment import App, AppKind
from contracts.messages.base import Message
from contracts.messages.bundles import Bundle
from contracts.messages.connector.base import EVERYBODY
from contracts.messages.connector.offers import Integration
from contracts.values import IntegrationId, Moment, OrganizationId, ResourceId, Value

from assignment.apps.domain.apps import KnownResource
from assignment.apps.domain.offers import Absence, Offering, is_offered
from assignment.apps.domain.pools import Pool
from assignment.labels.domain import KnownRenames
from assignment.settings import POOL_SILENCE


class Offer(Value):
    """An integration as it is kept, its manifest as text."""

    id: IntegrationId
    manifest: str
    announced_at: Moment | None = None
    """When a worker that started offered it last, in whichever version; None: kept before this was noted."""

    @classmethod
    def of(cls, integration: Integration, *, announced_at: datetime | None = None) -> Self:
        """The offer that keeps an integration."""
        # JSON Schemas have keys like `$schema`, and FerretDB refuses keys that begin with a `$`.
        manifest = integration.model_dump_json(by_alias=True)
        return cls(id=integration.id, manifest=manifest, announced_at=announced_at)

    def integration(self) -> Integration:
        """The integration that was kept."""
        return Integration.model_validate_json(self.manifest)


def app_keys(app: App) -> Keys:
    """What queries for apps lead with."""
    return {"kind": app.kind, "resource_id": app.resource.id}


Bundles = Callable[[OrganizationId], Awaitable[Sequence[Bundle]]]
Renames = Callable[[OrganizationId], Awaitable[KnownRenames]]
Absences = Callable[[OrganizationId], Awaitable[Mapping[IntegrationId, Absence]]]


async def _none_renamed(_: OrganizationId) -> KnownRenames:
    return KnownRenames()


async def _no_bundles(_: OrganizationId) -> Sequence[Bundle]:
    return ()


async def _none_absent(_: OrganizationId) -> Mapping[IntegrationId, Absence]:
    return {}


@dataclass(frozen=True)
class AssignmentStore:
    """What the assignment service knows. Messages about one app, resource or integration are handled in order."""

    apps: Aggregates[App]
    offers: Aggregates[Offer]
    resources: Aggregates[KnownResource]
    pools: Aggregates[Pool]
    page_size: int = 500
    pool_silence: timedelta = POOL_SILENCE
    tests_changes: bool = False
    """Whether each change of an app is followed by a test of its connection."""
    clock: Callable[[], datetime] = utc_now
    renames: Renames = _none_renamed
    """Which labels of an organization were renamed; the area of labels knows."""
    bundles: Bundles = _no_bundles
    """The bundles of an organization and its inventories; the area of bundles knows."""
    absences: Absences = _none_absent
    """Which integrations an organization does without; the area of installations knows."""

    async def apps_of(self, org: OrganizationId, kind: AppKind | None) -> list[App]:
        """All apps, or those of a kind, oldest first."""
        return await self._all_apps(org, {"kind": kind} if kind else {})

    async def apps_at(self, org: OrganizationId, resource_id: ResourceId) -> list[App]:
        """All apps of a resource, oldest first."""
        return await self._all_apps(org, {"resource_id": resource_id})

    async def _all_apps(self, org: OrganizationId, where: Keys) -> list[App]:
        found: list[App] = []
        while True:
            page = await self.apps.find(org, where, limit=self.page_size, offset=len(found))
            found += page.items
            if len(page.items) < self.page_size:
                return found

    async def resource(self, org: OrganizationId, resource_id: ResourceId) -> KnownResource | None:
        """What became of a resource since it was registered; None when nothing did."""
        return await self.resources.get(org, resource_id)

    async def integrations(self) -> list[Integration]:
        """All integrations on offer, by name."""
        offers = (await self.offers.find(EVERYBODY)).items
        return sorted((offer.integration() for offer in offers), key=lambda integration: integration.name)

    async def offering(self, org: OrganizationId) -> Offering:
        """All integrations as an organization has them."""
        kept, pools, absent = await asyncio.gather(self.offers.find(EVERYBODY), self.all_pools(), self.absences(org))
        gone = frozenset(offer.id for offer in kept.items if not self._is_offered(offer, pools))
        integrations = sorted((offer.integration() for offer in kept.items), key=lambda each: each.name)
        return Offering(integrations, absent, gone)

    async def is_offered(self, integration_id: IntegrationId, pools: Iterable[Pool]) -> bool:
        """Whether workers can run an integration. `pools`: all that workers announced."""
        offer = await self.offers.get(EVERYBODY, integration_id)
        return offer is not None and self._is_offered(offer, pools)

    def _is_offered(self, offer: Offer, pools: Iterable[Pool]) -> bool:
        return is_offered(offer.id, offer.announced_at, pools, now=self.clock(), silence=self.pool_silence)

    async def all_pools(self) -> list[Pool]:
        """All pools that workers announced."""
        return list((await self.pools.find(EVERYBODY)).items)

    async def present_pools(self) -> list[Pool]:
        """Pools that workers announced not longer ago than `pool_silence`."""
        return self.present(await self.all_pools())

    def present(self, pools: Iterable[Pool]) -> list[Pool]:
        """Those of them that workers announced not longer ago than `pool_silence`."""
        now = self.clock()
        return [pool for pool in pools if not pool.is_silent(now, silence=self.pool_silence)]

    async def load_offer(
        self, integration_id: IntegrationId, *, cause: Envelope[Message]
    ) -> tuple[Aggregate[Offer], Integration | None]:
        """The place of an offer, and the integration that is kept there. Raises `AlreadyHandled`."""
        aggregate = await self.offers.load(EVERYBODY, integration_id, cause=cause)
        return aggregate, aggregate.value.integration() if aggregate.value else None


async def open_store(
    runtime: ServiceRuntime,
    *,
    pool_silence: timedelta = POOL_SILENCE,
    tests_changes: bool = False,
    renames: Renames = _none_renamed,
    bundles: Bundles = _no_bundles,
    absences: Absences = _none_absent,
) -> AssignmentStore:
    """The store in MongoDB, with its indexes made."""
    database, outbox = runtime.database, runtime.outbox
    apps = MongoAggregates(
        database["apps"],
        App,
        outbox,
        keys=app_keys,
        indexes=(
            ("org", "kind", "_id"),  # apps_of a kind
            ("org", "resource_id", "_id"),  # apps_at
            LISTING,  # apps_of all kinds
        ),
        obsolete=("kind_1", "resource_id_1"),
    )
    offers = MongoAggregates(database["integrations"], Offer, outbox, indexes=(LISTING,))  # integrations
    resources = MongoAggregates(database["resources"], KnownResource, outbox)
    pools = MongoAggregates(database["pools"], Pool, outbox, indexes=(LISTING,))  # all_pools
    for aggregates in (apps, offers, resources, pools):
        await aggregates.setup()
    return AssignmentStore(
        *(apps, offers, resources, pools),
        pool_silence=pool_silence,
        tests_changes=tests_changes,
        renames=renames,
        bundles=bundles,
        absences=absences,
    )
