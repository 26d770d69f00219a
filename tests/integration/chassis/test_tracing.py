"""One trace leads from the sender of a command through Kafka to whoever it concerns, with the right parents."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
from contracts.messages.catalog import CreateInventory, InventoryCreated
from contracts.messages.outcomes import CommandOutcome
from contracts.topics import CATALOG_COMMANDS, CATALOG_EVENTS, OUTCOMES

from tests.support.environment import Corner
from tests.support.kafka import Wire, header
from tests.support.otlp import OtlpReceiver, Span
from tests.support.processes import running_module
from tests.support.waiting import eventually_async

CANARY = "canary-in-a-name"


@dataclass(frozen=True)
class Traced:
    """What a command sent from one process to another left behind."""

    trace_id: str
    otlp: OtlpReceiver
    spans: list[Span]
    sender_log: Path

    def span(self, name: str) -> Span:
        """The span of that name."""
        return next(s for s in self.spans if s.name == name)

    def path(self, span: Span) -> list[str]:
        """A span and all above it, as `service: name`."""
        above = next((s for s in self.spans if s.span_id == span.parent_id), None)
        return [f"{span.service}: {span.name}", *(self.path(above) if above else [])]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def traced(corner: Corner, wire: Wire, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Traced]:
    await wire.ensure(CATALOG_COMMANDS, CATALOG_EVENTS, OUTCOMES)
    folder = tmp_path_factory.mktemp("traced")
    with OtlpReceiver() as otlp:
        environment = corner.variables() | {"OTEL_EXPORTER_OTLP_ENDPOINT": otlp.url}
        with (
            running_module("tests.support.echo", "serve", environment=environment, log=folder / "echo") as echo,
            running_module("tests.support.sender", CANARY, environment=environment, log=folder / "sender") as sender,
        ):
            async with wire.listening(CATALOG_EVENTS, OUTCOMES) as ear:
                assert await sender.ended() == 0, sender.output()
                await ear.message(InventoryCreated)
                await ear.message(CommandOutcome)
            assert echo.stop() == 0
        trace_id = (header(ear.heard[0], "ce_traceparent") or "").split("-")[1]
        spans = await eventually_async(lambda: whole_trace(otlp, trace_id))
        yield Traced(trace_id, otlp, spans, folder / "sender")


def whole_trace(otlp: OtlpReceiver, trace_id: str) -> list[Span]:
    """The spans of a trace, once they have come from both processes and none lacks its parent."""
    spans = [s for s in otlp.spans() if s.trace_id == trace_id]
    ids = {s.span_id for s in spans}
    whole = {s.service for s in spans} == {"echo", "sender"} and all(s.parent_id in ids for s in spans if s.parent_id)
    return spans if whole else []


async def test_one_trace_spans_two_processes_with_correct_parents(traced: Traced, wire: Wire) -> None:
    prefix = wire.settings.topic_prefix
    sending = [f"sender: send {prefix}{CATALOG_COMMANDS}", "sender: command CreateInventory", "sender: sender.send"]
    creating = ["echo: echo.create", f"echo: process {prefix}{CATALOG_COMMANDS}", *sending]
    paths = [traced.path(span) for span in traced.spans]
    assert ["echo: insert inventories", *creating] in paths
    assert [f"echo: send {prefix}{CATALOG_EVENTS}", *creating] in paths
    assert [f"sender: process {prefix}{OUTCOMES}", f"echo: send {prefix}{OUTCOMES}", *creating] in paths
    assert [s.name for s in traced.spans if not s.parent_id] == ["sender.send"]


async def test_spans_carry_the_names_of_the_conventions(traced: Traced, wire: Wire) -> None:
    topic = wire.settings.on_kafka(CATALOG_COMMANDS)
    send, process = traced.span(f"send {topic}"), traced.span(f"process {topic}")
    assert (send.kind, process.kind) == ("producer", "consumer")
    for span, operation in ((send, "send"), (process, "process")):
        assert span.attributes["messaging.system"] == "kafka"
        assert span.attributes["messaging.operation.type"] == operation
        assert span.attributes["messaging.destination.name"] == topic
        assert span.attributes["cloudevents.event_type"] == CreateInventory.TYPE
        assert span.attributes["cloudevents.event_spec_version"] == "1.0"
        assert {"cloudevents.event_source", "cloudevents.event_subject"} <= span.attributes.keys()
    assert send.attributes["messaging.message.id"] == process.attributes["messaging.message.id"]
    assert process.attributes["messaging.consumer.group.name"] == wire.settings.on_kafka("cairn.echo")
    assert process.attributes["messaging.destination.partition.id"].isdigit()
    assert process.attributes["messaging.kafka.offset"] >= 0
    assert process.instance == wire.settings.instance


async def test_metrics_are_exported(traced: Traced) -> None:
    names = traced.otlp.metrics()["echo"]
    assert {"messaging.client.sent.messages", "messaging.client.consumed.messages"} <= names
    assert "messaging.process.duration" in names


async def test_log_lines_carry_the_trace(traced: Traced) -> None:
    lines = [json.loads(line) for line in traced.sender_log.read_text().splitlines()]
    assert traced.trace_id in {line.get("trace_id") for line in lines}


async def test_nothing_that_was_typed_in_is_exported(traced: Traced) -> None:
    assert CANARY.encode() not in traced.otlp.raw()
