"""Processes tell which master keys they have, and are forgotten when they end."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from chassis.persistence.key_holders import SILENCE, KeyHolders
from chassis.persistence.mongo import open_database
from chassis.runtime.supervision import LoopSupervisor
from chassis.security.keyring import Keyring, MasterKey, key_id
from contracts.queries.sealing import KeyHolder

from tests.support.environment import Corner
from tests.support.waiting import eventually_async

pytestmark = pytest.mark.integration
OLD, NEW = bytes(range(32)), bytes(range(32, 64))
NOW = datetime(2026, 11, 29, 9, tzinfo=UTC)


@pytest_asyncio.fixture
async def holders(fresh_corner: Corner) -> AsyncIterator[KeyHolders]:
    async with open_database(fresh_corner.settings(), "keys") as database:
        yield KeyHolders(database, clock=lambda: NOW)


def a_holder(name: str = "gateway one", run: str = "first", **changes: object) -> KeyHolder:
    facts = {"id": run, "name": name, "key_ids": (key_id(OLD),), "sealing_since": NOW, "at": NOW}
    return KeyHolder.model_validate(facts | changes)


async def test_each_process_has_a_place_that_its_successor_takes(holders: KeyHolders) -> None:
    await holders.report(a_holder())
    await holders.report(a_holder("connector one"))
    successor = a_holder(run="second", key_ids=(key_id(NEW), key_id(OLD)))
    await holders.report(successor)
    # That which ends late takes nothing from it.
    await holders.forget(a_holder())
    assert await holders.present() == [a_holder("connector one"), successor]
    await holders.forget(successor)
    assert await holders.present() == [a_holder("connector one")]


async def test_a_process_that_says_nothing_any_more_has_ended(holders: KeyHolders) -> None:
    await holders.report(a_holder(at=NOW - SILENCE - timedelta(seconds=1)))
    await holders.report(a_holder("gateway two", at=NOW - SILENCE + timedelta(seconds=1)))
    assert [each.name for each in await holders.present()] == ["gateway two"]


async def test_a_change_of_the_keys_is_reported_while_the_process_runs(holders: KeyHolders) -> None:
    ring = Keyring((MasterKey.of(OLD),))
    async with holders.reporting(LoopSupervisor(), "gateway one", lambda: ring):
        [before] = await holders.present()
        assert before.key_ids == (key_id(OLD),)
        ring = Keyring((MasterKey.of(NEW), MasterKey.of(OLD, "former")))

        async def is_told() -> bool:
            [holder] = await holders.present()
            return holder.key_ids == (key_id(NEW), key_id(OLD))

        await eventually_async(is_told)
    assert await holders.present() == []
