"""What is in topics and was not handled yet by the consumer group that handles it."""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from chassis.errors import Unavailable
from chassis.messaging.kafka import client_arguments
from chassis.runtime.settings import CommonSettings

Ends = Mapping[TopicPartition, int]


class Backlog:
    """Looks at topics and groups by the names that they have in the contracts."""

    def __init__(self, settings: CommonSettings, admin: AIOKafkaAdminClient, consumer: AIOKafkaConsumer) -> None:
        self._settings = settings
        self._admin = admin
        self._consumer = consumer

    async def ends(self, topics: Iterable[str]) -> Ends:
        """Where the topics end now: what is sent later is not before these. Raises `Unavailable`."""
        names = [self._settings.on_kafka(topic) for topic in topics]
        try:
            await self._consumer.topics()
            places = [TopicPartition(n, p) for n in names for p in self._consumer.partitions_for_topic(n) or ()]
            return dict(await self._consumer.end_offsets(places))
        except KafkaError as error:
            raise _unavailable(error) from error

    async def left(self, service: str, ends: Ends) -> int:
        """How many messages before these ends a service has not handled. Raises `Unavailable`."""
        group = self._settings.on_kafka(f"cairn.{service}")
        try:
            committed = await self._admin.list_consumer_group_offsets(group)
            begins = await self._consumer.beginning_offsets(list(ends))
        except KafkaError as error:
            raise _unavailable(error) from error
        # An offset is committed only once its message was handled; where none is, nothing was ever.
        handled = {place: max(begins[place], _offset(committed, place)) for place in ends}
        return sum(max(0, end - handled[place]) for place, end in ends.items())


@asynccontextmanager
async def open_backlog(settings: CommonSettings) -> AsyncIterator[Backlog]:
    """A look at Kafka, closed at the end. Raises `Unavailable`."""
    admin = AIOKafkaAdminClient(**client_arguments(settings))
    consumer = AIOKafkaConsumer(**client_arguments(settings), enable_auto_commit=False)
    try:
        await admin.start()
        await consumer.start()
        yield Backlog(settings, admin, consumer)
    except KafkaError as error:
        raise _unavailable(error) from error
    finally:
        await consumer.stop()
        await admin.close()


def _offset(committed: Mapping[TopicPartition, object], place: TopicPartition) -> int:
    return int(getattr(committed.get(place), "offset", 0))


def _unavailable(error: KafkaError) -> Unavailable:
    return Unavailable("kafka_unavailable", f"The message broker does not answer: {type(error).__name__}")
