"""Takes a message from Kafka to its handler: at least once, nothing lost, nothing stuck."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from aiokafka.errors import KafkaError
from contracts.envelope import Envelope, Headers, MalformedMessage, attributes, parse
from contracts.errors import CairnError, Invalid, TemporaryError
from contracts.messages.base import Message
from contracts.registry import MESSAGES
from contracts.topics import dead_letters
from contracts.values import Value
from opentelemetry import metrics
from opentelemetry.trace import SpanKind

from chassis.errors import Unanswered, Unavailable
from chassis.ids import utc_now
from chassis.messaging.dispatcher import Dispatcher
from chassis.messaging.envelopes import is_command
from chassis.messaging.key_executor import Pause, Record
from chassis.messaging.publisher import MessageTooLarge, Publisher
from chassis.persistence.mongo import UNREACHABLE, PyMongoError
from chassis.telemetry import semantic_conventions as semconv
from chassis.telemetry.tracing import TraceContext, code_of, event_attributes, mark_failed, span

log = logging.getLogger(__name__)
ERROR_HEADERS = "__connect.errors."
"""How the headers that a parked message gets begin; Kafka Connect's names, and `consumer.group`: who parked it."""
FIRST_ERROR_HEADER = f"{ERROR_HEADERS}topic"


LONGEST_REASON = 2000
"""Characters of the reason that a parked message gets; a longer one could make it too large to be parked."""
LEFT_OUT_HEADER = f"{ERROR_HEADERS}left.out"
_LEFT_OUT = (LEFT_OUT_HEADER, b"headers, value, or key: too large to be parked, and still where they came from")


class RetryPolicy(Value):
    """How long a message is tried again before it is parked."""

    first_pause_seconds: float = 0.05
    longest_pause_seconds: float = 5
    patience_seconds: float = 20
    patience_unavailable_seconds: float = 600

    def patience(self, error: Exception) -> float:
        """Seconds to go on trying after this error."""
        return self.patience_unavailable_seconds if isinstance(error, Unavailable) else self.patience_seconds


