"""How many jobs reach one store at once, over all workers."""

import asyncio

import pytest
from connector.domain.work import TASK, SlotGroup, Work
from connector.queue.intake import WakeUps, work_of
from connector.queue.lease import Lease
from connector.queue.slots import Slots
from connector.queue.store_slots import Reservation, StoreFull, StoreSlots
from connector.settings import Settings
from connector.store.ports import Store
from contracts.messages.assignment import AppRef
from contracts.tasks import Task
from contracts.values import AppId

from tests.unit.connector.parts import SOURCE, memory_store, task_request


def shelf(name: str) -> AppRef:
    return AppRef(id=AppId(name), revision=1, kind="store", name=name)


def job(name: str, *stores: str) -> Work:
    origin, target = (SOURCE, shelf(stores[0])) if len(stores) == 1 else map(shelf, stores)
    request = task_request(name, task=Task(type="backup", origin=origin, target=target))
    return work_of(request, kind=TASK, work_id=name, pool="default")


def worker(name: str, **facts: object) -> Settings:
    return Settings.model_construct(**{"instance": name, "lease_seconds": 30.0, "store_slots": 2} | facts)


def slots_of(store: Store, name: str = "one", **facts: object) -> StoreSlots:
    return StoreSlots(store, worker(name, **facts))


def test_a_job_reaches_the_stores_that_are_its_parties() -> None:
    assert (job("j", "a").stores, job("j", "b", "a").stores) == (("a",), ("a", "b"))


async def test_the_slots_of_a_store_are_shared_by_all_workers() -> None:
    store = memory_store()
    one, two = slots_of(store), slots_of(store, "two")
    first = await one.take(job("j1", "a"), ["a"])
    await two.take(job("j2", "a"), ["a"])
    with pytest.raises(StoreFull):
        await one.take(job("j3", "a"), ["a"])
    await one.take(job("j4", "b"), ["b"])
    await first.release()
    await two.take(job("j3", "a"), ["a"])


async def test_what_reaches_two_stores_holds_none_where_one_is_full() -> None:
    store = memory_store()
    slots = slots_of(store, store_slots=1)
    await slots.take(job("j1", "b"), ["b"])
    with pytest.raises(StoreFull) as full:
        await slots.take(job("j2", "a", "b"), ["a", "b"])
    assert full.value.store_id == "b"
    await slots.take(job("j3", "a"), ["a"])


async def test_slots_of_a_lost_worker_are_taken_over() -> None:
    store = memory_store()
    await slots_of(store, store_slots=1, lease_seconds=-1.0).take(job("j1", "a"), ["a"])
    await slots_of(store, "two", store_slots=1).take(job("j2", "a"), ["a"])


async def reserved(store: Store, name: str, *at: str, seconds: float = 30.0) -> Reservation:
    reservation = Reservation(store, worker(name, lease_seconds=seconds), job(name, "a", "b"))
    for store_id in at:
        await reservation.have_at(store_id)
    return reservation


async def test_the_next_free_slot_is_kept_for_one_and_others_have_what_is_free_beside_it() -> None:
    store = memory_store()
    held = [await slots_of(store).take(job(f"j{n}", "a"), ["a"]) for n in range(2)]
    reservation = await reserved(store, "one", "a")
    await held[0].release()
    with pytest.raises(StoreFull):
        await slots_of(store, "two").take(job("j3", "a"), ["a"])
    await held[1].release()
    await slots_of(store, "two").take(job("j3", "a"), ["a"])
    with pytest.raises(StoreFull):
        await slots_of(store, "three").take(job("j4", "a"), ["a"])
    await slots_of(store).take(job("j5", "a"), ["a"], next_at=reservation.store_id)


@pytest.mark.parametrize(("seconds", "is_given_up"), [(-1.0, False), (30.0, True)])
async def test_a_slot_is_kept_no_longer_than_its_worker_says_so(seconds: float, is_given_up: bool) -> None:
    store = memory_store()
    reservation = await reserved(store, "one", "a", seconds=seconds)
    if is_given_up:
        await reservation.give_up()
    assert (await reserved(store, "two", "a")).store_id == "a"
    await reservation.give_up()


async def test_one_work_has_a_reservation_at_a_store_and_work_has_one_at_a_time() -> None:
    store = memory_store()
    one, two = await reserved(store, "one", "a", "a"), await reserved(store, "two", "b", "a")
    assert (one.store_id, two.store_id) == ("a", "")
    await one.have_at("b")
    await two.have_at("a")
    assert (one.store_id, two.store_id) == ("b", "a")


async def test_two_that_reach_the_same_full_stores_both_go_on_once_these_have_slots() -> None:
    store = memory_store()
    settings = worker("one", store_slots=1)
    works = {name: job(name, "a", "b") for name in ("one", "two")}
    reservations = {name: await reserved(store, name, at) for name, at in (("one", "a"), ("two", "b"))}
    for _ in range(2):
        for name, work in list(works.items()):
            try:
                held = await StoreSlots(store, settings).take(work, ["a", "b"], next_at=reservations[name].store_id)
            except StoreFull as error:
                await reservations[name].have_at(error.store_id)
            else:
                await held.release()
                await reservations[name].give_up()
                del works[name]
    assert not works


async def test_any_number_of_jobs_reach_a_store_where_no_limit_is_set() -> None:
    slots = slots_of(memory_store(), store_slots=0)
    assert [(await slots.take(job(f"j{n}", "a"), ["a"])).leases for n in range(9)] == [[]] * 9


async def test_former_attempts_at_a_slot_are_forgotten() -> None:
    store = memory_store()
    slots = slots_of(store)
    for number in range(3):
        await (await slots.take(job(f"j{number}", "a"), ["a"])).release()
    assert store.work.attempts_forgotten == ["store-slot:a:0:1", "store-slot:a:0:2"]  # type: ignore[attr-defined]


class EndlessRunner:
    """Begins what it is given and never ends it."""

    def __init__(self) -> None:
        self.begun: list[str] = []

    async def run(self, lease: Lease) -> None:
        self.begun.append(lease.work.id)
        await asyncio.Event().wait()


async def test_jobs_that_wait_for_a_store_take_no_slot_of_the_worker() -> None:
    store, runner = memory_store(), EndlessRunner()
    for name, target in (("j1", "a"), ("j2", "a"), ("j3", "b")):
        await store.work.add(job(name, target), group=SlotGroup.TASKS)
    settings = worker("one", store_slots=1, poll_seconds=0.01, pool="default")
    wake_up = WakeUps().groups[SlotGroup.TASKS]
    slots = Slots(store, settings, runner, SlotGroup.TASKS, slots=2, wake_up=wake_up)  # type: ignore[arg-type]
    running = asyncio.create_task(slots.run())
    async with asyncio.timeout(10):
        while len(runner.begun) < 2:
            await asyncio.sleep(0)
    running.cancel()
    await asyncio.wait({running})
    assert runner.begun == ["j1", "j3"]
