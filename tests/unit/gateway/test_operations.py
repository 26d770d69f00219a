"""Operations: what is kept of an outcome, and what is not an outcome."""

from datetime import datetime
from typing import Any

import pytest
from chassis.envelopes import accepted, refused
from chassis.errors import Unavailable
from chassis.outcomes import Commands
from contracts.envelope import Envelope
from contracts.messages import Message
from contracts.outcomes import CommandOutcome, Problem
from contracts.values import OrganizationId
from gateway.store.requests import End, Requests
from gateway.usecases.operations import Operation, Operations
from gateway.usecases.visitors import Visitor

from tests.support import builders as make


class MemoryRequests(Requests):
    """Operations in memory."""

    def __init__(self) -> None:
        self.commands: dict[str, Envelope[Message]] = {}
        self.ends: dict[str, End] = {}

    async def begin(self, command: Envelope[Message]) -> None:
        """See `Requests`."""
        self.commands[command.id] = command

    async def command(self, org: OrganizationId, operation_id: str) -> Envelope[Message] | None:
        """See `Requests`."""
        return self.commands.get(operation_id)

    async def forget(self, now: datetime) -> None:
        """See `Requests`."""

    async def end(self, org: OrganizationId, operation_id: str, end: End) -> None:
        """See `Requests`."""
        self.ends[operation_id] = end

    async def ended(self, org: OrganizationId, operation_id: str) -> End | None:
        """See `Requests`."""
        return self.ends.get(operation_id)


class Platform:
    """Takes commands, and answers each with a problem or with success; while Kafka is away it takes none."""

    def __init__(self, problem: Problem | None = None) -> None:
        self.problem = problem
        self.away = False
        self.taken: list[str] = []
        self.commands = Commands(self, service="gateway", timeout_seconds=10)

    async def send(self, envelope: Envelope[Message]) -> None:
        """Take a command; its outcome is heard at once."""
        if self.away:
            raise Unavailable("kafka_away", "Kafka does not answer.")
        self.taken.append(envelope.id)
        await self.commands.heard(self._outcome(envelope))

    async def send_raw(self, topic: str, **_: Any) -> None:
        """Nothing is parked here."""
        raise AssertionError(topic)

    def _outcome(self, command: Envelope[Message]) -> Envelope[CommandOutcome]:
        if self.problem:
            return refused(command, self.problem, service="catalog")
        return accepted(command, {"id": "inv-1"}, service="catalog")


async def polled(operations: Operations, command: Envelope[Message]) -> Operation:
    who = Visitor(account_id="someone", organization_id=make.ORG)
    return await operations.poll(who, command.id)


@pytest.mark.parametrize("kind", ["internal", "unavailable", "failed", "not_found"])
async def test_every_refusal_ends_an_operation(kind: str) -> None:
    problem = Problem(code="it_went_wrong", kind=kind, detail="It went wrong.")
    platform, command = Platform(problem), make.wrap(make.create_inventory())
    async with Operations(MemoryRequests(), platform.commands).running() as operations:
        await operations.begin(command)
        for _ in range(3):
            assert (await polled(operations, command)).end == End(problem=problem)
    assert platform.taken == [command.id]


async def test_success_ends_an_operation() -> None:
    platform, command = Platform(), make.wrap(make.create_inventory())
    async with Operations(MemoryRequests(), platform.commands).running() as operations:
        await operations.begin(command)
        assert (await polled(operations, command)).end == End(result={"id": "inv-1"})


async def test_a_command_that_kafka_does_not_take_runs_on() -> None:
    platform, command = Platform(), make.wrap(make.create_inventory())
    platform.away = True
    async with Operations(MemoryRequests(), platform.commands).running() as operations:
        await operations.begin(command)
        assert (await polled(operations, command)).end is None
        platform.away = False
        assert (await polled(operations, command)).end == End(result={"id": "inv-1"})
