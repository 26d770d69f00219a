"""Hooks around a job, with real programs."""

import asyncio
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from connector.domain.hooks import choose_hooks, environment_of, output_lines
from connector.jobs.definition import Job, JobOutcome
from connector.jobs.hook_files import find_hook
from connector.jobs.hooks import run_with_hooks
from connector.queue.lease import LeaseLost
from connector.settings import Settings
from contracts.errors import PermanentError, TemporaryError
from contracts.hooks import Hooks, hook_name_fault
from contracts.messages.assignment import App
from contracts.messages.connector.task_events import LogLine, TaskLogged
from contracts.task_types.backup import BackupResult
from contracts.tasks import Task, TaskOptions
from contracts.values import JobId
from integrations.sdk.errors import Cancelled

from tests.support.waiting import eventually_async
from tests.unit.connector.parts import SOURCE, TARGET, an_app
from tests.unit.connector.workshop import SETTINGS, Workshop

MADE = JobOutcome(BackupResult(snapshot_id="a" * 64))


class Scene:
    """A job with hooks; what ran is in `steps`, in order."""

    def __init__(self, root: Path, workshop: Workshop) -> None:
        self.directory = root / "hooks"
        self.directory.mkdir()
        self.notes = root / "notes"
        self.workshop = workshop
        self.failure: BaseException | None = None
        self.outcome = MADE
        self.work: Callable[[Job], object] = lambda _: None

    def hook(self, name: str, script: str = "") -> Path:
        path = self.directory / name
        path.write_text(f"#!/bin/sh\necho $CAIRN_HOOK >> {self.notes}\n{script}\n")
        path.chmod(0o700)
        return path

    async def job(self, *, enabled: bool = True, **hooks: Any) -> Job:
        options = TaskOptions(hooks=Hooks(**hooks)) if hooks else TaskOptions()
        job = await self.workshop.job(task=Task(type="backup", origin=SOURCE, target=TARGET, options=options))
        settings = Settings.model_construct(**SETTINGS, hooks_dir=self.directory if enabled else None)
        return replace(job, context=replace(job.context, settings=settings))

    async def run(self, job: Job) -> JobOutcome:
        async def work(job: Job) -> JobOutcome:
            with self.notes.open("a") as notes:
                notes.write("work\n")
            self.work(job)
            if self.failure:
                raise self.failure
            return self.outcome

        return await run_with_hooks(job, work)

    @property
    def steps(self) -> list[str]:
        return self.notes.read_text().split() if self.notes.exists() else []

    def lines(self, job: Job) -> list[LogLine]:
        return [line for event in job.reporter.rest() if isinstance(event, TaskLogged) for line in event.lines]


@pytest.fixture
async def scene(tmp_path: Path) -> Scene:
    (root := tmp_path / "work").mkdir()
    return Scene(tmp_path, await Workshop(root).open())


BOTH = {"pre_job": "before", "post_job": "after"}


async def test_hooks_run_before_and_after_and_their_output_is_in_the_log(scene: Scene) -> None:
    scene.hook("before", "echo frozen; echo careful >&2")
    scene.hook("after", r"printf 'odd \377\001\n'")
    job = await scene.job(**BOTH)
    assert await scene.run(job) == MADE
    assert scene.steps == ["pre_job", "work", "post_job"]
    texts = [line.text for line in scene.lines(job)]
    assert [t for t in texts if t.startswith(("before", "after"))] == [
        "before: frozen", "before: careful", r"after: odd \xff\x01",
    ]  # fmt: skip


@pytest.mark.parametrize("enabled", [True, False])
async def test_a_dry_run_runs_no_hooks(scene: Scene, *, enabled: bool) -> None:
    scene.hook("before")
    scene.hook("after")
    job = await scene.job(enabled=enabled, **BOTH)
    task = Task(type="restore", origin=TARGET, target=SOURCE, options=TaskOptions(hooks=Hooks(**BOTH), dry_run=True))
    dry = replace(job, request=job.request.model_copy(update={"task": task}))
    assert await scene.run(dry) == MADE
    assert scene.steps == ["work"]


async def test_a_job_without_hooks_runs_where_none_are_allowed(scene: Scene) -> None:
    assert await scene.run(await scene.job(enabled=False)) == MADE


@pytest.mark.parametrize("place", ["pre_job", "post_job"])
async def test_hooks_are_refused_before_anything_is_done(scene: Scene, place: str) -> None:
    with pytest.raises(PermanentError) as disabled:
        await scene.run(await scene.job(enabled=False, **{place: "before"}))
    assert disabled.value.code == "hooks_disabled"
    assert "CAIRN_HOOKS_DIR" in disabled.value.detail
    assert scene.steps == []


