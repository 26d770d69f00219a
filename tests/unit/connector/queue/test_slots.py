"""Work that waits for stores of one organization keeps nobody else's waiting."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest
from chassis.messaging.envelopes import envelope
from chassis.runtime.supervision import LoopSupervisor
from connector.domain.work import EXTRA_SLOTS, SlotGroup, slot_for
from connector.queue.intake import work_of
from connector.queue.lease import Lease
from connector.queue.slots import Slots
from contracts.messages.connector.connection_tests import TestConnection
from contracts.values import OrganizationId

from tests.support.waiting import eventually_async
from tests.unit.connector.parts import SOURCE, TEST
from tests.unit.connector.workshop import Workshop

SLOTS = 2


@pytest.mark.parametrize(
    ("running", "org", "taken"),
    [
        ({}, "a", True),
        ({"a": SLOTS - 1}, "a", True),
        ({"a": SLOTS}, "a", False),
        ({"a": SLOTS}, "b", True),
        ({"a": SLOTS, "b": 1}, "b", False),
        ({"a": SLOTS, "b": 1}, "c", True),
        ({"a": SLOTS + EXTRA_SLOTS}, "b", False),
    ],
)
def test_above_its_slots_a_lane_takes_work_of_organizations_that_have_none_there(
    running: dict[str, int], org: str, taken: bool
) -> None:
    counted = Counter({OrganizationId(name): count for name, count in running.items()})
    extras = max(counted.total() - SLOTS, 0)
    assert (slot_for(OrganizationId(org), counted, slots=SLOTS, extras=extras) is not None) is taken


@pytest.mark.parametrize(
    ("org", "extras", "kept", "use"),
    [
        ("b", 1, 0, "usual"),
        ("b", 1, 1, None),
        ("c", 1, 1, "extra"),
        ("c", EXTRA_SLOTS, 1, None),
        ("b", 0, 0, None),
    ],
)
def test_slots_are_kept_for_work_that_wants_one_again(org: str, extras: int, kept: int, use: str | None) -> None:
    running = Counter({OrganizationId("b"): SLOTS - 1 + extras if extras else SLOTS})
    assert slot_for(OrganizationId(org), running, slots=SLOTS, extras=extras, kept=kept) == use


async def test_an_organization_whose_stores_never_answer_holds_back_nobody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workshop = await Workshop(tmp_path).open()
    runner, begun, ended, answers = (
        workshop.runner(),
        list[str](),
        list[str](),
        asyncio.Event(),
    )

    async def run(lease: Lease) -> None:
        begun.append(lease.work.id)
        if lease.work.organization_id == "silent":
            await answers.wait()
        await workshop.store.work.close(lease.work.organization_id, lease.work.id)
        ended.append(lease.work.id)

    async def queue(org: str, number: int) -> None:
        cause = envelope(
            TestConnection(organization_id=OrganizationId(org), app_id=SOURCE.id, app=SOURCE), service="gateway"
        )
        work = work_of(cause, kind=TEST, work_id=f"{org}-{number}", pool="default")
        await workshop.store.work.add(work, group=SlotGroup.COMMANDS)

    monkeypatch.setattr(runner, "run", run)
    for number in range(2 * SLOTS):
        await queue("silent", number)
    for number in range(3):
        await queue("other", number)
    slots = Slots(
        workshop.store,
        workshop.context.settings,
        runner,
        SlotGroup.COMMANDS,
        slots=SLOTS,
        wake_up=workshop.context.wake_ups.groups[SlotGroup.COMMANDS],
    )
    async with LoopSupervisor().running("work", slots.run):
        await eventually_async(
            lambda: [each for each in ended if each.startswith("other")] == ["other-0", "other-1", "other-2"]
        )
        assert len([each for each in begun if each.startswith("silent")]) == SLOTS
        answers.set()
        await eventually_async(lambda: len(ended) == 2 * SLOTS + 3)
