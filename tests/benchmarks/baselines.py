"""The baselines that latencies are counted in: what this machine needs for the least that a request can cost.

`hops` of a row are multiples of one of them, measured in the same run, so that rows of two machines can be compared.
"""

import asyncio
import http.client
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property, partial
from typing import Any

import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from chassis.messaging.kafka import client_arguments
from pymongo import MongoClient

from tests.benchmarks.result import Baseline, median
from tests.support.kafka import settings_for
from tests.support.waiting import eventually

TIMES, UNCOUNTED = 400, 50
DOCUMENTS = 1000
UNKNOWN = [("ce_id", b"1"), ("ce_source", b"/bench"), ("ce_type", b"bench.v1"), ("ce_specversion", b"1.0")]
_SERVER = """
import sys, uvicorn
from chassis.http.server import UNTRACED
from chassis.http.request_middleware import RequestMiddleware
from fastapi import FastAPI, Response
app = FastAPI(telemetry=UNTRACED)
@app.get("/")
async def constant() -> Response:
    return Response(b"{}", media_type="application/json")
uvicorn.run(RequestMiddleware(app), host="127.0.0.1", port=int(sys.argv[1]), log_level="critical", access_log=False)
"""
"""Behind the same edge as every door of ours, so that what is counted is what a route adds."""


class Baselines:
    """Each is measured when it is first asked for, the servers taken from what `cairn status` tells."""

    def __init__(self, status: Callable[[], dict[str, Any]]) -> None:
        self._status = status

    @cached_property
    def get(self) -> Baseline:
        """A GET of a constant answer from a uvicorn process of ours, over a connection that is kept."""
        with _constant_answers() as connection:
            return Baseline("GET", median(_counted(partial(_get, connection))))

    @cached_property
    def kafka(self) -> Baseline:
        """A message produced, acknowledged and consumed."""
        return Baseline("Kafka round trip", median(uvloop.run(round_trips(self._kafka()))))

    def _kafka(self) -> dict[str, Any]:
        status = self._status()
        return client_arguments(settings_for(status["kafka"], status["kafka_access"]))

    @cached_property
    def find_one(self) -> Baseline:
        """A `find_one` by `_id` among a thousand small documents."""
        with MongoClient[dict[str, Any]](self._status()["mongodb_uri"]) as client:
            collection = client["cairn_bench_baseline"]["documents"]
            collection.drop()
            collection.insert_many([{"_id": n, "text": f"document {n}"} for n in range(DOCUMENTS)])
            try:
                return Baseline("find_one", median(_counted(lambda: collection.find_one({"_id": DOCUMENTS // 2}))))
            finally:
                client.drop_database("cairn_bench_baseline")

    def all(self) -> tuple[Baseline, ...]:
        """The three of them."""
        return self.get, self.kafka, self.find_one


async def round_trips(kafka: dict[str, Any], *, times: int = TIMES) -> list[float]:
    """Milliseconds to produce to and consume from the topic of outcomes, of a type that its readers skip."""
    topic, took = "cairn.outcomes", []
    producer = AIOKafkaProducer(**kafka, acks="all")
    consumer = AIOKafkaConsumer(topic, **kafka, auto_offset_reset="latest")
    await producer.start()
    await consumer.start()
    try:
        for partition in consumer.assignment():
            await consumer.position(partition)
        for _ in range(times + UNCOUNTED):
            began = time.perf_counter()
            await producer.send_and_wait(topic, b"{}", key=b"bench", headers=UNKNOWN)
            await asyncio.wait_for(consumer.getone(), 10)
            took.append((time.perf_counter() - began) * 1000)
    finally:
        await consumer.stop()
        await producer.stop()
    return took[UNCOUNTED:]


@contextmanager
def _constant_answers() -> Iterator[http.client.HTTPConnection]:
    """A connection to a process that always says the same; both are gone afterwards."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with subprocess.Popen([sys.executable, "-c", _SERVER, str(port)]) as server:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            eventually(partial(_is_up, connection), 30)
            yield connection
        finally:
            connection.close()
            server.terminate()


def _is_up(connection: http.client.HTTPConnection) -> bool:
    try:
        connection.connect()
    except OSError:
        return False
    return True


def _get(connection: http.client.HTTPConnection) -> None:
    connection.request("GET", "/")
    connection.getresponse().read()


def _counted(action: Callable[[], object]) -> list[float]:
    """Milliseconds of each time after some that do not count."""
    took = []
    for _ in range(TIMES + UNCOUNTED):
        began = time.perf_counter()
        action()
        took.append((time.perf_counter() - began) * 1000)
    return took[UNCOUNTED:]
