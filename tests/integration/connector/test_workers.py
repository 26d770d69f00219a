"""Workers that die, stall, are stopped or compete: exactly one restore point a job, and one end."""

import json
import os
import random
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from connector.domain.origins import job_tag
from contracts.messages.assignment import App
from contracts.messages.connector.stores import RestorePointCreated
from contracts.messages.connector.task_events import (
    TaskCancelled,
    TaskEvent,
    TaskFailed,
    TaskProgressed,
    TaskStarted,
    TaskSucceeded,
)
from contracts.messages.outcomes import CommandOutcome
from contracts.messages.restore_index import RestorePointBrowsable
from contracts.messages.scheduler import TaskRequested
from contracts.registry import MESSAGES

from tests.integration.connector.gate import Gate
from tests.integration.connector.worker_fixture import PASSPHRASE, WorkerFixture, initialize, ready, write_tree
from tests.integration.engine.programs import slow
from tests.support import builders as make
from tests.support.processes import Running
from tests.support.unprivileged import write_unprivileged
from tests.support.waiting import eventually_async

MEGABYTE = 1 << 20


@pytest.fixture
def gate(fresh_ground: WorkerFixture) -> Gate:
    return Gate(fresh_ground.files("gate"), fresh_ground.restic)


@pytest.fixture
def ground(fresh_ground: WorkerFixture) -> WorkerFixture:
    return fresh_ground


@pytest_asyncio.fixture(loop_scope="session")
async def apps(ground: WorkerFixture) -> tuple[App, App]:
    """A source and a store with an empty repository."""
    source = await ground.assign("source", write_tree(ground.files("source"), {"a": b"a", "b/c": b"c"}))
    return source, await ground.store_made_by_hand()


def snapshots(ground: WorkerFixture, store: App, *tags: str) -> list[dict[str, Any]]:
    root = str(store.fields["root"].value)
    arguments = [str(ground.restic), "-r", root, "--no-lock", "--json", "snapshots", *(f"--tag={t}" for t in tags)]
    environment = {**os.environ, "RESTIC_PASSWORD": PASSPHRASE}
    done = subprocess.run(arguments, env=environment, capture_output=True, check=True)
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def restore_points(ground: WorkerFixture, request: TaskRequested) -> set[str]:
    heard = (e.data.restore_point for e in ground.asker.heard(RestorePointCreated))
    return {point.snapshot_id for point in heard if point.job_id == request.job_id}


def attempts(ground: WorkerFixture, request: TaskRequested, wanted: type[TaskEvent]) -> list[int]:
    return [data.attempt for data in ground.published(request, wanted)]


async def stalled(ground: WorkerFixture, gate: Gate, apps: tuple[App, App], worker: Running) -> TaskRequested:
    """A job whose only worker is stopped by SIGSTOP when its engine has arrived at the gate."""
    await ready(worker)
    request = await ground.request(*apps)
    await gate.arrived(1)
    os.kill(worker.process.pid, signal.SIGSTOP)
    return request


async def test_a_backup_whose_worker_is_killed_in_the_middle_ends_with_one_restore_point(
    ground: WorkerFixture, apps: tuple[App, App]
) -> None:
    source, store = apps
    for number in range(5):
        (ground.folder / "source" / f"large-{number}").write_bytes(random.randbytes(48 * MEGABYTE))
    program = slow(ground.restic, ground.folder / "slow", kib_per_second=4 * 1024)
    with ground.worker("first", restic=program) as first:
        await ready(first)
        request = await ground.request(source, store)
        await ground.asker.ear.message(TaskProgressed, lambda data: data.bytes_done > 0, deadline_seconds=60)
        first.kill()
    assert snapshots(ground, store) == []

    with ground.worker("second"):
        ended = await ground.ending(request, TaskSucceeded, deadline_seconds=120)

    (snapshot,) = snapshots(ground, store, job_tag(request.job_id))
    assert attempts(ground, request, TaskStarted) == [1, 2]
    assert ended.data.attempt == 2
    assert restore_points(ground, request) == {snapshot["id"]} == {ended.data.backup.snapshot_id}


