"""Takes a message from Kafka to its handler: at least once, nothing lost, nothing stuck."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from aiokafka.errors import KafkaError
from contracts.envelope import Envelope, MalformedMessage, attributes, parse
from contracts.errors import Invalid, TemporaryError
from contracts.messages.base import Message
from contracts.registry import MESSAGES
from opentelemetry import metrics
from opentelemetry.trace import SpanKind

from chassis.errors import Unanswered, Unavailable
from chassis.ids import utc_now
from chassis.messaging.dead_letter_writer import DeadLetterWriter
from chassis.messaging.dispatcher import Dispatcher
from chassis.messaging.envelopes import is_command
from chassis.messaging.key_executor import Pause, Record
from chassis.messaging.publisher import Publisher
from chassis.messaging.retries import RetryPolicy
from chassis.persistence.mongo import UNREACHABLE, PyMongoError
from chassis.telemetry import semantic_conventions as semconv
from chassis.telemetry.tracing import TraceContext, code_of, event_attributes, mark_failed, span

log = logging.getLogger(__name__)


class Consumer:
    """Handles one Kafka message at a time: decode, dispatch, retry, give up."""

    def __init__(
        self, dispatcher: Dispatcher, publisher: Publisher, *, group: str, policy: RetryPolicy | None = None
    ) -> None:
        self._dispatcher = dispatcher
        self._group = group
        self._policy = policy or RetryPolicy()
        self._dead_letters = DeadLetterWriter(publisher, group=group, policy=self._policy)
        meter = metrics.get_meter("cairn")
        self._consumed = meter.create_counter(semconv.METRIC_CONSUMED, "{message}")
        self._retried = meter.create_counter(semconv.METRIC_RETRIED, "{message}")
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
            await self._reject_malformed(error, pause)
            await self._dead_letters.move(record, stage="decode", error=error)
            return "malformed", error
        if envelope is None:
            return "skipped", None
        return envelope.type, await self._process(record, envelope, pause)

    def _decode(self, record: Record) -> Envelope[Message] | None:
        found, data = attributes(record.headers, record.value or b"")
        message = MESSAGES.get(found["ce_type"])
        # A type that a newer process sends, or that is for other readers of the topic, is no error.
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
        """Reject a command. Move an event to the dead letters, and a command whose outcome could not be published."""
        left: Exception | None = error
        # Where only publishing failed, the outcome is decided and kept; a rejection would contradict it.
        if is_command(envelope) and not isinstance(error, Unanswered):
            left = await self._try(lambda: self._dispatcher.reject(envelope, error), pause)
        if left is not None:
            await self._dead_letters.move(record, stage="handle", error=left)

    async def _reject_malformed(self, error: Exception, pause: Pause) -> None:
        # The sender of a command waits for an outcome, whatever becomes of the message itself.
        command = error.envelope if isinstance(error, MalformedMessage) else None
        if command is not None and is_command(command):
            problem = Invalid("message_malformed", f"The command could not be read: {error}.")
            await self._try(lambda: self._dispatcher.reject(command, problem), pause)

    async def _try(self, action: Callable[[], Awaitable[None]], pause: Pause) -> Exception | None:
        """Run an action until it succeeds; the error when it will not, or not within the policy's patience."""

        first: Exception | None = None

        async def attempt() -> None:
            nonlocal first
            if (failed := first) is not None:
                first = None
                raise failed
            await _classified(action)

        try:
            # Most succeed at once, and to count tries costs more than many a handler does.
            await _classified(action)
        except TemporaryError as error:
            first = error
        except Exception as error:  # noqa: BLE001 - see below
            return error
        else:
            return None
        try:
            await self._policy.retrying(sleep=pause, on_failure=self._count_retry)(attempt)
        except Exception as error:  # noqa: BLE001 - whatever it is, the message goes to the dead letters with it
            return error
        return None

    def _count_retry(self, error: BaseException) -> None:
        self._retried.add(1, {semconv.MESSAGING_GROUP: self._group, semconv.ERROR_TYPE: code_of(error)})


def _trace_of(record: Record, envelope: Envelope[Message]) -> TraceContext:
    """The trace of the hop that brought the message, else that of where it was made."""
    hop = {k: v.decode(errors="replace") for k, v in record.headers if v and k in ("traceparent", "tracestate")}
    made = TraceContext(traceparent=envelope.traceparent, tracestate=envelope.tracestate)
    return TraceContext(**hop) if "traceparent" in hop else made


async def _classified(action: Callable[[], Awaitable[None]]) -> None:
    """Run an action; what a server did not do is raised as an error of ours."""
    try:
        await action()
    except Exception as error:
        if (ours := _classify(error)) is error:
            raise
        raise ours from error


def _classify(error: Exception) -> Exception:
    # No fault of the message: it is tried again for `patience_unavailable_seconds`.
    if isinstance(error, UNREACHABLE | KafkaError):
        return Unavailable("server_unavailable", f"A server did not answer ({type(error).__name__}).")
    if isinstance(error, PyMongoError):
        return TemporaryError("database_failed", f"The database refused ({type(error).__name__}).")
    return error
