"""A service killed at any point loses nothing and does nothing twice."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from chassis.persistence.mongo import open_database
from contracts.messages.catalog import CreateInventory, InventoryCreated
from contracts.messages.outcomes import CommandOutcome
from contracts.topics import CATALOG_COMMANDS, CATALOG_EVENTS, OUTCOMES
from contracts.values import InventoryId, OrganizationId

from tests.support.echo import SERVICE
from tests.support.environment import Corner
from tests.support.kafka import Wire, open_wire, to_envelope
from tests.support.processes import Running, running_module
from tests.support.waiting import eventually_async

ORGANIZATION = OrganizationId("org")


@pytest_asyncio.fixture(loop_scope="session")
async def wire(fresh_corner: Corner) -> AsyncIterator[Wire]:
    async with open_wire(fresh_corner.settings()) as opened:
        await opened.ensure(CATALOG_COMMANDS, CATALOG_EVENTS, OUTCOMES)
        yield opened


def creation(key: str, name: str = "name") -> CreateInventory:
    return CreateInventory(organization_id=ORGANIZATION, inventory_id=InventoryId(key), name=name, type="self-managed")


class Echo:
    """Starts the echo service of one corner."""

    def __init__(self, corner: Corner, folder: Path) -> None:
        self._corner = corner
        self.gate, self.trail, self.log = folder / "gate", folder / "trail", folder / "log"
        self.trail.touch()

    @contextmanager
    def running(self, command: str = "serve", **settings: object) -> Iterator[Running]:
        facts = {"gate": self.gate, "trail": self.trail, **settings}
        environment = self._corner.variables(**facts)
        with running_module("tests.support.echo", command, environment=environment, log=self.log) as process:
            yield process

    def handled(self) -> list[str]:
        """One line for each time a command was carried out to its end."""
        return self.trail.read_text().splitlines()

    async def documents(self) -> list[dict[str, Any]]:
        async with open_database(self._corner.settings(), SERVICE) as database:
            return [d async for d in database["inventories"].find({}).sort("_id")]

    async def marks(self) -> list[str]:
        async with open_database(self._corner.settings(), SERVICE) as database:
            return [m["_id"] async for m in database["outbox_marks"].find({})]


@pytest.fixture
def echo(fresh_corner: Corner, tmp_path: Path) -> Echo:
    return Echo(fresh_corner, tmp_path)


async def test_a_message_under_way_at_a_kill_comes_again_at_once(wire: Wire, echo: Echo) -> None:
    """Sessions last a minute here: whoever waited for the dead member's session to end would be late."""
    async with wire.listening(OUTCOMES) as ear:
        with echo.running(session_timeout_seconds=60, crash_at="handling") as first:
            commands = [await wire.publish(creation(f"i{n}", "gated")) for n in range(3)]
            assert await first.ended() == -9
        echo.gate.touch()
        with echo.running(session_timeout_seconds=60):
            await ear.until(lambda heard: {r.key.decode() for r in heard if r.key} >= {c.id for c in commands}, 20)
    assert [d["revision"] for d in await echo.documents()] == [1, 1, 1]


async def test_what_was_handled_before_a_kill_is_not_done_again(wire: Wire, echo: Echo) -> None:
    async with wire.listening(OUTCOMES) as ear:
        with echo.running() as first:
            for n in range(5):
                await wire.publish(creation(f"i{n}"))
            await eventually_async(lambda: len(echo.handled()) == 5)
            first.kill()
        with echo.running():
            last = await wire.publish(creation("last"))
            await ear.message(CommandOutcome, lambda data: data.command_id == last.id)
            await eventually_async(lambda: "last name" in echo.handled())
    assert [d["revision"] for d in await echo.documents()] == [1] * 6
    assert len(echo.handled()) == 6


@pytest.mark.parametrize("place", ["marked", "saved", "sent-first", "sent"])
async def test_killed_anywhere_between_mark_and_commit_nothing_is_lost(wire: Wire, echo: Echo, place: str) -> None:
    async with wire.listening(CATALOG_EVENTS, OUTCOMES) as ear:
        with echo.running(crash_at=place) as first:
            command = await wire.publish(creation("i"))
            assert await first.ended() == -9
        with echo.running():
            created = await ear.message(InventoryCreated)
            outcome = await ear.message(CommandOutcome)
            again = await wire.publish(command)
            await ear.until(lambda heard: len([r for r in heard if r.topic.endswith(OUTCOMES)]) >= 2)
    assert created.data.inventory_id == "i"
    assert (outcome.data.command_id, outcome.data.accepted, outcome.data.result) == (again.id, True, {"id": "i"})
    (document,) = await echo.documents()
    assert document["revision"] == 1


@pytest.mark.parametrize("place", ["saved", "sent-first"])
async def test_the_relay_alone_sends_what_was_left_and_never_writes_the_document(
    wire: Wire, echo: Echo, place: str
) -> None:
    async with wire.listening(CATALOG_EVENTS, OUTCOMES) as ear:
        with echo.running(crash_at=place) as first:
            command = await wire.publish(creation("i"))
            assert await first.ended() == -9
        before = await echo.documents()
        assert await echo.marks() == ["inventories/i/1"]
        with echo.running("relay") as relay:
            assert await relay.ended() == 0
        await ear.message(InventoryCreated)
        outcome = await ear.message(CommandOutcome)
    assert outcome.data.command_id == command.id
    assert await echo.documents() == before
    assert await echo.marks() == []


async def test_a_relay_that_leaves_messages_says_so(wire: Wire, echo: Echo) -> None:
    with echo.running(crash_at="saved") as first:
        await wire.publish(creation("i"))
        assert await first.ended() == -9
    async with open_database(wire.settings, SERVICE) as database:
        await database["inventories"].update_one({"_id": "i"}, {"$set": {"outbox.0.type": "of.another.version"}})
    with echo.running("relay") as relay:
        assert await relay.ended() == 1
    assert "messages_left" in relay.output()


async def test_many_kills_under_load_lose_nothing(wire: Wire, echo: Echo) -> None:
    """Killed again and again at arbitrary moments, in the end each command has its outcome and its one document."""
    sent: list[str] = []

    async def publish() -> None:
        for n in range(120):
            sent.append((await wire.publish(creation(f"i{n:03}"))).id)

    async with wire.listening(CATALOG_EVENTS, OUTCOMES) as ear:
        publishing = asyncio.create_task(publish())
        for kill in range(4):
            with echo.running() as process:
                with contextlib.suppress(AssertionError):
                    await ear.count(15 * (kill + 1), 5)
                process.kill()
        await publishing
        with echo.running():
            await ear.until(lambda heard: set(sent) <= {(r.key or b"").decode() for r in heard}, 30)
            await ear.until(lambda heard: {f"i{n:03}" for n in range(120)} <= {(r.key or b"").decode() for r in heard})
    outcomes = [to_envelope(r) for r in ear.heard if r.topic.endswith(OUTCOMES)]
    distinct = {(o.id, o.data.command_id, o.data.accepted) for o in outcomes if isinstance(o.data, CommandOutcome)}
    assert sorted((command, accepted) for _, command, accepted in distinct) == [(one, True) for one in sorted(sent)]
    assert [d["revision"] for d in await echo.documents()] == [1] * 120
