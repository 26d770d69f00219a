"""Looks for work and takes it, as much at once as there are slots."""

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from chassis.persistence.mongo import PyMongoError
from chassis.runtime.supervision import Background, Loop, begin
from contracts.errors import CairnError
from contracts.values import OrganizationId

from connector.context.worker_context import WorkerContext
from connector.domain import EXTRA_SLOTS, Lane, may_take
from connector.queue.lease import Lease, claim
from connector.queue.retention import remove_old_work
from connector.worker.runner import Runner

log = logging.getLogger(__name__)
LISTING_SLOTS = 1
FORGET_SECONDS = 3600.0


class LaneWorker:
    """Takes the work of one lane: woken when there is some, looking by itself every now and then."""

    def __init__(self, context: WorkerContext, runner: Runner, lane: Lane, *, slots: int) -> None:
        self._context = context
        self._runner = runner
        self._lane = lane
        self._slots = slots
        self._running: dict[asyncio.Task[None], OrganizationId] = {}
        self._bell = context.wake_ups.lanes[lane]

    async def run(self) -> None:
        """Run until cancelled; what is under way is then given up for others."""
        try:
            while True:
                lease = await self._next()
                task = begin(f"work of {self._lane.value}", self._runner.run(lease))
                self._running[task] = lease.work.organization_id
                task.add_done_callback(self._ended)
        finally:
            await _end(set(self._running))

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._running[task]
        self._bell.set()

    async def _next(self) -> Lease:
        while True:
            self._bell.clear()
            try:
                if lease := await self._claim():
                    return lease
            except (CairnError, PyMongoError) as error:
                log.warning("no look for work", extra={"lane": self._lane.value, "reason": type(error).__name__})
            except Exception:
                # What is under way must not end with the look, so nobody else keeps this from ending.
                log.exception("no look for work", extra={"lane": self._lane.value})
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._context.settings.poll_seconds):
                    await self._bell.wait()

    async def _claim(self) -> Lease | None:
        settings, store, running = self._context.settings, self._context.store, Counter(self._running.values())
        if running.total() >= self._slots + EXTRA_SLOTS:
            return None
        for work in await store.work.waiting(pool=settings.pool, lane=self._lane):
            if not may_take(work.organization_id, running, slots=self._slots):
                continue
            seconds = self._lane.lease_seconds(settings.lease_seconds)
            lease = await claim(store, work, owner=settings.instance, seconds=seconds)
            if lease is not None:
                log.info("work taken", extra={"work": work.id, "kind": work.kind.value, "attempt": lease.number})
                return lease
        return None


@asynccontextmanager
async def working(background: Background, context: WorkerContext, runner: Runner) -> AsyncIterator[None]:
    """Work until the context is left; then engines are stopped and leases given back."""
    settings = context.settings
    slots = {Lane.TASKS: settings.slots, Lane.COMMANDS: settings.command_slots, Lane.LISTINGS: LISTING_SLOTS}
    loops: dict[str, Loop] = {
        f"work of {lane.value}": LaneWorker(context, runner, lane, slots=slots[lane]).run for lane in Lane
    }
    async with background.all_running(loops | {"old work": lambda: _forget_forever(context)}):
        yield


async def _forget_forever(context: WorkerContext) -> None:
    while True:
        try:
            await remove_old_work(context.store)
        except (CairnError, PyMongoError) as error:
            log.warning("old work not forgotten", extra={"reason": type(error).__name__})
        await asyncio.sleep(FORGET_SECONDS)


async def _end(tasks: set[asyncio.Task[None]]) -> None:
    ending = set(tasks)
    for task in ending:
        task.cancel()
    if ending:
        await asyncio.wait(ending)
