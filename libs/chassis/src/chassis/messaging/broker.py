"""The one factory of brokers.

FastStream commits before it handles unless told otherwise; here the policy is MANUAL, and an offset is committed only
after its message was handled, skipped or parked. All topics of a service share one consumer group and one range
assignment, so that messages with equal keys meet in one process, whatever their topic.
"""

import asyncio
import dataclasses
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.kafka.message import KafkaMessage
from faststream.kafka.subscriber.usecase import LogicSubscriber

from chassis.errors import Unavailable
from chassis.messaging.consumer import Consumer
from chassis.messaging.kafka import broker_security
from chassis.messaging.key_executor import KeyOrderedExecutor, Record
from chassis.runtime.settings import CommonSettings
from chassis.runtime.supervision import Background

PATIENCE_AT_END_SECONDS = 10.0
LOOK_SECONDS = 1.0


@dataclass(frozen=True)
class Broker:
    """A FastStream broker with its one subscriber, and the lanes it feeds if it is in a group."""

    kafka: KafkaBroker
    subscriber: LogicSubscriber[Any]
    lanes: KeyOrderedExecutor | None

    async def start(self) -> None:
        """Connect. Without a group, nothing sent after this is missed."""
        await self.kafka.start()
        client = self.subscriber.consumer
        if self.lanes is None and client is not None:
            # Its place is found at the first fetch; what is sent before that would be missed.
            for partition in client.assignment():
                await client.position(partition)

    def check(self) -> None:
        """Raise `Unavailable` when a part of it has ended, so that no message will be taken any more."""
        ended = [name for name, tasks in self._parts().items() if tasks and all(task.done() for task in tasks)]
        if ended:
            raise Unavailable("consumer_ended", f"Messages are not taken any more: {', '.join(ended)} ended.")

    def _parts(self) -> dict[str, list[asyncio.Task[Any]]]:
        """aiokafka keeps going with tasks of its own, which it does not begin again when they end."""
        client = self.subscriber.consumer
        if client is None:
            return {}
        parts: dict[str, list[asyncio.Task[Any]]] = {
            "the consumer": self.subscriber.tasks,
            "its fetcher": [client._fetcher._fetch_task],
        }
        if self.lanes is not None:
            parts["its coordinator"] = [client._coordinator._coordination_task]
            parts["its commits"] = self.lanes.loops
        return parts

    async def stop(self) -> None:
        """Take no more messages; those under way are ended, or come again later."""
        if self.lanes is not None:
            await self.lanes.stop()
        await self.kafka.stop()


def build_broker(
    settings: CommonSettings, consumer: Consumer, *, service: str, topics: Sequence[str], group: str | None
) -> Broker:
    """A broker with one member of a group; without a group, one that hears everything from now on."""
    broker = KafkaBroker(
        settings.kafka,
        security=broker_security(settings),
        client_id=f"cairn-{service}",
        consumer_only=True,
        apply_types=False,
        logger=logging.getLogger("faststream"),
        log_level=logging.DEBUG,
        metadata_max_age_ms=30_000,
    )
    names = [settings.on_kafka(topic) for topic in topics]
    if group is None:
        return Broker(broker, _hear(broker, consumer, names), None)
    lanes = KeyOrderedExecutor(consumer.handle, width=settings.lanes, patience_seconds=PATIENCE_AT_END_SECONDS)
    return Broker(broker, _join(broker, settings, lanes, topics=names, group=settings.on_kafka(group)), lanes)


@asynccontextmanager
async def consuming(background: Background, name: str, build: Callable[[], Broker]) -> AsyncIterator[None]:
    """Run a broker until the end of the block, from when it has connected; a new one when it has ended."""
    connected = asyncio.Event()

    async def consume() -> None:
        broker = build()
        try:
            await broker.start()
            connected.set()
            while True:
                await asyncio.sleep(LOOK_SECONDS)
                broker.check()
        finally:
            await broker.stop()

    async with background.running(name, consume):
        await connected.wait()
        yield


def _join(
    broker: KafkaBroker, settings: CommonSettings, lanes: KeyOrderedExecutor, *, topics: Sequence[str], group: str
) -> LogicSubscriber[Any]:
    timeout = int(settings.session_timeout_seconds * 1000)
    subscriber = broker.subscriber(
        *topics,
        group_id=group,
        # A static member that comes back within its session gets its partitions at once, without a rebalance.
        group_instance_id=f"{group}-{settings.instance}",
        auto_offset_reset="earliest",
        ack_policy=AckPolicy.MANUAL,
        partition_assignment_strategy=(RangePartitionAssignor,),
        session_timeout_ms=timeout,
        rebalance_timeout_ms=int(PATIENCE_AT_END_SECONDS * 3000),
        heartbeat_interval_ms=max(timeout // 4, 200),
        max_poll_interval_ms=1_800_000,
        listener=lanes,
        parser=_tolerant,
        decoder=_undecoded,
        no_reply=True,
    )

    @subscriber
    async def take(message: KafkaMessage) -> None:
        await lanes.take(message.raw_message, message.consumer)

    return subscriber


def _hear(broker: KafkaBroker, consumer: Consumer, topics: Sequence[str]) -> LogicSubscriber[Any]:
    subscriber = broker.subscriber(
        *topics,
        auto_offset_reset="latest",
        ack_policy=AckPolicy.ACK_FIRST,
        parser=_tolerant,
        decoder=_undecoded,
        no_reply=True,
    )

    @subscriber
    async def take(message: KafkaMessage) -> None:
        await consumer.handle(message.raw_message)

    return subscriber


async def _tolerant(record: Record, original: Callable[[Any], Awaitable[KafkaMessage]]) -> KafkaMessage:
    """Parse a record whatever its headers hold; FastStream's own parser fails on headers that are not UTF-8."""
    message = await original(dataclasses.replace(record, headers=()))
    message.raw_message = record
    return message


async def _undecoded(message: KafkaMessage) -> KafkaMessage:
    """Hand the message itself to the handler; what is in it is for `Consumer` to find out."""
    return message
