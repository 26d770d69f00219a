"""What all listeners of this process hear: one reader of the topics, which gives each event to its organization."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager

from aiokafka import TopicPartition
from chassis.messaging.key_executor import Record
from chassis.messaging.subscription import subscribed
from chassis.messaging.topic_reader import Offsets, TopicTail, tail
from chassis.runtime.settings import CommonSettings
from chassis.runtime.supervision import LoopSupervisor
from contracts import topics
from contracts.values import OrganizationId

from gateway.areas.stream.channel import Channel, Entry, Happening
from gateway.areas.stream.events import happening_of, notice
from gateway.areas.stream.positions import EventIds, Positions

TOPICS = (
    topics.SCHEDULER_EVENTS,
    topics.CONNECTOR_EVENTS,
    topics.RESTORE_INDEX_EVENTS,
    topics.CATALOG_EVENTS,
    topics.ASSIGNMENT_EVENTS,
)
"""Their order is a part of every id: a new one comes last, and none is taken away."""
LINGER_SECONDS = 60.0
"""How long events of an organization are kept on when nobody listens: who was cut off comes back soon."""
GAP = notice("gap", "events_lost", "Events were lost: those before this are not kept any more.")
Decode = Callable[[Record], tuple[OrganizationId, Happening] | None]


class TopicNumbers:
    """Topics as they are called on Kafka, by their number in ids."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = tuple(names)
        self._numbers = {name: number for number, name in enumerate(names)}

    def number(self, name: str) -> int:
        """The number of a topic."""
        return self._numbers[name]

    def offsets(self, positions: Positions) -> dict[TopicPartition, int]:
        """Positions as Kafka's clients take them; of topics that are known here."""
        return {
            TopicPartition(self._names[topic], partition): offset
            for topic, partition, offset in positions.items()
            if topic < len(self._names)
        }

    def positions(self, offsets: Mapping[TopicPartition, int]) -> Positions:
        """The other way round."""
        positions = Positions([] for _ in self._names)
        for place, offset in sorted(offsets.items()):
            positions.move(self._numbers[place.topic], place.partition, offset)
        return positions


class Feed:
    """How far this process has read, and a channel for each organization in which somebody listens."""

    def __init__(self, numbers: TopicNumbers, ids: EventIds, decode: Decode = happening_of) -> None:
        self.numbers = numbers
        self.positions = Positions()
        self._ids = ids
        self._decode = decode
        self._channels: dict[OrganizationId, Channel] = {}
        self._moved = asyncio.Event()

    def begin(self, offsets: Offsets) -> None:
        """Go on from here: at first from the ends of the topics, later from where the reader was."""
        self.positions = self.numbers.positions(offsets)

    async def take(self, record: Record) -> None:
        """Take one record: an event that somebody may hear, or something else."""
        topic = self.numbers.number(record.topic)
        if record.offset > (self.positions.at(topic, record.partition) or 0):
            self._tell_gap(topic, record)
        self.positions.move(topic, record.partition, record.offset + 1)
        self._moved.set()
        # Nobody listens: what it says need not be read.
        found = self._decode(record) if self._channels else None
        if found is not None and (channel := self._channels.get(found[0])) is not None:
            channel.add(Entry(found[1], topic, record.partition, record.offset, self._event_id()))

    def _tell_gap(self, topic: int, record: Record) -> None:
        # At the last of those that are lost, and with an id of its own: whoever is cut off behind it gets the record.
        self.positions.move(topic, record.partition, record.offset)
        event_id = self._event_id() if self._channels else b""
        for channel in self._channels.values():
            channel.add(Entry(GAP, topic, record.partition, record.offset - 1, event_id))

    def _event_id(self) -> bytes:
        return b"id: %b\n\n" % self._ids.write(self.positions).encode()

    def channel(self, organization_id: OrganizationId) -> Channel:
        """The events of an organization from now on, and of a while before if somebody listened."""
        channel = self._channels.get(organization_id)
        if channel is None:
            channel = self._channels[organization_id] = Channel(self.positions.copy())
        return channel

    def left(self, organization_id: OrganizationId) -> None:
        """Somebody stopped listening."""
        asyncio.get_running_loop().call_later(LINGER_SECONDS, self._forget, organization_id)

    def _forget(self, organization_id: OrganizationId) -> None:
        channel = self._channels.get(organization_id)
        if channel is not None and not channel.listening:
            del self._channels[organization_id]

    async def reach(self, positions: Positions) -> None:
        """Return once this process has read so far itself."""
        while not self.positions.covers(positions):
            self._moved.clear()
            await self._moved.wait()


@asynccontextmanager
async def following(
    feed: Feed, settings: CommonSettings, background: LoopSupervisor, *, service: str
) -> AsyncIterator[None]:
    """Read the topics until the end of the block; a reader that ends is replaced and goes on where it was."""

    def build() -> TopicTail:
        return tail(
            settings,
            service=service,
            topics=TOPICS,
            take=feed.take,
            positions=lambda: feed.numbers.offsets(feed.positions),
            begun=feed.begin,
        )

    async with subscribed(background, "live stream", build):
        yield
