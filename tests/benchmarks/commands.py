"""How many commands are carried out in a second, beside what the same servers do with nothing between them."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from chassis.ids import new_id
from chassis.messaging.command_client import open_commands
from chassis.messaging.kafka import client_arguments
from chassis.messaging.publisher import open_publisher
from chassis.messaging.topology import ensure_topics
from contracts.messages.catalog import CreateInventory
from contracts.values import InventoryId, OrganizationId
from pymongo import AsyncMongoClient

from tests.benchmarks.baselines import UNKNOWN
from tests.benchmarks.bench import Bench
from tests.benchmarks.result import Result
from tests.support.environment import write_key_file
from tests.support.kafka import settings_for

COMMANDS, UNCOUNTED = 3000, 300
AT_ONCE = 64
"""Commands of which the outcome is waited for at once: enough to keep everybody busy."""
SAVES_AT_ONCE = 8
"""As many as a service handles messages at once."""
DATABASE, TOPIC = "cairn_bench_commands", "bench.commands"


def command_rate(bench: Bench) -> Result:
    """Commands carried out in a second by one service, 64 at once; and messages produced, consumed and saved."""
    ours, bare = uvloop.run(_commands(bench)), uvloop.run(_bare(bench))
    number = bench.size(COMMANDS)
    return Result(
        "command_rate", ours, "/s", "half of the bare rate", peer="produce, consume and save", peer_value=bare,
        larger_is_better=True,
        detail=f"{number} CreateInventory commands, {AT_ONCE} at once, each until its outcome is heard; bare: {number} "
        f"messages, as many on their way, {SAVES_AT_ONCE} saved at once, each as one document",
    )  # fmt: skip


async def _rate(number: int, action: Callable[[], Awaitable[object]]) -> float:
    """How often an action ends in a second, with `AT_ONCE` of them under way."""
    left = iter(range(number + UNCOUNTED))
    done, began = 0, 0.0

    async def work() -> None:
        nonlocal done, began
        for _ in left:
            await action()
            done += 1
            if done == UNCOUNTED:
                began = time.perf_counter()

    await asyncio.gather(*(work() for _ in range(AT_ONCE)))
    return number / (time.perf_counter() - began)


async def _commands(bench: Bench) -> float:
    status, key_file = bench.status(), write_key_file(bench.root / "rate.key")
    settings = settings_for(status["kafka"], status["kafka_access"], instance="bench", service_key_file=key_file)
    organization = OrganizationId(new_id())
    async with open_publisher(settings) as publisher, open_commands(settings, publisher, service="bench") as commands:

        def carry_out() -> Awaitable[object]:
            command = CreateInventory(
                organization_id=organization, inventory_id=InventoryId(new_id()), name="bench", type="self-managed"
            )
            return commands.carry_out(command, timeout_seconds=60)

        return await _rate(bench.size(COMMANDS), carry_out)


async def _bare(bench: Bench) -> float:
    status = bench.status()
    settings = settings_for(status["kafka"], status["kafka_access"])
    kafka = client_arguments(settings)
    # With a leader before anybody asks: a consumer that comes too early does not look again for long.
    await ensure_topics(settings, [TOPIC])
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(status["mongodb_uri"])
    producer, consumer = AIOKafkaProducer(**kafka, acks="all"), AIOKafkaConsumer(TOPIC, **kafka)
    await producer.start()
    await consumer.start()
    for partition in consumer.assignment():
        await consumer.position(partition)
    saved: dict[bytes, asyncio.Event] = {}
    saving = [asyncio.create_task(_save(client, consumer, saved)) for _ in range(SAVES_AT_ONCE)]
    try:

        async def round_trip() -> None:
            key = new_id().encode()
            # Known until it is saved: Kafka may deliver it before or after its producer hears that it is taken.
            saved[key] = asyncio.Event()
            await producer.send_and_wait(TOPIC, b'{"name": "bench"}', key=key, headers=UNKNOWN)
            await saved[key].wait()
            del saved[key]

        return await _rate(bench.size(COMMANDS), round_trip)
    finally:
        for task in saving:
            task.cancel()
        await asyncio.gather(*saving, return_exceptions=True)
        await consumer.stop()
        await producer.stop()
        await client.drop_database(DATABASE)
        await client.close()


async def _save(client: Any, consumer: AIOKafkaConsumer, saved: dict[bytes, asyncio.Event]) -> None:
    collection = client[DATABASE]["saved"]
    while True:
        record = await consumer.getone()
        waiting = saved.get(record.key)
        await collection.insert_one({"_id": record.key.decode(), "value": record.value.decode()})
        if waiting is not None:
            waiting.set()
