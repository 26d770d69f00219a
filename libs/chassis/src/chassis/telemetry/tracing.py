"""Traces, metrics and JSON logs. Opened once per process by its `app.py`."""

import errno
import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from contracts.envelope import Envelope
from contracts.errors import CairnError
from contracts.messages.base import Message
from contracts.values import Value
from opentelemetry import context, metrics, propagate, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from chassis.runtime.settings import CommonSettings
from chassis.telemetry import semantic_conventions as semconv

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}


class TraceContext(Value):
    """A W3C trace context, to be kept in a document or a message."""

    traceparent: str | None = None
    tracestate: str | None = None


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message, the ids given as `extra`, trace and span id."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        """Render a record. Of an exception its type and places are kept, its words only when they are ours.

        The text of any other error may quote what it failed on, and with it a secret.
        """
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "service": self._service,
            "logger": record.name,
            "message": _message(record),
        }
        line |= {k: v for k, v in vars(record).items() if k not in _STANDARD}
        span = trace.get_current_span().get_span_context()
        if span.is_valid:
            line |= {"trace_id": f"{span.trace_id:032x}", "span_id": f"{span.span_id:016x}"}
        if record.exc_info and record.exc_info[0]:
            line["error"] = _words(record.exc_info[1])
            line["at"] = _places(record)
        return json.dumps(line, default=str)


def _message(record: logging.LogRecord) -> str:
    message = record.getMessage()
    # On its further lines asyncio shows the failed task with the text of its error.
    return message.partition("\n")[0] if record.name == "asyncio" else message


def _words(error: BaseException | None) -> str:
    name = type(error).__name__
    if isinstance(error, CairnError):
        return f"{name}: {error}"
    number = errno.errorcode.get(error.errno or 0) if isinstance(error, OSError) else None
    return f"{name}: {number}" if number else name


def _places(record: logging.LogRecord) -> list[str]:
    places, trace_back = [], record.exc_info[2] if record.exc_info else None
    while trace_back is not None:
        code = trace_back.tb_frame.f_code
        places.append(f"{code.co_qualname}:{trace_back.tb_lineno}")
        trace_back = trace_back.tb_next
    return places[-8:]


def setup_logging(service: str, level: str) -> None:
    """Send every log record of the process to standard output as JSON lines."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter(service))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in ("aiokafka", "pymongo", "opentelemetry", "asyncio", "asyncssh"):
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
    logging.getLogger("uvicorn.access").setLevel(logging.CRITICAL)


@contextmanager
def telemetry(service: str, settings: CommonSettings) -> Iterator[None]:
    """Logs, and traces and metrics over OTLP when an endpoint is set; flushed when the process ends."""
    setup_logging(service, settings.log_level)
    if not settings.otlp_endpoint:
        yield
        return
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    resource = Resource.create(
        {
            semconv.SERVICE_NAME: service,
            semconv.SERVICE_NAMESPACE: "cairn",
            semconv.SERVICE_VERSION: "0.1.0",
            semconv.SERVICE_INSTANCE: settings.instance,
        }
    )
    tracing = TracerProvider(resource=resource)
    tracing.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(), schedule_delay_millis=1000))
    metering = MeterProvider(resource=resource, metric_readers=[PeriodicExportingMetricReader(OTLPMetricExporter())])
    trace.set_tracer_provider(tracing)
    metrics.set_meter_provider(metering)
    try:
        yield
    finally:
        tracing.shutdown()
        metering.shutdown()


@contextmanager
def span(
    name: str,
    *,
    kind: SpanKind = SpanKind.INTERNAL,
    parent: TraceContext | None = None,
    attributes: dict[str, str | int | float | bool] | None = None,
) -> Iterator[Span]:
    """A span around a piece of work, under the current one or under `parent`. An error marks it, by type and code."""
    under = propagate.extract(_carrier(parent)) if parent and parent.traceparent else context.get_current()
    tracer = trace.get_tracer("cairn")
    with tracer.start_as_current_span(
        name, context=under, kind=kind, attributes=attributes, record_exception=False, set_status_on_exception=False
    ) as current:
        try:
            yield current
        except BaseException as error:
            mark_failed(current, error)
            raise


def mark_failed(current: Span, error: BaseException) -> None:
    """Let a span tell that its work failed, by the code or type of the error, never its text."""
    code = code_of(error)
    current.set_attribute(semconv.ERROR_TYPE, code)
    current.set_status(Status(StatusCode.ERROR, code))


def code_of(error: BaseException) -> str:
    """What telemetry calls an error: its code or type, never its text."""
    return error.code if isinstance(error, CairnError) else type(error).__name__


def event_attributes(envelope: Envelope[Message]) -> dict[str, str | int | float | bool]:
    """What a span says of a message."""
    return {
        semconv.MESSAGING_MESSAGE_ID: envelope.id,
        semconv.MESSAGING_CONVERSATION_ID: envelope.correlation_id,
        semconv.CLOUDEVENT_ID: envelope.id,
        semconv.CLOUDEVENT_SOURCE: envelope.source,
        semconv.CLOUDEVENT_TYPE: envelope.type,
        semconv.CLOUDEVENT_SUBJECT: envelope.subject,
        semconv.CLOUDEVENT_VERSION: "1.0",
    }


def _carrier(parent: TraceContext) -> dict[str, str]:
    return {k: v for k, v in parent.model_dump().items() if v}


def current_trace() -> TraceContext:
    """The trace context to hand on, empty outside any trace."""
    carrier: dict[str, str] = {}
    propagate.inject(carrier)
    return TraceContext(**carrier)
