"""A message that cannot be handled becomes a dead letter, whatever its size."""

import pytest
from aiokafka import ConsumerRecord
from chassis.messaging.consumer import Consumer
from chassis.messaging.dead_letter_writer import LEFT_OUT_HEADER
from chassis.messaging.dispatcher import Dispatcher
from chassis.messaging.publisher import MessageTooLarge
from contracts.envelope import Headers

MOST_BYTES = 5000


class DeadLetters:
    """Takes no more bytes than Kafka would."""

    def __init__(self) -> None:
        self.taken: list[tuple[bytes | None, bytes | None, Headers]] = []

    async def send(self, envelope: object) -> None:
        """Nothing is sent."""

    async def send_raw(self, topic: str, *, key: bytes | None, value: bytes | None, headers: Headers) -> None:
        """See `Publisher`."""
        size = len(key or b"") + len(value or b"") + sum(len(name) + len(text) for name, text in headers)
        if size > MOST_BYTES:
            raise MessageTooLarge("message_too_large", f"{topic} takes no more.")
        self.taken.append((key, value, headers))


@pytest.mark.parametrize(
    ("key", "value", "kept_key"),
    [(b"k", b"v" * MOST_BYTES, b"k"), (b"k" * MOST_BYTES, b"v", None), (b"k" * MOST_BYTES, None, None)],
)
async def test_what_unfolds_to_more_than_kafka_takes_becomes_a_dead_letter_without_it(
    key: bytes, value: bytes | None, kept_key: bytes | None
) -> None:
    letters = DeadLetters()
    consumer = Consumer(Dispatcher("test", letters), letters, group="group")  # type: ignore[arg-type]
    await consumer.handle(ConsumerRecord("topic", 0, 7, 0, 0, key, value, None, 0, 0, ()))
    [(found, content, headers)] = letters.taken
    assert (found, content) == (kept_key, None)
    assert headers[-1][0] == LEFT_OUT_HEADER
    assert dict(headers)["__connect.errors.offset"] == b"7"