async def test_a_post_job_that_is_not_there_is_refused_before_the_work_also_where_failures_are_warnings(
    scene: Scene,
) -> None:
    scene.hook("before")
    with pytest.raises(PermanentError) as missing:
        await scene.run(await scene.job(**BOTH, on_failure="warn"))
    assert missing.value.code == "hook_not_found"
    assert scene.steps == []


async def test_a_failed_pre_job_aborts_and_no_post_job_follows(scene: Scene) -> None:
    scene.hook("before", "echo no lock to be had; exit 3")
    scene.hook("after")
    with pytest.raises(PermanentError) as failed:
        await scene.run(await scene.job(**BOTH))
    assert failed.value.code == "hook_failed"
    assert failed.value.detail == (
        "The hook pre_job (before) failed with the exit code 3. The end of its output: no lock to be had"
    )
    assert scene.steps == ["pre_job"]


async def test_a_failed_pre_job_may_be_a_warning(scene: Scene) -> None:
    scene.hook("before", "exit 3")
    scene.hook("after")
    job = await scene.job(**BOTH, on_failure="warn")
    assert await scene.run(job) == MADE
    assert scene.steps == ["pre_job", "work", "post_job"]
    assert [line.text for line in scene.lines(job) if line.level == "warning"] == [
        "The hook pre_job (before) failed with the exit code 3. It wrote nothing."
    ]


@pytest.mark.parametrize(("on_failure", "code"), [("fail", "hook_failed"), ("warn", None)])
async def test_a_failed_post_job_keeps_what_was_made(scene: Scene, on_failure: str, code: str | None) -> None:
    scene.hook("after", "exit 1")
    outcome = await scene.run(await scene.job(post_job="after", on_failure=on_failure))
    assert outcome.result == MADE.result
    assert (outcome.problem.code if outcome.problem else None) == code


async def test_what_a_job_itself_failed_with_goes_before_its_hook(scene: Scene) -> None:
    scene.hook("after", "exit 1")
    scene.outcome = JobOutcome(MADE.result, PermanentError("backup_incomplete", "One file is missing."))
    job = await scene.job(post_job="after")
    assert await scene.run(job) == scene.outcome
    assert any("post_job (after) failed" in line.text for line in scene.lines(job))


@pytest.mark.parametrize("error", [PermanentError("a", "b"), TemporaryError("a", "b"), Cancelled(), KeyError("bug")])
async def test_post_job_runs_however_the_work_ended(scene: Scene, error: Exception) -> None:
    scene.hook("before")
    scene.hook("after", "exit 1")
    scene.failure = error
    with pytest.raises(type(error)):
        await scene.run(await scene.job(**BOTH))
    assert scene.steps == ["pre_job", "work", "post_job"]


@pytest.mark.parametrize("error", [LeaseLost("job"), asyncio.CancelledError()])
async def test_post_job_is_left_to_the_attempt_that_takes_over(scene: Scene, error: BaseException) -> None:
    scene.hook("before")
    scene.hook("after")
    scene.failure = error
    with pytest.raises(type(error)):
        await scene.run(await scene.job(**BOTH))
    assert scene.steps == ["pre_job", "work"]


async def test_a_hook_is_killed_at_its_time_limit(scene: Scene) -> None:
    scene.hook("before", "sleep 60")
    with pytest.raises(PermanentError, match="ran for longer than 1 s"):
        await scene.run(await scene.job(pre_job="before", timeout_seconds=1))


async def test_a_canceled_job_kills_pre_job_and_leaves_the_rest_to_its_work(scene: Scene) -> None:
    scene.hook("before", "sleep 60")
    scene.hook("after")
    scene.failure = Cancelled()
    job = await scene.job(**BOTH)
    running = asyncio.create_task(scene.run(job))
    await eventually_async(lambda: scene.steps == ["pre_job"], 10)
    job.cancel.set()
    with pytest.raises(Cancelled):
        await running
    assert scene.steps == ["pre_job", "work"]


async def test_post_job_of_a_canceled_job_is_not_killed_by_that(scene: Scene) -> None:
    scene.hook("after", f"sleep 0.05; echo thawed >> {scene.notes}")
    scene.work = lambda job: job.cancel.set()
    scene.failure = Cancelled()
    with pytest.raises(Cancelled):
        await scene.run(await scene.job(post_job="after"))
    assert scene.steps == ["work", "post_job", "thawed"]