async def test_a_snapshot_that_a_killed_worker_told_nobody_of_is_made_anew(
    ground: WorkerFixture, gate: Gate, apps: tuple[App, App]
) -> None:
    _, store = apps
    with ground.worker("first", restic=gate.script) as first:
        request = await stalled(ground, gate, apps, first)
        gate.open(1)
        (left,) = await eventually_async(lambda: snapshots(ground, store, job_tag(request.job_id)), 30)
        first.kill()
    gate.open(2)

    with ground.worker("second", restic=gate.script):
        ended = await ground.ending(request, TaskSucceeded)

    (snapshot,) = snapshots(ground, store)
    assert snapshot["id"] == ended.data.backup.snapshot_id != left["id"]
    assert ended.data.backup.files_unmodified == 2
    assert restore_points(ground, request) == {snapshot["id"]}


async def test_a_snapshot_that_a_stalled_workers_engine_makes_when_all_is_over_is_removed_by_that_worker(
    ground: WorkerFixture, gate: Gate, apps: tuple[App, App]
) -> None:
    _, store = apps
    with ground.worker("zombie", restic=gate.script) as zombie:
        request = await stalled(ground, gate, apps, zombie)
        gate.open(2)
        with ground.worker("heir", restic=gate.script):
            ended = await ground.ending(request, TaskSucceeded)
        gate.open(1)
        await eventually_async(lambda: len(snapshots(ground, store)) == 2, 30)

        os.kill(zombie.process.pid, signal.SIGCONT)
        await eventually_async(lambda: len(snapshots(ground, store)) == 1, 30)
        assert zombie.stop() == 0

    assert [s["id"] for s in snapshots(ground, store)] == [ended.data.backup.snapshot_id]


async def test_a_worker_that_comes_back_after_its_lease_was_taken_over_says_nothing(
    ground: WorkerFixture, gate: Gate, apps: tuple[App, App]
) -> None:
    _, store = apps
    with ground.worker("zombie", restic=gate.script) as zombie:
        request = await stalled(ground, gate, apps, zombie)
        with ground.worker("heir", restic=gate.script):
            await gate.arrived(2)
            gate.open(2)
            ended = await ground.ending(request, TaskSucceeded)

            gate.open(1)
            os.kill(zombie.process.pid, signal.SIGCONT)
            await eventually_async(
                lambda: "lease lost" in zombie.output() or "work stopped unexpectedly" in zombie.output(), 30
            )
            await eventually_async(lambda: len(snapshots(ground, store)) == 1, 30)
            assert zombie.stop() == 0

    (snapshot,) = snapshots(ground, store, job_tag(request.job_id))
    await ground.asker.ear.drain()
    kinds = [kind for kind in MESSAGES.values() if issubclass(kind, TaskEvent)]
    assert {e.attempt for kind in kinds for e in ground.published(request, kind)} == {1, 2}
    assert attempts(ground, request, TaskSucceeded) == [2]
    assert restore_points(ground, request) == {snapshot["id"]} == {ended.data.backup.snapshot_id}
    assert ground.published(request, TaskFailed) == []


async def test_a_restore_point_that_a_stalled_workers_engine_made_nevertheless_is_removed(
    ground: WorkerFixture, gate: Gate, apps: tuple[App, App]
) -> None:
    _, store = apps
    with ground.worker("zombie", restic=gate.script) as zombie:
        request = await stalled(ground, gate, apps, zombie)
        with ground.worker("heir", restic=gate.script):
            await gate.arrived(2)
            gate.open(1)
            await eventually_async(lambda: snapshots(ground, store, job_tag(request.job_id)), 30)
            gate.open(2)
            ended = await ground.ending(request, TaskSucceeded)

    (snapshot,) = snapshots(ground, store, job_tag(request.job_id))
    assert restore_points(ground, request) == {snapshot["id"]} == {ended.data.backup.snapshot_id}


