"""A catalog that dies at a bad moment loses nothing and does nothing twice."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from catalog.inventories import usecases
from catalog.inventories.store import open_inventories
from catalog.settings import Settings
from chassis.ids import new_id
from chassis.runtime.service_runtime import open_service_runtime
from contracts.messages.catalog import InventoryCreated, InventoryRemoved, ResourceRemoved
from contracts.messages.outcomes import CommandOutcome
from contracts.topics import CATALOG_COMMANDS, CATALOG_EVENTS

from tests.support import builders as make
from tests.support.door import Asker
from tests.support.environment import Corner
from tests.support.killed_services import Death, assert_announced_once, dying, open_outsider, serving
from tests.support.processes import running_module


@pytest_asyncio.fixture(loop_scope="session")
async def asker(fresh_corner: Corner) -> AsyncIterator[Asker]:
    """Talks to the catalogs of this test."""
    async with open_outsider(fresh_corner, topics=(CATALOG_COMMANDS,), events=CATALOG_EVENTS) as opened:
        yield opened


async def test_what_was_saved_is_announced_after_a_death_before_publishing(
    fresh_corner: Corner, asker: Asker, tmp_path: Path
) -> None:
    command = make.wrap(make.create_inventory())
    async with open_service_runtime(fresh_corner.settings(Settings), "catalog") as runtime:
        with pytest.raises(Death):
            await usecases.create_inventory(await open_inventories(dying(runtime)), command)

    with running_module("catalog", "relay", environment=fresh_corner.variables(), log=tmp_path / "log") as relay:
        assert await relay.ended() == 0
    assert (await asker.outcome(command)).accepted

    with serving(fresh_corner, "catalog", tmp_path / "log"):
        await assert_announced_once(asker, command, InventoryCreated)


async def test_a_removal_killed_in_the_middle_is_finished_by_the_next_process(
    fresh_corner: Corner, asker: Asker, tmp_path: Path
) -> None:
    inventory, ids = new_id(), {new_id() for _ in range(120)}
    remove = make.wrap(make.remove_inventory(inventory))
    with serving(fresh_corner, "catalog", tmp_path / "first", removals_at_once=1) as first:
        assert (await asker.ask(make.create_inventory(inventory), deadline_seconds=30)).accepted
        await asker.ask_all([make.wrap(make.register_resource(inventory, id_, urn=id_)) for id_ in ids])
        await asker.wire.publish(remove)
        await asker.ear.message(ResourceRemoved)
        first.kill()
    assert not [e for e in asker.heard(CommandOutcome) if e.data.command_id == remove.id], "it was too quick to kill"

    with serving(fresh_corner, "catalog", tmp_path / "second"):
        outcome = await asker.outcome(remove, deadline_seconds=60)
        await asker.ear.message(InventoryRemoved, lambda e: e.inventory_id == inventory)
        again = await asker.rejection(make.register_resource(inventory))
    assert outcome.accepted
    assert again.code == "inventory_not_found"
    removed = asker.heard(ResourceRemoved)
    assert {e.data.resource_id for e in removed} == ids
    assert {e.data.revision for e in removed} == {2}
    assert len({e.id for e in removed}) == len(ids)
    types = [type(e.data) for e in (asker.heard(InventoryRemoved))]
    assert types == [InventoryRemoved]


async def test_a_restarted_catalog_still_knows_everything(fresh_corner: Corner, asker: Asker, tmp_path: Path) -> None:
    inventory = new_id()
    with serving(fresh_corner, "catalog", tmp_path / "first") as running:
        await asker.ask(make.create_inventory(inventory), deadline_seconds=30)
        assert (await asker.ask(make.register_resource(inventory, urn="urn:a"))).accepted
        running.kill()
    with serving(fresh_corner, "catalog", tmp_path / "second") as running:
        taken = make.wrap(make.register_resource(inventory, urn="urn:a"))
        await asker.wire.publish(taken)
        outcome = await asker.outcome(taken, deadline_seconds=30)
        assert running.stop() == 0
    assert outcome.problem is not None
    assert outcome.problem.code == "urn_taken"
