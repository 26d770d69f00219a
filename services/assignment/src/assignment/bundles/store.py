"""Bundles, and the inventories that are gone, as they are kept."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from chassis.ids import utc_now
from chassis.persistence.aggregates import Aggregates
from chassis.persistence.mongo_aggregates import LISTING, MongoAggregates
from chassis.runtime.service_runtime import ServiceRuntime
from contracts.messages.bundles import Bundle
from contracts.values import InventoryId, OrganizationId, Value

from assignment.bundles.domain import labels
from assignment.labels.domain import KnownRenames

Renames = Callable[[OrganizationId], Awaitable[KnownRenames]]


async def _none_renamed(_: OrganizationId) -> KnownRenames:
    return KnownRenames()


class RemovedInventory(Value):
    """An inventory that is gone: no bundle can belong to it any more."""

    id: InventoryId


class Follow(Value):
    """That the apps of an organization were told to follow its bundles."""

    organization_id: OrganizationId


@dataclass(frozen=True)
class BundleStore:
    """What is known of bundles. Messages about the bundles of one organization are handled in order."""

    bundles: Aggregates[Bundle]
    inventories: Aggregates[RemovedInventory]
    follows: Aggregates[Follow]
    """Who is to follow is announced from here, one document for each organization."""
    clock: Callable[[], datetime] = utc_now
    renames: Renames = _none_renamed
    """Which labels of an organization were renamed; the area of labels knows."""

    async def bundles_of(self, org: OrganizationId) -> Sequence[Bundle]:
        """All bundles of an organization and of its inventories, oldest first, for environments as they are called now.

        A rename counts from when it is known: connectors are renamed one by one, and none must lose what a bundle gives
        because the bundle, or the connector, comes later.
        """
        found, known = (await self.bundles.find(org)).items, await self.renames(org)
        return [labels.follow(bundle, known) or bundle for bundle in found]


async def open_bundles(runtime: ServiceRuntime, *, renames: Renames = _none_renamed) -> BundleStore:
    """The store in MongoDB, with its indexes made."""
    database, outbox = runtime.database, runtime.outbox
    bundles = MongoAggregates(database["bundles"], Bundle, outbox, indexes=(LISTING,))  # bundles_of
    inventories = MongoAggregates(database["removed_inventories"], RemovedInventory, outbox)
    follows = MongoAggregates(database["bundle_follows"], Follow, outbox)
    for aggregates in (bundles, inventories, follows):
        await aggregates.setup()
    return BundleStore(bundles, inventories, follows, renames=renames)
