"""Dead letters: what is in a dead-letter topic, and how it is sent again.

How far a dead-letter topic was sent again is a committed offset of a consumer group. What lies behind that was dealt
with.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from aiokafka import AIOKafkaConsumer, TopicPartition
from contracts.envelope import Headers
from contracts.errors import NotFound
from contracts.topics import dead_letters
from contracts.values import Moment, Value

from chassis.messaging.dead_letter_writer import ERROR_HEADERS, FIRST_ERROR_HEADER, LEFT_OUT_HEADER
from chassis.messaging.kafka import client_arguments
from chassis.messaging.key_executor import Record
from chassis.messaging.publisher import Publisher
from chassis.runtime.settings import CommonSettings

GROUP = "cairn.parked"
"""Dead letters were once called parked messages; the offsets committed under this name still count."""


class DeadLetter(Value):
    """One message that could not be handled, without its content. Its fields are what `dead-letters list` prints."""

    topic: str
    partition: int
    offset: int
    parked_at: Moment
    key: str
    type: str
    id: str
    group: str
    stage: str
    reason: str


async def dead_letter_topics(settings: CommonSettings) -> list[str]:
    """Names of all topics that have a dead-letter topic."""
    consumer = AIOKafkaConsumer(**client_arguments(settings))
    await consumer.start()
    try:
        names = await consumer.topics()
    finally:
        await consumer.stop()
    prefix, suffix = settings.topic_prefix, dead_letters("")
    return sorted(
        n.removeprefix(prefix).removesuffix(suffix) for n in names if n.startswith(prefix) and n.endswith(suffix)
    )


async def list_dead_letters(settings: CommonSettings, topic: str, *, limit: int) -> list[DeadLetter]:
    """The oldest dead letters of `topic` that were not sent again. Raises `NotFound` without that topic."""
    async with _reading(settings, topic) as reader:
        return [_described(record, topic) async for record in _pending(reader, limit)]


async def resend(settings: CommonSettings, publisher: Publisher, topic: str, *, limit: int) -> int:
    """Send the oldest dead letters of `topic` to it again, key, value and own headers byte for byte.

    Each is committed only after it was sent, so that one may be sent twice but none forgotten. What comes back
    meanwhile waits for the next call. A letter that was too large to be kept whole stays one. Returns how many were
    sent. Raises `NotFound` and `Unavailable`.
    """
    sent = 0
    async with _reading(settings, topic) as reader:
        async for record in _pending(reader, limit):
            # Only the last header counts: the sender's own headers, which come first, may have any name.
            is_whole = LEFT_OUT_HEADER not in dict(record.headers[-1:])
            to, headers = (settings.on_kafka(topic), _own(record)) if is_whole else (record.topic, record.headers)
            await publisher.send_raw(to, key=record.key, value=record.value, headers=list(headers))
            await reader.commit({TopicPartition(record.topic, record.partition): record.offset + 1})
            sent += is_whole
    return sent


def _own(record: Record) -> Headers:
    """The headers the message came with: all before the block that `DeadLetterWriter` put at the end."""
    # The last of them: the message itself may have come with a header of this name.
    firsts = [place for place, (name, _) in enumerate(record.headers) if name == FIRST_ERROR_HEADER]
    return list(record.headers[: firsts[-1]] if firsts else record.headers)


@asynccontextmanager
async def _reading(settings: CommonSettings, topic: str) -> AsyncIterator[AIOKafkaConsumer]:
    name = settings.on_kafka(dead_letters(topic))
    consumer = AIOKafkaConsumer(
        **client_arguments(settings),
        group_id=settings.on_kafka(GROUP),
        # `resend` commits each message once it was sent, and listing must commit none.
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    await consumer.start()
    try:
        if name not in await consumer.topics():
            raise NotFound("topic_not_found", f"There is no topic {name}.")
        partitions = consumer.partitions_for_topic(name) or {0}
        consumer.assign([TopicPartition(name, p) for p in partitions])
        yield consumer
    finally:
        await consumer.stop()


async def _pending(consumer: AIOKafkaConsumer, limit: int) -> AsyncIterator[Record]:
    """The messages between what was committed and the ends as they are now."""
    ends: Mapping[TopicPartition, int] = await consumer.end_offsets(list(consumer.assignment()))
    left = limit
    for place, end in ends.items():
        while left and await consumer.position(place) < end:
            yield await consumer.getone(place)
            left -= 1


def _described(record: Record, topic: str) -> DeadLetter:
    headers = {name: (value or b"").decode(errors="backslashreplace") for name, value in record.headers}
    return DeadLetter(
        topic=topic,
        partition=record.partition,
        offset=record.offset,
        parked_at=datetime.fromtimestamp(record.timestamp / 1000, UTC),
        key=(record.key or b"").decode(errors="backslashreplace"),
        type=headers.get("ce_type", ""),
        id=headers.get("ce_id", ""),
        group=headers.get(f"{ERROR_HEADERS}consumer.group", ""),
        stage=headers.get(f"{ERROR_HEADERS}stage", ""),
        reason=headers.get(f"{ERROR_HEADERS}exception.message", ""),
    )
