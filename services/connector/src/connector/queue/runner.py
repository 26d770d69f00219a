"""Runs one claimed piece of work to its end: a result, a cancellation, or a release for the next worker."""

import asyncio
import logging
from collections.abc import Mapping

from chassis.http.problems import to_problem, unexpected
from chassis.ids import utc_now
from chassis.persistence.mongo import PyMongoError
from chassis.telemetry import semantic_conventions as semconv
from chassis.telemetry.tracing import TraceContext, span
from contracts.errors import CairnError, TemporaryError
from contracts.messages.scheduler import TaskCancelRequested, TaskRequested

from connector.domain.attempts import Killed, is_worth_another_try, raise_if_hopeless, retry_pause_seconds
from connector.domain.work import Kind, Work
from connector.failures import reader_errors_mapped
from connector.queue.activity import Activity
from connector.queue.lease import Lease, LeaseLost, give_up
from connector.queue.lease_keeper import Keeper
from connector.store.ports import Store

log = logging.getLogger(__name__)


class Runner:
    """Runs the work that this process has claimed, and cancels it by its id."""

    def __init__(self, store: Store, activities: Mapping[Kind, Activity]) -> None:
        self._store = store
        self._activities = activities
        self._cancels: dict[str, asyncio.Event] = {}

    def cancel(self, work_id: str) -> None:
        """Stop work at once if it runs here."""
        if event := self._cancels.get(work_id):
            event.set()

    async def run(self, lease: Lease) -> None:
        """Run to the end. Cancelling this releases the work, so that another worker may take it at once."""
        work = lease.work
        cancel = self._cancels[work.id] = asyncio.Event()
        try:
            with span(_name(work), parent=_parent(work), attributes=_attributes(lease)):
                await self._run_kept(lease, cancel)
        except asyncio.CancelledError:
            # This process stops. Without the release the work would wait for the lease to expire.
            await give_up(lease, pause_seconds=0)
            raise
        finally:
            # A later attempt at the same work may have begun in this process, and its event must stay.
            if self._cancels.get(work.id) is cancel:
                del self._cancels[work.id]

    async def _run_kept(self, lease: Lease, cancel: asyncio.Event) -> None:
        """Do the work for as long as the lease is kept."""
        # Whichever of the two ends first ends the other: no work without a lease, and no lease without work.
        keeper = Keeper(self._store, lease, cancel)
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
                log.error("work stopped unexpectedly", extra=_facts(lease), exc_info=error)
        if not lease.is_ended:
            # The lease was lost, or could not be released: another attempt follows, and must not find our leftovers.
            await self._activity(lease).clean_up(lease)

    async def _do(self, lease: Lease, cancel: asyncio.Event) -> None:
        try:
            await self._act_or_fail(lease, cancel)
        except LeaseLost:
            log.warning("lease lost", extra=_facts(lease))
        except (TemporaryError, PyMongoError) as error:
            log.warning("work is tried again later", extra=_facts(lease) | {"reason": type(error).__name__})
            await give_up(lease, pause_seconds=retry_pause_seconds(lease.number))

    async def _act_or_fail(self, lease: Lease, cancel: asyncio.Event) -> None:
        try:
            attempts = await self._store.attempts_at(lease.work.organization_id, lease.work.id)
            raise_if_hopeless(attempts, utc_now())
            with reader_errors_mapped():
                await self._activity(lease).run(lease, cancel)
        except Killed as error:
            # Before `TemporaryError`, which it is too: it counts against a lower limit of attempts.
            if is_worth_another_try(error, lease.number):
                raise
            await self._activity(lease).fail(lease, to_problem(error))
        except (LeaseLost, TemporaryError, PyMongoError):
            raise
        except CairnError as error:
            log.info("work failed", extra=_facts(lease) | {"code": error.code})
            await self._activity(lease).fail(lease, to_problem(error))
        except Exception:
            log.exception("work failed unexpectedly", extra=_facts(lease))
            await self._activity(lease).fail(lease, unexpected())

    def _activity(self, lease: Lease) -> Activity:
        return self._activities[lease.work.kind]


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
    return {"work": lease.work.id, "kind": lease.work.kind, "attempt": lease.number}
