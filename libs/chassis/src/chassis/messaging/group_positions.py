"""Where the consumer group of a service stands, for whoever reads the same topics without being a member."""

from collections.abc import Sequence

from aiokafka import OffsetAndMetadata, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_fixed

from chassis.errors import Unavailable
from chassis.messaging.kafka import client_arguments
from chassis.messaging.topic_reader import open_reader
from chassis.runtime.settings import CommonSettings

PATIENCE_SECONDS, PAUSE_SECONDS = 10, 0.1


async def group_positions(
    settings: CommonSettings, *, service: str, topics: Sequence[str]
) -> dict[TopicPartition, int]:
    """What the group of a service handles next, by partition: all before it was handled, and what that saved is kept.

    Raises `Unavailable`.
    """
    try:
        committed = await _committed(settings, service, topics)
    except KafkaError as error:
        raise Unavailable("kafka_unavailable", f"The message broker does not answer: {type(error).__name__}") from error
    async with open_reader(settings, service=service) as reader:
        bounds = await reader.bounds(committed)
    # A group that has committed nothing yet begins where its partitions do.
    return {place: min(max(committed[place], begin), end) for place, (begin, end) in bounds.items()}


async def _committed(settings: CommonSettings, service: str, topics: Sequence[str]) -> dict[TopicPartition, int]:
    names, group = [settings.on_kafka(topic) for topic in topics], settings.on_kafka(f"cairn.{service}")
    admin = AIOKafkaAdminClient(**client_arguments(settings))
    await admin.start()
    try:
        described = await admin.describe_topics(names)
        places = [TopicPartition(each["topic"], one["partition"]) for each in described for one in each["partitions"]]
        # Of a group that begins just now, a broker may not know yet who looks after it.
        retrying = AsyncRetrying(
            retry=retry_if_exception_type(KafkaError),
            wait=wait_fixed(PAUSE_SECONDS),
            stop=stop_after_delay(PATIENCE_SECONDS),
            reraise=True,
        )
        found: dict[TopicPartition, OffsetAndMetadata] = await retrying(admin.list_consumer_group_offsets, group)
    finally:
        await admin.close()
    return {place: found[place].offset if place in found else -1 for place in places}
