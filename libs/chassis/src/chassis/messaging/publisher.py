"""Sends envelopes to Kafka."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Iterable, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from typing import Protocol

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError
from contracts.envelope import Envelope, Headers, to_body, to_headers
from contracts.messages.base import Message
from opentelemetry import metrics
from opentelemetry.trace import SpanKind
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, stop_after_delay, wait_exponential

from chassis.errors import Unavailable
from chassis.messaging.kafka import client_arguments
from chassis.messaging.undecodable_headers import needs_own_encoding, send_undecodable
from chassis.runtime.settings import CommonSettings
from chassis.telemetry import semantic_conventions as semconv
from chassis.telemetry.tracing import TraceContext, current_trace, event_attributes, span

log = logging.getLogger(__name__)
PATIENCE_AT_START_SECONDS, LONGEST_PAUSE_AT_START_SECONDS = 120, 0.5
# Kafka takes messages of 1 MiB unless it is configured otherwise; a dead letter has headers about its error as well.
MAX_DEAD_LETTER_BYTES = 2_000_000
PING_SECONDS = 2
ALONE_BYTES = 16 * 1024
"""A larger message is a batch of its own, which Kafka may refuse alone: none of its key follows before it is taken."""


class MessageTooLarge(Unavailable):
    """Kafka takes no message of this size, now or later."""


class Publisher(Protocol):
    """Sends messages; returns once they cannot be lost any more."""

    async def send(self, envelope: Envelope[Message]) -> None:
        """Send one envelope to the topic of its type. Raises `Unavailable` when Kafka does not take it."""
        ...

    async def send_raw(self, topic: str, *, key: bytes | None, value: bytes | None, headers: Headers) -> None:
        """Send bytes as they are, to a topic named with its prefix. Raises `Unavailable`, `MessageTooLarge` among it.

        Bytes of a header's name that are no UTF-8 stand in it as surrogate escapes.
        """
        ...


class OrderedPublisher(Publisher, Protocol):
    """Sends several messages as quickly as one."""

    async def send_in_order(self, envelopes: Sequence[Envelope[Message]]) -> None:
        """Send envelopes of one topic and key in this order; returns and raises as `send` does, for all of them.

        An error tells nothing of single ones. None is sent after one of which it is known that it was not.
        """
        ...


class KafkaPublisher:
    """An `OrderedPublisher` over an idempotent producer that waits for all replicas."""

    def __init__(self, producer: AIOKafkaProducer, *, topic_prefix: str = "") -> None:
        self._producer = producer
        self._prefix = topic_prefix
        self._sent = metrics.get_meter("cairn").create_counter(semconv.METRIC_SENT, "{message}")

    async def send(self, envelope: Envelope[Message]) -> None:
        """See `Publisher`."""
        await self.send_in_order([envelope])

    async def send_in_order(self, envelopes: Sequence[Envelope[Message]]) -> None:
        """See `OrderedPublisher`. Each span is a child of the trace in which its message was made."""
        handed: list[asyncio.Future[object]] = []
        with ExitStack() as spans, _kafka_errors():
            try:
                for envelope in envelopes:
                    # Of those before this one: what failed by now must not be overtaken.
                    await _all_of(each for each in handed if each.done())
                    handed.append(await self._hand_over(envelope, spans))
            except KafkaError:
                await asyncio.gather(*handed, return_exceptions=True)
                raise
            await _all_of(handed)
        for envelope in envelopes:
            self._sent.add(1, {semconv.MESSAGING_DESTINATION: self._prefix + envelope.data.topic})

    async def _hand_over(self, envelope: Envelope[Message], spans: ExitStack) -> "asyncio.Future[object]":
        """Give a message to the producer, which keeps the order within a partition; what it returns is confirmed."""
        topic, body = self._prefix + envelope.data.topic, to_body(envelope)
        attributes: dict[str, str | int | float | bool] = {
            semconv.MESSAGING_SYSTEM: "kafka",
            semconv.MESSAGING_OPERATION_NAME: "send",
            semconv.MESSAGING_OPERATION_TYPE: "send",
            semconv.MESSAGING_DESTINATION: topic,
            **event_attributes(envelope),
            semconv.MESSAGING_KEY: envelope.data.key,
            semconv.MESSAGING_BODY_SIZE: len(body),
        }
        parent = TraceContext(traceparent=envelope.traceparent, tracestate=envelope.tracestate)
        spans.enter_context(span(f"send {topic}", kind=SpanKind.PRODUCER, parent=parent, attributes=attributes))
        hop = [(k, v.encode()) for k, v in current_trace().model_dump(exclude_none=True).items()]
        headers = to_headers(envelope) + hop
        key = envelope.data.key.encode()
        confirmed: asyncio.Future[object] = await self._producer.send(topic, body, key=key, headers=headers)
        if len(body) > ALONE_BYTES:
            await confirmed
        return confirmed

    async def ping(self) -> None:
        """Return when Kafka answers and is sent to. Raises `Unavailable` when not, within 2 s."""
        # aiokafka ends its sender where it does not know what to do, and does not begin it again.
        sender = self._producer._sender._sender_task
        if sender is None or sender.done():
            raise Unavailable("producer_ended", "Messages are not sent any more.")
        try:
            async with asyncio.timeout(PING_SECONDS):
                answered = await self._producer.client.force_metadata_update()
        except TimeoutError:
            answered = False
        if not answered:
            raise Unavailable("kafka_unavailable", "The message broker does not answer.")

    async def send_raw(self, topic: str, *, key: bytes | None, value: bytes | None, headers: Headers) -> None:
        """See `Publisher`."""
        with _kafka_errors():
            if needs_own_encoding(key, value, headers):
                await send_undecodable(self._producer, topic, key=key, value=value, headers=headers)
            else:
                await self._producer.send_and_wait(topic, value, key=key, headers=headers)


@contextmanager
def _kafka_errors() -> Iterator[None]:
    try:
        yield
    except MessageSizeTooLargeError as error:
        raise MessageTooLarge("message_too_large", "A message is larger than the message broker takes one.") from error
    except KafkaError as error:
        raise Unavailable(
            "kafka_unavailable", f"The message broker did not take a message: {type(error).__name__}"
        ) from error


async def send_all(publisher: OrderedPublisher, envelopes: Sequence[Envelope[Message]]) -> None:
    """Send envelopes: those with equal keys in their order, all without waiting for one another's confirmation.

    Raises the first error after all have ended: any of them may have been sent all the same.
    """
    queues: dict[tuple[str, str], list[Envelope[Message]]] = {}
    for one in envelopes:
        queues.setdefault((one.data.topic, one.data.key), []).append(one)
    await _all_of(map(publisher.send_in_order, queues.values()))


async def _all_of(awaited: Iterable[Awaitable[object]]) -> None:
    """Wait for all, then raise the first error."""
    # No task group: one message that fails must not cancel those with other keys.
    for error in await asyncio.gather(*awaited, return_exceptions=True):
        if isinstance(error, BaseException):
            raise error


@asynccontextmanager
async def open_publisher(settings: CommonSettings) -> AsyncIterator[KafkaPublisher]:
    """A publisher; its connections are closed at the end, after what was sent has arrived."""
    producer = AIOKafkaProducer(
        **client_arguments(settings),
        acks="all",
        # A send is repeated when its confirmation is lost: without this, the message would be there twice and out of
        # order.
        enable_idempotence=True,
        max_request_size=MAX_DEAD_LETTER_BYTES,
        request_timeout_ms=15_000,
        client_id=f"cairn-{settings.instance}",
    )
    await _start(producer)
    try:
        yield KafkaPublisher(producer, topic_prefix=settings.topic_prefix)
    finally:
        await producer.stop()


async def _start(producer: AIOKafkaProducer) -> None:
    """Wait for a Kafka that is just being started, or started again; for two minutes."""

    def note(state: RetryCallState) -> None:
        if state.attempt_number == 1 and state.outcome is not None:
            log.info("waiting for Kafka", extra={"reason": type(state.outcome.exception()).__name__})

    await AsyncRetrying(
        retry=retry_if_exception_type(KafkaError),
        wait=wait_exponential(multiplier=0.1, exp_base=1.5, max=LONGEST_PAUSE_AT_START_SECONDS),
        stop=stop_after_delay(PATIENCE_AT_START_SECONDS),
        before_sleep=note,
        reraise=True,
    )(producer.start)
