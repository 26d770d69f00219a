"""The platform itself: how soon it is up, what it weighs, how fast a command has its outcome."""

import base64
import os
import shutil
import time
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import uvloop
from chassis.ids import new_id
from chassis.messaging.command_client import open_commands
from chassis.messaging.publisher import open_publisher
from contracts.messages.catalog import CreateInventory
from contracts.values import InventoryId, OrganizationId

from tests.benchmarks.bench import Bench, timed
from tests.benchmarks.result import Result, median, percentile
from tests.support.kafka import settings_for

COMMANDS = 500
OURS = ("gateway", "catalog", "assignment", "connector", "scheduler", "restore-index")
IDLE_SECONDS = 30


def cold_start(bench: Bench) -> Result:
    """`cairn up` in an empty directory with everything provisioned, until healthy."""
    took = []
    for n in range(3):
        home = bench.root / f"cold-{n}"
        took.append(timed(partial(bench.cairn, "up", home=home)))
        bench.cairn("down", home=home)
        shutil.rmtree(home)
    return Result("cold_start", median(took), "s", "8 s", detail="median of 3, beside another running platform")


def idle_memory(bench: Bench) -> Result:
    """Resident memory of our own processes after half a minute without work."""
    bench.api().get("/account/me")
    time.sleep(IDLE_SECONDS)
    sizes = {name: psutil.Process(pid).memory_info().rss / 2**20 for name, pid in own_processes(bench.status()).items()}
    told = ", ".join(f"{name} {size:.0f}" for name, size in sorted(sizes.items()))
    return Result("idle_memory", sum(sizes.values()), "MiB", "600 MiB", detail=told)


def own_processes(status: dict[str, Any]) -> dict[str, int]:
    """Process ids of our services and of the supervisor, out of what `cairn status --json` tells."""
    services = {p["name"]: p["pid"] for p in status["processes"] if p["name"] in OURS}
    return services | {"supervisor": status["supervisor"]}


def command_outcome(bench: Bench) -> Result:
    """A command that saves a document, until its outcome is heard, one after the other."""
    ours, floor = uvloop.run(_commands(bench)), bench.baseline.kafka
    return Result(
        "command_outcome", median(ours), "ms", "4 Kafka round trips (p50 4 ms), p99 15 ms", peer="a Kafka round trip",
        peer_value=floor.ms, baseline=floor, p50=median(ours), p99=percentile(ours, 0.99),
        detail=f"{COMMANDS} CreateInventory commands after 50 uncounted",
    )  # fmt: skip


async def _commands(bench: Bench) -> list[float]:
    status, key_file = bench.status(), _key(bench.root / "bench.key")
    settings = settings_for(status["kafka"], status["kafka_access"], instance="bench", service_key_file=key_file)
    organization = OrganizationId(new_id())
    ours = []
    async with open_publisher(settings) as publisher, open_commands(settings, publisher, service="bench") as commands:
        for _ in range(COMMANDS + 50):
            command = CreateInventory(
                organization_id=organization, inventory_id=InventoryId(new_id()), name="bench", type="self-managed"
            )
            began = time.perf_counter()
            await commands.carry_out(command)
            ours.append((time.perf_counter() - began) * 1000)
    return ours[50:]


def _key(path: Path) -> Path:
    path.write_bytes(base64.b64encode(os.urandom(32)))
    return path
