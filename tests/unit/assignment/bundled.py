"""An assignment service in memory, for tests of bundles: apps that follow them."""

from datetime import UTC, datetime
from functools import partial
from typing import Any

from assignment.apps import handlers as apps_handlers
from assignment.apps.domain.apps import KnownResource, upgraded
from assignment.apps.domain.pools import Pool
from assignment.apps.labels import AppLabels
from assignment.apps.store import AssignmentStore, Offer, app_keys
from assignment.apps.usecases import offers, reads
from assignment.bundles import handlers as bundles_handlers
from assignment.bundles.labels import BundleLabels
from assignment.bundles.store import BundleStore, Follow, RemovedInventory
from assignment.installations import handlers as installations_handlers
from assignment.installations.domain import Installation
from assignment.installations.store import InstallationStore, KnownParts, absent
from assignment.labels import handlers as labels_handlers
from assignment.labels.domain import KnownRenames
from assignment.labels.store import LabelStore
from chassis.persistence.memory_aggregates import MemoryAggregates
from contracts.envelope import Envelope
from contracts.messages.assignment import App
from contracts.messages.base import Event
from contracts.messages.bundles import Bundle
from contracts.messages.classification import LabelRenamed
from contracts.messages.connector.offers import Integration
from contracts.topics import ASSIGNMENT_COMMANDS
from contracts.values import AppId

from tests.support import builders as make
from tests.support.memory import MemoryDoor

BUCKET = make.a_resource(**{"class": "object-storage", "subclass": "s3", "tags": ["red"]})


class Bundled(MemoryDoor):
    """The areas of apps, bundles, installations and labels in memory."""

    def __init__(self) -> None:
        super().__init__("assignment")
        self.now = datetime(2026, 11, 23, 12, tzinfo=UTC)
        self.waiting: list[Envelope[Any]] = []
        self.read = 0
        labels = LabelStore(MemoryAggregates(KnownRenames, published=self.published))
        self.bundles = BundleStore(
            MemoryAggregates(Bundle, published=self.published),
            MemoryAggregates(RemovedInventory, published=self.published),
            MemoryAggregates(Follow, published=self.published),
            clock=lambda: self.now,
            renames=labels.known,
        )
        installations = MemoryAggregates(Installation, published=self.published)
        self.store = AssignmentStore(
            MemoryAggregates(App, keys=app_keys, published=self.published),
            MemoryAggregates(Offer, published=self.published),
            MemoryAggregates(KnownResource, published=self.published),
            MemoryAggregates(Pool, published=self.published),
            clock=lambda: self.now,
            renames=labels.known,
            bundles=self.bundles.bundles_of,
            absences=partial(absent, installations),
        )
        parts = KnownParts(
            integrations=partial(offers.list_known_integrations, self.store),
            apps=lambda org: self.store.apps_of(org, None),
            upgraded=upgraded,
        )
        apps_handlers.register_handlers(self.dispatcher, self.store)
        apps_handlers.register_following(self.dispatcher, self.store, self.bundles)
        bundles_handlers.register_handlers(self.dispatcher, self.bundles, self.integrations)
        holders = (AppLabels(self.store), BundleLabels(self.bundles))
        labels_handlers.register_handlers(self.dispatcher, labels, holders)
        installations_handlers.register_handlers(self.dispatcher, InstallationStore(installations, parts))

    async def integrations(self) -> list[Integration]:
        return await offers.known_integrations(self.store)

    async def app(self, app_id: str) -> App:
        return await reads.get_app(self.store, make.ORG, AppId(app_id))

    def collect(self) -> list[Envelope[Any]]:
        """What the service told itself and has not heard yet."""
        told, self.read = self.published[self.read :], len(self.published)
        self.waiting += [e for e in told if isinstance(e.data, Event) and e.data.TOPIC == ASSIGNMENT_COMMANDS]
        return self.waiting

    async def settle(self) -> None:
        """Deliver what the service tells itself until it tells itself nothing more."""
        while self.collect():
            await self.hear(self.waiting.pop(0))

    async def says(self, *messages: Any) -> None:
        """Handle messages one after the other, and all that follows from each."""
        for message in messages:
            await self.hear(message)
            await self.settle()


async def bundled() -> Bundled:
    """A service that knows two integrations."""
    made = Bundled()
    await made.hear(make.integration_offered(make.fs_integration()))
    await made.hear(make.integration_offered(make.s3_integration()))
    return made


def assign(app_id: str = "app-1", **description: Any) -> Any:
    """A bucket put to use; nothing of its configuration is given."""
    resource = description.pop("resource", BUCKET)
    return make.assign_app(app_id, resource=resource, **{"fields": {}, **description})


def reconfigure(app_id: str = "app-1", **description: Any) -> Any:
    """The same bucket, described anew."""
    resource = description.pop("resource", BUCKET)
    return make.reconfigure_app(app_id, resource=resource, **{"fields": {}, **description})


def a_rename(name: str, new_name: str, revision: int) -> LabelRenamed:
    """An environment gets another name."""
    return LabelRenamed(organization_id=make.ORG, kind="environment", name=name, new_name=new_name, revision=revision)
