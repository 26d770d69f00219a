"""The audit log on a real database: pages over months, and what is old goes."""

import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest_asyncio
from chassis.ids import new_id, utc_now
from chassis.runtime.service_runtime import open_service_runtime
from contracts.values import OrganizationId
from gateway.audit_log.entries import Actor, AuditEntry, AuditRow, Ending, Subject
from gateway.audit_log.store import AuditStore

from tests.support.environment import Corner

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
OLDEST = NOW - timedelta(days=400)


def entry_at(org: OrganizationId, moment: datetime, action: str = "file.download") -> AuditRow:
    noise = uuid.uuid4().int & ((1 << 76) - 1)
    bits = int(moment.timestamp() * 1000) << 80 | 0x7 << 76 | noise
    made = str(uuid.UUID(int=bits & ~(0x3 << 62) | 0x2 << 62))
    actor, subject = Actor(account_id="someone", via="badge"), Subject(kind="snapshot", id="s")
    return AuditRow(id=made, entry=AuditEntry(organization_id=org, actor=actor, action=action, subject=subject))


@pytest_asyncio.fixture(loop_scope="session")
async def log(corner: Corner) -> AsyncIterator[AuditStore]:
    async with open_service_runtime(corner.settings(), "gateway") as runtime:
        made = AuditStore(runtime.database)
        await made.setup()
        yield made


async def all_of(log: AuditStore, org: OrganizationId, *, limit: int, action: str | None = None) -> list[str]:
    seen: list[str] = []
    while page := await log.page(
        org, action=action, before=seen[-1] if seen else None, oldest=OLDEST, now=NOW, limit=limit
    ):
        seen += [entry.id for entry in page]
    return seen


async def test_pages_lead_through_all_hours_and_months(log: AuditStore) -> None:
    org, other = OrganizationId(new_id()), OrganizationId(new_id())
    ages = [timedelta(minutes=m) for m in (0, 1, 2, 59, 61, 600)] + [
        timedelta(days=d) for d in (1, 23, 24, 25, 300, 399)
    ]
    entries = [entry_at(org, NOW - age, f"a.{n % 2}") for n, age in enumerate(ages)]
    for entry in [*entries[::-1], entry_at(other, NOW)]:
        await log.begin(entry)

    newest_first = sorted((e.id for e in entries), reverse=True)
    for limit in (1, 4, 100):
        assert await all_of(log, org, limit=limit) == newest_first
    assert await all_of(log, org, limit=2, action="a.1") == sorted((e.id for e in entries[1::2]), reverse=True)
    assert await all_of(log, OrganizationId(new_id()), limit=10) == []


async def test_an_entry_and_its_end(log: AuditStore) -> None:
    org, made = OrganizationId(new_id()), entry_at(OrganizationId("x"), NOW)
    begun = made.model_copy(update={"entry": made.entry.model_copy(update={"organization_id": org})})
    await log.begin(begun)
    [started] = await log.page(org, action=None, before=None, oldest=OLDEST, now=NOW, limit=9)
    ending = Ending(outcome="failed", code="stream_broken", details={"bytes": 7})

    await log.end(OrganizationId("another"), made.id, ending, utc_now())
    [untouched] = await log.page(org, action=None, before=None, oldest=OLDEST, now=NOW, limit=9)
    await log.end(org, made.id, ending, NOW)
    [ended] = await log.page(org, action=None, before=None, oldest=OLDEST, now=NOW, limit=9)

    assert started == untouched == begun
    assert started.at == NOW
    assert (ended.ending, ended.ended_at) == (ending, NOW)


async def test_old_days_are_forgotten(log: AuditStore) -> None:
    org = OrganizationId(new_id())
    old, young = entry_at(org, NOW - timedelta(days=900)), entry_at(org, NOW)
    for entry in (old, young):
        await log.begin(entry)
    before = NOW - timedelta(days=2000)

    await log.forget(before)
    kept = await log.page(org, action=None, before=None, oldest=before, now=NOW, limit=9)
    await log.forget(OLDEST)
    left = await log.page(org, action=None, before=None, oldest=before, now=NOW, limit=9)

    assert [e.id for e in kept] == [young.id, old.id]
    assert [e.id for e in left] == [young.id]
