"""A command is sent, and its sender hears what became of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio
from chassis.errors import Unavailable
from chassis.ids import new_id
from chassis.messaging.command_client import Commands, StillRunning, open_commands
from chassis.messaging.publisher import open_publisher
from chassis.persistence.mongo_aggregates import MongoAggregates
from chassis.runtime.service_runtime import ServiceRuntime
from contracts.envelope import Envelope
from contracts.errors import Conflict, InternalError, TemporaryError
from contracts.messages.catalog import CreateInventory, Inventory
from contracts.messages.outcomes import CommandOutcome
from contracts.topics import CATALOG_COMMANDS, OUTCOMES
from contracts.values import InventoryId, OrganizationId

from tests.support.environment import Corner
from tests.support.kafka import Wire
from tests.support.service import running_service


def creation(name: str = "name") -> CreateInventory:
    return CreateInventory(
        organization_id=OrganizationId("org"), inventory_id=InventoryId(new_id()), name=name, type="self-managed"
    )


class Keeper:
    """Carries out `CreateInventory`; what else it does depends on the name."""

    def __init__(self) -> None:
        self.carried_out = 0
        self.gate = asyncio.Event()

    def use(self, runtime: ServiceRuntime) -> None:
        self.records = MongoAggregates(runtime.database["inventories"], Inventory, runtime.outbox)

    async def create(self, envelope: Envelope[CreateInventory]) -> None:
        command = envelope.data
        if command.name == "refused":
            raise Conflict("inventory_refused", "No.", fields={"name": "is refused"})
        if command.name == "boom":
            raise RuntimeError("secret-canary")
        if command.name == "gated":
            await self.gate.wait()
        record = await self.records.load(command.organization_id, command.inventory_id, cause=envelope)
        self.carried_out += 1
        made = Inventory(id=command.inventory_id, name=command.name, type=command.type, revision=1)
        await self.records.save(record, made, cause=envelope, result={"id": made.id, "count": self.carried_out})


@pytest.fixture
def keeper() -> Keeper:
    return Keeper()


@pytest_asyncio.fixture(loop_scope="session")
async def commands(corner: Corner, wire: Wire, keeper: Keeper) -> AsyncIterator[Commands]:
    async with carried_out_by(corner, wire, keeper) as opened:
        yield opened


@asynccontextmanager
async def carried_out_by(corner: Corner, wire: Wire, keeper: Keeper) -> AsyncIterator[Commands]:
    settings = corner.settings()
    await wire.ensure(CATALOG_COMMANDS, OUTCOMES)
    async with (
        running_service(settings, {CreateInventory: keeper.create}) as runtime,
        open_publisher(settings) as publisher,
        open_commands(settings, publisher, service="sender") as opened,
    ):
        keeper.use(runtime)
        yield opened


async def test_an_accepted_command_brings_its_result(commands: Commands) -> None:
    command = creation()
    assert await commands.carry_out(command) == {"id": command.inventory_id, "count": 1}


async def test_many_at_once_each_bring_their_own(commands: Commands) -> None:
    wishes = [creation() for _ in range(50)]
    results = await asyncio.gather(*map(commands.carry_out, wishes))
    assert [r["id"] for r in results] == [w.inventory_id for w in wishes]


async def test_a_refused_command_raises_what_it_was_refused_with(commands: Commands) -> None:
    with pytest.raises(Conflict) as refusal:
        await commands.carry_out(creation("refused"))
    assert (refusal.value.code, refusal.value.detail) == ("inventory_refused", "No.")
    assert refusal.value.fields == {"name": "is refused"}


async def test_an_unforeseen_error_tells_nothing_of_its_text(commands: Commands) -> None:
    with pytest.raises(InternalError) as failure:
        await commands.carry_out(creation("boom"))
    assert failure.value.code == "internal_error"
    assert "canary" not in str(failure.value)


async def test_the_same_command_again_changes_nothing_and_brings_the_same(commands: Commands, keeper: Keeper) -> None:
    command, command_id = creation(), new_id()
    first = await commands.carry_out(command, command_id=command_id)
    assert await commands.carry_out(command, command_id=command_id) == first
    assert keeper.carried_out == 1


async def test_a_command_whose_outcome_is_late_is_still_running_and_can_be_asked_for_again(
    commands: Commands, keeper: Keeper
) -> None:
    with pytest.raises(StillRunning) as late:
        await commands.carry_out(creation("gated"), timeout_seconds=0.2)
    keeper.gate.set()
    assert (await commands.send(late.value.command)).result["count"] == 1


async def test_two_waiting_for_one_command_both_hear(commands: Commands, keeper: Keeper) -> None:
    command, command_id = creation("gated"), new_id()
    both = asyncio.gather(*(commands.carry_out(command, command_id=command_id) for _ in range(2)))
    keeper.gate.set()
    first, second = await both
    assert first == second


async def test_one_who_gives_up_waiting_takes_nothing_from_another(commands: Commands, keeper: Keeper) -> None:
    command, command_id = creation("gated"), new_id()
    patient = asyncio.create_task(commands.carry_out(command, command_id=command_id))
    with pytest.raises(StillRunning):
        await commands.carry_out(command, command_id=command_id, timeout_seconds=0.1)
    keeper.gate.set()
    assert (await patient)["id"] == command.inventory_id


async def test_an_outcome_heard_by_one_process_reaches_the_others_too(
    corner: Corner, wire: Wire, commands: Commands
) -> None:
    async with wire.listening(OUTCOMES) as ear:
        await commands.carry_out(creation())
        outcome = await ear.message(CommandOutcome)
    assert outcome.data.accepted
    assert outcome.data.command_type == CreateInventory.TYPE


async def test_without_kafka_a_command_is_refused_as_unavailable(corner: Corner) -> None:
    class Down:
        async def send(self, envelope: Envelope[Any]) -> None:
            raise Unavailable("kafka_unavailable", "Kafka did not take a message.")

    commands = Commands(Down(), service="sender", timeout_seconds=1)  # type: ignore[arg-type]
    with pytest.raises(TemporaryError):
        await commands.carry_out(creation())
