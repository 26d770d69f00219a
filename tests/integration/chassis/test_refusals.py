"""Refused commands are remembered for longer than Kafka keeps a message, and not much longer."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest
import pytest_asyncio
from chassis.envelopes import envelope, refused
from chassis.ids import utc_now
from chassis.mongo import Database, open_database
from chassis.refusals import Refusals
from contracts.catalog import RemoveInventory
from contracts.envelope import Envelope
from contracts.messages import Message
from contracts.outcomes import Problem
from contracts.values import InventoryId, OrganizationId

from tests.support.environment import Corner


class Clock:
    """Time, which passes when told to."""

    def __init__(self) -> None:
        self.now = utc_now()

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("chassis.refusals.utc_now", clock)
    return clock


@pytest_asyncio.fixture(loop_scope="session")
async def database(fresh_corner: Corner) -> AsyncIterator[Database]:
    async with open_database(fresh_corner.settings(), "refusals") as opened:
        yield opened


async def refuse(refusals: Refusals, code: str = "no", source: str = "test", key: str = "1") -> Envelope[Message]:
    wish = RemoveInventory(organization_id=OrganizationId("org"), inventory_id=InventoryId("i"))
    command = envelope(wish, service=source, message_id=key)
    await refusals.remember(command, refused(command, Problem(code=code, detail="No."), service="test"))
    return command


async def test_the_first_refusal_of_a_command_counts(database: Database) -> None:
    refusals = Refusals(database)
    await refuse(refusals, "first")
    outcome = await refusals.outcome_of(await refuse(refusals, "second"))
    assert outcome is not None
    assert "first" in outcome.data.model_dump_json()


async def test_equal_ids_of_two_senders_are_two_commands(database: Database) -> None:
    refusals = Refusals(database)
    outcomes = [await refusals.outcome_of(await refuse(refusals, s, source=s)) for s in ("one", "two")]
    assert len({o.id for o in outcomes if o}) == 2
    assert ["one" in o.data.model_dump_json() for o in outcomes if o] == [True, False]


async def test_a_process_that_runs_for_long_forgets_what_is_old(database: Database, clock: Clock) -> None:
    refusals = Refusals(database)
    await refusals.setup()
    old = await refuse(refusals, key="old")
    clock.now += timedelta(days=7)
    young = await refuse(refusals, key="young")
    assert await refusals.outcome_of(old) is not None
    clock.now += timedelta(days=2)
    await refuse(refusals, key="new")
    assert await refusals.outcome_of(old) is None
    assert await refusals.outcome_of(young) is not None


async def test_a_process_that_starts_forgets_however_old(database: Database, clock: Clock) -> None:
    old = await refuse(Refusals(database))
    clock.now += timedelta(days=400)
    await Refusals(database).setup()
    assert await Refusals(database).outcome_of(old) is None
