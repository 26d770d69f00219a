"""Initializations of one place never overlap, whichever app and organization asks for them."""

import asyncio
from pathlib import Path

import pytest
from connector.engine.errors import StoreLocked
from connector.engine.memory import MemoryEngine
from connector.engine.port import Initialized
from connector.queue.mutex import exclusive_at
from connector.tasks.initialize import initialize_store
from contracts.messages.connector.stores import StoreInitialized
from integrations.sdk.locations import StoreLocation

from tests.unit.connector.workshop import Workshop


class SlowEngine(MemoryEngine):
    """Takes its time to initialize, and remembers how many did at once."""

    def __init__(self) -> None:
        super().__init__()
        self.inside = self.most = 0

    async def initialize(self, store: StoreLocation) -> Initialized:
        self.inside += 1
        self.most = max(self.most, self.inside)
        for _ in range(20):
            await asyncio.sleep(0)
        self.inside -= 1
        return await super().initialize(store)


async def test_two_stores_at_one_place_are_initialized_one_after_the_other(tmp_path: Path) -> None:
    engine = SlowEngine()
    workshop = await Workshop(tmp_path, engine=engine).open()
    engine.repositories.clear()
    leases = [await workshop.command("store"), await workshop.command("other"), await workshop.command("store")]

    await asyncio.gather(
        *(initialize_store(workshop.context, lease, lease.work.cause.data) for lease in leases)  # type: ignore[arg-type]
    )

    initialized = workshop.published(StoreInitialized)
    assert engine.most == 1
    assert sorted(each.adopted for each in initialized) == [False, True, True]
    assert len({each.repository_id for each in initialized}) == 1


async def test_a_place_that_others_hold_for_too_long_is_locked(tmp_path: Path) -> None:
    workshop = await Workshop(tmp_path).open()
    first, second = await workshop.command(), await workshop.command()

    context, place = workshop.context, workshop.place

    async with exclusive_at(context.store, context.settings, first, place):
        with pytest.raises(StoreLocked):
            async with exclusive_at(context.store, context.settings, second, place, patience_seconds=0.01):
                pass

    await initialize_store(context, second, second.work.cause.data)  # type: ignore[arg-type]
