"""A process starts, says whether it is ready, and ends, without telling what it must not."""

import json
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from aiokafka import AIOKafkaProducer
from chassis.errors import Unavailable
from chassis.messaging.kafka import client_arguments
from chassis.messaging.publisher import KafkaPublisher
from contracts.topics import CATALOG_COMMANDS, CATALOG_EVENTS, OUTCOMES

from tests.support.environment import Corner
from tests.support.kafka import Wire
from tests.support.processes import Running, running_module
from tests.support.waiting import eventually_async

ECHO = "tests.support.echo"


@asynccontextmanager
async def serving(corner: Corner, log: Path) -> AsyncIterator[tuple[Running, str]]:
    """The echo service, once it listens, and its address."""
    with running_module(ECHO, "serve", environment=corner.variables(), log=log) as process:
        found = await eventually_async(lambda: re.search(r"running on (http://[0-9.:]+)", process.output()), 20)
        yield process, found[1]


async def test_a_process_is_ready_when_its_servers_answer_and_stops_when_told(
    corner: Corner, wire: Wire, tmp_path: Path
) -> None:
    await wire.ensure(CATALOG_COMMANDS, CATALOG_EVENTS, OUTCOMES)
    async with serving(corner, tmp_path / "log") as (process, address), httpx.AsyncClient(base_url=address) as http:
        assert (await http.get("/health/live")).status_code == 200
        ready = await http.get("/health/ready")
        assert (ready.status_code, ready.json()["failed"]) == (200, {})
        assert process.stop() == 0
    assert [line for line in lines(process) if line["level"] in ("error", "critical")] == []


async def test_a_database_that_does_not_answer_ends_the_start_without_a_word_of_its_password(
    corner: Corner, tmp_path: Path
) -> None:
    environment = corner.variables(mongodb_uri=f"mongodb://user:canary@127.0.0.1:{free_port()}/")
    with running_module(ECHO, "migrate", environment=environment, log=tmp_path / "log") as process:
        assert await process.ended(30) == 1
    assert "canary" not in process.output()
    assert lines(process)[-1]["error"] == "ServerSelectionTimeoutError"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("lanes", "canary"),
        ("lanes", "0"),
        ("session_timeout_seconds", "-1"),
        ("http_port", "70000"),
        ("log_level", "x"),
    ],
)
async def test_settings_at_fault_are_named_not_quoted(corner: Corner, tmp_path: Path, name: str, value: str) -> None:
    environment = corner.variables(**{name: value})
    with running_module(ECHO, "serve", environment=environment, log=tmp_path / "log") as process:
        assert await process.ended(20) == 1
    assert f"CAIRN_{name.upper()}" in process.output()
    assert "canary" not in process.output()


async def test_without_kafka_a_publisher_says_so(corner: Corner) -> None:
    producer = AIOKafkaProducer(**client_arguments(corner.settings()))
    await producer.start()
    publisher = KafkaPublisher(producer)
    await publisher.ping()
    await producer.client.close()
    with pytest.raises(Unavailable):
        await publisher.ping()
    await producer.stop()


def lines(process: Running) -> list[dict[str, str]]:
    """What it logged."""
    return [json.loads(line) for line in process.output().splitlines()]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
