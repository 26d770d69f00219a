"""The lists as they are kept: a document for each organization that changed its own."""

from dataclasses import dataclass

from chassis.persistence.aggregates import Aggregate, Aggregates
from chassis.persistence.mongo_aggregates import MongoAggregates
from chassis.runtime.service_runtime import ServiceRuntime
from contracts.envelope import Envelope
from contracts.messages.classification import Classification, LabelCommand
from contracts.values import OrganizationId

from catalog.classification import domain


@dataclass(frozen=True)
class ClassificationStore:
    """The lists of organizations. Each is written only while a command of its organization is handled."""

    lists: Aggregates[Classification]

    async def get(self, org: OrganizationId) -> Classification:
        """The lists of an organization: those that it began with until it changes them."""
        return await self.lists.get(org, org) or domain.defaults(org)

    async def load(
        self, org: OrganizationId, *, cause: Envelope[LabelCommand]
    ) -> tuple[Aggregate[Classification], Classification]:
        """The place of the lists, and what they are now. Raises `AlreadyHandled`."""
        aggregate = await self.lists.load(org, org, cause=cause)
        return aggregate, aggregate.value or domain.defaults(org)


async def open_classification(runtime: ServiceRuntime) -> ClassificationStore:
    """The store in MongoDB. Lists are found by the id of their organization, so it needs no index."""
    lists = MongoAggregates(runtime.database["classification"], Classification, runtime.outbox)
    await lists.setup()
    return ClassificationStore(lists)
