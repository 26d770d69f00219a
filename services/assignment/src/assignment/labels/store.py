"""What is known of renamed labels."""

from dataclasses import dataclass

from chassis.persistence.aggregates import Aggregates
from chassis.persistence.mongo_aggregates import MongoAggregates
from chassis.runtime.service_runtime import ServiceRuntime
from contracts.values import OrganizationId

from assignment.labels.domain import KnownRenames


@dataclass(frozen=True)
class LabelStore:
    """The renames of each organization, written while one of its renames is handled."""

    renames: Aggregates[KnownRenames]
    messages_at_once: int = 500
    """Messages to those who carry a label that are kept in one document at a time."""

    async def known(self, org: OrganizationId) -> KnownRenames:
        """The latest renames of an organization."""
        return await self.renames.get(org, org) or KnownRenames()


async def open_labels(runtime: ServiceRuntime) -> LabelStore:
    """The store in MongoDB. Renames are found by the id of their organization, so it needs no index."""
    renames = MongoAggregates(runtime.database["label_renames"], KnownRenames, runtime.outbox)
    await renames.setup()
    return LabelStore(renames)
