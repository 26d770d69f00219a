"""Running a job: from its start to what is told of its end."""

import asyncio
import logging
from typing import Any

from chassis.http.problems import to_problem, unexpected
from chassis.ids import utc_now
from chassis.persistence.mongo import PyMongoError
from contracts.errors import CairnError, PermanentError, TemporaryError
from contracts.messages.connector import TaskCancelled, TaskEvent, TaskFailed, TaskStarted, TaskSucceeded
from contracts.messages.outcomes import Problem
from contracts.messages.scheduler import TaskCancelRequested, TaskRequested
from integrations.sdk.errors import Cancelled

from connector.context.worker_context import WorkerContext
from connector.domain import announced, is_worth_another_try
from connector.failures import reader_errors_mapped
from connector.queue.lease import Lease, LeaseLost, claim
from connector.tasks.backup import Backup, back_up
from connector.tasks.job_reporting import Reporter

log = logging.getLogger(__name__)


async def run_task(context: WorkerContext, lease: Lease, request: TaskRequested, *, cancel: asyncio.Event) -> None:
    """Run a job to its end and tell how it went; its store is compared with the restore index soon.

    Raises `LeaseLost`, and `TemporaryError` or what the database raises when the job should be tried again.
    """
    await lease.announce([TaskStarted(**_facts(lease, request), worker=context.settings.instance)])
    reporter = Reporter(context.publisher, lease, request.job_id)
    try:
        async with reporter.sending():
            ending = await _ending(context, lease, request, reporter=reporter, cancel=cancel)
    except TemporaryError as error:
        reporter.log("warning", f"Attempt {lease.number} has ended and the job is tried again. {error.detail}")
        await reporter.flush()
        raise
    code = ending.problem.code if isinstance(ending, TaskFailed) else None
    log.info("job ended", extra={"job": request.job_id, "attempt": lease.number, "type": ending.TYPE, "code": code})
    await lease.settle([*reporter.rest(), ending])
    if request.task.target is not None:
        context.watch.suspect(request.organization_id, request.task.target)


async def fail_task(context: WorkerContext, lease: Lease, request: TaskRequested, problem: Problem) -> None:
    """End a job that this attempt did not even start. Raises `LeaseLost`."""
    await lease.settle([await _failed(context, lease, request, problem)])


async def cancel_unbegun(context: WorkerContext, lease: Lease, request: TaskCancelRequested) -> None:
    """End a job that should stop and that nobody has begun.

    Who is at it sees for himself that it should stop. Where a worker was lost over it, the next one looks first what
    it left: a restore point that was announced makes the job succeed. A job whose request never arrived, though it
    was sent before this one, cannot begin any more.
    """
    settings, store = context.settings, context.store
    job = await store.work.get(request.organization_id, request.job_id)
    lost = [] if job else [TaskCancelled(**_facts(lease, request) | {"attempt": 1})]
    if job is not None and await store.attempts_at(job.organization_id, job.id):
        job = None
    held = await claim(store, job, owner=settings.instance, seconds=settings.lease_seconds) if job else None
    if held is not None and isinstance(held.work.cause.data, TaskRequested):
        await held.settle([TaskCancelled(**_facts(held, held.work.cause.data))])
    await lease.settle(lost)


async def _ending(
    context: WorkerContext, lease: Lease, request: TaskRequested, *, reporter: Reporter, cancel: asyncio.Event
) -> TaskEvent:
    try:
        with reader_errors_mapped():
            backup = await _act(context, lease, request, reporter=reporter, cancel=cancel)
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
    return await _failed(context, lease, request, problem)


async def _failed(context: WorkerContext, lease: Lease, request: TaskRequested, problem: Problem) -> TaskFailed:
    """The end of a job that failed, with the figures of the restore point that there is all the same."""
    made = announced(await context.store.attempts_at(request.organization_id, request.job_id))
    return TaskFailed(**_facts(lease, request), problem=problem, backup=made.summary if made else None)


async def _act(
    context: WorkerContext, lease: Lease, request: TaskRequested, *, reporter: Reporter, cancel: asyncio.Event
) -> Backup:
    if request.task.type != "backup":
        detail = f"Tasks of the type {request.task.type!r} cannot be run yet; `backup` can."
        raise PermanentError("task_type_unsupported", detail)
    return await back_up(context, lease, request, reporter=reporter, cancel=cancel)


def _facts(lease: Lease, request: TaskRequested | TaskCancelRequested) -> dict[str, Any]:
    return {
        "organization_id": request.organization_id,
        "job_id": request.job_id,
        "attempt": lease.number,
        "at": utc_now(),
    }
