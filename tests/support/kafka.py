"""Talking to Kafka as an outsider: raw messages in, raw messages out, with deadlines."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeAlias

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.errors import CommitFailedError
from chassis.ids import utc_now
from chassis.messaging.envelopes import envelope
from chassis.messaging.kafka import client_arguments
from chassis.messaging.topology import ensure_topics
from chassis.messaging.undecodable_headers import UndecodableBatch, escaped, needs_own_encoding, send_undecodable
from chassis.runtime.settings import CommonSettings
from contracts.envelope import Envelope, Headers, attributes, parse, to_body, to_headers
from contracts.messages.base import Message
from contracts.registry import MESSAGES

from tests.support.waiting import eventually_async

Raw: TypeAlias = ConsumerRecord[bytes | None, bytes | None]


def settings_for(kafka: str, access: Mapping[str, str], **facts: Any) -> CommonSettings:
    """Settings of a client of the Kafka that a status or an infrastructure tells of."""
    known = {f"kafka_{name}": value for name, value in access.items()}
    return CommonSettings(**{"kafka": kafka, "service_key_file": Path("none"), **known, **facts})


def to_envelope(record: Raw) -> Envelope[Message]:
    """What a Kafka message says, read as any consumer of Cairn reads it."""
    found, data = attributes(record.headers, record.value or b"")
    return parse(MESSAGES[found["ce_type"]], found, data, received=utc_now())


class Wire:
    """Sends and hears raw messages in the topics of one corner; topics are named without the corner's prefix."""

    def __init__(self, settings: CommonSettings, producer: AIOKafkaProducer) -> None:
        self.settings = settings
        self._producer = producer

    async def publish(self, message: Message | Envelope[Message], **about: Any) -> Envelope[Message]:
        """Send a message, wrapped as a test would unless it is wrapped already; returns its envelope."""
        made = message if isinstance(message, Envelope) else envelope(message, service="test", **about)
        await self.send(made.data.topic, to_body(made), key=made.data.key.encode(), headers=to_headers(made))
        return made

    async def send(
        self,
        topic: str,
        value: bytes | None,
        *,
        key: bytes | None = None,
        headers: Headers | None = None,
        compression: str | None = None,
    ) -> None:
        """Send bytes, compressed if a codec is named."""
        producer = self._producer
        if compression:
            producer = AIOKafkaProducer(**client_arguments(self.settings), compression_type=compression)
            await producer.start()
        try:
            if needs_own_encoding(key, value, headers or []):
                await send_undecodable(producer, self._full(topic), key=key, value=value, headers=headers or [])
            else:
                await producer.send_and_wait(self._full(topic), value, key=key, headers=headers or [])
        finally:
            if compression:
                await producer.stop()

    async def send_batch(
        self, topic: str, records: Sequence[tuple[bytes | None, Headers]], *, compression: str | None = None
    ) -> None:
        """Send values with their headers in one batch, to the first partition."""
        codecs = {None: 0, "gzip": 1, "zstd": 4}
        batch = UndecodableBatch(1 << 24, codecs[compression])
        for value, headers in records:
            assert batch.append(timestamp=None, key=None, value=value, headers=escaped(headers))
        await (await self._producer.send_batch(batch, self._full(topic), partition=0))

    async def ensure(self, *topics: str) -> None:
        """Create topics and their dead-letter topics."""
        await ensure_topics(self.settings, topics)

    @asynccontextmanager
    async def listening(self, *topics: str, from_start: bool = False) -> AsyncIterator["Ear"]:
        """Hear everything sent to existing topics from now on (or ever)."""
        ear = Ear(self.settings, [self._full(t) for t in topics], from_start=from_start)
        await ear.open()
        try:
            yield ear
        finally:
            await ear.close()

    async def read(self, topic: str, *, deadline_seconds: float = 10) -> list[Raw]:
        """Everything that is in an existing topic now, oldest first within a partition."""
        async with self.listening(topic, from_start=True) as ear:
            return await ear.drain(deadline_seconds)

    async def committed(self, group: str, topic: str) -> dict[int, int]:
        """Committed offsets of a group by partition; 0 where it has none. `group` is named without the prefix."""
        async with self._member(group, topic) as consumer:
            return {place.partition: await consumer.committed(place) or 0 for place in consumer.assignment()}

    async def rewind(self, group: str, topic: str) -> None:
        """Let a group that has no members now read a topic from its start again."""
        await eventually_async(lambda: self._rewound(group, topic), 20)

    async def _rewound(self, group: str, topic: str) -> bool:
        async with self._member(group, topic) as consumer:
            try:
                await consumer.commit(dict.fromkeys(consumer.assignment(), 0))
            except CommitFailedError:
                return False
        return True

    @asynccontextmanager
    async def _member(self, group: str, topic: str) -> AsyncIterator[AIOKafkaConsumer]:
        name = self.settings.on_kafka(group)
        consumer = AIOKafkaConsumer(**client_arguments(self.settings), group_id=name, enable_auto_commit=False)
        await consumer.start()
        try:
            consumer.assign([TopicPartition(self._full(topic), p) for p in range(self.settings.topic_partitions)])
            yield consumer
        finally:
            await consumer.stop()

    def _full(self, topic: str) -> str:
        return f"{self.settings.topic_prefix}{topic}"


