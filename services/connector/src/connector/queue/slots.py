"""Claims work and runs it, as much at once as there are slots."""

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from chassis.persistence.mongo import PyMongoError
from chassis.runtime.supervision import Loop, LoopSupervisor, begin
from contracts.errors import CairnError
from contracts.values import OrganizationId

from connector.domain.work import EXTRA_SLOTS, SlotGroup, may_take
from connector.queue.closed_work import remove_expired_work
from connector.queue.intake import WakeUps
from connector.queue.lease import Lease, claim
from connector.queue.runner import Runner
from connector.settings import Settings
from connector.store.ports import Store

log = logging.getLogger(__name__)
LISTING_SLOTS = 1
RETENTION_SECONDS = 3600.0


class Slots:
    """Takes work of one group: when woken, and every `poll_seconds`, since other workers may leave work behind."""

    def __init__(
        self, store: Store, settings: Settings, runner: Runner, group: SlotGroup, *, slots: int, wake_up: asyncio.Event
    ) -> None:
        self._store = store
        self._settings = settings
        self._runner = runner
        self._group = group
        self._slots = slots
        self._running: dict[asyncio.Task[None], OrganizationId] = {}
        self._wake_up = wake_up

    async def run(self) -> None:
        """Run until cancelled; what is under way is then released for other workers."""
        try:
            while True:
                lease = await self._next()
                task = begin(f"work of {self._group.value}", self._runner.run(lease))
                self._running[task] = lease.work.organization_id
                task.add_done_callback(self._ended)
        finally:
            await _end(set(self._running))

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._running[task]
        self._wake_up.set()

    async def _next(self) -> Lease:
        while True:
            # Cleared before the look: what is queued during the look sets it again and is not missed.
            self._wake_up.clear()
            try:
                if lease := await self._claim():
                    return lease
            except (CairnError, PyMongoError) as error:
                log.warning(
                    "looking for work failed", extra={"slots": self._group.value, "reason": type(error).__name__}
                )
            except Exception:
                # If this loop ended, all work under way would be cancelled with it, so it survives whatever happens.
                log.exception("looking for work failed", extra={"slots": self._group.value})
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._settings.poll_seconds):
                    await self._wake_up.wait()

    async def _claim(self) -> Lease | None:
        settings, store, running = self._settings, self._store, Counter(self._running.values())
        if running.total() >= self._slots + EXTRA_SLOTS:
            return None
        for work in await store.work.waiting(pool=settings.pool, group=self._group):
            # Skipped, not awaited: the next work in the queue may belong to an organization that has room.
            if not may_take(work.organization_id, running, slots=self._slots):
                continue
            seconds = self._group.lease_seconds(settings.lease_seconds)
            lease = await claim(store, work, owner=settings.instance, seconds=seconds)
            if lease is not None:
                log.info("work taken", extra={"work": work.id, "kind": work.kind, "attempt": lease.number})
                return lease
        return None


@asynccontextmanager
async def working(
    background: LoopSupervisor, store: Store, settings: Settings, runner: Runner, wake_ups: WakeUps
) -> AsyncIterator[None]:
    """Work until the context is left; then engines are stopped and leases given back."""
    slots = {
        SlotGroup.TASKS: settings.slots,
        SlotGroup.COMMANDS: settings.command_slots,
        SlotGroup.LISTINGS: LISTING_SLOTS,
    }
    loops: dict[str, Loop] = {
        f"work of {group.value}": Slots(
            store, settings, runner, group, slots=slots[group], wake_up=wake_ups.groups[group]
        ).run
        for group in SlotGroup
    }
    async with background.all_running(loops | {"work retention": lambda: _remove_forever(store)}):
        yield


async def _remove_forever(store: Store) -> None:
    while True:
        try:
            await remove_expired_work(store)
        except (CairnError, PyMongoError) as error:
            log.warning("expired work not removed", extra={"reason": type(error).__name__})
        await asyncio.sleep(RETENTION_SECONDS)


async def _end(tasks: set[asyncio.Task[None]]) -> None:
    ending = set(tasks)
    for task in ending:
        task.cancel()
    if ending:
        await asyncio.wait(ending)
