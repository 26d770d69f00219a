"""What the audit log tells of requests whose database, broker or service stood still in the middle."""

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import httpx
import pytest
from chassis.errors import Unavailable
from chassis.http.error_handlers import install_problems
from chassis.http.request_middleware import RequestMiddleware
from chassis.messaging.command_client import Commands
from chassis.messaging.envelopes import accepted, rejected
from chassis.persistence.mongo import PyMongoError, WriteError
from chassis.runtime.deadlines import HEADER
from chassis.runtime.supervision import LoopSupervisor, begin
from contracts.envelope import Envelope
from contracts.messages.base import Message
from contracts.messages.outcomes import Problem
from contracts.values import OrganizationId
from fastapi import FastAPI
from gateway.areas.operations.accepted import install_operations
from gateway.areas.operations.service import Operations
from gateway.areas.operations.store import OperationStore
from gateway.audit_log.endings import EndingWriter
from gateway.audit_log.entries import Actor, AuditEntry, AuditRow, Ending, Subject
from gateway.audit_log.log import AuditLog
from gateway.http.dependencies import Services
from pymongo.errors import ConnectionFailure

from tests.support import builders as make
from tests.support.waiting import eventually_async
from tests.unit.gateway.in_memory import AuditInMemory
from tests.unit.gateway.test_audit import OWNER

AT_ONCE_SECONDS = 5.0
ENTRY = AuditEntry(
    organization_id=OWNER.organization_id,
    actor=Actor(account_id=OWNER.account_id, via="badge"),
    action="connector.remove",
    subject=Subject(kind="connector", id="app-1"),
)


class Thawing(AuditInMemory):
    """An audit log on a server that stands still until it is told to go on."""

    def __init__(self) -> None:
        super().__init__([])
        self.going = asyncio.Event()
        self.going.set()

    async def _answer(self) -> None:
        if self.broken:
            raise PyMongoError("away")
        await self.going.wait()

    async def forget(self, oldest: datetime) -> None:
        """Nothing is old."""


class Kept(OperationStore):
    """Operations in memory, or nowhere."""

    def __init__(self) -> None:
        self.away = False

    async def begin(self, command: Envelope[Message], *, taken: bool) -> None:
        """See `OperationStore`."""
        if self.away:
            raise PyMongoError("away")

    async def end(self, org: OrganizationId, operation_id: str, end: Any) -> None:
        """See `OperationStore`."""


class Room:
    """An application with one route, which makes a recorded change by a command and then reads what it made."""

    def __init__(self) -> None:
        self.entries, self.requests = Thawing(), Kept()
        self.audit = AuditLog(self.entries, kept_days=1)
        self.commands = Commands(self, service="gateway", timeout_seconds=10)
        self.broker = "quick"
        self.read_back: Any = None
        self.app = FastAPI()
        self.app.state.services = Services(Operations(self.requests, self.commands, keep_seconds=0.1))
        install_problems(self.app)
        install_operations(self.app)
        self.app.post("/change")(self._change)

    async def _change(self) -> dict[str, str]:
        async with self.audit.change(OWNER, "connector.remove", "connector", "app-1"):
            await self.commands.carry_out(make.remove_app("app-1"))
            if self.read_back:
                await self.read_back()
        return {}

    async def send(self, envelope: Envelope[Message]) -> None:
        """Kafka takes a command and its outcome is heard, or not."""
        if self.broker == "frozen":
            await asyncio.Event().wait()
        if self.broker == "breaks":
            raise Unavailable("kafka_unavailable", "The broker did not take a message: RequestTimedOutError")
        if self.broker == "refuses":
            await self.commands.heard(
                rejected(envelope, Problem(code="app_in_use", detail="No."), service="assignment")
            )
        if self.broker == "quick":
            await self.commands.heard(accepted(envelope, {}, service="assignment"))

    async def send_raw(self, topic: str, **_: Any) -> None:
        """Nothing is parked here."""
        raise AssertionError(topic)

    async def ask(self, *, seconds: float = 11.0) -> httpx.Response:
        """Make the change, with a deadline."""
        transport = httpx.ASGITransport(RequestMiddleware(self.app), raise_app_exceptions=False)  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            return await client.post("/change", headers={HEADER: str(round(seconds * 1000))})

    async def entry(self) -> AuditRow:
        """The entry, once its end is known."""
        await eventually_async(lambda: bool(self.entries.written) and self.entries.written[0].ended_at is not None)
        [entry] = self.entries.written
        return entry

    def freeze(self) -> None:
        self.entries.going.clear()


@pytest.fixture
async def room() -> AsyncIterator[Room]:
    room = Room()
    yield room
    # All tests share a loop: an operation that is still being kept would warn into the log of a later test.
    room.requests.away = False


