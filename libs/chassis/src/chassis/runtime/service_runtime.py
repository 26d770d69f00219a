"""The runtime of a service: its database, publisher, outbox and background loops, opened together."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from chassis.messaging.consumer import Consumer
from chassis.messaging.dispatcher import Dispatcher
from chassis.messaging.publisher import KafkaPublisher, open_publisher
from chassis.messaging.rejected_commands import RejectedCommands
from chassis.messaging.retries import RetryPolicy
from chassis.messaging.subscription import GroupSubscription, join_group, subscribed
from chassis.messaging.topology import ensure_topics
from chassis.persistence.mongo import Database, open_database
from chassis.persistence.outbox import Outbox
from chassis.runtime.health import Check
from chassis.runtime.settings import CommonSettings
from chassis.runtime.supervision import LoopSupervisor


@dataclass(frozen=True)
class ServiceRuntime:
    """Open connections of one process."""

    service: str
    settings: CommonSettings
    database: Database
    publisher: KafkaPublisher
    outbox: Outbox
    rejected_commands: RejectedCommands
    background: LoopSupervisor

    def dispatcher(self) -> Dispatcher:
        """An empty table of handlers for this service."""
        return Dispatcher(self.service, self.publisher, self.rejected_commands)

    def checks(self) -> dict[str, Check]:
        """Readiness: the database and Kafka answer, and the loops of this process run, its consumers among them."""

        async def mongodb() -> None:
            await self.database.command("ping")

        return {"mongodb": mongodb, "kafka": self.publisher.ping, "background": self.background.check}


@asynccontextmanager
async def open_service_runtime(settings: CommonSettings, service: str) -> AsyncIterator[ServiceRuntime]:
    """Open the database and the publisher of a service."""
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(open_database(settings, service))
        publisher = await stack.enter_async_context(open_publisher(settings))
        outbox = Outbox(service, database, publisher)
        rejected_commands = RejectedCommands(database)
        await asyncio.gather(outbox.setup(), rejected_commands.setup())
        yield ServiceRuntime(service, settings, database, publisher, outbox, rejected_commands, LoopSupervisor())


@asynccontextmanager
async def handling(
    runtime: ServiceRuntime,
    dispatcher: Dispatcher,
    *,
    topics: Sequence[str],
    announces: Sequence[str] = (),
    policy: RetryPolicy | None = None,
    subgroup: str = "",
) -> AsyncIterator[None]:
    """Handle messages from `topics` until the end, and sweep the outbox. Creates `topics` and `announces` first.

    Processes of a service with the same `subgroup` share the messages; each subgroup gets all of its topics.
    """
    settings, service = runtime.settings, runtime.service
    # Before the consumer starts: one that asks for a topic too early does not look again for long.
    await ensure_topics(settings, [*topics, *announces])
    group = f"cairn.{service}.{subgroup}" if subgroup else f"cairn.{service}"
    consumer = Consumer(dispatcher, runtime.publisher, group=settings.on_kafka(group), policy=policy)

    def build() -> GroupSubscription:
        return join_group(settings, consumer, service=service, topics=topics, group=group)

    async with (
        # The outer one: until the last handler has ended, messages may be left to it.
        runtime.outbox.sweeping(runtime.background),
        subscribed(runtime.background, "messages", build),
    ):
        yield
