"""How a job ends, over memory."""

import asyncio
from pathlib import Path

import pytest
from chassis.errors import Unavailable
from connector.engine.errors import EngineKilled
from connector.jobs.definition import Job, JobOutcome, TaskDefinition
from connector.jobs.job_runner import run_job
from connector.store.ports import KnownApp
from connector.tasks import backup
from contracts.errors import TemporaryError
from contracts.messages.connector.task_events import TaskCancelled, TaskFailed
from contracts.messages.scheduler import TaskRequested

from tests.unit.connector.parts import ORG
from tests.unit.connector.workshop import Workshop


async def test_a_job_of_a_type_that_this_worker_does_not_know_fails_and_says_so(tmp_path: Path) -> None:
    # As a worker of the version before does, beside a scheduler of this one.
    workshop = await Workshop(tmp_path).open()
    lease = await workshop.attempt()
    request = lease.work.cause.data
    assert isinstance(request, TaskRequested)

    await run_job(workshop.context, lease, request, task=None, cancel=asyncio.Event())

    [failed] = workshop.published(TaskFailed)
    assert failed.problem.code == "task_type_unsupported"


@pytest.mark.parametrize("locked", ["source", "store"])
async def test_a_job_that_was_queued_before_its_resource_was_locked_fails_and_says_so(
    tmp_path: Path, locked: str
) -> None:
    workshop = await Workshop(tmp_path).open()
    lease = await workshop.attempt()
    request = lease.work.cause.data
    assert isinstance(request, TaskRequested)
    known = await workshop.store.apps.load(ORG, locked)
    assert known.value is not None
    assert known.value.app is not None
    resource = known.value.app.resource.model_copy(update={"locked": True})
    app = known.value.app.model_copy(update={"resource": resource, "revision": 2})
    await workshop.store.apps.save(known, KnownApp(revision=2, app=app))

    await run_job(workshop.context, lease, request, task=backup.TASK, cancel=asyncio.Event())

    [failed] = workshop.published(TaskFailed)
    assert failed.problem.code == "resource_locked"
    assert "is locked" in failed.problem.detail


async def run_to(workshop: Workshop, error: Exception) -> None:
    """A backup that ends with this error after it was canceled."""
    lease, cancel = await workshop.attempt(), asyncio.Event()
    request = lease.work.cause.data
    assert isinstance(request, TaskRequested)

    async def fails(_: Job) -> JobOutcome:
        cancel.set()
        raise error

    task = TaskDefinition(type="backup", run=fails, left_by=backup.TASK.left_by)
    await run_job(workshop.context, lease, request, task=task, cancel=cancel)


@pytest.mark.parametrize("error", [TemporaryError("store_unreachable", "gone"), EngineKilled("restic", "killed")])
async def test_a_canceled_job_is_not_tried_again(tmp_path: Path, error: Exception) -> None:
    workshop = await Workshop(tmp_path).open()

    await run_to(workshop, error)

    assert [each.attempt for each in workshop.published(TaskCancelled)] == [1]


@pytest.mark.parametrize("is_canceled", [True, False])
async def test_a_job_whose_connector_was_removed_is_canceled_only_where_that_was_asked_for(
    tmp_path: Path, is_canceled: bool
) -> None:
    """A removal by force cancels the jobs first, and does not wait for them."""
    workshop = await Workshop(tmp_path).open()
    lease, cancel = await workshop.attempt(), asyncio.Event()
    request = lease.work.cause.data
    assert isinstance(request, TaskRequested)
    await workshop.store.apps.save(await workshop.store.apps.load(ORG, "source"), KnownApp(revision=2))
    if is_canceled:
        cancel.set()

    await run_job(workshop.context, lease, request, task=backup.TASK, cancel=cancel)

    assert len(workshop.published(TaskCancelled)) == is_canceled
    assert [each.problem.code for each in workshop.published(TaskFailed)] == ["app_not_found"] * (not is_canceled)


async def test_a_canceled_job_that_announced_a_restore_point_is_tried_again(tmp_path: Path) -> None:
    workshop = await Workshop(tmp_path).open()
    await workshop.lost_attempt(made="made")

    with pytest.raises(TemporaryError):
        await run_to(workshop, TemporaryError("store_unreachable", "gone"))

    assert workshop.published(TaskCancelled) == []


async def test_what_a_server_of_ours_did_with_the_last_save_is_left_to_a_later_look(tmp_path: Path) -> None:
    workshop = await Workshop(tmp_path).open()

    with pytest.raises(Unavailable):
        await run_to(workshop, Unavailable("service_unavailable", "No answer."))

    assert workshop.published(TaskCancelled) == []
