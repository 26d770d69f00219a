"""An engine that does nothing is noticed, told of, and ended where the settings ask for that; its lock is removed."""

import os
import signal
import subprocess
from pathlib import Path

import psutil
import pytest
from contracts.messages.assignment import App
from contracts.messages.connector.task_events import (
    TaskCancelled,
    TaskFailed,
    TaskLogged,
    TaskProgressed,
    TaskSucceeded,
)
from contracts.messages.scheduler import TaskRequested
from contracts.task_types.base import TaskType

from tests.integration.connector.worker_fixture import PASSPHRASE, WorkerFixture, ready, write_tree
from tests.integration.engine.programs import slow
from tests.support.processes import Running
from tests.support.waiting import eventually_async

STUCK_SECONDS = 2
ENDED_SECONDS = 12.0
"""Noticed within 2 s and ended within 10 s."""


@pytest.fixture
def ground(fresh_ground: WorkerFixture) -> WorkerFixture:
    return fresh_ground


@pytest.fixture
def slow_restic(ground: WorkerFixture) -> str:
    """Takes minutes to write what the tests back up."""
    return slow(ground.restic, ground.folder / "slow-restic", kib_per_second=100, also_reads=True)


async def a_backup(ground: WorkerFixture) -> tuple[TaskRequested, App]:
    source = await ground.assign("source", write_tree(ground.files("source"), {"big": os.urandom(20 << 20)}))
    store = await ground.store_made_by_hand()
    return await ground.request(source, store), store


async def a_check(ground: WorkerFixture) -> tuple[TaskRequested, App]:
    tree, store = write_tree(ground.files("source"), {"big": os.urandom(20 << 20)}), await ground.store_made_by_hand()
    root, environment = str(store.fields["root"].value), {**os.environ, "RESTIC_PASSWORD": PASSPHRASE}
    subprocess.run([str(ground.restic), "-q", "-r", root, "backup", str(tree)], env=environment, check=True)
    return await ground.request(store, None, type_="check", read_percent=100), store


JOBS = {"backup": a_backup, "check": a_check}


def locks_of(store: App) -> list[Path]:
    return list(Path(str(store.fields["root"].value), "locks").iterdir())


async def working_engine(worker: Running, store: App) -> psutil.Process:
    """The engine of the worker's only job, once it has its lock."""
    await eventually_async(lambda: len(locks_of(store)) == 1, 30)
    engines = psutil.Process(worker.process.pid).children(recursive=True)
    return next(child for child in engines if "backup" in child.cmdline() or "check" in child.cmdline())


async def told(ground: WorkerFixture, request: TaskRequested, *, stuck: bool) -> None:
    def is_told(_: object) -> bool:
        progressed = ground.published(request, TaskProgressed)
        return bool(progressed) and (progressed[-1].stuck_since is not None) is stuck

    await ground.asker.ear.until(is_told, 40)


def warned(ground: WorkerFixture, request: TaskRequested) -> list[str]:
    lines = [line for event in ground.published(request, TaskLogged) for line in event.lines]
    return [line.text for line in lines if "stuck" in line.text and line.level == "warning"]


@pytest.mark.long
async def test_an_engine_that_is_stopped_is_told_of_and_goes_on(ground: WorkerFixture, slow_restic: str) -> None:
    with ground.worker("only", restic=slow_restic, stuck_seconds=STUCK_SECONDS) as only:
        await ready(only)
        request, store = await a_backup(ground)
        engine = await working_engine(only, store)
        engine.send_signal(signal.SIGSTOP)
        await told(ground, request, stuck=True)
        engine.send_signal(signal.SIGCONT)
        await told(ground, request, stuck=False)
        await ground.cancel(request)
        await ground.ending(request, TaskCancelled, deadline_seconds=ENDED_SECONDS)
        assert locks_of(store) == []
    assert len(warned(ground, request)) == 1


async def test_a_stuck_engine_is_ended_by_setting_and_leaves_no_lock(ground: WorkerFixture, slow_restic: str) -> None:
    facts = {"stuck_seconds": STUCK_SECONDS, "stuck_ends": True}
    with ground.worker("only", restic=slow_restic, **facts) as only:
        await ready(only)
        request, store = await a_backup(ground)
        engine = await working_engine(only, store)
        engine.send_signal(signal.SIGSTOP)
        ended = await ground.ending(request, TaskFailed)
        assert ended.data.problem.code == "engine_stuck"
        assert locks_of(store) == []
    assert not engine.is_running()
    assert len(warned(ground, request)) == 1


@pytest.mark.parametrize(
    ("type_", "stopped"),
    [
        ("backup", False),
        pytest.param("backup", True, marks=pytest.mark.long),
        pytest.param("check", False, marks=pytest.mark.long),
    ],
)
async def test_a_canceled_job_ends_soon_and_leaves_no_lock(
    ground: WorkerFixture, slow_restic: str, type_: TaskType, stopped: bool
) -> None:
    """Also where the engine hears of nothing any more and has to be killed."""
    with ground.worker("only", restic=slow_restic) as only:
        await ready(only)
        request, store = await JOBS[type_](ground)
        engine = await working_engine(only, store)
        if stopped:
            engine.send_signal(signal.SIGSTOP)
        await ground.cancel(request)
        await ground.ending(request, TaskCancelled, deadline_seconds=ENDED_SECONDS)
        assert locks_of(store) == []
    assert ground.published(request, TaskSucceeded) == []