class Ear:
    """Messages of some topics, as they arrive; keeps what it heard in `heard`."""

    def __init__(self, settings: CommonSettings, topics: list[str], *, from_start: bool) -> None:
        self.heard: list[Raw] = []
        reset = "earliest" if from_start else "latest"
        self._consumer = AIOKafkaConsumer(
            *topics, **client_arguments(settings), enable_auto_commit=False, auto_offset_reset=reset
        )

    async def open(self) -> None:
        """Find the present ends, so that nothing sent after this is missed."""
        await self._consumer.start()
        for place in self._consumer.assignment():
            await self._consumer.position(place)

    async def close(self) -> None:
        """Hear no more."""
        await self._consumer.stop()

    async def until(self, condition: Callable[[list[Raw]], bool], deadline_seconds: float = 15) -> list[Raw]:
        """Everything heard so far, once `condition` holds for it. Raises AssertionError at the deadline."""
        end = time.monotonic() + deadline_seconds
        while not condition(self.heard):
            left = end - time.monotonic()
            if left <= 0:
                raise AssertionError(f"not heard within {deadline_seconds} s; heard {describe(self.heard)}")
            await self._take(left)
        return self.heard

    async def count(self, number: int, deadline_seconds: float = 15) -> list[Raw]:
        """Everything heard so far, once it is at least `number` messages."""
        return await self.until(lambda heard: len(heard) >= number, deadline_seconds)

    async def message(
        self, wanted: type[Message], where: Callable[[Any], bool] = lambda _: True, *, deadline_seconds: float = 15
    ) -> Envelope[Any]:
        """The first message of a class for whose data `where` holds."""

        def matching(heard: list[Raw]) -> list[Envelope[Any]]:
            envelopes = [to_envelope(r) for r in heard if header(r, "ce_type") == wanted.TYPE]
            return [e for e in envelopes if where(e.data)]

        return matching(await self.until(lambda heard: bool(matching(heard)), deadline_seconds))[0]

    async def drain(self, deadline_seconds: float = 10) -> list[Raw]:
        """Everything up to the present ends of the topics."""
        ends = await self._consumer.end_offsets(list(self._consumer.assignment()))
        async with asyncio.timeout(deadline_seconds):
            while any([await self._consumer.position(place) < end for place, end in ends.items()]):
                await self._take(1)
        return self.heard

    async def _take(self, seconds: float) -> None:
        batches = await self._consumer.getmany(timeout_ms=max(1, int(seconds * 1000)))
        self.heard.extend(record for batch in batches.values() for record in batch)


def header(record: Raw, name: str) -> str | None:
    """A header as text; None when the message has none of that name."""
    return next((value.decode(errors="replace") for key, value in record.headers if key == name), None)


def describe(records: list[Raw]) -> list[str]:
    """One short line a message, for the text of a failed assertion."""
    return [f"{r.topic}[{r.partition}]@{r.offset} {header(r, 'ce_type')}" for r in records]


@asynccontextmanager
async def open_wire(settings: CommonSettings) -> AsyncIterator[Wire]:
    """A wire to the corner that `settings` lead to."""
    producer = AIOKafkaProducer(**client_arguments(settings), acks="all")
    await producer.start()
    try:
        yield Wire(settings, producer)
    finally:
        await producer.stop()
