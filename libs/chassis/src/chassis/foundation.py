"""What every service stands on: its database, its publisher, its outbox."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from chassis.background import Background
from chassis.broker import Broker, build_broker, consuming
from chassis.consumer import Consumer, RetryPolicy
from chassis.dispatcher import Dispatcher
from chassis.mongo import Database, open_database
from chassis.outbox import Outbox
from chassis.publisher import KafkaPublisher, open_publisher
from chassis.readiness import Check
from chassis.refusals import Refusals
from chassis.settings import CommonSettings
from chassis.topology import ensure_topics


@dataclass(frozen=True)
class Foundation:
    """Open connections of one process."""

    service: str
    settings: CommonSettings
    database: Database
    publisher: KafkaPublisher
    outbox: Outbox
    refusals: Refusals
    background: Background

    def dispatcher(self) -> Dispatcher:
        """An empty table of handlers for this service."""
        return Dispatcher(self.service, self.publisher, self.refusals)

    def checks(self) -> dict[str, Check]:
        """Readiness: the database and Kafka answer, and the loops of this process run, its consumers among them."""

        async def mongodb() -> None:
            await self.database.command("ping")

        return {"mongodb": mongodb, "kafka": self.publisher.ping, "background": self.background.check}


@asynccontextmanager
async def open_foundation(settings: CommonSettings, service: str) -> AsyncIterator[Foundation]:
    """Open the database and the publisher of a service."""
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(open_database(settings, service))
        publisher = await stack.enter_async_context(open_publisher(settings))
        outbox = Outbox(service, database, publisher)
        refusals = Refusals(database)
        await asyncio.gather(outbox.setup(), refusals.setup())
        yield Foundation(service, settings, database, publisher, outbox, refusals, Background())


@asynccontextmanager
async def handling(
    foundation: Foundation,
    dispatcher: Dispatcher,
    *,
    topics: Sequence[str],
    announces: Sequence[str] = (),
    policy: RetryPolicy | None = None,
) -> AsyncIterator[None]:
    """Handle messages from `topics` until the end, and sweep the outbox. Creates `topics` and `announces` first."""
    settings, service = foundation.settings, foundation.service
    await ensure_topics(settings, [*topics, *announces])
    group = f"cairn.{service}"
    consumer = Consumer(dispatcher, foundation.publisher, group=settings.on_kafka(group), policy=policy)

    def build() -> Broker:
        return build_broker(settings, consumer, service=service, topics=topics, group=group)

    async with (
        foundation.outbox.sweeping(foundation.background),
        consuming(foundation.background, "messages", build),
    ):
        yield
