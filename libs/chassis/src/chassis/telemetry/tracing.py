"""Traces and metrics: opened once per process, and spans around its work."""

from collections.abc import Iterator
from contextlib import contextmanager

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
from chassis.telemetry.logs import setup_logging


class TraceContext(Value):
    """A W3C trace context, to be kept in a document or a message."""

    traceparent: str | None = None
    tracestate: str | None = None


_NO_TRACE = TraceContext()


@contextmanager
def telemetry(service: str, settings: CommonSettings) -> Iterator[None]:
    """Logs, and traces and metrics over OTLP when an endpoint is set; flushed when the process ends."""
    setup_logging(service, settings.log_level)
    if not settings.otlp_endpoint:
        yield
        return
    # Here and not above: without an endpoint the exporters need not be loaded.
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
    is_traced = bool(parent and parent.traceparent) or trace.get_current_span().get_span_context().is_valid
    # Where nothing is exported there is nothing to begin either, and to begin it would cost each message its time.
    if not is_traced and isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        yield trace.INVALID_SPAN
        return
    under = propagate.extract(_carrier(parent)) if parent and parent.traceparent else context.get_current()
    tracer = trace.get_tracer("cairn")
    # Recorded by OpenTelemetry, an exception would show its text, which may quote a secret.
    with tracer.start_as_current_span(
        name, context=under, kind=kind, attributes=attributes, record_exception=False, set_status_on_exception=False
    ) as current:
        try:
            yield current
        except BaseException as error:
            mark_failed(current, error)
            raise


def mark_failed(current: Span, error: BaseException) -> None:
    """Mark a span as failed, with the code or type of the error, never its text."""
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
    if not trace.get_current_span().get_span_context().is_valid:
        return _NO_TRACE
    carrier: dict[str, str] = {}
    propagate.inject(carrier)
    return TraceContext(**carrier)