class Consumer:
    """Handles one Kafka message at a time: decode, dispatch, retry, park."""

    def __init__(
        self, dispatcher: Dispatcher, publisher: Publisher, *, group: str, policy: RetryPolicy | None = None
    ) -> None:
        self._dispatcher = dispatcher
        self._publisher = publisher
        self._group = group
        self._policy = policy or RetryPolicy()
        meter = metrics.get_meter("cairn")
        self._consumed = meter.create_counter(semconv.METRIC_CONSUMED, "{message}")
        self._retried = meter.create_counter(semconv.METRIC_RETRIED, "{message}")
        self._parked = meter.create_counter(semconv.METRIC_PARKED, "{message}")
        self._duration = meter.create_histogram(semconv.METRIC_PROCESS_DURATION, "s")

    async def handle(self, record: Record, *, pause: Pause = asyncio.sleep) -> None:
        """Bring one message to its end, with `pause` between tries. Returns when its offset may be committed."""
        started = time.monotonic()
        kind, error = await self._handle(record, pause)
        facts = {
            semconv.MESSAGING_SYSTEM: "kafka",
            semconv.MESSAGING_OPERATION_NAME: "process",
            semconv.MESSAGING_DESTINATION: record.topic,
            semconv.MESSAGING_GROUP: self._group,
            semconv.CLOUDEVENT_TYPE: kind,
        } | ({semconv.ERROR_TYPE: code_of(error)} if error else {})
        self._consumed.add(1, facts)
        self._duration.record(time.monotonic() - started, facts)

    async def _handle(self, record: Record, pause: Pause) -> tuple[str, Exception | None]:
        """The type of the message, and the error for which it was given up."""
        try:
            envelope = self._decode(record)
        except Exception as error:  # noqa: BLE001 - whatever a stranger sent, it must not stop the partition
            await self._refuse_malformed(error, pause)
            await self._park(record, stage="decode", error=error)
            return "malformed", error
        if envelope is None:
            return "skipped", None
        return envelope.type, await self._process(record, envelope, pause)

    def _decode(self, record: Record) -> Envelope[Message] | None:
        found, data = attributes(record.headers, record.value or b"")
        message = MESSAGES.get(found["ce_type"])
        if message is None or not self._dispatcher.handles(message):
            return None
        return parse(message, found, data, received=utc_now())

    async def _process(self, record: Record, envelope: Envelope[Message], pause: Pause) -> Exception | None:
        with span(
            f"process {record.topic}",
            kind=SpanKind.CONSUMER,
            parent=_trace_of(record, envelope),
            attributes={
                semconv.MESSAGING_SYSTEM: "kafka",
                semconv.MESSAGING_OPERATION_NAME: "process",
                semconv.MESSAGING_OPERATION_TYPE: "process",
                semconv.MESSAGING_DESTINATION: record.topic,
                semconv.MESSAGING_PARTITION: str(record.partition),
                semconv.MESSAGING_OFFSET: record.offset,
                semconv.MESSAGING_GROUP: self._group,
                **event_attributes(envelope),
                semconv.ORGANIZATION: envelope.data.organization_id,
            },
        ) as current:
            error = await self._try(lambda: self._dispatcher.dispatch(envelope), pause)
            if error is not None:
                mark_failed(current, error)
                await self._give_up(record, envelope, error, pause)
            return error

    async def _give_up(self, record: Record, envelope: Envelope[Message], error: Exception, pause: Pause) -> None:
        """Refuse a command, park an event. A command whose outcome is decided keeps it, and is parked if need be."""
        left: Exception | None = error
        if is_command(envelope) and not isinstance(error, Unanswered):
            left = await self._try(lambda: self._dispatcher.refuse(envelope, error), pause)
        if left is not None:
            await self._park(record, stage="handle", error=left)

    async def _refuse_malformed(self, error: Exception, pause: Pause) -> None:
        command = error.envelope if isinstance(error, MalformedMessage) else None
        if command is not None and is_command(command):
            problem = Invalid("message_malformed", f"The command could not be read: {error}.")
            await self._try(lambda: self._dispatcher.refuse(command, problem), pause)

    async def _try(self, action: Callable[[], Awaitable[None]], pause: Pause) -> Exception | None:
        """Run an action until it succeeds; the error when it will not, or not within the policy's patience."""
        seconds, began = self._policy.first_pause_seconds, time.monotonic()
        while True:
            try:
                await action()
                return None
            except Exception as raised:  # noqa: BLE001 - whatever it is, the message is parked with it, not lost
                error = _classify(raised)
            if not isinstance(error, TemporaryError):
                return error
            if time.monotonic() - began > self._policy.patience(error):
                return error
            self._retried.add(1, {semconv.MESSAGING_GROUP: self._group, semconv.ERROR_TYPE: code_of(error)})
            await pause(max(seconds, error.retry_after_seconds))
            seconds = min(seconds * 2, self._policy.longest_pause_seconds)

    async def _park(self, record: Record, *, stage: str, error: Exception) -> None:
        reason = _reason(error)
        self._parked.add(
            1,
            {
                semconv.MESSAGING_DESTINATION: record.topic,
                semconv.MESSAGING_GROUP: self._group,
            },
        )
        log.error(
            "message parked",
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
        told = [(f"{ERROR_HEADERS}{k}", v.encode(errors="replace")) for k, v in facts.items()]
        await self._send_to_dead_letters(record, told)

    async def _send_to_dead_letters(self, record: Record, told: Headers) -> None:
        """Send a record with what is told of it; without its content where that unfolded to more than Kafka takes."""
        pause = self._policy.first_pause_seconds
        key, value, headers = record.key, record.value, [*record.headers, *told]
        while True:
            try:
                await self._publisher.send_raw(dead_letters(record.topic), key=key, value=value, headers=headers)
                return
            except MessageTooLarge:
                key, value, headers = key if value else None, None, [*told, _LEFT_OUT]
                continue
            except CairnError as error:
                log.warning("parking is tried again", extra={"topic": record.topic, "reason": error.detail})
            await asyncio.sleep(pause)
            pause = min(pause * 2, self._policy.longest_pause_seconds)


def _trace_of(record: Record, envelope: Envelope[Message]) -> TraceContext:
    """The trace of the hop that brought the message, else that of where it was made."""
    hop = {k: v.decode(errors="replace") for k, v in record.headers if v and k in ("traceparent", "tracestate")}
    made = TraceContext(traceparent=envelope.traceparent, tracestate=envelope.tracestate)
    return TraceContext(**hop) if "traceparent" in hop else made


def _classify(error: Exception) -> Exception:
    if isinstance(error, UNREACHABLE | KafkaError):
        return Unavailable("server_unavailable", f"A server did not answer ({type(error).__name__}).")
    if isinstance(error, PyMongoError):
        return TemporaryError("database_failed", f"The database refused ({type(error).__name__}).")
    return error


def _reason(error: Exception) -> str:
    if isinstance(error, CairnError | MalformedMessage):
        return str(error)[:LONGEST_REASON]
    return f"unexpected {type(error).__name__}"