async def test_two_workers_do_one_job_once(ground: WorkerFixture, apps: tuple[App, App]) -> None:
    source, store = apps
    with ground.worker("one") as one, ground.worker("two") as two:
        await ready(one)
        await ready(two)
        requests = [await ground.request(source, store) for _ in range(4)]
        for request in requests:
            await ground.ending(request, TaskSucceeded)
        assert (one.stop(), two.stop()) == (0, 0)

    await ground.asker.ear.drain()
    for request in requests:
        assert attempts(ground, request, TaskStarted) == [1]
        assert attempts(ground, request, TaskSucceeded) == [1]
        assert len(snapshots(ground, store, job_tag(request.job_id))) == 1


async def test_a_worker_told_to_stop_gives_its_work_back_at_once(
    ground: WorkerFixture, gate: Gate, apps: tuple[App, App]
) -> None:
    source, store = apps
    with ground.worker("leaving", restic=gate.script, lease_seconds=600) as leaving:
        await ready(leaving)
        request = await ground.request(source, store)
        await gate.arrived(1)
        assert leaving.stop() == 0
    gate.open(2)

    with ground.worker("staying", restic=gate.script, lease_seconds=600):
        ended = await ground.ending(request, TaskSucceeded)

    assert ended.data.attempt == 2
    assert len(snapshots(ground, store)) == 1


def taken(worker: Running, kind: str) -> int:
    """How much work of a kind a worker has taken."""
    return sum("work taken" in line and f'"{kind}"' in line for line in worker.output().splitlines())


async def test_a_place_that_is_initialized_twice_at_once_gets_one_repository(ground: WorkerFixture) -> None:
    gate = Gate(ground.files("gate"), ground.restic, "init")
    place = ground.folder / "stores" / "new"
    commands = [make.wrap(initialize(await ground.assign("store", place))) for _ in range(2)]
    with ground.worker("one", restic=gate.script) as one, ground.worker("two", restic=gate.script) as two:
        await ready(one)
        await ready(two)
        for command in commands:
            await ground.asker.wire.publish(command)
        await gate.arrived(1)
        await eventually_async(lambda: taken(one, "initialize") + taken(two, "initialize") == 2, 30)
        gate.open(1)
        gate.open(2)
        outcomes = [
            await ground.asker.ear.message(CommandOutcome, lambda data, c=command: data.command_id == c.id)  # type: ignore[misc]
            for command in commands
        ]
        assert (one.stop(), two.stop()) == (0, 0)

    assert sorted(o.data.result["adopted"] for o in outcomes) == [False, True]
    assert len({o.data.result["repository_id"] for o in outcomes}) == 1


class TestCancelling:
    async def test_a_running_backup(self, ground: WorkerFixture, gate: Gate, apps: tuple[App, App]) -> None:
        source, store = apps
        with ground.worker("only", restic=gate.script) as only:
            await ready(only)
            request = await ground.request(source, store)
            await gate.arrived(1)

            await ground.cancel(request)

            await ground.ending(request, TaskCancelled)
            assert only.stop() == 0
        assert snapshots(ground, store) == []
        assert ground.published(request, TaskFailed) == []

    async def test_a_backup_that_another_worker_runs(
        self, ground: WorkerFixture, gate: Gate, apps: tuple[App, App]
    ) -> None:
        source, store = apps
        with ground.worker("runs", restic=gate.script, lease_seconds=30) as runs:
            await ready(runs)
            request = await ground.request(source, store)
            await gate.arrived(1)
            os.kill(runs.process.pid, signal.SIGSTOP)
            with ground.worker("hears", restic=gate.script, lease_seconds=30) as hears:
                await ready(hears)
                await ground.cancel(request)
                await eventually_async(lambda: "cancellation asked for" in hears.output(), 30)
                os.kill(runs.process.pid, signal.SIGCONT)
                cancelled = await ground.ending(request, TaskCancelled)

        assert cancelled.data.attempt == 1
        assert snapshots(ground, store) == []

    async def test_a_backup_that_waits_for_a_slot(
        self, ground: WorkerFixture, gate: Gate, apps: tuple[App, App]
    ) -> None:
        source, store = apps
        with ground.worker("busy", restic=gate.script, slots=1) as busy:
            await ready(busy)
            running = await ground.request(source, store)
            await gate.arrived(1)
            waiting = await ground.request(source, store)

            await ground.cancel(waiting)

            await ground.ending(waiting, TaskCancelled)
            gate.open(1)
            await ground.ending(running, TaskSucceeded)
        assert attempts(ground, waiting, TaskStarted) == []
        assert len(snapshots(ground, store)) == 1

    async def test_a_backup_that_nobody_has_taken_yet(self, ground: WorkerFixture, apps: tuple[App, App]) -> None:
        source, store = apps
        request = await ground.request(source, store)
        await ground.cancel(request)

        with ground.worker("late"):
            await ground.ending(request, TaskCancelled)

        assert snapshots(ground, store) == []


