"""Refused logins are counted, and make no more entries than there is room for."""

import pytest
from chassis.errors import Unavailable
from chassis.runtime.supervision import LoopSupervisor
from gateway.areas.auth.login_log import Attempt, LoginLog
from gateway.audit_log.entries import AuditRow
from gateway.audit_log.log import AuditLog

from tests.unit.gateway.in_memory import ROOT_ORG, AuditInMemory, accounts_in_memory, add_organizations, an_account


class Room:
    """A log over memory, and its clock."""

    def __init__(self) -> None:
        self.now = 0.0
        self.entries = AuditInMemory([])
        self.accounts = accounts_in_memory()
        self.log = LoginLog(AuditLog(self.entries, kept_days=1), self.accounts, clock=lambda: self.now)

    def written(self) -> list[AuditRow]:
        return self.entries.written

    def counted(self) -> int:
        return sum(int(str(e.entry.details["count"])) for e in self.written())


@pytest.fixture
async def room() -> Room:
    made = Room()
    await add_organizations(made.accounts)
    return made


@pytest.mark.parametrize("hours", [5, pytest.param(48, marks=pytest.mark.long)])
async def test_a_long_attack_makes_a_bounded_number_of_entries_and_no_attempt_is_lost(room: Room, hours: int) -> None:
    tries = 0
    for hour in range(hours):
        for second in range(0, 3600, 60):
            room.now = hour * 3600 + second
            for n in range(50):
                attempt = Attempt(None, "password", f"203.0.{hour}.{(second + n) % 251}")
                room.log.refused(attempt, "login_failed")
                tries += 1
            await room.log.flush()
    assert len(room.written()) <= 60 + hours * 240
    room.now += 10 * 3600
    for _ in range(100):
        await room.log.flush()
        room.now += 3600
    assert room.counted() == tries


async def test_what_is_too_varied_is_counted_together(room: Room) -> None:
    for n in range(5000):
        room.log.refused(Attempt(an_account(f"a{n}"), "password", f"address {n}"), "login_failed")
    for _ in range(30):
        await room.log.flush()
        room.now += 3600
    assert room.counted() == 5000
    assert len(room.written()) == 1001
    [rest] = [e for e in room.written() if e.entry.details["address"] == "many"]
    assert (rest.entry.actor.account_id, rest.entry.details["count"]) == ("", 4000)


async def test_sums_survive_an_audit_log_that_is_away(room: Room) -> None:
    attempt = Attempt(an_account(), "api-key", "192.0.2.1")
    room.log.refused(attempt, "login_failed")
    room.entries.broken = True
    with pytest.raises(Unavailable):
        await room.log.flush()
    with pytest.raises(Unavailable, match="audit_unavailable"):
        await room.log.logged_in(attempt, ROOT_ORG)
    room.log.refused(attempt, "login_failed")
    room.entries.broken = False
    await room.log.flush()
    [entry] = room.written()
    assert entry.entry.details["count"] == 2
    assert entry.entry.details["first_at"] <= entry.entry.details["latest_at"]  # type: ignore[operator]


async def test_the_end_writes_what_is_left(room: Room) -> None:
    async with room.log.running(LoopSupervisor()):
        room.log.refused(Attempt(None, "password", "192.0.2.1"), "login_failed")
    assert room.counted() == 1
