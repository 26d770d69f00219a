"""The feed of the index: what topics tell, from when the process starts, and the database as it was then."""

import asyncio
import logging
from contextlib import AsyncExitStack

from aiokafka import TopicPartition
from chassis.errors import Unavailable
from chassis.ids import utc_now
from chassis.messaging.group_positions import group_positions
from chassis.messaging.key_executor import Record
from chassis.messaging.topic_reader import open_reader, tail
from chassis.runtime.settings import CommonSettings
from contracts.envelope import MalformedMessage, attributes, parse
from contracts.messages.base import Message
from contracts.topics import ASSIGNMENT_EVENTS, CATALOG_EVENTS

from catalog.resource_index.domain.all_rows import HEARD
from catalog.resource_index.store.index import ResourceIndex
from catalog.resource_index.store.loading import Loader

log = logging.getLogger(__name__)
SERVICE, LOOK_SECONDS = "catalog", 1.0
_HEARD = {message.TYPE: message for message in HEARD}


class Following:
    """Loads the index and keeps it up; begins anew where it cannot know what it missed."""

    def __init__(self, settings: CommonSettings, index: ResourceIndex, loader: Loader) -> None:
        self._settings = settings
        self._index = index
        self._loader = loader

    async def follow(self) -> None:
        """Go on until something is lost: an error that says what. Whoever runs this runs it again."""
        self._index.begin()
        # What this service keeps of sources follows its group; so that nothing is between the two, this reads on from
        # there. What the catalog tells itself is saved before it is told.
        begin = await group_positions(self._settings, service=SERVICE, topics=[ASSIGNMENT_EVENTS])
        async with AsyncExitStack() as stack:
            reader = await stack.enter_async_context(open_reader(self._settings, service=SERVICE))
            following = tail(
                self._settings,
                service=SERVICE,
                topics=[CATALOG_EVENTS, ASSIGNMENT_EVENTS],
                take=self._take,
                positions=lambda: begin,
                begun=self._index.begin_at,
            )
            # Before it starts: a start that is given up has connections too.
            stack.push_async_callback(following.stop)
            await following.start()
            await self._loader.load(self._index)
            self._index.loaded(reader.ends)
            log.info("resources are loaded")
            while not self._index.is_lost:
                await asyncio.sleep(LOOK_SECONDS)
                following.check()
        raise Unavailable(
            "events_lost", "The message broker does not keep any more what was told about resources meanwhile."
        )

    async def _take(self, record: Record) -> None:
        await self._index.take(TopicPartition(record.topic, record.partition), record.offset, event_of(record))


def event_of(record: Record) -> Message | None:
    """The event that a record is; None for anything else."""
    # By the header alone: other messages of these topics need not be read.
    kinds = [value for name, value in record.headers if name == "ce_type"]
    message = _HEARD.get(kinds[0].decode(errors="replace")) if kinds and kinds[0] else None
    if message is None:
        return None
    try:
        found, data = attributes(record.headers, record.value or b"")
        return parse(message, found, data, received=utc_now()).data
    except MalformedMessage as error:
        log.warning("an event cannot be read", extra={"topic": record.topic, "reason": str(error)})
        return None
