"""Hooks of backups and restores, run by workers on real servers."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from connector.app import open_app
from contracts.hooks import Hooks
from contracts.messages.connector.task_events import TaskCancelled, TaskFailed, TaskLogged, TaskStarted, TaskSucceeded
from contracts.messages.scheduler import TaskRequested

from tests.integration.connector.backed_up import TREE
from tests.integration.connector.worker_fixture import WorkerFixture, ready, write_tree
from tests.support.processes import is_running
from tests.support.waiting import eventually_async

REPORT = """#!/bin/sh
env | sort > {out}/$CAIRN_HOOK.$CAIRN_JOB_ID
echo "$CAIRN_HOOK of $PLAKAR_OP $PLAKAR_WORK_ID"
"""


class Ward:
    """A hooks directory, and what hooks left beside it."""

    def __init__(self, ground: WorkerFixture) -> None:
        self.ground = ground
        self.directory = ground.files("hooks")
        self.out = ground.files("hook-output")
        self.hook("report", REPORT.format(out=self.out))

    def hook(self, name: str, script: str) -> None:
        path = self.directory / name
        path.write_text(script)
        path.chmod(0o755)

    def left(self, place: str, request: TaskRequested) -> Path:
        return self.out / f"{place}.{request.job_id}"

    def lines(self, request: TaskRequested) -> list[str]:
        return [line.text for told in self.ground.published(request, TaskLogged) for line in told.lines]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def ward(ground: WorkerFixture) -> AsyncIterator[Ward]:
    """A worker in this process with hooks."""
    made = Ward(ground)
    async with open_app(ground.settings(hooks_dir=made.directory)):
        yield made


async def test_an_app_has_hooks_around_its_backups_and_restores(ward: Ward, tmp_path: Path) -> None:
    ground, hooks = ward.ground, Hooks(pre_job="report", post_job="report")
    source = await ground.assign("source", write_tree(ground.files("sources", tmp_path.name), TREE), hooks=hooks)
    store = await ground.store_made_by_hand(tmp_path.name)
    target = await ground.assign("destination", ground.files("targets", tmp_path.name), hooks=hooks)

    backup = await ground.request(source, store)
    made = await ground.ending(backup, TaskSucceeded)
    restore = await ground.request(store, target, type_="restore", snapshot_id=made.data.result.snapshot_id)
    await ground.ending(restore, TaskSucceeded)
    plain = await ground.request(source, store, hooks=Hooks())
    await ground.ending(plain, TaskSucceeded)

    for request, kind in ((backup, "backup"), (restore, "restore")):
        for place in ("pre_job", "post_job"):
            seen = dict(line.split("=", 1) for line in ward.left(place, request).read_text().splitlines())
            shell = {"PWD", "OLDPWD", "SHLVL", "_"}
            allowed = {"PATH", "HOME", "LANG", "TZ", "TRACEPARENT", "CAIRN_HOOK", "CAIRN_JOB_ID", "CAIRN_TASK_TYPE"}
            assert set(seen) - shell <= allowed | {"PLAKAR_HOOK", "PLAKAR_OP", "PLAKAR_WORK_ID"}
            assert (seen["CAIRN_JOB_ID"], seen["CAIRN_TASK_TYPE"], seen["PLAKAR_OP"]) == (request.job_id, kind, kind)
            assert f"report: {place} of {kind} {request.job_id}" in ward.lines(request)
    assert not ward.left("pre_job", plain).exists()


async def test_hooks_that_fail_decide_by_setting(ward: Ward, tmp_path: Path) -> None:
    ground = ward.ground
    source = await ground.assign("source", write_tree(ground.files("sources", tmp_path.name), TREE))
    store = await ground.store_made_by_hand(tmp_path.name)
    ward.hook("refuse", "#!/bin/sh\necho the database does not answer >&2\nexit 4\n")

    aborted = await ground.request(source, store, hooks=Hooks(pre_job="refuse", post_job="report"))
    failed = await ground.ending(aborted, TaskFailed)
    after = await ground.request(source, store, hooks=Hooks(post_job="refuse"))
    kept = await ground.ending(after, TaskFailed)
    warned = await ground.request(source, store, hooks=Hooks(pre_job="refuse", on_failure="warn"))
    await ground.ending(warned, TaskSucceeded)
    missing = await ground.request(source, store, hooks=Hooks(pre_job="nowhere", on_failure="warn"))
    refused = await ground.ending(missing, TaskFailed)

    assert failed.data.problem.code == "hook_failed"
    assert failed.data.problem.detail.endswith("exit code 4. The end of its output: the database does not answer")
    assert failed.data.result is None
    assert not ward.left("post_job", aborted).exists()
    assert kept.data.problem.code == "hook_failed"
    assert kept.data.result.files_processed == len(TREE)
    assert any("pre_job (refuse) failed" in line for line in ward.lines(warned))
    assert refused.data.problem.code == "hook_not_found"


SLOW = "#!/bin/sh\nsleep 600 &\necho $! > {out}/sleeper.$CAIRN_JOB_ID\nwait\n"


async def sleeper(path: Path) -> int:
    await eventually_async(lambda: path.exists() and path.read_text().strip() != "", 30)
    return int(path.read_text())


async def test_a_hook_is_killed_with_its_children_by_a_cancellation_and_with_its_worker(
    fresh_ground: WorkerFixture,
) -> None:
    ground = fresh_ground
    ward = Ward(ground)
    ward.hook("slow", SLOW.format(out=ward.out))
    with ground.worker("first", hooks_dir=ward.directory) as first:
        await ready(first)
        source = await ground.assign("source", write_tree(ground.files("source"), TREE))
        store = await ground.store_made_by_hand()
        canceled = await ground.request(source, store, hooks=Hooks(pre_job="slow", post_job="report"))
        child = await sleeper(ward.left("sleeper", canceled))
        await ground.cancel(canceled)
        await ground.ending(canceled, TaskCancelled)
        assert not is_running(child)
        assert not ward.left("post_job", canceled).exists()

        taken_over = await ground.request(source, store, hooks=Hooks(pre_job="slow", post_job="report"))
        child = await sleeper(ward.left("sleeper", taken_over))
        first.process.kill()
        await eventually_async(lambda: not is_running(child), 10)
    ward.hook("slow", REPORT.format(out=ward.out))
    with ground.worker("second", hooks_dir=ward.directory) as second:
        await ready(second)
        ended = await ground.ending(taken_over, TaskSucceeded)
    assert ended.data.attempt == 2
    assert {told.attempt for told in ground.published(taken_over, TaskStarted)} == {1, 2}
    # The second attempt began with the hook again.
    assert ward.left("pre_job", taken_over).exists()
    assert ward.left("post_job", taken_over).exists()
