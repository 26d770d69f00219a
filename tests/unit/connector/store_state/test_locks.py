"""Who holds a store is told at once; only what is proved to be nobody's is removed."""

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from connector.domain.locks import is_stale
from connector.engine.errors import LockNotStale
from connector.engine.memory import MemoryEngine
from connector.engine.port import BackupOutcome, CheckOutcome, Progress
from connector.jobs.definition import TaskDefinition
from connector.jobs.job_runner import run_job
from connector.store_state import locks
from connector.store_state.locks import reporting_locks
from connector.tasks import backup, check
from connector.tasks.unlock import unlock_store
from contracts.messages.connector.stores import StoreLock
from contracts.messages.connector.task_events import TaskLogged, TaskProgressed, TaskSucceeded
from contracts.messages.outcomes import CommandOutcome
from contracts.messages.scheduler import TaskRequested
from contracts.tasks import Task
from integrations.sdk.locations import StoreLocation
from restic_reader import Lock

from tests.support.waiting import eventually_async
from tests.unit.connector.parts import BACKUP, ORG, TARGET, UNLOCK, an_app
from tests.unit.connector.workshop import Workshop

NOW = datetime(2026, 1, 2, 3, 0, tzinfo=UTC)
# Not stale however long other tests run before these.
YOUNG = (datetime.now(UTC) + timedelta(days=1)).isoformat()
ELSEWHERE = Lock(time=YOUNG, exclusive=True, hostname="elsewhere", username="me", pid=7, id="a" * 64)
OLD = Lock(time="2020-01-01T00:00:00Z", exclusive=True, hostname="elsewhere", username="me", pid=8, id="b" * 64)


@pytest.mark.parametrize(
    ("minutes_old", "host", "alive", "stale"),
    [
        (31, "elsewhere", True, True),
        (29, "elsewhere", False, False),
        (1, "here", False, True),
        (1, "here", True, False),
        (None, "", False, False),
    ],
)
def test_a_lock_is_stale_when_that_is_proved(minutes_old: float | None, host: str, alive: bool, stale: bool) -> None:
    since = None if minutes_old is None else NOW - timedelta(minutes=minutes_old)
    lock = StoreLock(id="a", exclusive=True, host=host, process=7, since=since)

    assert is_stale(lock, NOW, host="here", is_alive=lambda _: alive) is stale


class Unlocking(MemoryEngine):
    """Removes what is old, as restic does."""

    def __init__(self) -> None:
        super().__init__()
        self.workshop: Workshop | None = None
        self.unlocked: list[str] = []

    async def unlock_stale(self, store: StoreLocation) -> None:
        self.unlocked.append(store.address)
        if self.workshop is not None:
            self.workshop.locks.remove(OLD)


class KeptOut(MemoryEngine):
    """Begins only when it is let in, as restic does while others hold the store."""

    def __init__(self) -> None:
        super().__init__()
        self.let_in = asyncio.Event()

    async def backup(self, *places: object, **options: object) -> BackupOutcome:
        await self.let_in.wait()
        options["on_progress"](Progress(fraction=0.5))  # type: ignore[operator]
        return await super().backup(*places, **options)  # type: ignore[arg-type]

    async def check(self, *places: object, **options: object) -> CheckOutcome:
        await self.let_in.wait()
        return await super().check(*places, **options)  # type: ignore[arg-type]


async def unlock(workshop: Workshop) -> None:
    lease = await workshop.command(kind=UNLOCK)
    await unlock_store(workshop.context, lease, lease.work.cause.data)  # type: ignore[arg-type]


async def test_what_is_stale_goes_and_what_is_not_is_told(tmp_path: Path) -> None:
    engine = Unlocking()
    workshop = await Workshop(tmp_path, engine=engine, locks=[OLD, ELSEWHERE]).open()
    engine.workshop = workshop
    lease = await workshop.command(kind=UNLOCK)

    await workshop.runner().run(lease)

    (outcome,) = workshop.published(CommandOutcome)
    assert [lock["process"] for lock in outcome.result["removed"]] == [8]
    assert [lock["process"] for lock in outcome.result["remaining"]] == [7]


async def test_a_lock_that_may_be_somebodys_stays_and_is_named(tmp_path: Path) -> None:
    workshop = await Workshop(tmp_path, locks=[ELSEWHERE]).open()

    with pytest.raises(LockNotStale, match="process 7 of me on the host elsewhere since 20"):
        await unlock(workshop)


async def test_where_there_is_no_lock_nothing_is_done(tmp_path: Path) -> None:
    engine = Unlocking()
    workshop = await Workshop(tmp_path, engine=engine).open()
    lease = await workshop.command(kind=UNLOCK)

    await workshop.runner().run(lease)

    (outcome,) = workshop.published(CommandOutcome)
    assert (outcome.accepted, outcome.result) == (True, {"removed": [], "remaining": []})
    assert engine.unlocked == []


SHARED = Lock(time=ELSEWHERE.time, hostname="another", username="me", pid=9, id="c" * 64)
CHECK = Task(type="check", origin=TARGET)


@pytest.mark.parametrize(
    ("task", "definition", "there", "holder"),
    [
        (BACKUP, backup.TASK, [ELSEWHERE, SHARED], "process 7 of me on the host elsewhere since 20"),
        # It needs the store for itself, so that whoever reads it is waited for as well.
        (CHECK, check.TASK, [SHARED], "process 9 of me on the host another since 20"),
    ],
    ids=["backup", "check"],
)
async def test_a_job_says_at_once_for_whom_it_waits(
    tmp_path: Path, task: Task, definition: TaskDefinition, there: list[Lock], holder: str
) -> None:
    engine = KeptOut()
    workshop = await Workshop(tmp_path, engine=engine, locks=there).open()
    lease = await workshop.attempt(task=task)
    request = lease.work.cause.data
    assert isinstance(request, TaskRequested)

    job = asyncio.create_task(run_job(workshop.context, lease, request, task=definition, cancel=asyncio.Event()))
    await eventually_async(lambda: any(each.phase == "waiting" for each in workshop.published(TaskProgressed)))
    engine.let_in.set()
    await job

    [waiting] = {each.waiting_for for each in workshop.published(TaskProgressed) if each.phase == "waiting"}
    lines = [line.text for event in workshop.published(TaskLogged) for line in event.lines]
    assert waiting.startswith(holder)
    assert [line for line in lines if "waiting" in line] == [f"The store is locked: waiting for {waiting}."]
    assert workshop.published(TaskSucceeded)


async def test_a_look_at_locks_that_fails_is_told_and_looked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    workshop, reported, looks = await Workshop(tmp_path).open(), list[StoreLock](), list[int]()
    workshop.locks.append(ELSEWHERE)
    look = locks.locks_of

    async def fails_at_first(*about: Any) -> list[StoreLock]:
        looks.append(1)
        if len(looks) == 1:
            raise KeyError("a bug")
        return await look(*about)

    monkeypatch.setattr(locks, "locks_of", fails_at_first)
    with caplog.at_level(logging.ERROR):
        async with reporting_locks(workshop.context, ORG, an_app("store"), on_locked=reported.append):
            await eventually_async(lambda: bool(reported))
    assert [record.getMessage() for record in caplog.records] == ["a background loop failed and is begun again"]
