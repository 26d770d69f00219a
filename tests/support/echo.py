"""A small service made of chassis parts, for tests that kill it: `python -m tests.support.echo serve`.

It keeps inventories. What else it does depends on the inventory's name; see `Keeper.create`.
"""

import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from chassis.http.server import build_internal_api
from chassis.persistence.aggregates import Aggregate, MongoAggregates
from chassis.persistence.mongo import Document
from chassis.persistence.outbox import Outbox
from chassis.runtime.process import main
from chassis.runtime.service import ServiceRuntime, handling, open_service_runtime
from chassis.runtime.settings import CommonSettings
from chassis.telemetry.tracing import span
from contracts.envelope import Envelope
from contracts.errors import Conflict
from contracts.messages.catalog import CreateInventory, Inventory, InventoryCreated
from contracts.topics import CATALOG_COMMANDS, CATALOG_EVENTS, OUTCOMES
from fastapi import FastAPI
from pydantic import Field

from tests.support.waiting import eventually_async

SERVICE = "echo"


class EchoSettings(CommonSettings):
    """`crash_at`: where the process kills itself: `handling`, `marked`, `saved`, `sent-first` or `sent`."""

    crash_at: str = ""
    gate: Path = Field(default=Path("/nonexistent"), description="File that handlers of `gated` inventories wait for")
    trail: Path = Field(default=Path("/dev/null"), description="File that gets a line per handled inventory")


class Crash:
    """Kills the process, by SIGKILL, at the one place that was chosen."""

    def __init__(self, place: str) -> None:
        self._place = place

    def at(self, place: str) -> None:
        """Die if this is the place."""
        if place == self._place:
            os.kill(os.getpid(), signal.SIGKILL)


class CrashingRecords(MongoAggregates[Inventory]):
    """Records that may die right after their write."""

    crash: Crash

    async def _write(self, record: Aggregate[Inventory], document: Document) -> None:
        self.crash.at("marked")
        await super()._write(record, document)
        self.crash.at("saved")


class Keeper:
    """The use case."""

    def __init__(self, runtime: ServiceRuntime, settings: EchoSettings) -> None:
        self.crash = Crash(settings.crash_at)
        self._settings = settings
        self.inventories = CrashingRecords(runtime.database["inventories"], Inventory, runtime.outbox)
        self.inventories.crash = self.crash
        _crash_while_sending(runtime.outbox, self.crash)

    async def create(self, envelope: Envelope[CreateInventory]) -> None:
        """Create an inventory. `refused` is refused, `gated` waits for the gate, `boom` fails unforeseen."""
        command = envelope.data
        with span("echo.create"):
            self.crash.at("handling")
            if command.name == "refused":
                raise Conflict("inventory_refused", "This name is refused.")
            if command.name == "boom":
                raise RuntimeError("secret-canary")
            if command.name == "gated":
                await eventually_async(self._settings.gate.exists, 60)
            record = await self.inventories.load(command.organization_id, command.inventory_id, cause=envelope)
            made = Inventory(
                id=command.inventory_id, name=command.name, type=command.type, revision=record.revision + 1
            )
            event = InventoryCreated(
                organization_id=command.organization_id, inventory_id=command.inventory_id, inventory=made
            )
            await self.inventories.save(record, made, events=[event], cause=envelope, result={"id": made.id})
            with self._settings.trail.open("a") as trail:
                trail.write(f"{made.id} {made.name}\n")


def _crash_while_sending(outbox: Outbox, crash: Crash) -> None:
    publisher: Any = outbox._publisher
    send, sent = publisher.send, 0

    async def counted(envelope: Envelope[Any]) -> None:
        nonlocal sent
        await send(envelope)
        sent += 1
        crash.at("sent-first" if sent == 1 else "sent")

    publisher.send = counted


@asynccontextmanager
async def open_outbox(settings: EchoSettings) -> AsyncIterator[Outbox]:
    """For `relay` and `migrate`."""
    async with open_service_runtime(settings, SERVICE) as runtime:
        await Keeper(runtime, settings).inventories.setup()
        yield runtime.outbox


@asynccontextmanager
async def open_app(settings: EchoSettings) -> AsyncIterator[FastAPI]:
    """For `serve`."""
    async with open_service_runtime(settings, SERVICE) as runtime:
        keeper = Keeper(runtime, settings)
        await keeper.inventories.setup()
        dispatcher = runtime.dispatcher()
        dispatcher.on(CreateInventory, keeper.create)
        announces = [CATALOG_EVENTS, OUTCOMES]
        async with handling(runtime, dispatcher, topics=[CATALOG_COMMANDS], announces=announces):
            yield build_internal_api("echo", checks=runtime.checks())


if __name__ == "__main__":
    main(SERVICE, EchoSettings, open_app=open_app, open_outbox=open_outbox)
