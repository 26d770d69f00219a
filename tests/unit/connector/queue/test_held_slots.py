"""Work that waits in line lends its slots to others, and gets slots again before new work begins."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from connector.domain.work import CANCEL, IN_LINE_MAX, TASK, SlotGroup, Work, joins_a_full_line
from connector.queue.intake import WakeUps, work_of
from connector.queue.lease import Lease, is_free
from connector.queue.slots import Slots
from connector.queue.store_slots import StoreFull, StoreSlots
from connector.settings import Settings
from connector.store.ports import Store
from contracts.messages.assignment import AppRef
from contracts.task_types.base import TaskType
from contracts.tasks import Task, TaskOptions
from contracts.values import AppId, OrganizationId
from integrations.sdk.errors import Cancelled

from tests.support.waiting import eventually_async
from tests.unit.connector.parts import memory_store, task_request


def shelf(name: str) -> AppRef:
    return AppRef(id=AppId(name), revision=1, kind="store", name=name)


def job(name: str, store: str, type_: TaskType = "check", org: str = "org", **facts: Any) -> Work:
    cause = task_request(name, task=Task(type=type_, origin=shelf(store), **facts))
    data = cause.data.model_copy(update={"organization_id": OrganizationId(org)})
    return work_of(cause.model_copy(update={"data": data}), kind=TASK, work_id=name, pool="default")


class Runner:
    """Runs work until it is told to end it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._ends: dict[str, asyncio.Event] = {}
        self.leases: dict[str, Lease] = {}
        self.begun: list[str] = []

    async def run(self, lease: Lease) -> None:
        name = lease.work.id
        self.leases[name], self._ends[name] = lease, asyncio.Event()
        self.begun.append(name)
        await self._ends[name].wait()
        await self._store.work.close(lease.work.organization_id, name)

    def end(self, name: str) -> None:
        self._ends[name].set()

    async def begins(self, *names: str) -> None:
        await eventually_async(lambda: self.begun == list(names))


SETTINGS = Settings.model_construct(
    instance="one", lease_seconds=30.0, store_slots=1, poll_seconds=0.005, pool="default"
)


@asynccontextmanager
async def working(store: Store, slots: int, *queued: Work) -> AsyncIterator[Runner]:
    """A worker with so many slots, at stores of one slot each."""
    for work in queued:
        await store.work.add(work, group=SlotGroup.TASKS)
    runner, wake_up = Runner(store), WakeUps().groups[SlotGroup.TASKS]
    loop = Slots(store, SETTINGS, runner, SlotGroup.TASKS, slots=slots, wake_up=wake_up)  # type: ignore[arg-type]
    running = asyncio.create_task(loop.run())
    try:
        yield runner
    finally:
        running.cancel()
        await asyncio.wait({running})


async def test_work_in_line_lends_its_slots_and_is_the_next_to_get_some() -> None:
    never = asyncio.Event()
    async with working(memory_store(), 1, job("line", "a"), job("second", "a"), job("third", "a")) as runner:
        await runner.begins("line")
        await runner.leases["line"].slots.give_back()
        await runner.begins("line", "second")
        again = asyncio.create_task(runner.leases["line"].slots.take_again(never))
        await asyncio.sleep(0)
        assert not again.done()
        runner.end("second")
        await asyncio.wait_for(again, 10)
        assert runner.begun == ["line", "second"]
        runner.end("line")
        await runner.begins("line", "second", "third")


async def test_who_wants_slots_again_can_be_cancelled_and_holds_none() -> None:
    store, cancel = memory_store(), asyncio.Event()
    async with working(store, 1, job("line", "a"), job("second", "a")) as runner:
        await runner.begins("line")
        await runner.leases["line"].slots.give_back()
        await runner.begins("line", "second")
        again = asyncio.create_task(runner.leases["line"].slots.take_again(cancel))
        cancel.set()
        with pytest.raises(Cancelled):
            await asyncio.wait_for(again, 10)
        runner.end("second")
        await eventually_async(lambda: _is_free(store))


@asynccontextmanager
async def wanting_again(runner: Runner, name: str) -> AsyncIterator["asyncio.Task[None]"]:
    again = asyncio.create_task(runner.leases[name].slots.take_again(asyncio.Event()))
    try:
        yield again
    finally:
        again.cancel()
        await asyncio.wait({again})


async def test_extra_work_never_keeps_work_from_the_slots_that_it_wants_again() -> None:
    store = memory_store()
    a0, a1, b, c = job("a0", "x", org="a"), *(job(f"{org}1", org, org=org) for org in "abc")
    async with working(store, 2, a0, a1) as runner:
        await runner.begins("a0", "a1")
        await runner.leases["a1"].slots.give_back()
        await store.work.add(b, group=SlotGroup.TASKS)
        await runner.begins("a0", "a1", "b1")
        await store.work.add(c, group=SlotGroup.TASKS)
        await runner.begins("a0", "a1", "b1", "c1")
        async with wanting_again(runner, "a1") as again:
            for org in "bc":
                await store.work.add(job(f"{org}2", f"{org}2", org=org), group=SlotGroup.TASKS)
            runner.end("b1")
            await asyncio.wait_for(again, 10)


