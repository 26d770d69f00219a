"""Creates the topics a process uses, unless they are there."""

import asyncio
import time
from collections.abc import Iterable

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError, for_code
from contracts.topics import dead_letters

from chassis.errors import Unavailable
from chassis.messaging.kafka import client_arguments
from chassis.messaging.publisher import MAX_DEAD_LETTER_BYTES
from chassis.runtime.settings import CommonSettings

DEADLINE_SECONDS = 30
PAUSE_SECONDS = 0.02


async def ensure_topics(settings: CommonSettings, topics: Iterable[str]) -> None:
    """Create each topic and its dead-letter topic; returns once they can be used.

    All have as many partitions, so that equal keys meet. Raises `Unavailable` when they stay without a leader.
    """
    wanted = {n for topic in topics for n in (topic, dead_letters(topic))}
    names = {settings.on_kafka(name) for name in wanted}
    admin = AIOKafkaAdminClient(**client_arguments(settings))
    await admin.start()
    try:
        missing = sorted(names - set(await admin.list_topics()))
        if missing:
            answer = await admin.create_topics([_topic(name, settings) for name in missing])
            _raise_first(answer.topic_errors)
            await _led(admin, missing)
    finally:
        await admin.close()


def _topic(name: str, settings: CommonSettings) -> NewTopic:
    holds_dead_letters = name.endswith(dead_letters(""))
    return NewTopic(
        name,
        num_partitions=1 if holds_dead_letters else settings.topic_partitions,
        replication_factor=settings.topic_replicas,
        # A dead letter carries headers about its error on top of what was just allowed.
        topic_configs={"max.message.bytes": str(MAX_DEAD_LETTER_BYTES)} if holds_dead_letters else {},
    )


def _raise_first(errors: Iterable[tuple[object, ...]]) -> None:
    for name, code, *_ in errors:
        error = for_code(code)
        # Another process that started at the same time may have made it.
        if code and error is not TopicAlreadyExistsError:
            raise error(f"topic {name} could not be created")


async def _led(admin: AIOKafkaAdminClient, names: list[str]) -> None:
    """Wait until every partition has a leader: a consumer that asks before would not look again for long."""
    end = time.monotonic() + DEADLINE_SECONDS
    while True:
        topics = await admin.describe_topics(names)
        if all(t["partitions"] and not any(p["error_code"] for p in t["partitions"]) for t in topics):
            return
        if time.monotonic() > end:
            raise Unavailable("topics_unavailable", "Kafka made topics, but they have no leader.")
        await asyncio.sleep(PAUSE_SECONDS)
