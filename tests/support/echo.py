"""A small service made of chassis parts, for tests that kill it: `python -m tests.support.echo serve`.

It keeps inventories. What else it does depends on the inventory's name; see `Keeper.create`.
"""

import dataclasses
import os
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from chassis.http.server import build_internal_api
from chassis.messaging.publisher import Publisher
from chassis.persistence.mongo import Document
from chassis.persistence.mongo_aggregates import MongoAggregates
from chassis.persistence.outbox import Outbox
from chassis.runtime.process import main
from chassis.runtime.service_runtime import ServiceRuntime, handling, open_service_runtime
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


class CrashingOutbox(Outbox):
    """An outbox whose process may die between any two of its steps."""

    def __init__(self, runtime: ServiceRuntime, crash: Crash) -> None:
        super().__init__(runtime.service, runtime.database, CrashingPublisher(runtime.publisher, crash))
        self._crash = crash

    async def mark(self, kind: str, aggregate_id: str, revision: int) -> None:
        """Die once the mark is there."""
        await super().mark(kind, aggregate_id, revision)
        self._crash.at("marked")

    async def send(self, kind: str, aggregate_id: str, entries: Sequence[Document], **named: Any) -> bool:
        """Die before anything was sent: the aggregate is saved by then."""
        self._crash.at("saved")
        return await super().send(kind, aggregate_id, entries, **named)


class CrashingPublisher:
    """A publisher whose process may die after its first message, or after a later one."""

    def __init__(self, publisher: Publisher, crash: Crash) -> None:
        self._publisher = publisher
        self._crash = crash
        self._sent = 0

    async def send(self, envelope: Envelope[Any]) -> None:
        """Send, then die."""
        await self._publisher.send(envelope)
        self._sent += 1
        self._crash.at("sent-first" if self._sent == 1 else "sent")

    async def send_in_order(self, envelopes: Sequence[Envelope[Any]]) -> None:
        """Send one after the other, and die in between."""
        for one in envelopes:
            await self.send(one)

    async def send_raw(self, topic: str, **raw: Any) -> None:
        """Send."""
        await self._publisher.send_raw(topic, **raw)


class Keeper:
    """The use case."""

    def __init__(self, runtime: ServiceRuntime, settings: EchoSettings, crash: Crash) -> None:
        self.crash = crash
        self._settings = settings
        self.inventories = MongoAggregates(runtime.database["inventories"], Inventory, runtime.outbox)

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
            aggregate = await self.inventories.load(command.organization_id, command.inventory_id, cause=envelope)
            made = Inventory(
                id=command.inventory_id, name=command.name, type=command.type, revision=aggregate.revision + 1
            )
            event = InventoryCreated(
                organization_id=command.organization_id, inventory_id=command.inventory_id, inventory=made
            )
            await self.inventories.save(aggregate, made, events=[event], cause=envelope, result={"id": made.id})
            with self._settings.trail.open("a") as trail:
                trail.write(f"{made.id} {made.name}\n")


@asynccontextmanager
async def open_keeper(settings: EchoSettings) -> AsyncIterator[tuple[ServiceRuntime, Keeper]]:
    """The use case, with the runtime it stands on."""
    crash = Crash(settings.crash_at)
    async with open_service_runtime(settings, SERVICE) as opened:
        runtime = dataclasses.replace(opened, outbox=CrashingOutbox(opened, crash))
        keeper = Keeper(runtime, settings, crash)
        await keeper.inventories.setup()
        yield runtime, keeper


@asynccontextmanager
async def open_outbox(settings: EchoSettings) -> AsyncIterator[Outbox]:
    """For `relay` and `migrate`."""
    async with open_keeper(settings) as (runtime, _):
        yield runtime.outbox


@asynccontextmanager
async def open_app(settings: EchoSettings) -> AsyncIterator[FastAPI]:
    """For `serve`."""
    async with open_keeper(settings) as (runtime, keeper):
        dispatcher = runtime.dispatcher()
        dispatcher.on(CreateInventory, keeper.create)
        announces = [CATALOG_EVENTS, OUTCOMES]
        async with handling(runtime, dispatcher, topics=[CATALOG_COMMANDS], announces=announces):
            yield build_internal_api("echo", checks=runtime.checks())


if __name__ == "__main__":
    main(SERVICE, EchoSettings, open_app=open_app, open_outbox=open_outbox)
