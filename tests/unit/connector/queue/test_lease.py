"""Claiming, keeping, losing and settling work."""

import asyncio
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import pytest
from chassis.persistence.aggregates import Aggregate, AlreadyHandled, Announce, Change
from chassis.persistence.memory_aggregates import MemoryAggregates
from connector.domain.attempts import Attempt
from connector.domain.work import SYNC, SlotGroup
from connector.queue.intake import WakeUps, request_command
from connector.queue.lease import LeaseLost, claim
from connector.queue.lease_keeper import Keeper
from connector.store.ports import Store
from contracts.messages.connector.task_events import TaskStarted
from contracts.messages.outcomes import CommandOutcome, Problem
from contracts.values import JobId, to_milliseconds

from tests.support.waiting import eventually_async
from tests.unit.connector.parts import ORG, TEST, held, memory_store, published, some_work

EXPIRED_SECONDS = -1


@pytest.fixture
def store() -> Store:
    return memory_store()


def started(attempt: int) -> TaskStarted:
    now = to_milliseconds(datetime.now(UTC))
    return TaskStarted(organization_id=ORG, job_id=JobId("job"), attempt=attempt, at=now, worker="w")


async def test_one_worker_holds_work_at_a_time(store: Store) -> None:
    work = await some_work(store)

    first = await claim(store, work, owner="first", seconds=30)
    second = await claim(store, work, owner="second", seconds=30)

    assert first is not None
    assert first.number == 1
    assert second is None


async def test_an_expired_lease_is_taken_over_and_its_owner_says_nothing_more(store: Store) -> None:
    work = await some_work(store)
    zombie = await held(store, work, seconds=EXPIRED_SECONDS)

    heir = await held(store, work, owner="second")

    assert heir.number == 2
    for speak in (zombie.renew(), zombie.announce([started(1)]), zombie.settle([started(1)]), zombie.release()):
        with pytest.raises(LeaseLost):
            await speak
    assert published(store) == []


async def test_an_owner_whose_clock_runs_slow_notices_that_it_was_superseded(store: Store) -> None:
    work = await some_work(store)
    slow = await held(store, work)
    await store.attempts.save(
        (await store.attempts.load(ORG, "job:2")),
        Attempt(work_id="job", number=2, owner="second", until=datetime.now(UTC)),
    )

    with pytest.raises(LeaseLost):
        await slow.announce([started(1)])
    assert published(store) == []


async def test_settled_work_is_closed_and_never_taken_again(store: Store) -> None:
    work = await some_work(store)
    lease = await held(store, work)

    await lease.settle([started(1)])

    assert await store.work.waiting(pool="default", group=SlotGroup.TASKS) == []
    assert await claim(store, work, owner="second", seconds=30) is None
    assert [m.data for m in published(store)] == [started(1).model_copy(update={"at": published(store)[0].data.at})]  # type: ignore[attr-defined]


async def test_work_settled_by_a_worker_that_died_before_closing_it_is_closed_by_the_next(store: Store) -> None:
    work = await some_work(store)
    await (await held(store, work)).settle()
    store.work.open[work.id] = work  # type: ignore[attr-defined]

    assert await claim(store, work, owner="second", seconds=30) is None
    assert await store.work.waiting(pool="default", group=SlotGroup.TASKS) == []


async def test_released_work_is_taken_again_at_once_or_after_its_pause(store: Store) -> None:
    work = await some_work(store)

    await (await held(store, work)).release()
    again = await held(store, work, owner="second")
    await again.release(pause_seconds=60)

    assert again.number == 2
    assert await claim(store, work, owner="third", seconds=30) is None


async def test_a_renewal_that_waited_for_the_result_is_no_loss(store: Store) -> None:
    lease = await held(store, await some_work(store))
    await lease.settle()

    await lease.renew()


async def test_an_owner_reads_its_own_document_again_when_an_answer_was_lost(store: Store) -> None:
    lease = await held(store, await some_work(store))
    record = await store.attempts.load(ORG, "job:1")
    await store.attempts.save(record, record.value)

    await lease.settle([started(1)])

    assert len(published(store)) == 1