async def test_a_job_that_was_canceled_before_runs_no_hook(scene: Scene) -> None:
    scene.hook("before")
    job = await scene.job(pre_job="before")
    job.cancel.set()
    assert await scene.run(job) == MADE
    assert scene.steps == ["work"]


def test_the_hooks_of_a_task_take_the_place_of_those_of_its_app() -> None:
    of_app = Hooks(pre_job="app", post_job="app")

    def chosen(own: Hooks | None, app: Hooks | None) -> Hooks:
        return choose_hooks(Task(type="backup", origin=SOURCE, options=TaskOptions(hooks=own)), app)

    assert chosen(None, of_app) == of_app
    assert chosen(Hooks(post_job="task"), of_app) == Hooks(post_job="task")
    assert list(chosen(Hooks(), of_app).named()) == list(chosen(None, None).named()) == []


def test_a_hook_sees_nothing_of_the_worker_but_what_is_listed() -> None:
    environ = {"PATH": "/bin", "HOME": "/h", "LANG": "C", "TZ": "UTC", "USER": "u", "HTTPS_PROXY": "u:p@x"}
    secrets = {"CAIRN_MASTER_KEY_FILE": "/key", "CAIRN_MONGODB_URI": "x", "RESTIC_PASSWORD": "y", "LD_PRELOAD": "z"}
    task = Task(type="backup", origin=SOURCE, target=TARGET)
    assert environment_of("pre_job", job_id=JobId("j"), task=task, traceparent="00-1", environ=environ | secrets) == {
        "PATH": "/bin", "HOME": "/h", "LANG": "C", "TZ": "UTC", "TRACEPARENT": "00-1",
        "CAIRN_HOOK": "pre_job", "CAIRN_JOB_ID": "j", "CAIRN_TASK_TYPE": "backup",
        "PLAKAR_HOOK": "pre_job", "PLAKAR_WORK_ID": "j", "PLAKAR_OP": "backup",
    }  # fmt: skip


def test_output_is_cut_to_its_last_lines() -> None:
    lines = output_lines(b"\n".join(b"%d" % n for n in range(300)), 0)
    assert (len(lines), lines[0], lines[-1]) == (101, "(earlier output is left out)", "299")
    assert output_lines(b"a\0b", 7) == ["(earlier output is left out)", r"a\x00b"]


@pytest.mark.parametrize(
    "name", ["", ".", "..", ".hidden", "a/b", "/bin/sh", "a\\b", "a b", "a;b", "a\0", "é", "x" * 256]
)
def test_names_that_lead_elsewhere_are_refused(name: str) -> None:
    assert hook_name_fault(name)


@pytest.mark.parametrize("name", ["freeze", "10-freeze.sh", "A_b", "x" * 255])
def test_plain_names_are_taken(name: str) -> None:
    assert hook_name_fault(name) is None


class TestFinding:
    def test_a_link_within_the_directory_is_followed(self, scene: Scene) -> None:
        (scene.directory / "alias").symlink_to(scene.hook("before"))
        assert find_hook(scene.directory, "pre_job", "alias") == scene.directory.resolve() / "alias"

    def test_a_file_of_a_name_that_is_no_name_is_not_looked_for(self, scene: Scene) -> None:
        with pytest.raises(PermanentError, match="name of a file"):
            find_hook(scene.directory, "pre_job", "../notes")

    @pytest.mark.parametrize(
        ("spoil", "told"),
        [
            (lambda path: (path.unlink(), path.symlink_to("/bin/sh")), "leads out"),
            (lambda path: (path.unlink(), path.mkdir()), "not a regular file"),
            (lambda path: (path.unlink(), os.mkfifo(path, 0o700)), "not a regular file"),
            (lambda path: path.chmod(0o600), "not executable"),
            (lambda path: path.chmod(0o702), "changed by every user"),
            (lambda path: path.parent.chmod(0o777), "changed by every user"),
        ],
    )
    def test_what_is_not_to_be_run_says_why(self, scene: Scene, spoil: Callable[[Path], object], told: str) -> None:
        spoil(scene.hook("before"))
        with pytest.raises(PermanentError, match=told) as refused:
            find_hook(scene.directory, "pre_job", "before")
        assert refused.value.code == "hook_not_allowed"


def test_apps_and_options_of_before_have_no_hooks() -> None:
    assert App.model_validate(an_app("source").model_dump(exclude={"hooks"})).hooks is None
    assert TaskOptions.model_validate({"labels": ["a"]}).hooks is None
