"""What listeners missed, read from Kafka once more: by few at a time, and no more of it than they take."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

from chassis.errors import Unavailable
from chassis.messaging.key_executor import Record
from chassis.messaging.topic_reader import TopicReader, open_reader
from chassis.runtime.settings import CommonSettings
from contracts.values import OrganizationId

from gateway.areas.stream.channel import Channel, Happening
from gateway.areas.stream.feed import GAP, Decode, Feed
from gateway.areas.stream.positions import Positions

AT_ONCE = 4
"""A reader has connections and buffers of its own. Who waits for one is told that the stream lives."""
REACH_SECONDS = 5.0


class CatchUp:
    """Reads from a position up to where the events of a channel begin."""

    def __init__(self, feed: Feed, settings: CommonSettings, decode: Decode, *, service: str) -> None:
        self._feed = feed
        self._settings = settings
        self._decode = decode
        self._service = service
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def past(
        self, organization_id: OrganizationId, channel: Channel, position: Positions
    ) -> AsyncGenerator[Happening | None, None]:
        """The events of an organization; None now and then where there are none. `position` moves with them.

        A `gap` is told first where Kafka has not all of them any more. Raises `Unavailable`.
        """
        async with self._turns, open_reader(self._settings, service=self._service) as reader:
            if await self._clamp(reader, position):
                yield GAP
            async for batch in self._batches(reader, channel, position):
                for record in batch:
                    position.move(self._feed.numbers.number(record.topic), record.partition, record.offset + 1)
                    found = self._decode(record)
                    if found and found[0] == organization_id:
                        yield found[1]
                yield None
        await self._reach(position)

    async def _clamp(self, reader: TopicReader, position: Positions) -> bool:
        """Move a position to what Kafka has; whether something is lost by that."""
        offsets = self._feed.numbers.offsets(self._feed.positions)
        bounds, lost = await reader.bounds(offsets), False
        for place, (begin, end) in bounds.items():
            topic = self._feed.numbers.number(place.topic)
            offset = position.at(topic, place.partition)
            # A partition that is newer than the id began after it. One that is shorter was made anew.
            if offset is None or begin <= offset <= end:
                position.move(topic, place.partition, begin if offset is None else offset)
                continue
            lost = True
            position.move(topic, place.partition, begin if offset < begin else min(offsets[place], end))
        return lost

    async def _batches(self, reader: TopicReader, channel: Channel, position: Positions) -> AsyncIterator[list[Record]]:
        numbers = self._feed.numbers
        # As it is now: it moves on while this reads.
        end = channel.start.copy()
        async for batch in reader.read(numbers.offsets(position), numbers.offsets(end)):
            yield batch
        for topic, partition, offset in end.items():
            if (position.at(topic, partition) or 0) < offset:
                position.move(topic, partition, offset)

    async def _reach(self, position: Positions) -> None:
        try:
            async with asyncio.timeout(REACH_SECONDS):
                await self._feed.reach(position)
        except TimeoutError:
            raise Unavailable("kafka_unavailable", "The message broker does not answer.") from None
