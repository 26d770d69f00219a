"""Brings one claimed piece of work to its end: a result, a cancellation, or back to whoever comes next."""

import asyncio
import logging
from typing import cast

from chassis.http.problems import to_problem, unexpected
from chassis.ids import utc_now
from chassis.persistence.mongo import PyMongoError
from chassis.telemetry import semantic_conventions as semconv
from chassis.telemetry.tracing import TraceContext, span
from contracts.errors import CairnError, TemporaryError
from contracts.messages.connector import ConnectorCommand, InitializeStore, RefreshStore
from contracts.messages.outcomes import Problem
from contracts.messages.scheduler import TaskCancelRequested, TaskRequested

from connector.context.worker_context import WorkerContext
from connector.domain import TRIES_MAX, Killed, Kind, Work, is_worth_another_try, raise_if_hopeless, retry_pause_seconds
from connector.failures import reader_errors_mapped
from connector.queue.lease import Lease, LeaseLost
from connector.queue.lease_keeper import Keeper
from connector.store_state.orphan_snapshots import tidy_up_after_loss
from connector.tasks.initialize import initialize_store
from connector.tasks.job import cancel_unbegun, fail_task, run_task
from connector.tasks.refresh import refresh_store
from connector.tasks.store_sync import sync_store
from connector.tasks.test import test_connection
from connector.tasks.unlock import unlock_store

log = logging.getLogger(__name__)


class Runner:
    """Runs claimed work of this process; knows what is running."""

    def __init__(self, context: WorkerContext) -> None:
        self._context = context
        self._cancels: dict[str, asyncio.Event] = {}

    def cancel(self, work_id: str) -> None:
        """Stop work at once if it runs here."""
        if event := self._cancels.get(work_id):
            event.set()

    async def run(self, lease: Lease) -> None:
        """Run to the end. Cancelling this gives the work up, for another worker to take at once."""
        work = lease.work
        cancel = self._cancels[work.id] = asyncio.Event()
        try:
            with span(_name(work), parent=_parent(work), attributes=_attributes(lease)):
                await self._run_kept(lease, cancel)
        except asyncio.CancelledError:
            await _give_up(lease, pause_seconds=0)
            raise
        finally:
            if self._cancels.get(work.id) is cancel:
                del self._cancels[work.id]

    async def _run_kept(self, lease: Lease, cancel: asyncio.Event) -> None:
        """Do the work for as long as the lease is kept."""
        context = self._context
        keeper = Keeper(context.store, lease, cancel)
        doing = asyncio.create_task(self._do(lease, cancel))
        keeping = asyncio.create_task(keeper.keep())
        try:
            await asyncio.wait((doing, keeping), return_when=asyncio.FIRST_COMPLETED)
        finally:
            doing.cancel()
            keeping.cancel()
            await asyncio.wait((doing, keeping))
        for task in (doing, keeping):
            if not task.cancelled() and (error := task.exception()) is not None:
                log.error("work was left", extra=_facts(lease), exc_info=error)
        if lease.work.kind is Kind.TASK and not lease.is_ended:
            await tidy_up_after_loss(context, lease.work)

    async def _do(self, lease: Lease, cancel: asyncio.Event) -> None:
        try:
            await self._act_or_fail(lease, cancel)
        except LeaseLost:
            log.warning("lease lost", extra=_facts(lease))
        except (TemporaryError, PyMongoError) as error:
            log.warning("work is tried again later", extra=_facts(lease) | {"reason": type(error).__name__})
            await _give_up(lease, pause_seconds=retry_pause_seconds(lease.number))

    async def _act_or_fail(self, lease: Lease, cancel: asyncio.Event) -> None:
        try:
            attempts = await self._context.store.attempts_at(lease.work.organization_id, lease.work.id)
            raise_if_hopeless(attempts, utc_now())
            with reader_errors_mapped():
                await self._act(lease, cancel)
        except Killed as error:
            if is_worth_another_try(error, lease.number):
                raise
            await self._fail(lease, to_problem(error))
        except (LeaseLost, TemporaryError, PyMongoError):
            raise
        except CairnError as error:
            log.info("work failed", extra=_facts(lease) | {"code": error.code})
            await self._fail(lease, to_problem(error))
        except Exception:
            log.exception("work failed unexpectedly", extra=_facts(lease))
            await self._fail(lease, unexpected())

    async def _act(self, lease: Lease, cancel: asyncio.Event) -> None:
        message = lease.work.cause.data
        match lease.work.kind:
            case Kind.TASK:
                await run_task(self._context, lease, cast("TaskRequested", message), cancel=cancel)
            case Kind.TEST:
                await test_connection(self._context, lease, cast("ConnectorCommand", message))
            case Kind.INITIALIZE:
                await initialize_store(self._context, lease, cast("InitializeStore", message))
            case Kind.CANCEL:
                await cancel_unbegun(self._context, lease, cast("TaskCancelRequested", message))
            case Kind.REFRESH:
                await refresh_store(self._context, lease, cast("RefreshStore", message))
            case Kind.UNLOCK:
                await unlock_store(self._context, lease, cast("ConnectorCommand", message))
            case Kind.FOLLOW:
                await sync_store(self._context, lease, cast("ConnectorCommand", message))

    async def _fail(self, lease: Lease, problem: Problem) -> None:
        if isinstance(lease.work.cause.data, TaskRequested):
            await fail_task(self._context, lease, lease.work.cause.data, problem)
        elif lease.work.kind is Kind.FOLLOW and problem.kind == "unavailable" and lease.number < TRIES_MAX:
            await _give_up(lease, pause_seconds=retry_pause_seconds(lease.number))
        else:
            await lease.settle(result=problem)


async def _give_up(lease: Lease, *, pause_seconds: float) -> None:
    try:
        await lease.release(pause_seconds=pause_seconds)
    except (LeaseLost, CairnError, PyMongoError) as error:
        log.warning("lease runs out by itself", extra=_facts(lease) | {"reason": type(error).__name__})


def _name(work: Work) -> str:
    message = work.cause.data
    return f"connector.{message.task.type if isinstance(message, TaskRequested) else work.kind}"


def _parent(work: Work) -> TraceContext:
    return TraceContext(traceparent=work.traceparent, tracestate=work.tracestate)


def _attributes(lease: Lease) -> dict[str, str | int | float | bool]:
    message = lease.work.cause.data
    attributes: dict[str, str | int | float | bool] = {
        semconv.ORGANIZATION: lease.work.organization_id,
        semconv.ATTEMPT: lease.number,
    }
    if isinstance(message, TaskRequested | TaskCancelRequested):
        return attributes | {semconv.JOB: message.job_id}
    return attributes | {semconv.APP: message.key}


def _facts(lease: Lease) -> dict[str, object]:
    return {"work": lease.work.id, "kind": lease.work.kind.value, "attempt": lease.number}