async def test_work_that_wants_slots_of_its_own_organization_keeps_no_other_one_waiting() -> None:
    store = memory_store()
    never_end = [job(name, name, org="a") for name in ("hung", "line")]
    async with working(store, 2, *never_end) as runner:
        await runner.begins("hung", "line")
        await runner.leases["line"].slots.give_back()
        await store.work.add(job("mute", "mute", org="a"), group=SlotGroup.TASKS)
        await runner.begins("hung", "line", "mute")
        async with wanting_again(runner, "line") as again:
            for number, org in enumerate(("b", "c", "b"), start=1):
                await store.work.add(job(f"{org}{number}", f"{org}{number}", org=org), group=SlotGroup.TASKS)
            await eventually_async(lambda: {"b1", "c2"} <= set(runner.begun))
            runner.end("b1")
            await eventually_async(lambda: "b3" in runner.begun)
            assert not again.done()


async def test_work_that_waits_for_a_full_store_keeps_one_slot_of_its_worker() -> None:
    store = memory_store()
    async with working(store, 3, job("first", "x"), job("second", "y")) as runner:
        await runner.begins("first", "second")
        held = [await StoreSlots(store, SETTINGS).take(job("probe", name), [name]) for name in await _lent(runner)]
        async with wanting_again(runner, "first") as first, wanting_again(runner, "second") as second:
            await eventually_async(lambda: _is_kept(store, "x"))
            await eventually_async(lambda: _is_kept(store, "y"))
            for name in ("p", "q", "r"):
                await store.work.add(job(name, name), group=SlotGroup.TASKS)
            await runner.begins("first", "second", "p", "q")
            await held[1].release()
            await asyncio.wait_for(second, 10)
            assert runner.begun[2:] == ["p", "q"]
            assert not first.done()


async def _lent(runner: Runner) -> tuple[str, str]:
    """The stores of the first two jobs, which have given their slots back."""
    for name in ("first", "second"):
        await runner.leases[name].slots.give_back()
    return "x", "y"


async def test_the_next_slot_of_a_store_is_for_who_was_in_line_also_where_another_worker_is_quicker() -> None:
    store = memory_store()
    quick = StoreSlots(store, SETTINGS)
    async with working(store, 1, job("line", "a")) as runner:
        await runner.begins("line")
        await runner.leases["line"].slots.give_back()
        first = await quick.take(job("first", "a"), ["a"])
        async with wanting_again(runner, "line") as again:
            await eventually_async(lambda: _is_kept(store, "a"))
            await first.release()
            with pytest.raises(StoreFull):
                await quick.take(job("second", "a"), ["a"])
            await asyncio.wait_for(again, 10)
        runner.end("line")
        await eventually_async(lambda: _is_free(store))


async def _is_kept(store: Store, name: str) -> bool:
    return not await is_free(store, job("probe", name).model_copy(update={"id": f"store-next:{name}"}))


async def _is_free(store: Store) -> bool:
    try:
        await (await StoreSlots(store, SETTINGS).take(job("probe", "a"), ["a"])).release()
    except StoreFull:
        return False
    return True


@pytest.mark.parametrize(
    ("work", "in_line", "left"),
    [
        (job("x", "a"), IN_LINE_MAX, True),
        (job("x", "a"), IN_LINE_MAX - 1, False),
        (job("x", "b"), IN_LINE_MAX, False),
        (job("x", "a", "backup"), IN_LINE_MAX, False),
    ],
)
def test_of_a_long_line_a_worker_takes_only_so_much(work: Work, in_line: int, left: bool) -> None:
    assert joins_a_full_line(work, [job(f"j{n}", "a") for n in range(in_line)]) is left


@pytest.mark.parametrize("options", [TaskOptions(snapshot_id="1f" * 32), TaskOptions(latest=True)])
def test_a_check_of_restore_points_needs_no_line_and_is_left_by_none(options: TaskOptions) -> None:
    assert not joins_a_full_line(job("x", "a", options=options), [job(f"j{n}", "a") for n in range(IN_LINE_MAX)])


def test_cancellations_that_wait_for_workers_keep_no_command_waiting() -> None:
    commands = [
        work_of(task_request("x"), kind=CANCEL, work_id=f"j{n}:cancel", pool="default") for n in range(IN_LINE_MAX + 1)
    ]
    assert not joins_a_full_line(commands[0], commands[1:])


@pytest.mark.parametrize(("target", "left"), [("b", True), ("c", False)])
def test_what_copies_between_two_stores_joins_the_line_of_these_two(target: str, left: bool) -> None:
    line = [job(f"j{n}", "a", "sync", target=shelf("b")) for n in range(IN_LINE_MAX)]
    assert joins_a_full_line(job("x", "a", "sync", target=shelf(target)), line) is left
