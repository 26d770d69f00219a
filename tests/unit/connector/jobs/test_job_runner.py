"""How a job ends, over memory."""

import asyncio
from pathlib import Path

from connector.jobs.job_runner import run_job
from contracts.messages.connector.task_events import TaskFailed
from contracts.messages.scheduler import TaskRequested

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
