"""Services that die at a bad moment: what they saved is announced by the next process, once."""

import dataclasses
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

from chassis.persistence.outbox import Outbox
from chassis.runtime.service_runtime import ServiceRuntime
from contracts.envelope import Envelope
from contracts.messages.base import Message
from contracts.messages.outcomes import CommandOutcome

from tests.support.door import Asker, open_asker
from tests.support.environment import Corner
from tests.support.kafka import open_wire
from tests.support.processes import Running, running_module


class Death(BaseException):
    """The process is gone. No `Exception`, so that nothing of the service catches it."""


class DyingPublisher:
    """A publisher of a process that dies before anything was sent."""

    async def send(self, envelope: Any) -> None:
        """Die."""
        raise Death

    async def send_in_order(self, envelopes: Any) -> None:
        """Die."""
        raise Death

    async def send_raw(self, topic: str, **_: Any) -> None:
        """Die."""
        raise Death


def dying(runtime: ServiceRuntime) -> ServiceRuntime:
    """The runtime of a process that saves and then dies."""
    outbox = Outbox(runtime.service, runtime.database, DyingPublisher())
    return dataclasses.replace(runtime, outbox=outbox)


def serving(corner: Corner, service: str, log: Path, **settings: object) -> AbstractContextManager[Running]:
    """A process of a service; killed at the end of the block."""
    return running_module(service, "serve", environment=corner.variables(**settings), log=log)


@asynccontextmanager
async def open_outsider(corner: Corner, *, topics: tuple[str, ...], events: str) -> AsyncIterator[Asker]:
    """Talks to services that come and go: the topics they listen to are there before them."""
    async with open_wire(corner.settings()) as wire:
        await wire.ensure(*topics)
        async with open_asker(wire, events) as asker:
            yield asker


async def assert_announced_once(asker: Asker, command: Envelope[Any], event: type[Message]) -> None:
    """A command that an earlier process carried out is answered by a running one, each time alike, with one event."""
    assert (await asker.outcome(command, deadline_seconds=30)).accepted
    await asker.wire.publish(command)
    await asker.ear.until(lambda _: len(asker.heard(CommandOutcome)) == 2, 30)
    first, again = asker.heard(CommandOutcome)
    assert (first.id, first.data) == (again.id, again.data)
    [announced] = asker.heard(event)
    assert announced.causation_id == command.id