async def test_an_ending_that_cannot_be_written_holds_up_no_answer_and_is_not_lost(room: Room) -> None:
    async def freeze() -> None:
        room.freeze()

    room.read_back = freeze
    async with asyncio.timeout(AT_ONCE_SECONDS):
        answer = await room.ask()
    assert answer.status_code == 200
    assert room.entries.written[0].ending.outcome == "started"

    room.entries.going.set()
    assert (await room.entry()).ending.outcome == "completed"


async def test_a_request_that_is_cut_off_is_answered_though_its_ending_cannot_be_written(room: Room) -> None:
    async def freeze() -> None:
        room.freeze()
        await asyncio.Event().wait()

    room.read_back = freeze
    async with asyncio.timeout(AT_ONCE_SECONDS):
        answer = await room.ask(seconds=0.3)
    assert (answer.status_code, answer.json()["code"]) == (503, "not_answered_in_time")

    room.entries.going.set()
    ending = (await room.entry()).ending
    assert (ending.outcome, ending.code) == ("completed", "not_answered_in_time")


async def test_an_entry_that_began_too_late_tells_that_nothing_was_done(room: Room) -> None:
    room.freeze()
    async with asyncio.timeout(AT_ONCE_SECONDS):
        assert (await room.ask(seconds=0.3)).status_code == 503

    room.entries.going.set()
    ending = (await room.entry()).ending
    assert (ending.outcome, ending.code) == ("failed", "not_answered_in_time")


@pytest.mark.parametrize(
    ("broker", "away", "status", "outcome", "code"),
    [
        ("frozen", True, 503, "unknown", "command_not_kept"),
        ("frozen", False, 202, "continued", None),
        ("silent", True, 202, "continued", None),
        ("breaks", False, 503, "unknown", "kafka_unavailable"),
        ("refuses", False, 400, "failed", "app_in_use"),
        ("quick", True, 200, "completed", None),
    ],
)
async def test_an_entry_tells_what_is_known_of_its_command(
    room: Room, broker: str, away: bool, status: int, outcome: str, code: str | None
) -> None:
    room.broker, room.requests.away = broker, away
    answer = await room.ask(seconds=1.4)
    assert (answer.status_code, answer.json().get("code")) == (status, code)
    entry = await room.entry()
    assert (entry.ending.outcome, entry.ending.code) == (outcome, code)
    if status == 202:
        assert entry.ending.details == {"operation_id": answer.json()["operation_id"]}


async def test_a_change_that_was_made_is_no_failure_when_it_cannot_be_read_back(room: Room) -> None:
    async def away() -> None:
        raise PyMongoError("away")

    room.read_back = away
    assert (await room.ask()).status_code == 503
    ending = (await room.entry()).ending
    assert (ending.outcome, ending.code) == ("completed", "database_unavailable")


async def test_an_ending_that_the_database_refused_is_written_when_it_is_back(room: Room) -> None:
    async def away() -> None:
        room.entries.broken = True

    room.read_back = away
    async with room.audit.running(LoopSupervisor()):
        assert (await room.ask()).status_code == 200
        assert room.entries.written[0].ending.outcome == "started"
        room.entries.broken = False
        assert (await room.entry()).ending.outcome == "completed"


async def test_an_ending_that_is_lost_with_the_process_is_told(room: Room, caplog: pytest.LogCaptureFixture) -> None:
    async def away() -> None:
        room.entries.broken = True

    room.read_back = away
    with caplog.at_level(logging.ERROR):
        async with room.audit.running(LoopSupervisor()):
            await room.ask()
    assert [r.getMessage() for r in caplog.records] == ["audit entry never ended"]


class Refusing(AuditInMemory):
    """Takes no ending of some entries."""

    def __init__(self, rejected: dict[str, Exception]) -> None:
        super().__init__([])
        self.refused = rejected

    async def end(self, org: OrganizationId, entry_id: str, ending: Ending, now: datetime) -> None:
        """See `AuditLog`."""
        if self.broken:
            raise PyMongoError("away")
        if error := self.refused.get(entry_id):
            raise error
        await super().end(org, entry_id, ending, now)


@pytest.mark.parametrize(
    ("error", "is_lost"),
    [(WriteError("no"), True), (PyMongoError("not now"), False), (ConnectionFailure("away"), None)],
)
async def test_an_ending_that_is_refused_keeps_no_other_waiting(
    error: Exception, is_lost: bool | None, caplog: pytest.LogCaptureFixture
) -> None:
    entries = Refusing({})
    endings = EndingWriter(entries)
    for number in range(2):
        entry = AuditRow(id=f"entry-{number}", entry=ENTRY)
        await entries.begin(entry)
        entries.broken = True
        await endings.begin(begin("written", asyncio.sleep(0)), entry, Ending(outcome="completed"))
        entries.broken = False
    entries.refused = {"entry-0": error}

    await endings.retry()
    await endings.retry()

    ended = {entry.id: entry.ended_at is not None for entry in entries.written}
    assert ended == {"entry-0": False, "entry-1": is_lost is not None}
    lost = [r for r in caplog.records if r.getMessage() == "audit entry never ended"]
    assert bool(lost) is bool(is_lost)
