"""Running a job: from its start to what is told of its end."""

import asyncio
import logging
from typing import Any

from chassis.errors import CairnError, PermanentError, TemporaryError
from chassis.ids import utc_now
from chassis.mongo import PyMongoError
from chassis.problems import to_problem, unexpected
from contracts.connector import TaskCancelled, TaskEvent, TaskFailed, TaskStarted, TaskSucceeded
from contracts.outcomes import Problem
from contracts.scheduler import TaskCancelRequested, TaskRequested

from connector.domain import announced, is_worth_another_try
from connector.engine.errors import Cancelled
from connector.usecases.backup import Backup, back_up
from connector.usecases.equipment import Equipment
from connector.usecases.lease import Lease, LeaseLost, claim
from connector.usecases.reporting import Reporter

log = logging.getLogger(__name__)


async def run_task(equipment: Equipment, lease: Lease, request: TaskRequested, *, cancel: asyncio.Event) -> None:
    """Run a job to its end and tell how it went; its store is compared with the restore index soon.

    Raises `LeaseLost`, and `TemporaryError` or what the database raises when the job should be tried again.
    """
    await lease.announce([TaskStarted(**_facts(lease, request), worker=equipment.settings.instance)])
    reporter = Reporter(equipment.publisher, lease, request.job_id)
    try:
        async with reporter.sending():
            ending = await _ending(equipment, lease, request, reporter=reporter, cancel=cancel)
    except TemporaryError as error:
        reporter.log("warning", f"Attempt {lease.number} has ended and the job is tried again. {error.detail}")
        await reporter.flush()
        raise
    code = ending.problem.code if isinstance(ending, TaskFailed) else None
    log.info("job ended", extra={"job": request.job_id, "attempt": lease.number, "type": ending.TYPE, "code": code})
    await lease.settle([*reporter.rest(), ending])
    if request.task.target is not None:
        equipment.watch.suspect(request.organization_id, request.task.target)


async def fail_task(equipment: Equipment, lease: Lease, request: TaskRequested, problem: Problem) -> None:
    """End a job that this attempt did not even start. Raises `LeaseLost`."""
    await lease.settle([await _failed(equipment, lease, request, problem)])


async def cancel_unbegun(equipment: Equipment, lease: Lease, request: TaskCancelRequested) -> None:
    """End a job that should stop and that nobody has begun.

    Who is at it sees for himself that it should stop. Where a worker was lost over it, the next one looks first what
    it left: a restore point that was announced makes the job succeed. A job whose request never arrived, though it
    was sent before this one, cannot begin any more.
    """
    settings, store = equipment.settings, equipment.store
    job = await store.work.get(request.organization_id, request.job_id)
    lost = [] if job else [TaskCancelled(**_facts(lease, request) | {"attempt": 1})]
    if job is not None and await store.attempts_at(job.organization_id, job.id):
        job = None
    held = await claim(store, job, owner=settings.instance, seconds=settings.lease_seconds) if job else None
    if held is not None and isinstance(held.work.cause.data, TaskRequested):
        await held.settle([TaskCancelled(**_facts(held, held.work.cause.data))])
    await lease.settle(lost)


async def _ending(
    equipment: Equipment, lease: Lease, request: TaskRequested, *, reporter: Reporter, cancel: asyncio.Event
) -> TaskEvent:
    try:
        backup = await _act(equipment, lease, request, reporter=reporter, cancel=cancel)
    except Cancelled:
        return TaskCancelled(**_facts(lease, request))
    except (LeaseLost, PyMongoError):
        raise
    except CairnError as error:
        if isinstance(error, TemporaryError) and is_worth_another_try(error, lease.number):
            raise
        problem = to_problem(error)
    except Exception:
        log.exception("job failed unexpectedly", extra={"job": request.job_id})
        problem = unexpected()
    else:
        if backup.problem is None:
            return TaskSucceeded(**_facts(lease, request), backup=backup.summary)
        problem = to_problem(backup.problem)
    reporter.log("error", problem.detail)
    return await _failed(equipment, lease, request, problem)


async def _failed(equipment: Equipment, lease: Lease, request: TaskRequested, problem: Problem) -> TaskFailed:
    """The end of a job that failed, with the figures of the restore point that there is all the same."""
    made = announced(await equipment.store.attempts_at(request.organization_id, request.job_id))
    return TaskFailed(**_facts(lease, request), problem=problem, backup=made.summary if made else None)


async def _act(
    equipment: Equipment, lease: Lease, request: TaskRequested, *, reporter: Reporter, cancel: asyncio.Event
) -> Backup:
    if request.task.type != "backup":
        detail = f"Tasks of the type {request.task.type!r} cannot be run yet; `backup` can."
        raise PermanentError("task_type_unsupported", detail)
    return await back_up(equipment, lease, request, reporter=reporter, cancel=cancel)


def _facts(lease: Lease, request: TaskRequested | TaskCancelRequested) -> dict[str, Any]:
    return {
        "organization_id": request.organization_id,
        "job_id": request.job_id,
        "attempt": lease.number,
        "at": utc_now(),
    }
