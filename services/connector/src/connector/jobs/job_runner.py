"""Runs a job of any type: announces its start, keeps its log, publishes its end."""

import asyncio
import logging
from typing import Any

from chassis.http.problems import to_problem, unexpected
from chassis.ids import utc_now
from chassis.persistence.mongo import PyMongoError
from contracts.errors import CairnError, NotFound, PermanentError, TemporaryError
from contracts.messages.connector.task_events import TaskCancelled, TaskEvent, TaskFailed, TaskStarted, TaskSucceeded
from contracts.messages.outcomes import Problem
from contracts.messages.scheduler import TaskCancelRequested, TaskRequested
from integrations.sdk.errors import Cancelled

from connector.context.worker_context import WorkerContext
from connector.domain.attempts import is_worth_another_try
from connector.engine.processes import metering
from connector.failures import reader_errors_mapped
from connector.jobs.definition import Job, JobOutcome, TaskDefinition
from connector.jobs.hooks import run_with_hooks
from connector.jobs.job_reporting import Reporter, facts_of
from connector.jobs.left_locks import remove_own_locks
from connector.jobs.stuck_watch import EngineStuck, StuckWatch
from connector.queue.lease import Lease, LeaseLost

log = logging.getLogger(__name__)


async def run_job(
    context: WorkerContext,
    lease: Lease,
    request: TaskRequested,
    *,
    task: TaskDefinition | None,
    cancel: asyncio.Event,
) -> None:
    """Run a job to its end and publish how it went; its store is compared with the restore index soon.

    Raises `LeaseLost`, and `TemporaryError` or what the database raises when the job should be tried again.
    """
    await lease.announce([TaskStarted(**attempt_facts(lease, request), worker=context.settings.instance)])
    reporter = Reporter(context.publisher, lease, request.job_id, request=request)
    job = Job(context=context, lease=lease, request=request, reporter=reporter, cancel=cancel)
    settings = context.settings
    watch = StuckWatch(reporter, cancel, seconds=settings.stuck_seconds, ends=settings.stuck_ends)
    try:
        with metering(reporter.measures.meter):
            async with reporter.sending(), watch.watching():
                ending = await _ending(job, task, watch)
    except TemporaryError as error:
        reporter.log("warning", f"Attempt {lease.number} has ended and the job is tried again. {error.detail}")
        # The log of this attempt would end here: the next one has a reporter of its own.
        await reporter.flush()
        raise
    code = ending.problem.code if isinstance(ending, TaskFailed) else None
    log.info("job ended", extra={"job": request.job_id, "attempt": lease.number, "type": ending.TYPE, "code": code})
    # In one save: the end never arrives without the last lines of the log, nor twice with different ones.
    await lease.settle([*reporter.measured(), *reporter.rest(), ending])
    suspect_stores(context, request)


async def fail_job(
    context: WorkerContext, lease: Lease, request: TaskRequested, problem: Problem, *, task: TaskDefinition | None
) -> None:
    """End a job that this attempt did not even start. Raises `LeaseLost`."""
    await lease.settle([await _failed(context, lease, request, problem, task=task)])
    # The attempts before may have changed their stores, and told nobody of it.
    suspect_stores(context, request)


def suspect_stores(context: WorkerContext, request: TaskRequested) -> None:
    """Have the stores of a job that is over compared with the restore index soon."""
    for party in (request.task.origin, request.task.target):
        if party is not None and party.kind == "store":
            context.watch.suspect(request.organization_id, party)


async def _ending(job: Job, task: TaskDefinition | None, watch: StuckWatch) -> TaskEvent:
    context, lease, request = job.context, job.lease, job.request
    try:
        outcome = await _outcome(job, _required(task, request))
    except Cancelled:
        await remove_own_locks(job)
        if not watch.has_ended:
            return TaskCancelled(**attempt_facts(lease, request))
        problem = to_problem(EngineStuck(context.settings.stuck_seconds))
    except (LeaseLost, PyMongoError):
        # Neither says anything about the job: the end is told by the attempt that has the lease and a database.
        raise
    except CairnError as error:
        if isinstance(error, TemporaryError) and is_worth_another_try(error, lease.number):
            raise
        problem = to_problem(error)
    except Exception:
        log.exception("job failed unexpectedly", extra={"job": request.job_id})
        problem = unexpected()
    else:
        if outcome.problem is None:
            return TaskSucceeded(**attempt_facts(lease, request), result=outcome.result)
        problem = to_problem(outcome.problem)
        if words := outcome.result.in_words():
            # The reason of the failure is the last line of the log; what there is all the same would not be in it.
            job.reporter.log("info", words)
        return TaskFailed(**attempt_facts(lease, request), problem=problem, result=outcome.result)
    return await _failed(context, lease, request, problem, task=task)


async def _outcome(job: Job, task: TaskDefinition) -> JobOutcome:
    """What a job came to. Raises `Cancelled` also where a canceled job would else be tried again, or misses a party."""
    try:
        with reader_errors_mapped():
            return await run_with_hooks(job, task.run)
    except NotFound as error:
        # A connector that is removed by force goes right after its jobs were canceled (decision 0060).
        if error.code == "app_not_found" and job.cancel.is_set():
            raise Cancelled from None
        raise
    except TemporaryError as error:
        if not job.is_given_up_after(error):
            raise
        if task.left_by(await job.context.store.attempts_at(job.org, job.id)) is not None:
            # It succeeds although it was canceled, once the next attempt has listed what was announced.
            raise
        job.reporter.log("warning", error.detail)
        raise Cancelled from None


async def _failed(
    context: WorkerContext, lease: Lease, request: TaskRequested, problem: Problem, *, task: TaskDefinition | None
) -> TaskFailed:
    """The end of a job that failed, with the result that there is all the same."""
    attempts = await context.store.attempts_at(request.organization_id, request.job_id)
    result = task.left_by(attempts) if task is not None else None
    return TaskFailed(**attempt_facts(lease, request), problem=problem, result=result)


def _required(task: TaskDefinition | None, request: TaskRequested) -> TaskDefinition:
    if task is None:
        detail = f"This worker cannot run tasks of the type {request.task.type!r}."
        raise PermanentError("task_type_unsupported", detail)
    return task


def attempt_facts(lease: Lease, request: TaskRequested | TaskCancelRequested) -> dict[str, Any]:
    """What every event of a job says of the attempt at it."""
    return {
        "organization_id": request.organization_id,
        "job_id": request.job_id,
        "attempt": lease.number,
        "at": utc_now(),
        **(facts_of(request) if isinstance(request, TaskRequested) else {}),
    }
