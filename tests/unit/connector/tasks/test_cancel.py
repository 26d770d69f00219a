"""A canceled job ends as soon as no worker is at it, whatever it waits for."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from chassis.errors import Unavailable
from chassis.ids import utc_now
from connector.domain.attempts import Attempt, AttemptState
from connector.domain.work import SlotGroup
from connector.queue.lease import Lease, claim
from connector.tasks import cancel
from connector.tasks.cancel import cancel_job
from contracts.messages.connector.task_events import TaskCancelled
from contracts.messages.protection import ReleaseDeletion
from contracts.messages.scheduler import TaskCancelRequested
from contracts.tasks import Task, TaskOptions
from contracts.values import JobId

from tests.support.waiting import eventually_async
from tests.unit.connector.parts import BACKUP, ORG, TARGET, some_work
from tests.unit.connector.workshop import Workshop

REQUEST = TaskCancelRequested(organization_id=ORG, job_id=JobId("job"))
RM = Task(type="rm", origin=TARGET, options=TaskOptions(snapshot_ids=("a" * 64,)))


class Lent:
    """See `LentSlots`: notes whether others have them."""

    def __init__(self) -> None:
        self.given_back = False

    async def give_back(self) -> None:
        self.given_back = True

    async def take_again(self, cancel: asyncio.Event) -> None:
        raise AssertionError("a cancellation needs no slot again")


@pytest.fixture
async def workshop(tmp_path: Path) -> Workshop:
    opened = await Workshop(tmp_path).open()
    await opened.store.work.cancel(ORG, "job")
    return opened


async def before(workshop: Workshop, state: AttemptState, *, seconds: float, task: Task = BACKUP) -> None:
    """An attempt before: a pause after it, or its lease, ends in so many seconds."""
    await some_work(workshop.store, task=task)
    until = utc_now() + timedelta(seconds=seconds)
    attempt = Attempt(work_id="job", number=1, owner="other", until=until, state=state)
    await workshop.store.attempts.save(await workshop.store.attempts.load(ORG, attempt.id), attempt)


async def end(workshop: Workshop, lease: Lease) -> None:
    await cancel_job(workshop.context, lease, REQUEST, look_seconds=0.01)


async def waiting(workshop: Workshop) -> tuple[asyncio.Task[None], Lent]:
    """A cancellation that waits for the worker of its job."""
    lease, lent = await workshop.command(), Lent()
    lease.slots = lent
    task = asyncio.create_task(end(workshop, lease))
    await eventually_async(lambda: lent.given_back)
    return task, lent


def ended(workshop: Workshop) -> list[int]:
    return [each.attempt for each in workshop.published(TaskCancelled)]


@pytest.mark.parametrize(("state", "seconds"), [("released", 60), ("released", -1), ("running", -1)])
async def test_a_job_that_no_worker_is_at_ends_at_once_and_leaves_nothing(
    workshop: Workshop, state: AttemptState, seconds: float
) -> None:
    await workshop.left_behind()
    await before(workshop, state, seconds=seconds)

    await end(workshop, await workshop.command())

    assert ended(workshop) == [2]
    assert workshop.kept() == []
    assert await workshop.store.work.waiting(pool="default", group=SlotGroup.TASKS) == []


async def test_of_two_that_end_a_job_one_does_it(workshop: Workshop) -> None:
    await before(workshop, "released", seconds=60)
    leases = [await workshop.command(), await workshop.command()]

    await asyncio.gather(*(end(workshop, each) for each in leases))

    assert ended(workshop) == [2]


async def test_a_worker_that_gives_a_canceled_job_up_leaves_it_to_the_cancellation(workshop: Workshop) -> None:
    lease = await workshop.attempt()
    task, _ = await waiting(workshop)
    assert ended(workshop) == []

    await lease.release(pause_seconds=60)

    await asyncio.wait_for(task, 5)
    assert ended(workshop) == [2]


async def test_a_worker_that_ends_a_canceled_job_is_not_followed(workshop: Workshop) -> None:
    lease: Lease = await workshop.attempt()
    task, _ = await waiting(workshop)

    await lease.settle()

    await asyncio.wait_for(task, 5)
    assert ended(workshop) == []
    assert [each.number for each in await workshop.store.attempts_at(ORG, "job")] == [1]


async def test_what_was_announced_just_before_the_claim_is_left_to_the_next_attempt(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    await before(workshop, "running", seconds=-1)

    async def announced_meanwhile(*parts: object, **facts: object) -> Lease | None:
        claimed = await claim(*parts, **facts)  # type: ignore[arg-type]
        await workshop.lost_attempt(made="made")
        return claimed

    monkeypatch.setattr(cancel, "claim", announced_meanwhile)

    await end(workshop, await workshop.command())

    assert ended(workshop) == []
    assert (await workshop.attempt()).number == 3


async def test_what_a_deletion_may_have_begun_stays_claimed(workshop: Workshop) -> None:
    await before(workshop, "released", seconds=60, task=RM)

    await end(workshop, await workshop.command())

    assert ended(workshop) == [2]
    assert workshop.published(ReleaseDeletion) == []


async def attempts(workshop: Workshop) -> list[AttemptState]:
    return [each.state for each in await workshop.store.attempts_at(ORG, "job")]


async def test_a_claim_is_given_back_where_the_broker_is_silent_and_the_next_one_ends_the_job(
    workshop: Workshop,
) -> None:
    await some_work(workshop.store, task=RM)
    workshop.publisher.failures = 1

    with pytest.raises(Unavailable):
        await end(workshop, await workshop.command())
    assert await attempts(workshop) == ["released"]
    await end(workshop, await workshop.command())

    assert ended(workshop) == [2]
    assert len(workshop.published(ReleaseDeletion)) == 1


async def test_a_claim_is_given_back_where_the_process_stops(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    await some_work(workshop.store, task=RM)
    monkeypatch.setattr(cancel, "release_unbegun", lambda *_: asyncio.Event().wait())
    task = asyncio.create_task(end(workshop, await workshop.command()))
    await eventually_async(lambda: attempts(workshop))

    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert await attempts(workshop) == ["released"]


async def test_what_was_ended_stays_so_where_what_follows_goes_wrong(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise Unavailable("mongodb_unavailable", "gone")

    await before(workshop, "released", seconds=60)
    monkeypatch.setattr(cancel, "remove_own_locks", fail)

    with pytest.raises(Unavailable):
        await end(workshop, await workshop.command())

    assert ended(workshop) == [2]
    assert await attempts(workshop) == ["released", "settled"]
