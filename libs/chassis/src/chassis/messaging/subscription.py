"""A subscription to topics: an aiokafka consumer, the loop that takes its records, and how both are watched.

All topics of a service share one consumer group and one range assignment, so that messages with equal keys meet in one
process, whatever their topic. aiokafka never commits by itself here: an offset is committed only after its message was
handled, skipped or moved to the dead letters.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import ConsumerStoppedError, KafkaError

from chassis.errors import Unavailable
from chassis.messaging.consumer import Consumer
from chassis.messaging.kafka import client_arguments
from chassis.messaging.key_executor import KeyOrderedExecutor, Record
from chassis.runtime.settings import CommonSettings
from chassis.runtime.supervision import LoopSupervisor

log = logging.getLogger(__name__)
PATIENCE_AT_END_SECONDS = 10.0
LOOK_SECONDS = 1.0
PAUSE_AFTER_FAILED_FETCH_SECONDS = 5.0


class Subscription:
    """Takes records of some topics, one after the other, from `start` until `stop`; it is used once."""

    def __init__(self, client: AIOKafkaConsumer, take: Callable[[Record], Awaitable[None]]) -> None:
        self._client = client
        self._take = take
        self._taking: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Connect. Nothing that is sent after this is missed."""
        await self._client.start()
        await self._begin()
        self._taking = asyncio.create_task(self._take_forever())

    def check(self) -> None:
        """Raise `Unavailable` when a part of it has ended, so that no message will be taken any more."""
        ended = [name for name, task in self.parts().items() if task is not None and task.done()]
        if ended:
            raise Unavailable("consumer_ended", f"Messages are not taken any more: {', '.join(ended)} ended.")

    def parts(self) -> dict[str, asyncio.Task[None] | None]:
        """The tasks that must go on, by what they are called in the log."""
        # aiokafka works with tasks of its own, does not start them again when they end, and reports nothing.
        return {"the consumer": self._taking, "its fetcher": self._client._fetcher._fetch_task}

    async def stop(self) -> None:
        """Take no more messages. What was taken is ended, or comes again later."""
        await self._end()
        if self._taking is not None:
            self._taking.cancel()
            await asyncio.wait({self._taking})
        await self._client.stop()

    async def _begin(self) -> None:
        # aiokafka looks for the end of a topic at its first fetch, and would miss what is sent before that.
        for partition in self._client.assignment():
            await self._client.position(partition)

    async def _end(self) -> None:
        pass

    async def _take_forever(self) -> None:
        while True:
            try:
                record = await self._client.getone()
            except ConsumerStoppedError:
                return
            except KafkaError as error:
                # Missing rights or a batch that cannot be read: an operator corrects that while the process waits.
                log.error("no messages could be fetched, trying again", extra={"reason": type(error).__name__})
                await asyncio.sleep(PAUSE_AFTER_FAILED_FETCH_SECONDS)
            else:
                await self._take(record)


class GroupSubscription(Subscription):
    """A member of a consumer group: its records go through a key-ordered executor, which commits them."""

    def __init__(self, client: AIOKafkaConsumer, executor: KeyOrderedExecutor) -> None:
        super().__init__(client, lambda record: executor.take(record, client))
        self._executor = executor

    def parts(self) -> dict[str, asyncio.Task[None] | None]:
        """See `Subscription`."""
        coordinator = self._client._coordinator._coordination_task
        return {**super().parts(), "its coordinator": coordinator, "its commits": self._executor.committing}

    async def _begin(self) -> None:
        """The group knows where it was."""

    async def _end(self) -> None:
        await self._executor.stop()


def subscribe(settings: CommonSettings, consumer: Consumer, *, service: str, topics: Sequence[str]) -> Subscription:
    """Hear everything that is sent to some topics from now on. What this process misses is gone for it."""
    client = _client(settings, service, topics, auto_offset_reset="latest")
    return Subscription(client, consumer.handle)


def join_group(
    settings: CommonSettings, consumer: Consumer, *, service: str, topics: Sequence[str], group: str
) -> GroupSubscription:
    """Take part in a consumer group, under the name of this instance."""
    timeout, name = int(settings.session_timeout_seconds * 1000), settings.on_kafka(group)
    executor = KeyOrderedExecutor(
        consumer.handle, width=settings.handlers_at_once, patience_seconds=PATIENCE_AT_END_SECONDS
    )
    client = _client(
        settings,
        service,
        topics,
        listener=executor,
        group_id=name,
        # A static member that comes back within its session gets its partitions at once, without a rebalance.
        group_instance_id=f"{name}-{settings.instance}",
        auto_offset_reset="earliest",
        partition_assignment_strategy=(RangePartitionAssignor,),
        session_timeout_ms=timeout,
        # Long enough for a member to end what is under way before its partitions go to another.
        rebalance_timeout_ms=int(PATIENCE_AT_END_SECONDS * 3000),
        heartbeat_interval_ms=max(timeout // 4, 200),
        # A full executor keeps the loop from polling, for as long as a handler is tried again.
        max_poll_interval_ms=1_800_000,
    )
    return GroupSubscription(client, executor)


def _client(
    settings: CommonSettings,
    service: str,
    topics: Sequence[str],
    *,
    listener: KeyOrderedExecutor | None = None,
    **arguments: Any,
) -> AIOKafkaConsumer:
    client = AIOKafkaConsumer(
        **client_arguments(settings),
        client_id=f"cairn-{service}",
        enable_auto_commit=False,
        metadata_max_age_ms=30_000,
        **arguments,
    )
    client.subscribe([settings.on_kafka(topic) for topic in topics], listener=listener)
    return client


@asynccontextmanager
async def subscribed(background: LoopSupervisor, name: str, build: Callable[[], Subscription]) -> AsyncIterator[None]:
    """Run a subscription until the end of the block, from when it has connected; a new one when it has ended."""
    connected = asyncio.Event()

    async def run() -> None:
        subscription = build()
        try:
            await subscription.start()
            connected.set()
            while True:
                await asyncio.sleep(LOOK_SECONDS)
                subscription.check()
        finally:
            await subscription.stop()

    async with background.running(name, run):
        await connected.wait()
        yield
