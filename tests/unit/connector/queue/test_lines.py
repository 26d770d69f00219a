"""Tasks that need a store for themselves: one at a time, in the order in which they came."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from chassis.persistence.aggregates import Aggregate
from connector.domain.attempts import Attempt
from connector.domain.places_in_line import PlaceInLine
from connector.domain.work import TASK, SlotGroup
from connector.queue.intake import work_of
from connector.queue.lease import Lease
from connector.queue.lines import HeldPlace, first_in_line, pair_of, place_of
from connector.store.ports import Store
from contracts.messages.connector.base import EVERYBODY
from contracts.values import OrganizationId
from integrations.sdk.errors import Cancelled
from integrations.sdk.locations import StoreLocation

from tests.support.waiting import eventually_async
from tests.unit.connector.parts import ORG, held, memory_store, task_request

PLACE = StoreLocation(address="/srv/store")


class Line:
    """Workers at one store."""

    def __init__(self) -> None:
        self.store: Store = memory_store()
        self.order: list[str] = []
        self.inside = self.most = 0
        self.waits: list[tuple[str, str, int]] = []

    async def lease(self, name: str, seconds: float = 30) -> Lease:
        work = work_of(task_request(name), kind=TASK, work_id=name, pool="default")
        await self.store.work.add(work, group=SlotGroup.TASKS)
        return await held(self.store, work, owner=name, seconds=seconds)

    @asynccontextmanager
    async def first(
        self, lease: Lease, cancel: asyncio.Event | None = None, task_type: str = "prune", place: StoreLocation = PLACE
    ) -> AsyncIterator[HeldPlace]:
        name = lease.work.id

        def waiting(ahead: PlaceInLine | None, more: int) -> None:
            self.waits.append((name, ahead.in_words(ORG) if ahead else "slots", more))

        async with first_in_line(
            self.store,
            lease,
            place_of(place),
            task_type=task_type,
            store_name="Shelf",
            on_waiting=waiting,
            cancel=cancel or asyncio.Event(),
            look_seconds=0.001,
        ) as place_held:
            self.order.append(name)
            self.inside += 1
            self.most = max(self.most, self.inside)
            yield place_held
            self.inside -= 1

    async def taken(self, number: int) -> None:
        """Until so many are in line."""

        async def are_there() -> bool:
            return len(await self.store.line_at(place_of(PLACE))) >= number

        await eventually_async(are_there)

    async def stay(self, name: str, until: asyncio.Event | None = None, seconds: float = 30) -> None:
        async with self.first(await self.lease(name, seconds)):
            await asyncio.sleep(0)
            if until:
                await until.wait()


async def test_one_has_the_store_at_a_time_and_others_follow_in_order() -> None:
    line, done = Line(), asyncio.Event()
    waiting = []
    for number, name in enumerate(("a", "b", "c", "d"), start=1):
        waiting.append(asyncio.create_task(line.stay(name, done if name == "a" else None)))
        await line.taken(number)
    await eventually_async(lambda: len(line.waits) == 3)

    done.set()
    await asyncio.gather(*waiting)

    assert line.order == ["a", "b", "c", "d"]
    assert line.most == 1
    assert ("c", "prune of the store 'Shelf', job a", 1) in line.waits
    assert ("b", "prune of the store 'Shelf', job a", 0) in line.waits


class CountedSlots:
    """Tells what becomes of the slots of work."""

    def __init__(self) -> None:
        self.told: list[str] = []

    async def give_back(self) -> None:
        self.told.append("given back")

    async def take_again(self, cancel: asyncio.Event) -> None:
        self.told.append("wanted")


async def test_who_waits_has_no_slots_until_it_is_next() -> None:
    line, slots, done = Line(), CountedSlots(), asyncio.Event()
    lease = await line.lease("b")
    lease.slots = slots
    async with line.first(await line.lease("a")):
        later = asyncio.create_task(_enter(line, lease, done))
        await eventually_async(lambda: "given back" in slots.told)
        assert "wanted" not in slots.told
    await later
    assert slots.told[-1] == "wanted"
    assert line.waits[-1] == ("b", "slots", 0)


async def test_data_that_was_left_is_owed_until_somebody_frees_it() -> None:
    line = Line()
    async with line.first(await line.lease("a")) as place:
        assert not await place.is_owed()
        await place.leave_unused()
    async with line.first(await line.lease("b")) as place:
        assert await place.is_owed()
    async with line.first(await line.lease("c")) as place:
        assert await place.is_owed()
        await place.freed_unused()
    async with line.first(await line.lease("d")) as place:
        assert not await place.is_owed()


async def test_many_that_come_at_once_have_it_one_after_the_other() -> None:
    line = Line()

    await asyncio.gather(*(line.stay(f"job-{number}") for number in range(12)))

    assert (line.most, len(line.order)) == (1, 12)


async def test_the_place_of_a_worker_that_was_lost_ends_with_its_lease() -> None:
    line = Line()
    lost = await line.lease("lost", seconds=0.05)
    async with line.first(lost):
        await line.stay("next")
        assert line.order == ["lost", "next"]


async def test_a_lost_worker_in_the_midst_keeps_nobody_waiting() -> None:
    line, done = Line(), asyncio.Event()
    first = asyncio.create_task(line.stay("a", done))
    await line.taken(1)
    async with asyncio.TaskGroup() as others:
        lost = others.create_task(line.stay("lost", asyncio.Event(), seconds=0.05))
        await line.taken(2)
        others.create_task(line.stay("c"))
        await eventually_async(lambda: ("c", "prune of the store 'Shelf', job a", 1) in line.waits)
        lease = await line.store.attempts.get(ORG, "lost:1")
        assert lease is not None
        await eventually_async(lambda: datetime.now(UTC) > lease.until)
        done.set()
        await eventually_async(lambda: "c" in line.order)
        lost.cancel()
    await first


async def test_each_look_asks_about_the_one_that_has_the_store_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    line, done, asked = Line(), asyncio.Event(), list[str]()
    attempts_at = Store.attempts_at

    async def counted(store: Store, org: OrganizationId, work_id: str) -> list[Attempt]:
        asked.append(work_id)
        return await attempts_at(store, org, work_id)

    waiting = []
    for number, name in enumerate("abcdef", start=1):
        waiting.append(asyncio.create_task(line.stay(name, done if name == "a" else None)))
        await line.taken(number)
    await eventually_async(lambda: {name for name, *_ in line.waits} == set("bcdef"))
    monkeypatch.setattr(Store, "attempts_at", counted)
    await eventually_async(lambda: len(asked) > 20)
    assert set(asked) == {"a"}
    done.set()
    await asyncio.gather(*waiting)


async def test_a_place_of_an_attempt_that_another_one_followed_is_over() -> None:
    line = Line()
    first = await line.lease("job")
    async with line.first(first):
        await first.release()
        again = await held(line.store, first.work, owner="again")
        async with line.first(again):
            assert line.order == ["job", "job"]


async def test_who_waits_can_be_cancelled_and_keeps_nobody_waiting() -> None:
    line, cancel = Line(), asyncio.Event()
    async with line.first(await line.lease("a")):
        cancelled = asyncio.create_task(_enter(line, await line.lease("b"), cancel))
        await eventually_async(lambda: bool(line.waits))
        cancel.set()
        with pytest.raises(Cancelled):
            await cancelled

    await line.stay("c")

    assert line.order == ["a", "c"]


async def _enter(line: Line, lease: Lease, cancel: asyncio.Event) -> None:
    async with line.first(lease, cancel):
        pass


async def test_other_places_do_not_wait_and_links_lead_to_one_place(tmp_path: Path) -> None:
    line = Line()
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    real, link = (StoreLocation(address=str(p), local_path=p) for p in (tmp_path / "real", tmp_path / "link"))
    async with line.first(await line.lease("a")), line.first(await line.lease("b"), place=real):
        assert line.most == 2
    assert place_of(real) == place_of(link)
    assert pair_of(real, PLACE) == pair_of(link, PLACE)
    assert len({pair_of(real, PLACE), pair_of(PLACE, real), place_of(real), place_of(PLACE)}) == 4


async def test_the_name_of_a_store_is_not_told_to_another_organization() -> None:
    line = Line()
    async with line.first(await line.lease("a")) as place:
        assert "Shelf" not in place.own.in_words(OrganizationId("other"))
        assert "another organization" in place.own.in_words(OrganizationId("other"))


async def test_followers_are_counted_by_their_types() -> None:
    line, done = Line(), asyncio.Event()
    async with line.first(await line.lease("a")) as place:
        later = asyncio.create_task(line.stay("b", done))
        await line.taken(2)
        assert (await place.followers({"prune", "rm"}), await place.followers({"check"})) == (1, 0)
    done.set()
    await later
    assert await place.followers({"prune"}) == 0


async def test_what_is_over_for_long_is_forgotten() -> None:
    line = Line()
    await line.stay("old")
    [old] = await line.store.line_at(place_of(PLACE))
    record: Aggregate[PlaceInLine] = await line.store.lines.load(EVERYBODY, old.id)
    long_ago = datetime.now(UTC) - timedelta(hours=2)
    await line.store.lines.save(record, old.model_copy(update={"at": long_ago}))

    await line.stay("new")

    assert [each.work_id for each in await line.store.line_at(place_of(PLACE))] == ["new"]
