"""Operations: what is kept of an outcome, and what is not an outcome."""

import asyncio
from datetime import datetime
from typing import Any

import pytest
from chassis.errors import Unavailable
from chassis.messaging.command_client import Commands
from chassis.messaging.envelopes import accepted, rejected
from chassis.runtime.supervision import LoopSupervisor
from contracts.envelope import Envelope
from contracts.messages.base import Message
from contracts.messages.outcomes import CommandOutcome, Problem
from contracts.messages.scheduler import RetryJob, RunTask
from contracts.tasks import AppRef
from contracts.values import AppId, JobId, OrganizationId, RunId
from gateway.access.principal import Principal
from gateway.areas.operations.schemas import operation_view
from gateway.areas.operations.service import Operation, Operations
from gateway.areas.operations.store import End, OperationStore

from tests.support import builders as make
from tests.support.waiting import eventually_async


class MemoryOperations(OperationStore):
    """Operations in memory."""

    def __init__(self) -> None:
        self.commands: dict[str, Envelope[Message]] = {}
        self.ends: dict[str, End] = {}
        self.waiting: dict[str, Envelope[Message]] = {}

    async def begin(self, command: Envelope[Message], *, taken: bool) -> None:
        """See `OperationStore`."""
        self.commands[command.id] = command
        if not taken:
            self.waiting[command.id] = command

    async def unsent(self) -> list[Envelope[Message]]:
        """See `OperationStore`."""
        return list(self.waiting.values())

    async def sent(self, command: Envelope[Message]) -> None:
        """See `OperationStore`."""
        self.waiting.pop(command.id, None)

    async def command(self, org: OrganizationId, operation_id: str) -> Envelope[Message] | None:
        """See `OperationStore`."""
        return self.commands.get(operation_id)

    async def of_run(self, org: OrganizationId, run_id: str) -> Envelope[Message] | None:
        """See `OperationStore`."""
        runs = (each for each in self.commands.values() if isinstance(each.data, RunTask))
        return next((each for each in runs if (each.data.organization_id, each.data.run_id) == (org, run_id)), None)

    async def forget(self, now: datetime) -> None:
        """See `OperationStore`."""

    async def end(self, org: OrganizationId, operation_id: str, end: End) -> None:
        """See `OperationStore`."""
        self.ends[operation_id] = end

    async def ended(self, org: OrganizationId, operation_id: str) -> End | None:
        """See `OperationStore`."""
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
            return rejected(command, self.problem, service="catalog")
        return accepted(command, {"id": "inv-1"}, service="catalog")


async def polled(operations: Operations, command: Envelope[Message]) -> Operation:
    who = Principal(account_id="someone", organization_id=make.ORG)
    return await operations.poll(who, command.id)


@pytest.mark.parametrize("kind", ["internal", "unavailable", "failed", "not_found"])
async def test_every_refusal_ends_an_operation(kind: str) -> None:
    problem = Problem(code="it_went_wrong", kind=kind, detail="It went wrong.")
    platform, command = Platform(problem), make.wrap(make.create_inventory())
    async with Operations(MemoryOperations(), platform.commands).running(LoopSupervisor()) as operations:
        await operations.begin(command, taken=True)
        for _ in range(3):
            assert (await polled(operations, command)).end == End(problem=problem)
    assert platform.taken == [command.id]


async def test_success_ends_an_operation() -> None:
    platform, command = Platform(), make.wrap(make.create_inventory())
    async with Operations(MemoryOperations(), platform.commands).running(LoopSupervisor()) as operations:
        await operations.begin(command, taken=True)
        assert (await polled(operations, command)).end == End(result={"id": "inv-1"})


async def test_a_command_that_kafka_does_not_take_runs_on() -> None:
    platform, command = Platform(), make.wrap(make.create_inventory())
    platform.away = True
    async with Operations(MemoryOperations(), platform.commands).running(LoopSupervisor()) as operations:
        await operations.begin(command, taken=True)
        assert (await polled(operations, command)).end is None
        platform.away = False
        assert (await polled(operations, command)).end == End(result={"id": "inv-1"})


class Away(MemoryOperations):
    """A database that does not answer for some time."""

    def __init__(self) -> None:
        super().__init__()
        self.back = asyncio.Event()

    async def begin(self, command: Envelope[Message], *, taken: bool) -> None:
        """See `OperationStore`."""
        await self.back.wait()
        await super().begin(command, taken=taken)


async def test_a_command_that_kafka_did_not_take_is_sent_later_by_whoever_runs_then() -> None:
    platform, requests, command = Platform(), MemoryOperations(), make.wrap(make.create_inventory())
    platform.away = True
    async with Operations(requests, platform.commands).running(LoopSupervisor()) as operations:
        await operations.begin(command, taken=False)
    platform.away = False
    async with Operations(requests, platform.commands).running(LoopSupervisor()) as operations:
        await operations.send_unsent()
        await eventually_async(lambda: command.id in requests.ends and not requests.waiting)
        await operations.send_unsent()
    assert platform.taken == [command.id]


async def test_what_neither_kafka_nor_the_database_takes_is_refused() -> None:
    requests, command = Away(), make.wrap(make.create_inventory())
    async with Operations(requests, Platform().commands).running(LoopSupervisor()) as operations:
        with pytest.raises(Unavailable) as rejected:
            await operations.begin(command, taken=False)
        assert rejected.value.code == "command_not_kept"
        assert "Idempotency-Key" in rejected.value.detail
        requests.back.set()
    assert requests.waiting == {}


async def test_what_kafka_has_is_an_operation_though_the_database_is_away() -> None:
    requests, platform, command = Away(), Platform(), make.wrap(make.create_inventory())
    async with Operations(requests, platform.commands).running(LoopSupervisor()) as operations:
        await operations.begin(command, taken=True)
        assert (await polled(operations, command)).end == End(result={"id": "inv-1"})
        requests.back.set()
        await eventually_async(lambda: command.id in requests.commands)


def test_a_retry_is_named_by_its_new_job_as_its_own_answer_is() -> None:
    origin = AppRef(id=AppId("app-1"), revision=1, kind="source", name="nas")
    command = RetryJob(
        organization_id=make.ORG, job_id=JobId("job-1"), new_job_id=JobId("job-2"), run_id=RunId("run-2"), origin=origin
    )
    view = operation_view(Operation("command", command, End(result={"run_id": "run-2", "job_id": "job-2"})))
    assert (view.id, view.result) == ("job-2", {"id": "job-2", "run_id": "run-2", "job_id": "job-2"})
