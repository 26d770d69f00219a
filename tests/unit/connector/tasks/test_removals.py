"""What deletions and maintenance of a store come to, over memory."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from chassis.ids import utc_now
from chassis.persistence.aggregates import Aggregate
from connector.domain.named_points import NamedPointsNotFound
from connector.engine.errors import EngineFailed, EngineKilled, StoreUnreachable
from connector.engine.port import CleanUpOutcome, ForgetOutcome
from connector.jobs.definition import Job, JobOutcome
from connector.queue.lines import place_of
from connector.tasks.cancel import cancel_job
from connector.tasks.maintenance import maintain
from connector.tasks.prune import prune
from connector.tasks.rm import remove
from contracts.errors import CairnError, Invalid, TemporaryError
from contracts.messages.connector.base import EVERYBODY
from contracts.messages.connector.stores import RestorePointRemoved
from contracts.messages.connector.task_events import TaskCancelled, TaskProgressed
from contracts.messages.protection import ClaimDeletion, ReleaseDeletion
from contracts.messages.scheduler import TaskCancelRequested
from contracts.queries.restore_index import Deletion
from contracts.task_types.maintenance import MaintenanceResult
from contracts.task_types.prune import PruneResult
from contracts.task_types.rm import RmResult
from contracts.tasks import Task, TaskOptions
from contracts.values import AppId, JobId, SnapshotId
from integrations.sdk.errors import Cancelled
from integrations.sdk.ports.retaining_store import Retention
from restic_reader import Lock

from tests.support.waiting import eventually_async
from tests.unit.connector.parts import ORG, TARGET, some_work
from tests.unit.connector.workshop import Workshop

SIZE = len("content")
MAINTENANCE = Task(type="maintenance", origin=TARGET)


@pytest.fixture
async def workshop(tmp_path: Path) -> Workshop:
    return await Workshop(tmp_path).open()


def rm(*ids: str) -> Task:
    return Task(type="rm", origin=TARGET, options=TaskOptions(snapshot_ids=ids))


def decide(workshop: Workshop, deletable: list[str], **others: Any) -> None:
    ids = tuple(map(SnapshotId, deletable))
    workshop.index.decision = Deletion(store_id=AppId("store"), job_id=JobId("job"), deletable=ids, **others)


def removed(workshop: Workshop) -> list[str]:
    return [each.snapshot_id for each in workshop.published(RestorePointRemoved)]


def rm_result(outcome: JobOutcome) -> RmResult:
    assert isinstance(outcome.result, RmResult)
    return outcome.result


async def test_named_restore_points_are_claimed_deleted_announced_and_their_data_freed(workshop: Workshop) -> None:
    first, second = await workshop.left_behind(), await workshop.left_behind()
    decide(workshop, [first])
    asked: list[bool] = []
    workshop.index.is_asked = lambda: bool(asked)

    result = rm_result(await remove(await workshop.job(task=rm(first))))

    assert [found.snapshot_id for found in workshop.kept()] == [second]
    assert (result.deleted, result.deleted_count, result.unused_bytes, result.store_keeps) == ((first,), 1, SIZE, "")
    assert removed(workshop) == [first]
    [claim] = workshop.published(ClaimDeletion)
    assert (claim.store_id, claim.job_id, claim.snapshot_ids, claim.rule) == ("store", "job", (first,), None)
    assert workshop.published(ReleaseDeletion) == []


async def test_what_is_held_or_floored_is_named_and_the_rest_is_deleted(workshop: Workshop) -> None:
    first, held_one, floored = [await workshop.left_behind() for _ in range(3)]
    decide(workshop, [first], held=(held_one,), floored=(floored,))

    outcome = await remove(job := await workshop.job(task=rm(first, held_one, floored)))

    result = rm_result(outcome)
    assert outcome.problem is None
    assert (result.deleted, result.held, result.floored) == ((first,), (held_one,), (floored,))
    lines = log_of(job)
    assert any(held_one in line and "legal hold" in line for line in lines)
    assert any(floored in line and "floor" in line for line in lines)
    assert {found.snapshot_id for found in workshop.kept()} == {held_one, floored}


async def test_first_digits_are_written_out_in_what_is_claimed_and_refused_where_several_begin_so(
    workshop: Workshop,
) -> None:
    points = [await workshop.left_behind() for _ in range(17)]
    meant, *others = points
    digits = next(meant[:n] for n in range(1, 64) if not any(each.startswith(meant[:n]) for each in others))
    # Of 17 ids two begin with the same digit.
    doubtful = next(each[0] for each in points if sum(other[0] == each[0] for other in points) > 1)
    decide(workshop, [meant])
    workshop.index.is_asked = lambda: False

    with pytest.raises(NamedPointsNotFound, match=f"several that begin with {doubtful}"):
        await remove(job := await workshop.job(task=rm(digits, doubtful)))
    await job.lease.release()
    assert (len(workshop.kept()), workshop.published(ClaimDeletion)) == (17, [])

    await remove(await workshop.job(task=rm(digits, "f" * 64)))

    [claim] = workshop.published(ClaimDeletion)
    assert claim.snapshot_ids == (meant, "f" * 64)


def log_of(job: Job) -> list[str]:
    return [line.text for event in job.reporter.rest() for line in getattr(event, "lines", ())]


@pytest.mark.parametrize(
    ("kept", "code", "words"),
    [
        ({"held": ("a" * 64,)}, "restore_points_kept", "kept by a legal hold"),
        ({"floored": ("a" * 64,)}, "restore_points_kept", "retention floor"),
        ({"being_deleted": ("a" * 64,)}, "restore_points_kept", "another job"),
        ({"missing": ("a" * 64,)}, "snapshot_not_found", "no restore point"),
    ],
)
async def test_a_job_that_may_delete_nothing_fails_and_says_why(
    workshop: Workshop, kept: dict[str, Any], code: str, words: str
) -> None:
    await workshop.left_behind()
    decide(workshop, [], **kept)

    outcome = await remove(await workshop.job(task=rm("a" * 64)))

    assert outcome.problem is not None
    assert outcome.problem.code == code
    assert words in outcome.problem.detail
    assert len(workshop.kept()) == 1


async def test_what_the_store_does_not_delete_yet_is_told_and_stays_claimed(workshop: Workshop) -> None:
    first = await workshop.left_behind()
    decide(workshop, [first])
    workshop.repository.keeps_all = "Access Denied"

    outcome = await remove(await workshop.job(task=rm(first)))

    result = rm_result(outcome)
    assert outcome.problem is None
    assert (result.deleted, result.kept_by_store) == ((), (first,))
    assert "Access Denied" in result.store_keeps
    assert removed(workshop) == []
    # The end of the job releases it: another attempt would get another decision otherwise.
    assert workshop.published(ReleaseDeletion) == []


@pytest.mark.parametrize(
    "task", [MAINTENANCE, Task(type="prune", origin=TARGET, options=TaskOptions(day=1, per_day=1))]
)
async def test_a_lock_of_another_host_is_named_while_it_keeps_the_first_question_out(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, task: Task
) -> None:
    decide(workshop, [])
    lock = Lock(id="f" * 64, hostname="elsewhere", pid=4711, username="me", exclusive=True, time="")
    job, left, told = await workshop.job(task=task), asyncio.Event(), list[TaskProgressed]()
    workshop.locks = [lock]

    async def wait(*_: object, **__: object) -> str:
        await left.wait()
        return ""

    def is_waiting() -> bool:
        told.extend(each for each in job.reporter.rest() if isinstance(each, TaskProgressed))
        return bool(told) and told[-1].phase == "waiting"

    monkeypatch.setattr(workshop.engine, "undeletable", wait)
    working = asyncio.create_task((maintain if task is MAINTENANCE else prune)(job))
    await eventually_async(is_waiting)
    workshop.locks = []
    left.set()
    await working

    assert told[-1].waiting_for == "process 4711 of me on the host elsewhere"
    assert not job.reporter.is_waiting


async def test_a_store_that_deletes_not_even_locks_is_left_alone(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await workshop.left_behind()
    decide(workshop, [first])

    async def denied(*_: Any, **__: Any) -> str:
        return "Access Denied"

    async def never(*_: Any, **__: Any) -> None:
        raise AssertionError("nothing may be tried")

    monkeypatch.setattr(workshop.engine, "undeletable", denied)
    for name in ("forget", "free_unused", "repair_index"):
        monkeypatch.setattr(workshop.engine, name, never)

    deleting = await workshop.job(task=rm(first))
    result = rm_result(await remove(deleting))
    await deleting.lease.release()
    maintained = await maintain(await workshop.job(task=MAINTENANCE))

    assert result.kept_by_store == (first,)
    assert "append-only" in result.store_keeps
    assert isinstance(maintained.result, MaintenanceResult)
    assert not maintained.result.index_repaired


async def test_a_bucket_with_object_lock_is_recognized(workshop: Workshop) -> None:
    workshop.folders.retained = Retention(rule="S3 Object Lock (COMPLIANCE, 30 days)", days=30)
    first = await workshop.left_behind()
    decide(workshop, [first])

    result = rm_result(await remove(await workshop.job(task=rm(first))))

    assert result.deleted == (first,)
    assert "S3 Object Lock (COMPLIANCE, 30 days)" in result.store_keeps
    assert result.kept_until is not None
    assert timedelta(days=29) < result.kept_until - utc_now() < timedelta(days=30)


async def test_a_second_attempt_goes_on_by_the_decision_of_the_first(workshop: Workshop) -> None:
    first, second = await workshop.left_behind(), await workshop.left_behind()
    decide(workshop, [second, first, "f" * 64], gone=("f" * 64,))
    workshop.repository.snapshots.pop(first)  # Deleted by the attempt that was killed, and announced by nobody.
    await workshop.lost_attempt()

    result = rm_result(await remove(await workshop.job(task=rm(first, second, "f" * 64))))

    assert workshop.published(ClaimDeletion) == []
    assert removed(workshop) == [second, first]
    assert result.deleted_count == 3


async def test_a_rule_is_claimed_when_the_prune_runs(workshop: Workshop) -> None:
    first = await workshop.left_behind()
    decide(workshop, [first], more=2)
    workshop.index.is_asked = lambda: False
    task = Task(type="prune", origin=TARGET, options=TaskOptions(day=1, per_day=1))

    outcome = await prune(await workshop.job(task=task))

    [claim] = workshop.published(ClaimDeletion)
    assert claim.rule is not None
    assert (claim.rule.day, claim.rule.per_day, claim.snapshot_ids) == (1, 1, ())
    assert isinstance(outcome.result, PruneResult)
    assert (outcome.result.deleted, outcome.result.more) == ((first,), 2)


async def test_what_a_rule_would_have_deleted_is_counted_beyond_what_is_listed(workshop: Workshop) -> None:
    decide(workshop, [], held=("c" * 64,), held_more=7, floored=("d" * 64,), floored_more=2)

    task = Task(type="prune", origin=TARGET, options=TaskOptions(day=1))

    outcome = await prune(await workshop.job(task=task))

    assert isinstance(outcome.result, PruneResult)
    assert (outcome.result.held, outcome.result.held_count) == (("c" * 64,), 8)
    assert (outcome.result.floored, outcome.result.floored_count) == (("d" * 64,), 3)


async def test_a_rule_that_passes_over_what_other_jobs_delete_says_so(workshop: Workshop) -> None:
    await workshop.left_behind()
    decide(workshop, [], being_deleted=("a" * 64,), being_deleted_more=7)
    task = Task(type="prune", origin=TARGET, options=TaskOptions(day=1))

    outcome = await prune(await workshop.job(task=task))

    assert isinstance(outcome.result, PruneResult)
    assert (outcome.result.being_deleted, outcome.result.being_deleted_count) == (("a" * 64,), 8)
    assert "8 left to another job" in outcome.result.in_words()


async def test_a_rule_that_says_nothing_deletes_nothing(workshop: Workshop) -> None:
    with pytest.raises(Invalid):
        await prune(await workshop.job(task=Task(type="prune", origin=TARGET)))


async def test_a_decision_that_does_not_come_is_asked_for_again_later(workshop: Workshop) -> None:
    workshop.index.is_asked = lambda: False

    with pytest.raises(TemporaryError, match="not decided"):
        await remove(await workshop.job(task=rm("a" * 64)))


async def test_a_store_that_goes_away_after_the_deletion_is_gone_on_with_later(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await workshop.left_behind()
    decide(workshop, [first])

    async def away(*_: Any, **__: Any) -> CleanUpOutcome:
        raise StoreUnreachable("connection refused")

    monkeypatch.setattr(workshop.engine, "free_unused", away)

    with pytest.raises(TemporaryError, match="connection refused"):
        await remove(await workshop.job(task=rm(first)))


async def test_a_cancelled_job_deletes_nothing_more(workshop: Workshop) -> None:
    first = await workshop.left_behind()
    decide(workshop, [first])
    job = await workshop.job(task=rm(first))
    job.cancel.set()

    with pytest.raises(Cancelled):
        await remove(job)

    assert [found.snapshot_id for found in workshop.kept()] == [first]
    # Also what was claimed for it ahead: nothing of it is being deleted once the job is over.
    [release] = workshop.published(ReleaseDeletion)
    assert (release.store_id, release.job_id, release.snapshot_ids) == ("store", "job", None)


async def test_what_was_claimed_ahead_for_a_job_that_never_began_is_given_back(workshop: Workshop) -> None:
    await some_work(workshop.store, task=rm("a" * 64))
    request = TaskCancelRequested(organization_id=ORG, job_id=JobId("job"))

    await cancel_job(workshop.context, await workshop.command(), request)

    assert [each.job_id for each in workshop.published(TaskCancelled)] == ["job"]
    assert [(each.job_id, each.snapshot_ids) for each in workshop.published(ReleaseDeletion)] == [("job", None)]


async def test_a_retry_takes_over_what_the_job_before_it_claimed(workshop: Workshop) -> None:
    first = await workshop.left_behind()
    decide(workshop, [first])
    asked: list[bool] = []
    workshop.index.is_asked = lambda: bool(asked)
    job = await workshop.job(task=rm(first))

    await remove(replace(job, request=job.request.model_copy(update={"retry_of": JobId("before")})))

    assert [each.retry_of for each in workshop.published(ClaimDeletion)] == ["before"]


async def test_what_a_canceled_job_did_not_touch_is_given_back_though_the_store_went_away(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await workshop.left_behind()
    decide(workshop, [first])
    job = await workshop.job(task=rm(first))

    async def away(*_: Any, **__: Any) -> None:
        job.cancel.set()
        raise StoreUnreachable("connection refused")

    monkeypatch.setattr(workshop.engine, "forget", away)

    with pytest.raises(TemporaryError):
        await remove(job)

    assert [each.snapshot_ids for each in workshop.published(ReleaseDeletion)] == [(first,)]


@pytest.mark.parametrize(
    ("error", "number", "is_released"),
    [
        (EngineFailed("restic forget", "wrong"), 1, True),
        # Another attempt follows, and goes on by the same decision.
        (StoreUnreachable("connection refused"), 1, False),
        (EngineKilled("restic forget", "killed"), 1, False),
        # An engine of the attempt before may still be at work.
        (Cancelled(), 2, False),
    ],
)
async def test_what_is_left_of_a_job_that_fails_is_given_back_unless_somebody_may_still_delete_it(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, error: CairnError, number: int, *, is_released: bool
) -> None:
    first = await workshop.left_behind()
    decide(workshop, [first])

    async def fails(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(workshop.engine, "forget", fails)
    for _ in range(number - 1):
        await (await workshop.job(task=rm(first))).lease.release()

    with pytest.raises((Cancelled, TemporaryError, EngineFailed)):
        await remove(await workshop.job(task=rm(first)))

    assert [each.snapshot_ids for each in workshop.published(ReleaseDeletion)] == [(first,)] * is_released


async def test_a_job_that_waits_for_the_index_or_the_engine_stops_when_it_is_cancelled(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await workshop.left_behind()
    workshop.folders.retained = Retention(rule="S3 Object Lock (COMPLIANCE, 30 days)", days=30)
    index, engine = workshop.index, workshop.engine
    for part, name in ((index, "await_deletion"), (engine, "find_snapshots"), (engine, "snapshot_ids")):
        job = await workshop.job(task=rm(first[:8] if name == "snapshot_ids" else first))
        decide(workshop, [first])
        workshop.index.is_asked = lambda name=name: name == "find_snapshots"

        async def hangs(*_: Any, cancel: asyncio.Event = job.cancel, **__: Any) -> None:
            cancel.set()
            await asyncio.Event().wait()

        with monkeypatch.context() as patch:
            patch.setattr(part, name, hangs)
            with pytest.raises(Cancelled):
                await asyncio.wait_for(remove(job), 5)
        await job.lease.release()
    assert [found.snapshot_id for found in workshop.kept()] == [first]


async def test_a_job_that_is_cancelled_when_all_is_done_does_not_wait_for_the_lists(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await workshop.left_behind()
    decide(workshop, [first])
    job = await workshop.job(task=rm(first))

    async def hangs(*_: Any, **__: Any) -> None:
        job.cancel.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(workshop.index, "await_gone", hangs)

    async with asyncio.timeout(5):
        assert rm_result(await remove(job)).deleted == (first,)


async def test_what_a_cancelled_run_of_the_engine_deleted_is_announced(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = await workshop.left_behind(), await workshop.left_behind()
    decide(workshop, [first, second])

    async def interrupted(*_: Any, **__: Any) -> None:
        workshop.repository.snapshots.pop(first)
        raise Cancelled

    monkeypatch.setattr(workshop.engine, "forget", interrupted)

    with pytest.raises(Cancelled):
        await remove(await workshop.job(task=rm(first, second)))

    assert removed(workshop) == [first]
    # The index may not have heard yet of the one that is gone: no hold must be set on it.
    assert [each.snapshot_ids for each in workshop.published(ReleaseDeletion)] == [(second,)]


async def test_who_cancels_does_not_wait_long_for_a_store_that_does_not_answer(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, asked = await workshop.left_behind(), list[bool]()
    decide(workshop, [first])
    job = await workshop.job(task=rm(first))

    async def interrupted(*_: Any, **__: Any) -> None:
        job.cancel.set()
        raise Cancelled

    async def away(*_: Any, quickly: bool = False) -> None:
        asked.append(quickly)
        raise StoreUnreachable("connection refused")

    monkeypatch.setattr(workshop.engine, "forget", interrupted)
    monkeypatch.setattr(workshop.engine, "snapshot_ids", away)

    with pytest.raises(Cancelled):
        await remove(job)

    assert asked == [True]
    assert workshop.published(ReleaseDeletion) == []


@pytest.mark.parametrize("ended", ["between", "within"])
async def test_what_a_job_left_that_was_stopped_is_freed_by_one_that_deletes_nothing(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, ended: str
) -> None:
    first = await workshop.left_behind()
    decide(workshop, [first])
    forget, stopped = workshop.engine.forget, await workshop.job(task=rm(first))

    async def stop(*arguments: Any, **options: Any) -> ForgetOutcome:
        outcome = await forget(*arguments, **options)
        if ended == "within":
            raise StoreUnreachable("connection refused")
        stopped.cancel.set()
        return outcome

    with monkeypatch.context() as patch:
        patch.setattr(workshop.engine, "forget", stop)
        with pytest.raises((Cancelled, TemporaryError)):
            await remove(stopped)
    await stopped.lease.release()
    assert workshop.repository.unused_bytes == SIZE
    decide(workshop, [], held=("a" * 64,))

    await remove(await workshop.job(task=rm("a" * 64)))

    assert workshop.repository.unused_bytes == 0


async def test_a_job_of_which_the_store_deletes_nothing_leaves_nothing_to_be_freed(workshop: Workshop) -> None:
    first = await workshop.left_behind()
    decide(workshop, [first])
    workshop.repository.keeps_all = "Access Denied"

    await remove(await workshop.job(task=rm(first)))

    assert [each.unused for each in await workshop.store.line_at(place_of(workshop.place))] == [""]


async def test_a_restore_point_that_the_engine_passed_over_is_not_announced_as_gone(workshop: Workshop) -> None:
    first, second = await workshop.left_behind(), await workshop.left_behind()
    decide(workshop, [first, second])
    workshop.repository.unreadable.add(first)

    result = rm_result(await remove(await workshop.job(task=rm(first, second))))

    assert (result.deleted, result.kept_by_store) == ((second,), (first,))
    assert "cannot be read" in result.store_keeps
    assert removed(workshop) == [second]


async def test_a_restore_point_that_cannot_be_read_is_not_gone_after_a_run_that_was_stopped(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = await workshop.left_behind(), await workshop.left_behind()
    decide(workshop, [first, second])
    workshop.repository.unreadable.add(first)

    async def interrupted(*_: Any, **__: Any) -> None:
        workshop.repository.snapshots.pop(second)
        raise Cancelled

    monkeypatch.setattr(workshop.engine, "forget", interrupted)

    with pytest.raises(Cancelled):
        await remove(await workshop.job(task=rm(first, second)))

    assert removed(workshop) == [second]


async def test_data_is_freed_by_the_last_one_in_line(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    first = await workshop.left_behind()
    decide(workshop, [first])
    job = await workshop.job(task=rm(first))

    async def another_comes(*_: Any, **__: Any) -> str:
        [mine] = await workshop.store.line_at(place_of(workshop.place))
        later = mine.model_copy(update={"number": 2, "task_type": "prune"})
        await workshop.store.lines.save(Aggregate(later.id, EVERYBODY), later)
        return ""

    monkeypatch.setattr(workshop.engine, "undeletable", another_comes)

    result = rm_result(await remove(job))

    assert (result.deleted, result.unused_bytes) == ((first,), 0)
    assert workshop.repository.unused_bytes == SIZE
    assert any("freed by the next" in line for line in log_of(job))


async def test_a_follower_that_deletes_nothing_frees_what_was_left_to_it(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await workshop.left_behind()
    decide(workshop, [first])

    async def another_comes(*_: Any, **__: Any) -> str:
        [mine] = await workshop.store.line_at(place_of(workshop.place))
        later = mine.model_copy(update={"number": 2, "task_type": "rm"})
        await workshop.store.lines.save(Aggregate(later.id, EVERYBODY), later)
        return ""

    with monkeypatch.context() as patch:
        patch.setattr(workshop.engine, "undeletable", another_comes)
        earlier = await workshop.job(task=rm(first))
        await remove(earlier)
        await earlier.lease.release()
    assert workshop.repository.unused_bytes == SIZE
    decide(workshop, [], held=("a" * 64,))

    outcome = await remove(again := await workshop.job(task=rm("a" * 64)))

    assert outcome.problem is not None
    assert workshop.repository.unused_bytes == 0
    [*_, last] = sorted(await workshop.store.line_at(place_of(workshop.place)), key=lambda each: each.number)
    assert (last.attempt, last.unused) == (again.lease.number, "freed")


async def test_maintenance_of_a_store_that_is_in_order_says_that_nothing_was_repaired(workshop: Workshop) -> None:
    await workshop.left_behind()

    outcome = await maintain(await workshop.job(task=MAINTENANCE))

    assert isinstance(outcome.result, MaintenanceResult)
    assert not outcome.result.index_repaired
    assert "index as it was" in outcome.result.in_words()


async def test_maintenance_corrects_the_index_and_frees_data(workshop: Workshop) -> None:
    first = await workshop.left_behind()
    workshop.repository.index_is_wrong = True
    job = await workshop.job(task=MAINTENANCE)
    await workshop.engine.forget(workshop.place, [first], on_log=lambda *_: None, cancel=job.cancel)

    outcome = await maintain(job)

    assert isinstance(outcome.result, MaintenanceResult)
    assert (outcome.result.index_repaired, outcome.result.unused_bytes) == (True, SIZE)
    assert workshop.repository.unused_bytes == 0


async def test_an_index_that_an_attempt_repaired_is_told_by_the_one_after_it(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    await workshop.left_behind()
    workshop.repository.index_is_wrong = True
    job = await workshop.job(task=MAINTENANCE)

    async def away(*_: Any, **__: Any) -> CleanUpOutcome:
        raise StoreUnreachable("connection refused")

    with monkeypatch.context() as patch:
        patch.setattr(workshop.engine, "free_unused", away)
        with pytest.raises(TemporaryError):
            await maintain(job)
    await job.lease.release()

    outcome = await maintain(await workshop.job(task=MAINTENANCE))

    assert isinstance(outcome.result, MaintenanceResult)
    assert outcome.result.index_repaired
