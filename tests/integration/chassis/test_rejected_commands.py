"""Refused commands are remembered for longer than Kafka keeps a message, and not much longer."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest
import pytest_asyncio
from chassis.ids import utc_now
from chassis.messaging.envelopes import envelope, rejected
from chassis.messaging.rejected_commands import RejectedCommands
from chassis.persistence.mongo import Database, open_database
from contracts.envelope import Envelope
from contracts.messages.base import Message
from contracts.messages.catalog import RemoveInventory
from contracts.messages.outcomes import Problem
from contracts.values import InventoryId, OrganizationId

from tests.support.environment import Corner


class Clock:
    """A clock that a test sets forward."""

    def __init__(self) -> None:
        self.now = utc_now()

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest_asyncio.fixture(loop_scope="session")
async def database(fresh_corner: Corner) -> AsyncIterator[Database]:
    async with open_database(fresh_corner.settings(), "rejected_commands") as opened:
        yield opened


async def refuse(
    rejected_commands: RejectedCommands, code: str = "no", source: str = "test", key: str = "1"
) -> Envelope[Message]:
    wish = RemoveInventory(organization_id=OrganizationId("org"), inventory_id=InventoryId("i"))
    command = envelope(wish, service=source, message_id=key)
    await rejected_commands.remember(command, rejected(command, Problem(code=code, detail="No."), service="test"))
    return command


async def test_the_first_refusal_of_a_command_counts(database: Database) -> None:
    rejected_commands = RejectedCommands(database)
    await refuse(rejected_commands, "first")
    outcome = await rejected_commands.outcome_of(await refuse(rejected_commands, "second"))
    assert outcome is not None
    assert "first" in outcome.data.model_dump_json()


async def test_rejected_commands_stay_in_the_collection_of_older_versions(database: Database) -> None:
    await refuse(RejectedCommands(database))
    assert await database["refusals"].count_documents({}) == 1


async def test_equal_ids_of_two_senders_are_two_commands(database: Database) -> None:
    rejected_commands = RejectedCommands(database)
    outcomes = [
        await rejected_commands.outcome_of(await refuse(rejected_commands, s, source=s)) for s in ("one", "two")
    ]
    assert len({o.id for o in outcomes if o}) == 2
    assert ["one" in o.data.model_dump_json() for o in outcomes if o] == [True, False]


async def test_a_process_that_runs_for_long_forgets_what_is_old(database: Database, clock: Clock) -> None:
    rejected_commands = RejectedCommands(database, clock=clock)
    await rejected_commands.setup()
    old = await refuse(rejected_commands, key="old")
    clock.now += timedelta(days=7)
    young = await refuse(rejected_commands, key="young")
    assert await rejected_commands.outcome_of(old) is not None
    clock.now += timedelta(days=2)
    await refuse(rejected_commands, key="new")
    assert await rejected_commands.outcome_of(old) is None
    assert await rejected_commands.outcome_of(young) is not None


async def test_a_process_that_starts_forgets_however_old(database: Database, clock: Clock) -> None:
    old = await refuse(RejectedCommands(database, clock=clock))
    clock.now += timedelta(days=400)
    await RejectedCommands(database, clock=clock).setup()
    assert await RejectedCommands(database, clock=clock).outcome_of(old) is None