class TestOutcomes:
    async def test_a_settled_command_has_one_outcome_and_repeats_bring_it_again(self, store: Store) -> None:
        work = await some_work(store, TEST)
        await (await held(store, work)).settle(result={"ok": True})
        (first,) = published(store)

        with pytest.raises(AlreadyHandled) as repeat:
            await request_command(store, WakeUps(), work.cause, kind=TEST, slots=SlotGroup.COMMANDS)

        assert isinstance(first.data, CommandOutcome)
        assert first.data.accepted
        assert first.data.result == {"ok": True}
        assert repeat.value.outcome is not None
        assert repeat.value.outcome.id == first.id

    async def test_a_refusal_is_kept_like_any_outcome(self, store: Store) -> None:
        work = await some_work(store, TEST)

        await (await held(store, work)).settle(result=Problem(code="store_full", detail="No space is left."))

        (outcome,) = (m.data for m in published(store))
        assert isinstance(outcome, CommandOutcome)
        assert not outcome.accepted
        assert outcome.problem is not None
        assert outcome.problem.code == "store_full"

    async def test_a_command_repeated_while_it_runs_is_queued_once(self, store: Store) -> None:
        work = await some_work(store, TEST)
        lease = await held(store, work)

        await request_command(store, WakeUps(), work.cause, kind=TEST, slots=SlotGroup.COMMANDS)
        await lease.settle(result={})

        assert len(published(store)) == 1

    async def test_following_a_store_answers_nobody(self, store: Store) -> None:
        work = (await some_work(store, TEST)).model_copy(update={"kind": SYNC, "id": "following"})
        await store.work.add(work, group=SlotGroup.LISTINGS)

        await (await held(store, work)).settle()

        assert published(store) == []


async def test_of_two_claims_at_the_same_moment_one_stands(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    work = await some_work(store)
    rival = Attempt(work_id="job", number=1, owner="rival", until=datetime.now(UTC))
    find = MemoryAggregates.find

    async def found_then_raced(self, *args, **kwargs):  # type: ignore[no-untyped-def]
        seen = await find(self, *args, **kwargs)
        monkeypatch.undo()
        await store.attempts.save(await store.attempts.load(ORG, rival.id), rival)
        return seen

    monkeypatch.setattr(MemoryAggregates, "find", found_then_raced)

    assert await claim(store, work, owner="me", seconds=30) is None
    assert [a.owner for a in await store.attempts_at(ORG, "job")] == ["rival"]


@dataclass
class SilentBroker(MemoryAggregates[Attempt]):
    """Attempts whose messages nobody takes while `answers` is not set."""

    answers: asyncio.Event = field(default_factory=asyncio.Event)

    async def write(
        self, aggregate: Aggregate[Attempt], change: Change[Attempt]
    ) -> tuple[Aggregate[Attempt], Announce]:
        saved, announce = await super().write(aggregate, change)

        async def wait() -> None:
            await self.answers.wait()
            await announce()

        return saved, wait


@pytest.mark.parametrize("ends", [False, True])
async def test_a_broker_that_is_silent_for_longer_than_a_lease_does_not_end_it(store: Store, ends: bool) -> None:
    (silent := SilentBroker(Attempt)).answers.set()
    lease = await held(replace(store, attempts=silent), await some_work(store), seconds=0.5)
    silent.answers.clear()
    keeping = asyncio.create_task(Keeper(store, lease, asyncio.Event()).keep())
    until = time.monotonic() + 1

    speaking = asyncio.create_task(lease.settle([started(1)]) if ends else lease.announce([started(1)]))
    await eventually_async(lambda: keeping.done() or time.monotonic() > until, deadline_seconds=5)
    silent.answers.set()
    await speaking

    assert not keeping.done()
    assert lease.is_ended or lease.left_seconds > 0
    assert [each.data.key for each in silent.published] == ["job"]
    keeping.cancel()


class SilentDatabase(MemoryAggregates[Attempt]):
    """Attempts of a database that answers nothing to what would end one."""

    async def write(
        self, aggregate: Aggregate[Attempt], change: Change[Attempt]
    ) -> tuple[Aggregate[Attempt], Announce]:
        if change.value is not None and change.value.state != "running":
            await asyncio.Event().wait()
        return await super().write(aggregate, change)


async def test_an_end_that_the_database_does_not_take_loses_the_lease(store: Store) -> None:
    lease = await held(replace(store, attempts=SilentDatabase(Attempt)), await some_work(store), seconds=0.5)
    settling = asyncio.create_task(lease.settle([started(1)]))

    with pytest.raises(LeaseLost):
        await asyncio.wait_for(Keeper(store, lease, asyncio.Event()).keep(), timeout=10)

    settling.cancel()