async def test_a_canceled_backup_whose_engines_are_killed_waits_for_no_further_attempt(
    ground: WorkerFixture, apps: tuple[App, App]
) -> None:
    source, store = apps
    script = ground.folder / "deadly"
    script.write_text(f'#!/bin/sh\ncase " $* " in *" backup "*) kill -9 $$;; esac\nexec "{ground.restic}" "$@"\n')
    script.chmod(0o755)
    with ground.worker("deadly", restic=script) as worker:
        await ready(worker)
        request = await ground.request(source, store)
        await eventually_async(lambda: worker.output().count("work is tried again later") == 2, 30)
        await ground.cancel(request)
        ended = (await ground.ending(request, TaskCancelled)).data
        assert worker.stop() == 0

    assert ended.attempt == 3
    assert attempts(ground, request, TaskStarted) == [1, 2]
    assert snapshots(ground, store) == []


async def test_an_engine_that_is_killed_is_followed_by_another(ground: WorkerFixture, apps: tuple[App, App]) -> None:
    source, store = apps
    script, locks = ground.folder / "mortal", f"{store.fields['root'].value}/locks"
    script.write_text(
        "#!/bin/sh\n"
        f'case " $* " in *" backup "*) if mkdir "{ground.folder}/killed" 2>/dev/null; then\n'
        f'"{ground.restic}" "$@" & while [ -z "$(ls {locks})" ]; do sleep 0.05; done\n'
        "kill -9 $! $$\n"
        "fi;; esac\n"
        f'exec "{ground.restic}" "$@"\n'
    )
    script.chmod(0o755)
    with ground.worker("mortal", restic=script) as worker:
        await ready(worker)
        request = await ground.request(source, store)
        ended = (await ground.ending(request, TaskSucceeded)).data
        assert worker.stop() == 0

    (snapshot,) = snapshots(ground, store)
    assert (ended.attempt, ended.backup.snapshot_id) == (2, snapshot["id"])
    assert (ground.folder / "killed").exists()
    assert list(Path(locks).iterdir()) == []


async def test_files_that_cannot_be_read_fail_the_job_and_leave_a_restore_point(
    ground: WorkerFixture, apps: tuple[App, App]
) -> None:
    source, store = apps
    (ground.folder / "source" / "secret").touch(mode=0o000)
    (ground.folder / "source" / "locked").mkdir(mode=0o000)
    with ground.worker("unprivileged", restic=write_unprivileged(ground.folder / "restic", ground.restic)) as worker:
        await ready(worker)
        request = await ground.request(source, store)
        failed = (await ground.ending(request, TaskFailed)).data
        assert worker.stop() == 0

    (snapshot,) = snapshots(ground, store)
    assert failed.problem.code == "backup_incomplete"
    assert failed.problem.detail.startswith("2 files or directories could not be read: ")
    assert "/secret (permission denied)" in failed.problem.detail
    assert failed.backup.snapshot_id == snapshot["id"]
    assert restore_points(ground, request) == {snapshot["id"]}
    await ground.asker.ear.message(RestorePointBrowsable, lambda data: data.snapshot_id == snapshot["id"])
