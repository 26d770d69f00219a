"""An assignment service that dies at a bad moment loses nothing and does nothing twice."""

import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from assignment.apps import usecases
from assignment.apps.store import open_store
from assignment.settings import Settings
from chassis.persistence.outbox import Outbox
from chassis.runtime.service import open_service_runtime
from contracts.messages.assignment import AppAssigned
from contracts.messages.outcomes import CommandOutcome
from contracts.topics import ASSIGNMENT_COMMANDS, ASSIGNMENT_EVENTS, CONNECTOR_EVENTS

from tests.support import builders as make
from tests.support.door import Asker, open_asker
from tests.support.environment import Corner
from tests.support.kafka import open_wire
from tests.support.processes import running_module


class Death(BaseException):
    """The process is gone."""


class Grave:
    """A publisher of a process that dies before anything was sent."""

    async def send(self, envelope: Any) -> None:
        raise Death

    async def send_raw(self, topic: str, **_: Any) -> None:
        raise Death


@pytest_asyncio.fixture(loop_scope="session")
async def asker(fresh_corner: Corner) -> AsyncIterator[Asker]:
    """Talks to the services of this test, which will hear of `fs`."""
    async with open_wire(fresh_corner.settings()) as wire:
        await wire.ensure(ASSIGNMENT_COMMANDS, CONNECTOR_EVENTS)
        async with open_asker(wire, ASSIGNMENT_EVENTS) as opened:
            yield opened


def serving(corner: Corner, log: Path) -> Any:
    return running_module("assignment", "serve", environment=corner.variables(), log=log)


async def test_what_was_saved_is_announced_after_a_death_before_publishing(
    fresh_corner: Corner, asker: Asker, tmp_path: Path
) -> None:
    command = make.wrap(make.assign_app())
    async with open_service_runtime(fresh_corner.settings(Settings), "assignment") as runtime:
        store = await open_store(runtime)
        await usecases.note_integration(store, make.wrap(make.integration_offered(make.fs_integration())))
        outbox = Outbox(runtime.service, runtime.database, Grave())
        with pytest.raises(Death):
            await usecases.assign_app(await open_store(dataclasses.replace(runtime, outbox=outbox)), command)

    with serving(fresh_corner, tmp_path / "log"):
        assert (await asker.outcome(command, deadline_seconds=30)).accepted
        await asker.wire.publish(command)
        await asker.ear.until(lambda _: len(asker.heard(CommandOutcome)) == 2)
    first, again = asker.heard(CommandOutcome)
    assert (first.id, first.data) == (again.id, again.data)
    assert [e.data.app_id for e in asker.heard(AppAssigned)] == [command.data.app_id]


async def test_commands_sent_while_it_is_dead_are_handled_once(
    fresh_corner: Corner, asker: Asker, tmp_path: Path
) -> None:
    await asker.wire.publish(make.integration_offered(make.fs_integration()))
    with serving(fresh_corner, tmp_path / "first") as first:
        assert (await asker.ask(make.assign_app("app-0"), deadline_seconds=30)).accepted
        commands = [make.wrap(make.assign_app(f"app-{n}")) for n in range(1, 40)]
        for command in commands:
            await asker.wire.publish(command)
        first.kill()

    def assigned() -> set[tuple[str, str]]:
        return {(e.data.app_id, e.id) for e in asker.heard(AppAssigned)}

    with serving(fresh_corner, tmp_path / "second") as second:
        outcomes = [await asker.outcome(command, deadline_seconds=60) for command in commands]
        await asker.ear.until(lambda _: len(assigned()) >= 40)
        assert second.stop() == 0
    assert all(outcome.accepted for outcome in outcomes)
    assert sorted(app_id for app_id, _ in assigned()) == sorted(f"app-{n}" for n in range(40))
