"""What is counted says of what it is: the route, the type, the error."""

from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from aiokafka.structs import ConsumerRecord
from chassis.http.request_middleware import RequestMiddleware
from chassis.messaging.consumer import Consumer
from chassis.messaging.dispatcher import Dispatcher
from chassis.messaging.retries import RetryPolicy
from contracts.envelope import Envelope, Headers
from contracts.errors import TemporaryError
from contracts.messages.catalog import InventoryRemoved
from fastapi import FastAPI
from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from tests.support.notebook import Notebook

HEADERS = {"ce_id": b"1", "ce_source": b"/s", "ce_type": InventoryRemoved.TYPE.encode(), "ce_specversion": b"1.0"}


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> InMemoryMetricReader:
    reader = InMemoryMetricReader()
    monkeypatch.setattr(metrics, "get_meter", MeterProvider(metric_readers=[reader]).get_meter)
    return reader


def points(reader: InMemoryMetricReader, name: str) -> list[Mapping[str, Any]]:
    found = reader.get_metrics_data()
    scopes = [s for r in (found.resource_metrics if found else []) for s in r.scope_metrics]
    return [dict(p.attributes or {}) for s in scopes for m in s.metrics if m.name == name for p in m.data.data_points]


class DeadLetters(Notebook):
    """Takes dead letters."""

    async def send_raw(self, topic: str, *, key: bytes | None, value: bytes | None, headers: Headers) -> None:
        """Take it."""


async def never(_: Envelope[InventoryRemoved]) -> None:
    raise TemporaryError("not_yet", "It never works.", retry_after_seconds=0)


async def no_pause(seconds: float) -> None:
    """Return at once."""


@pytest.mark.parametrize(
    ("body", "kind", "error"),
    [
        (b'{"organization_id": "o", "inventory_id": "i"}', InventoryRemoved.TYPE, "not_yet"),
        (b"nonsense", "malformed", "MalformedMessage"),
    ],
)
async def test_what_is_given_up_is_counted_with_its_error(
    reader: InMemoryMetricReader, body: bytes, kind: str, error: str
) -> None:
    dispatcher = Dispatcher("test", DeadLetters())
    dispatcher.on(InventoryRemoved, never)
    policy = RetryPolicy(patience_seconds=0.01)
    consumer = Consumer(dispatcher, DeadLetters(), group="group", policy=policy)
    headers = tuple(HEADERS.items())
    await consumer.handle(ConsumerRecord("topic", 0, 0, 0, 0, b"k", body, None, 0, 0, headers), pause=no_pause)
    (consumed,) = points(reader, "messaging.client.consumed.messages")
    assert (consumed["cloudevents.event_type"], consumed["error.type"]) == (kind, error)
    assert (consumed["messaging.system"], consumed["messaging.operation.name"]) == ("kafka", "process")
    assert points(reader, "messaging.process.duration") == [consumed]
    assert len(points(reader, "cairn.messages.parked")) == 1
    assert len(points(reader, "cairn.messages.retried")) == (1 if kind != "malformed" else 0)


async def test_the_duration_of_a_request_names_its_route(reader: InMemoryMetricReader) -> None:
    app = FastAPI()

    @app.get("/things/{thing}")
    async def thing(thing: str) -> str:
        return thing

    transport = httpx.ASGITransport(RequestMiddleware(app))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
        await http.get("/things/1")
    (duration,) = points(reader, "http.server.request.duration")
    assert (duration["http.route"], duration["http.response.status_code"]) == ("/things/{thing}", 200)
