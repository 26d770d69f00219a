"""Moves messages that cannot be handled to their dead-letter topic, byte for byte, with the reason."""

import asyncio
import logging

from contracts.envelope import Headers, MalformedMessage
from contracts.errors import CairnError
from contracts.topics import dead_letters
from opentelemetry import metrics

from chassis.messaging.key_executor import Record
from chassis.messaging.publisher import MessageTooLarge, Publisher
from chassis.messaging.retries import RetryPolicy
from chassis.telemetry import semantic_conventions as semconv

log = logging.getLogger(__name__)
ERROR_HEADERS = "__connect.errors."
"""How the headers begin that a dead letter gets: Kafka Connect's names, which tools know, and `consumer.group`."""
FIRST_ERROR_HEADER = f"{ERROR_HEADERS}topic"
LEFT_OUT_HEADER = f"{ERROR_HEADERS}left.out"
_LEFT_OUT = (LEFT_OUT_HEADER, b"headers, value, or key: too large to be parked, and still where they came from")
_LONGEST_REASON = 2000
"""Characters. A longer reason could make the message larger than Kafka takes."""


class DeadLetterWriter:
    """Writes the dead letters of one consumer group."""

    def __init__(self, publisher: Publisher, *, group: str, policy: RetryPolicy) -> None:
        self._publisher = publisher
        self._group = group
        self._policy = policy
        self._moved = metrics.get_meter("cairn").create_counter(semconv.METRIC_DEAD_LETTERS, "{message}")

    async def move(self, record: Record, *, stage: str, error: Exception) -> None:
        """Return once the record cannot be lost any more, however long Kafka is away."""
        reason = _reason(error)
        self._moved.add(1, {semconv.MESSAGING_DESTINATION: record.topic, semconv.MESSAGING_GROUP: self._group})
        log.error(
            "message moved to the dead letters",
            extra={"topic": record.topic, "partition": record.partition, "offset": record.offset, "reason": reason},
            exc_info=None if isinstance(error, CairnError | MalformedMessage) else error,
        )
        facts = {
            "topic": record.topic,
            "partition": str(record.partition),
            "offset": str(record.offset),
            "consumer.group": self._group,
            "stage": stage,
            "exception.class.name": type(error).__name__,
            "exception.message": reason,
        }
        about_error = [(f"{ERROR_HEADERS}{k}", v.encode(errors="replace")) for k, v in facts.items()]
        await self._send(record, about_error)

    async def _send(self, record: Record, about_error: Headers) -> None:
        """Send a record with what went wrong; without its content where that unpacks to more than Kafka takes."""
        key, value, headers = record.key, record.value, [*record.headers, *about_error]

        async def send() -> None:
            await self._publisher.send_raw(dead_letters(record.topic), key=key, value=value, headers=headers)

        def note(error: BaseException) -> None:
            detail = error.detail if isinstance(error, CairnError) else type(error).__name__
            log.warning("a dead letter is sent again", extra={"topic": record.topic, "reason": detail})

        async def send_what_fits() -> None:
            nonlocal key, value, headers
            while True:
                try:
                    return await send()
                except MessageTooLarge:
                    # First without the value, then without the key: reason and place always fit.
                    key, value, headers = key if value else None, None, [*about_error, _LEFT_OUT]

        # Giving up would lose the message, since its offset is committed next.
        await self._policy.retrying(sleep=asyncio.sleep, on_failure=note, for_ever=True)(send_what_fits)


def _reason(error: Exception) -> str:
    if isinstance(error, CairnError | MalformedMessage):
        return str(error)[:_LONGEST_REASON]
    return f"unexpected {type(error).__name__}"
