"""An assignment service in memory, for tests of labels: apps that carry them, and renames that reach them."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from assignment.apps import handlers as apps_handlers
from assignment.apps.domain.apps import KnownResource
from assignment.apps.domain.pools import Pool
from assignment.apps.labels import AppLabels
from assignment.apps.store import AssignmentStore, Offer, app_keys
from assignment.apps.usecases import reads
from assignment.labels import handlers as labels_handlers
from assignment.labels.domain import KnownRenames
from assignment.labels.store import LabelStore
from chassis.persistence.aggregates import Aggregate, Announce, Change, Page
from chassis.persistence.memory_aggregates import MemoryAggregates
from contracts.envelope import Envelope
from contracts.messages.assignment import App
from contracts.messages.base import Message
from contracts.messages.classification import LabelKind, LabelRenamed
from contracts.values import AppId, OrganizationId
from pydantic import BaseModel

from tests.support import builders as make
from tests.support.memory import MemoryDoor

V = TypeVar("V", bound=BaseModel)
START = datetime(2026, 11, 23, 12, tzinfo=UTC)


async def _nothing() -> None:
    pass


@dataclass
class Around:
    """What happens before each access to the database; it may raise, as if the process died there."""

    before: Callable[[], Awaitable[None]] = _nothing


class Watched(MemoryAggregates[V]):
    """Aggregates in memory; `around` is called before each access."""

    def __init__(self, around: Around, model: type[V], **facts: Any) -> None:
        super().__init__(model, **facts)
        self.around = around

    async def load(self, org: OrganizationId, aggregate_id: str, **facts: Any) -> Aggregate[V]:
        await self.around.before()
        return await super().load(org, aggregate_id, **facts)

    async def write(self, aggregate: Aggregate[V], change: Change[V]) -> tuple[Aggregate[V], Announce]:
        await self.around.before()
        return await super().write(aggregate, change)

    async def find(self, org: OrganizationId, *args: Any, **facts: Any) -> Page[V]:
        await self.around.before()
        return await super().find(org, *args, **facts)


class Labelled(MemoryDoor):
    """Apps and what is known of renames."""

    def __init__(self, *, messages_at_once: int = 2) -> None:
        super().__init__("assignment")
        self.around = Around()
        renames = Watched(self.around, KnownRenames, published=self.published)
        self.labels = LabelStore(renames, messages_at_once=messages_at_once)
        self.store = AssignmentStore(
            Watched(self.around, App, keys=app_keys, published=self.published),
            MemoryAggregates(Offer, published=self.published),
            MemoryAggregates(KnownResource, published=self.published),
            MemoryAggregates(Pool, published=self.published),
            renames=self.labels.known,
        )
        self.holders = (AppLabels(self.store),)
        apps_handlers.register_handlers(self.dispatcher, self.store)
        labels_handlers.register_handlers(self.dispatcher, self.labels, self.holders)

    async def ready(self) -> "Labelled":
        """With an integration, without which nothing can be assigned."""
        await self.hear(make.integration_offered(make.fs_integration()))
        return self

    async def app(self, app_id: str) -> App:
        return await reads.get_app(self.store, make.ORG, AppId(app_id))


def at(message: Message, second: int) -> Envelope[Any]:
    """A message that was sent at a certain second."""
    return make.wrap(message).model_copy(update={"time": START + timedelta(seconds=second)})


def renaming(name: str, new_name: str, revision: int, *, kind: LabelKind = "environment") -> LabelRenamed:
    """What the catalog tells of a rename."""
    return LabelRenamed(organization_id=make.ORG, kind=kind, name=name, new_name=new_name, revision=revision)
