"""One job, one restore point: whatever attempts before left, and whatever fails once there is one."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from chassis.errors import Unavailable
from connector.domain.attempts import TRIES_MAX, WORKERS_LOST_MAX
from connector.engine.errors import EngineKilled, StoreLocked, StoreRefused
from connector.engine.memory import MemoryEngine
from connector.engine.port import BackupOptions
from connector.jobs.job_runner import run_job
from connector.jobs.measures import WARNINGS_MAX
from connector.queue.lease import Lease
from connector.store_state.orphan_snapshots import clean_up_after_loss
from connector.tasks.backup import TASK
from connector.tasks.cancel import cancel_job
from contracts.errors import TemporaryError
from contracts.messages.connector.stores import RestorePointCreated
from contracts.messages.connector.task_events import (
    PathOutcome,
    TaskCancelled,
    TaskFailed,
    TaskLogged,
    TaskMeasured,
    TaskSucceeded,
)
from contracts.messages.scheduler import TaskCancelRequested, TaskRequested
from contracts.values import JobId
from integrations.sdk.errors import SourceUnreachable
from integrations.sdk.locations import UnreadablePath
from restic_reader.errors import Damaged, StoreUnavailable

from tests.unit.connector.jobs.comparisons import Doubtful, Stopping
from tests.unit.connector.parts import ORG
from tests.unit.connector.workshop import Workshop

DAMAGED = Damaged("snapshot", "x", why="of a test")


class Gone(Doubtful):
    """All arrived as it was listed; then the source is away."""

    def __init__(self) -> None:
        super().__init__(is_right=True)

    async def explain(self, _: object) -> tuple[UnreadablePath, ...]:
        raise SourceUnreachable("It is gone.")


@pytest.fixture
async def workshop(tmp_path: Path) -> Workshop:
    return await Workshop(tmp_path).open()


def request_of(lease: Lease) -> TaskRequested:
    message = lease.work.cause.data
    assert isinstance(message, TaskRequested)
    return message


async def run(workshop: Workshop, *, cancelled: bool = False) -> Lease:
    """The next attempt, to its end."""
    lease, cancel = await workshop.attempt(), asyncio.Event()
    if cancelled:
        cancel.set()
    await run_job(workshop.context, lease, request_of(lease), task=TASK, cancel=cancel)
    return lease


def kept(workshop: Workshop) -> list[str]:
    return [found.snapshot_id for found in workshop.kept()]


def lines(workshop: Workshop) -> str:
    return "\n".join(line.text for event in workshop.published(TaskLogged) for line in event.lines)


class TestTakingOver:
    async def test_the_announced_snapshot_is_kept_and_older_ones_go(self, workshop: Workshop) -> None:
        await workshop.left_behind()
        announced = await workshop.left_behind()
        await workshop.lost_attempt(made=announced)

        await run(workshop)

        (ended,) = workshop.published(TaskSucceeded)
        assert ended.backup.snapshot_id == announced
        assert kept(workshop) == [announced]
        assert {e.restore_point.snapshot_id for e in workshop.published(RestorePointCreated)} == {announced}

    async def test_a_snapshot_nobody_was_told_of_is_made_anew_so_that_unreadable_files_are_known(
        self, workshop: Workshop
    ) -> None:
        left = await workshop.left_behind()
        await workshop.lost_attempt()

        await run(workshop)

        (ended,) = workshop.published(TaskSucceeded)
        assert ended.backup.snapshot_id != left
        assert kept(workshop) == [ended.backup.snapshot_id]

    async def test_a_snapshot_that_comes_while_the_heir_lists_is_removed(self, workshop: Workshop) -> None:
        await workshop.lost_attempt()
        workshop.lister.before = workshop.left_behind

        await run(workshop)

        (ended,) = workshop.published(TaskSucceeded)
        assert kept(workshop) == [ended.backup.snapshot_id]

    async def test_what_cannot_be_removed_does_not_fail_the_job(
        self, workshop: Workshop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await workshop.left_behind()
        await workshop.lost_attempt()

        async def locked(*_: Any, **__: Any) -> None:
            raise StoreLocked

        async def refused(*_: Any, **__: Any) -> None:
            raise StoreRefused("read only")

        monkeypatch.setattr(MemoryEngine, "forget", locked)
        monkeypatch.setattr(MemoryEngine, "unlock_stale", refused)

        await run(workshop)

        assert workshop.published(TaskSucceeded)
        assert "still there" in lines(workshop)


class TestAfterALoss:
    async def test_the_loser_removes_what_its_engine_made_after_all(self, workshop: Workshop) -> None:
        lease = await workshop.attempt(seconds=-1)
        await run(workshop)
        (winner,) = kept(workshop)
        await workshop.left_behind()

        await clean_up_after_loss(workshop.context, lease.work)

        assert kept(workshop) == [winner]

    async def test_nothing_is_removed_before_a_restore_point_is_announced(self, workshop: Workshop) -> None:
        left = await workshop.left_behind()
        await workshop.lost_attempt()
        lease = await workshop.attempt()

        await clean_up_after_loss(workshop.context, lease.work)

        assert kept(workshop) == [left]

    async def test_a_job_that_was_cancelled_meanwhile_keeps_nothing(self, workshop: Workshop) -> None:
        await workshop.lost_attempt()
        await workshop.store.work.cancel(ORG, "job")
        lease = await run(workshop, cancelled=True)
        await workshop.left_behind()

        await clean_up_after_loss(workshop.context, lease.work)

        assert kept(workshop) == []


class TestCancelling:
    async def test_a_restore_point_that_was_announced_is_listed_and_the_job_succeeds(self, workshop: Workshop) -> None:
        announced = await workshop.left_behind()
        await workshop.lost_attempt(made=announced)

        await run(workshop, cancelled=True)

        assert workshop.published(TaskSucceeded)
        assert workshop.lister.listed == [announced]

    async def test_one_that_was_not_is_removed(self, workshop: Workshop) -> None:
        await workshop.left_behind()
        await workshop.lost_attempt()

        await run(workshop, cancelled=True)

        assert workshop.published(TaskCancelled)
        assert kept(workshop) == []

    async def test_a_job_that_announced_one_is_left_to_a_worker_that_looks_what_there_is(
        self, workshop: Workshop
    ) -> None:
        await workshop.lost_attempt(made=await workshop.left_behind())
        command = await workshop.command()
        request = TaskCancelRequested(organization_id=ORG, job_id=JobId("job"))

        await cancel_job(workshop.context, command, request)

        assert workshop.published(TaskCancelled) == []
        assert (await workshop.attempt()).number == 2


async def test_an_engine_that_is_killed_after_a_cancellation_leaves_no_snapshot(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    lease, cancel = await workshop.attempt(), asyncio.Event()

    async def killed(*_: Any, **__: Any) -> None:
        monkeypatch.undo()
        await workshop.left_behind()
        cancel.set()
        raise EngineKilled("restic backup", "killed")

    monkeypatch.setattr(workshop.engine, "backup", killed)

    await run_job(workshop.context, lease, request_of(lease), task=TASK, cancel=cancel)

    assert [each.attempt for each in workshop.published(TaskCancelled)] == [1]
    assert kept(workshop) == []


async def test_a_job_that_is_cancelled_while_its_restore_point_is_compared_leaves_none(workshop: Workshop) -> None:
    comparison: Any = Stopping()
    workshop.folders.comparison = comparison

    await run(workshop)

    assert workshop.published(TaskCancelled)
    assert workshop.published(RestorePointCreated) == []
    assert kept(workshop) == []


async def test_a_source_that_does_not_answer_once_there_is_a_restore_point_undoes_nothing(workshop: Workshop) -> None:
    comparison: Any = Gone()
    workshop.folders.comparison = comparison
    workshop.folders.problems = (UnreadablePath("/a", "permission denied"),)

    await run(workshop)

    (failed,) = workshop.published(TaskFailed)
    assert failed.problem.code == "backup_incomplete"
    assert "/a (permission denied)" in failed.problem.detail
    assert "did not answer: It is gone." in lines(workshop)
    outcomes = [outcome for told in workshop.published(TaskMeasured) for outcome in told.paths]
    assert outcomes == [PathOutcome(path="/a", status="error")]
    assert [each.restore_point.snapshot_id for each in workshop.published(RestorePointCreated)] == kept(workshop)


async def test_a_job_whose_request_never_arrived_can_be_cancelled(workshop: Workshop) -> None:
    request = TaskCancelRequested(organization_id=ORG, job_id=JobId("lost"))

    await cancel_job(workshop.context, await workshop.command(), request)

    (cancelled,) = workshop.published(TaskCancelled)
    assert (cancelled.job_id, cancelled.attempt) == ("lost", 1)


class TestWhatFailsOnceThereIsOne:
    @pytest.mark.parametrize("error", [DAMAGED, KeyError("unforeseen"), StoreUnavailable("gone")])
    async def test_a_store_that_cannot_be_opened_hides_no_restore_point(
        self, workshop: Workshop, error: Exception
    ) -> None:
        workshop.unreadable = error

        await run(workshop)

        (created,) = workshop.published(RestorePointCreated)
        (snapshot_id,) = kept(workshop)
        assert created.restore_point.snapshot_id == snapshot_id
        assert (created.restore_point.source_id, created.restore_point.job_id) == ("source", "job")
        assert (created.restore_point.files, created.restore_point.paths) == (1, ("/source",))

    @pytest.mark.parametrize("error", [DAMAGED, KeyError("unforeseen")])
    async def test_a_listing_that_fails_is_told_with_the_figures_of_the_backup(
        self, workshop: Workshop, error: Exception
    ) -> None:
        workshop.lister.failures["*"] = error

        await run(workshop)

        (failed,) = workshop.published(TaskFailed)
        assert failed.backup.snapshot_id == workshop.published(RestorePointCreated)[0].restore_point.snapshot_id


async def test_an_incomplete_restore_point_is_listed_all_the_same(workshop: Workshop) -> None:
    workshop.folders.problems = (UnreadablePath("/secret", "permission denied"),)

    await run(workshop)

    (failed,) = workshop.published(TaskFailed)
    assert failed.problem.code == "backup_incomplete"
    assert workshop.lister.listed == [failed.backup.snapshot_id]


async def test_what_an_incomplete_backup_left_out_is_among_its_warnings(workshop: Workshop) -> None:
    left_out = [UnreadablePath(f"/{number}", "permission denied") for number in range(WARNINGS_MAX + 5)]
    workshop.folders.problems = tuple(left_out)

    await run(workshop)

    told = workshop.published(TaskMeasured)
    assert [line.text for each in told for line in each.warnings] == [each.in_words for each in left_out[:WARNINGS_MAX]]
    assert told[-1].warning_count == len(left_out)


async def test_what_was_left_out_is_told_with_the_restore_point_so_that_it_outlasts_the_attempt(
    workshop: Workshop,
) -> None:
    workshop.folders.problems = (UnreadablePath("/secret", "permission denied"),)
    told = list[str]()

    async def look() -> None:
        assert workshop.published(RestorePointCreated)
        told.extend(line.text for each in workshop.published(TaskMeasured) for line in each.warnings)

    workshop.lister.before = look

    await run(workshop)

    warnings = [line.text for each in workshop.published(TaskMeasured) for line in each.warnings]
    assert told == warnings == [each.in_words for each in workshop.folders.problems]


async def test_no_file_name_forges_a_line(workshop: Workshop) -> None:
    workshop.folders.problems = (UnreadablePath("/a\nb", "permission denied"),)

    await run(workshop)

    (failed,) = workshop.published(TaskFailed)
    assert "/a\\nb (permission denied)" in failed.problem.detail


class TestEnginesThatAreKilled:
    @pytest.fixture(autouse=True)
    def deadly(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async def killed(*_: Any, **__: Any) -> None:
            raise EngineKilled("restic backup", "killed by signal 9")

        monkeypatch.setattr(MemoryEngine, "backup", killed)
        monkeypatch.setattr("connector.queue.runner.retry_pause_seconds", lambda _: 0)

    async def test_a_job_is_tried_again_as_often_as_workers_may_be_lost(self, workshop: Workshop) -> None:
        runner, attempts = workshop.runner(), 0
        while not workshop.published(TaskFailed):
            lease = await workshop.attempt()
            attempts = lease.number
            await runner.run(lease)

        (failed,) = workshop.published(TaskFailed)
        assert attempts == WORKERS_LOST_MAX
        assert failed.problem.code == "engine_killed"
        assert "memory" in failed.problem.detail
        lines = [line.text for event in workshop.published(TaskLogged) for line in event.lines]
        ended = [line for line in lines if "killed by signal 9" in line and "is tried again" in line]
        assert [line.split(" has")[0] for line in ended] == [f"Attempt {each}" for each in range(1, attempts)]

    async def test_only_the_first_try_may_take_more_memory(
        self, workshop: Workshop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        more_memory = list[bool]()

        async def killed(*_: Any, options: BackupOptions, **__: Any) -> None:
            more_memory.append(options.more_memory)
            raise EngineKilled("restic backup", "killed by signal 9")

        monkeypatch.setattr(MemoryEngine, "backup", killed)
        for _ in range(2):
            await workshop.runner().run(await workshop.attempt())

        assert more_memory == [True, False]

    async def test_a_job_that_survives_the_next_try_succeeds(
        self, workshop: Workshop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        lease = await workshop.attempt()
        await workshop.runner().run(lease)
        monkeypatch.undo()

        await run(workshop)

        assert workshop.published(TaskSucceeded)
        assert workshop.published(TaskFailed) == []


class TestStoresThatDoNotAnswer:
    async def test_a_job_is_tried_again_and_fails_in_the_end(self, workshop: Workshop) -> None:
        workshop.lister.failures["*"] = StoreUnavailable("gone")

        await workshop.lost_attempt(number=TRIES_MAX - 2, state="released")
        lease = await workshop.attempt()
        with pytest.raises(TemporaryError):
            await run_job(workshop.context, lease, request_of(lease), task=TASK, cancel=asyncio.Event())
        await lease.release()
        await run(workshop)

        (failed,) = workshop.published(TaskFailed)
        assert (failed.problem.code, failed.attempt) == ("store_unavailable", TRIES_MAX)
        assert failed.backup.snapshot_id == kept(workshop)[0]

    async def test_servers_of_cairns_own_are_waited_for_without_end(self, workshop: Workshop) -> None:
        workshop.lister.failures["*"] = Unavailable("kafka_unavailable", "gone")
        await workshop.lost_attempt(number=TRIES_MAX * 2, state="released")

        with pytest.raises(Unavailable):
            await run(workshop)

        assert workshop.published(TaskFailed) == []
