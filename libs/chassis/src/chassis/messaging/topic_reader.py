"""Reads topics outside any consumer group, from positions that the caller keeps."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from chassis.errors import Unavailable
from chassis.messaging.kafka import client_arguments
from chassis.messaging.key_executor import Record
from chassis.messaging.subscription import Subscription
from chassis.runtime.settings import CommonSettings

log = logging.getLogger(__name__)
Offsets = Mapping[TopicPartition, int]
FETCH_BYTES = 1024 * 1024
"""What is fetched at once, at most; more only for a single message that is larger."""
PARTITION_BYTES = 256 * 1024
BATCH = 200
WAIT_MS = 500


class TopicTail(Subscription):
    """Takes all that is sent to some topics; a tail that replaces one that ended goes on where that one was."""

    def __init__(
        self,
        client: AIOKafkaConsumer,
        take: Callable[[Record], Awaitable[None]],
        begin: Callable[[AIOKafkaConsumer], Awaitable[None]],
    ) -> None:
        super().__init__(client, take)
        self._begin_at = begin

    async def _begin(self) -> None:
        await self._begin_at(self._client)


def tail(
    settings: CommonSettings,
    *,
    service: str,
    topics: Sequence[str],
    take: Callable[[Record], Awaitable[None]],
    positions: Callable[[], Offsets],
    begun: Callable[[Offsets], None],
) -> TopicTail:
    """Take everything that is sent to some topics from `positions` on; of partitions without one, from now on.

    `begun` hears where each partition begins, before the first record is taken.
    """
    client = _consumer(settings, f"cairn-{service}-tail", *[settings.on_kafka(topic) for topic in topics])

    async def begin(client: AIOKafkaConsumer) -> None:
        known = positions()
        for place in client.assignment():
            if place in known:
                client.seek(place, known[place])
        # aiokafka looks for the end of a topic at its first fetch, and would miss what is sent before that.
        begun({place: await client.position(place) for place in client.assignment()})

    return TopicTail(client, take, begin)


class TopicReader:
    """Reads what partitions hold already."""

    def __init__(self, client: AIOKafkaConsumer) -> None:
        self._client = client

    async def bounds(self, places: Collection[TopicPartition]) -> dict[TopicPartition, tuple[int, int]]:
        """The first offset that each partition still has, and the one that its next message will get."""
        try:
            begin = await self._client.beginning_offsets(list(places))
            end = await self._client.end_offsets(list(places))
        except KafkaError as error:
            raise _unavailable(error) from error
        return {place: (begin[place], end[place]) for place in places}

    async def ends(self, places: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        """The offset that the next message of each partition will get. Raises `Unavailable`."""
        try:
            found: dict[TopicPartition, int] = await self._client.end_offsets(list(places))
        except KafkaError as error:
            raise _unavailable(error) from error
        return found

    async def read(self, start: Offsets, end: Offsets) -> AsyncIterator[list[Record]]:
        """The records of some partitions from `start` up to, and without, `end`: batches, in order within each.

        An empty one as often as there is nothing new, as while Kafka stands still.
        Both must be within `bounds`. Raises `Unavailable` when Kafka does not answer.
        """
        left = {place: offset for place, offset in end.items() if start[place] < offset}
        if not left:
            return
        self._client.assign(list(left))
        for place in left:
            self._client.seek(place, start[place])
        while left:
            fetched = await self._fetch()
            if not fetched:
                yield []
            for place, records in fetched.items():
                if wanted := [record for record in records if place in left and record.offset < left[place]]:
                    yield wanted
            # By position, not by record: what Kafka deletes meanwhile never comes.
            for place in [place for place in left if await self._client.position(place) >= left[place]]:
                del left[place]
                self._client.pause(place)

    async def _fetch(self) -> dict[TopicPartition, list[Record]]:
        try:
            found: dict[TopicPartition, list[Record]] = await self._client.getmany(
                timeout_ms=WAIT_MS, max_records=BATCH
            )
        except KafkaError as error:
            raise _unavailable(error) from error
        return found


@asynccontextmanager
async def open_reader(settings: CommonSettings, *, service: str) -> AsyncIterator[TopicReader]:
    """A reader; its connections are closed at the end. Raises `Unavailable`."""
    client = _consumer(settings, f"cairn-{service}-reader")
    try:
        # Within: a start that is given up has connections too.
        await _start(client)
        yield TopicReader(client)
    finally:
        await client.stop()


async def _start(client: AIOKafkaConsumer) -> None:
    try:
        await client.start()
    except KafkaError as error:
        raise _unavailable(error) from error


def _consumer(settings: CommonSettings, name: str, *topics: str) -> AIOKafkaConsumer:
    return AIOKafkaConsumer(
        *topics,
        **client_arguments(settings),
        client_id=name,
        enable_auto_commit=False,
        auto_offset_reset="latest",
        metadata_max_age_ms=30_000,
        fetch_max_bytes=FETCH_BYTES,
        max_partition_fetch_bytes=PARTITION_BYTES,
    )


def _unavailable(error: KafkaError) -> Unavailable:
    return Unavailable("kafka_unavailable", f"The message broker does not answer: {type(error).__name__}")
