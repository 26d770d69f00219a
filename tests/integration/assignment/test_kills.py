"""An assignment service that dies at a bad moment loses nothing and does nothing twice."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from assignment.apps.store import open_store
from assignment.apps.usecases import commands, offers
from assignment.settings import Settings
from chassis.runtime.service_runtime import open_service_runtime
from contracts.messages.assignment import AppAssigned
from contracts.topics import ASSIGNMENT_COMMANDS, ASSIGNMENT_EVENTS, CONNECTOR_EVENTS

from tests.support import builders as make
from tests.support.door import Asker
from tests.support.environment import Corner
from tests.support.killed_services import Death, assert_announced_once, dying, open_outsider, serving


@pytest_asyncio.fixture(loop_scope="session")
async def asker(fresh_corner: Corner) -> AsyncIterator[Asker]:
    """Talks to the services of this test, which will hear of `fs`."""
    topics = (ASSIGNMENT_COMMANDS, CONNECTOR_EVENTS)
    async with open_outsider(fresh_corner, topics=topics, events=ASSIGNMENT_EVENTS) as opened:
        yield opened


async def test_what_was_saved_is_announced_after_a_death_before_publishing(
    fresh_corner: Corner, asker: Asker, tmp_path: Path
) -> None:
    command = make.wrap(make.assign_app())
    async with open_service_runtime(fresh_corner.settings(Settings), "assignment") as runtime:
        store = await open_store(runtime)
        await offers.note_integration(store, make.wrap(make.integration_offered(make.fs_integration())))
        with pytest.raises(Death):
            await commands.assign_app(await open_store(dying(runtime)), command)

    with serving(fresh_corner, "assignment", tmp_path / "log"):
        await assert_announced_once(asker, command, AppAssigned)


async def test_commands_sent_while_it_is_dead_are_handled_once(
    fresh_corner: Corner, asker: Asker, tmp_path: Path
) -> None:
    await asker.wire.publish(make.integration_offered(make.fs_integration()))
    with serving(fresh_corner, "assignment", tmp_path / "first") as first:
        assert (await asker.ask(make.assign_app("app-0"), deadline_seconds=30)).accepted
        commands = [make.wrap(make.assign_app(f"app-{n}")) for n in range(1, 40)]
        for command in commands:
            await asker.wire.publish(command)
        first.kill()

    def assigned() -> set[tuple[str, str]]:
        return {(e.data.app_id, e.id) for e in asker.heard(AppAssigned)}

    with serving(fresh_corner, "assignment", tmp_path / "second") as second:
        outcomes = [await asker.outcome(command, deadline_seconds=60) for command in commands]
        await asker.ear.until(lambda _: len(assigned()) >= 40)
        assert second.stop() == 0
    assert all(outcome.accepted for outcome in outcomes)
    assert sorted(app_id for app_id, _ in assigned()) == sorted(f"app-{n}" for n in range(40))
