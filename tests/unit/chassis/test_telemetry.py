"""Log lines are JSON with the ids given to them, and quote no error that is not ours."""

import asyncio
import json
import logging
from collections.abc import Callable

import pytest
from chassis.telemetry.logs import JsonFormatter
from chassis.telemetry.tracing import TraceContext, current_trace, span
from contracts.errors import Conflict
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

LOGGER = logging.getLogger("tests.telemetry")
PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def logged(caplog: pytest.LogCaptureFixture, write: Callable[[], object]) -> dict[str, object]:
    with caplog.at_level(logging.DEBUG):
        write()
    return dict(json.loads(JsonFormatter("probe").format(caplog.records[-1])))


def fail(error: BaseException) -> Callable[[], None]:
    def write() -> None:
        try:
            raise error
        except BaseException:
            LOGGER.exception("it failed")

    return write


def test_a_line_has_time_level_service_message_and_extras(caplog: pytest.LogCaptureFixture) -> None:
    line = logged(caplog, lambda: LOGGER.warning("%s done", "well", extra={"job_id": "j1", "odd": object}))
    assert (line["level"], line["service"], line["message"], line["job_id"]) == ("warning", "probe", "well done", "j1")
    assert str(line["time"]).endswith("+00:00")


def test_a_line_breaks_nothing(caplog: pytest.LogCaptureFixture) -> None:
    line = logged(caplog, lambda: LOGGER.info('two\nlines "and" \x00 odd \ud800'))
    assert line["message"] == 'two\nlines "and" \x00 odd \ud800'


def test_our_own_errors_are_quoted(caplog: pytest.LogCaptureFixture) -> None:
    assert logged(caplog, fail(Conflict("taken", "It is taken.")))["error"] == "Conflict: taken: It is taken."


@pytest.mark.parametrize("error", [ValueError("canary"), KeyError("canary"), OSError("canary"), RuntimeError("canary")])
def test_other_errors_are_named_with_their_place(caplog: pytest.LogCaptureFixture, error: Exception) -> None:
    line = logged(caplog, fail(error))
    assert line["error"] == type(error).__name__
    assert any("write" in place for place in line["at"])  # type: ignore[attr-defined]
    assert "canary" not in json.dumps(line)


def test_errors_of_the_system_say_which(caplog: pytest.LogCaptureFixture) -> None:
    assert logged(caplog, fail(FileNotFoundError(2, "canary", "/canary")))["error"] == "FileNotFoundError: ENOENT"


def test_what_asyncio_says_of_a_failed_task_does_not_quote_it(caplog: pytest.LogCaptureFixture) -> None:
    loop = asyncio.new_event_loop()
    context = {"message": "Task exception was never retrieved", "future": "<Task exception=ValueError('canary')>"}
    line = logged(caplog, lambda: loop.default_exception_handler(context))
    loop.close()
    assert line["message"] == "Task exception was never retrieved"
    assert "canary" not in json.dumps(line)


@pytest.fixture(scope="module")
def exporter() -> InMemorySpanExporter:
    if not isinstance(trace.get_tracer_provider(), TracerProvider):
        trace.set_tracer_provider(TracerProvider())
    provider, kept = trace.get_tracer_provider(), InMemorySpanExporter()
    assert isinstance(provider, TracerProvider)
    provider.add_span_processor(SimpleSpanProcessor(kept))
    return kept


def test_a_span_is_below_the_one_it_is_told(exporter: InMemorySpanExporter) -> None:
    exporter.clear()
    with span("outer", parent=TraceContext(traceparent=PARENT)):
        handed_on = current_trace().traceparent or ""
        with span("inner"):
            pass
    inner, outer = exporter.get_finished_spans()
    assert outer.parent is not None
    assert inner.parent is not None
    assert f"{outer.parent.span_id:016x}" == "00f067aa0ba902b7"
    assert inner.parent.span_id == outer.context.span_id
    assert handed_on.split("-")[1:3] == ["4bf92f3577b34da6a3ce929d0e0e4736", f"{outer.context.span_id:016x}"]


def test_a_parent_that_is_none_begins_a_trace(exporter: InMemorySpanExporter) -> None:
    exporter.clear()
    with span("alone", parent=TraceContext(traceparent="00-nonsense")):
        pass
    (alone,) = exporter.get_finished_spans()
    assert alone.parent is None


def test_a_failed_span_tells_the_code_not_the_text(exporter: InMemorySpanExporter) -> None:
    exporter.clear()
    for error in (Conflict("taken", "canary"), ValueError("canary")):
        with pytest.raises(type(error)), span("fails"):
            raise error
    for finished, told in zip(exporter.get_finished_spans(), ("taken", "ValueError"), strict=True):
        assert finished.status.status_code is StatusCode.ERROR
        assert (finished.attributes or {})["error.type"] == told
        assert not finished.events
        assert "canary" not in finished.to_json()


def test_log_lines_name_the_span_they_were_written_in(
    exporter: InMemorySpanExporter, caplog: pytest.LogCaptureFixture
) -> None:
    with span("around", parent=TraceContext(traceparent=PARENT)):
        line = logged(caplog, lambda: LOGGER.info("inside"))
    assert line["trace_id"] == "4bf92f3577b34da6a3ce929d0e0e4736"
    assert len(str(line["span_id"])) == 16
