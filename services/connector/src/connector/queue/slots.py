"""Claims work and runs it, as much at once as there are slots."""

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial

from chassis.ids import utc_now
from chassis.persistence.mongo import PyMongoError
from chassis.runtime.supervision import Loop, LoopSupervisor, begin
from contracts.errors import CairnError
from contracts.values import OrganizationId

from connector.domain.work import EXTRA_SLOTS, SlotGroup, SlotUse, Work, joins_a_full_line, slot_for
from connector.domain.work_order import Queued, in_order
from connector.queue.closed_work import remove_expired_work
from connector.queue.held_slots import HeldSlots
from connector.queue.intake import WakeUps
from connector.queue.lease import Lease, claim, is_free
from connector.queue.runner import Runner
from connector.queue.store_slots import Reservation, StoreFull, StoreSlots
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
        self._running: dict[asyncio.Task[None], HeldSlots] = {}
        self._begun: dict[OrganizationId, datetime] = {}
        self._store_slots = StoreSlots(store, settings)
        self._wake_up = wake_up

    async def run(self) -> None:
        """Run until cancelled; what is under way is then released for other workers."""
        try:
            while True:
                lease, held = await self._next()
                task = begin(f"work of {self._group.value}", self._work(lease, held))
                self._running[task], self._begun[held.organization_id] = held, utc_now()
                task.add_done_callback(self._ended)
        finally:
            await _end(set(self._running))

    async def _work(self, lease: Lease, held: HeldSlots) -> None:
        async with held.kept():
            await self._runner.run(lease)

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._running[task]
        self._wake_up.set()

    async def _next(self) -> tuple[Lease, HeldSlots]:
        while True:
            # Cleared before the look: what is queued during the look sets it again and is not missed.
            self._wake_up.clear()
            try:
                if claimed := await self._claim():
                    return claimed
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

    async def _claim(self) -> tuple[Lease, HeldSlots] | None:
        settings, store, full = self._settings, self._store, await self._lend_again()
        kept = self._kept(full)
        self._settle_extras(kept)
        if self._counted("held").total() >= self._slots + EXTRA_SLOTS:
            return None
        queued = await store.work.queued(pool=settings.pool, group=self._group)
        running, slot_of = self._counted("held", "wanted"), self._slot_left(kept)
        for each in in_order(queued, running=running, begun=self._begun, now=utc_now()):
            # Skipped, not awaited: the next work in order may belong to an organization, or reach a store, with room.
            use = slot_of(each.organization_id) if full.isdisjoint(each.stores) else None
            if use and (claimed := await self._try(each, full, use)):
                return claimed
        return None

    async def _lend_again(self) -> set[str]:
        """Have work go on that was next in its line, before new work is begun; returns the stores that have no slot."""
        full = set[str]()
        for each in self._in_state("wanted"):
            use = self._slot_left()(each.organization_id)
            if use is None:
                await each.step_back()
                continue
            if not (each.is_next or full.isdisjoint(each.work.stores)):
                continue
            try:
                await each.lend(self._store_slots, use=use)
            except StoreFull as error:
                full.add(error.store_id)
        return full

    def _kept(self, full: set[str]) -> int:
        """How many slots new work leaves to work that wants some again."""
        wanted = [full.isdisjoint(each.work.stores) for each in self._in_state("wanted")]
        # Of all that wait for stores one slot is kept, so that whichever comes free first finds one here. A store whose
        # jobs never end must not take more of the worker.
        return wanted.count(True) + (False in wanted)

    def _settle_extras(self, kept: int) -> None:
        """Extra work has the slots that nobody else wants, so that extra slots come free."""
        for each in self._in_state("held"):
            if each.use == "extra" and self._slot_left(kept)(each.organization_id) == "usual":
                each.use = "usual"

    def _slot_left(self, kept: int = 0) -> Callable[[OrganizationId], SlotUse | None]:
        """Which slot work of an organization may have now."""
        extras = [each.use for each in self._in_state("held")].count("extra")
        return partial(slot_for, running=self._counted("held"), slots=self._slots, extras=extras, kept=kept)

    def _in_state(self, *states: str) -> list[HeldSlots]:
        return [each for each in self._running.values() if each.state in states]

    def _counted(self, *states: str) -> Counter[OrganizationId]:
        """How much work of each organization is in one of these states."""
        return Counter(each.organization_id for each in self._in_state(*states))

    def _has_room_in_line(self, work: Work) -> bool:
        return not joins_a_full_line(work, [each.work for each in self._running.values() if each.state != "held"])

    async def _try(self, queued: Queued, full: set[str], use: SlotUse) -> tuple[Lease, HeldSlots] | None:
        """Claim work with slots of its stores; a store without one is added to `full`."""
        settings, store, org = self._settings, self._store, queued.organization_id
        work = await store.work.get(org, queued.id)
        # First, as most of what waits is under way elsewhere: it must not take the slots of others for a moment.
        if work is None or (queued.stores and not await is_free(store, work)):
            return None
        if not self._has_room_in_line(work):
            return None
        try:
            held = await self._store_slots.take(work, queued.stores)
        except StoreFull as error:
            full.add(error.store_id)
            return None
        lease = None
        try:
            seconds = self._group.lease_seconds(settings.lease_seconds)
            lease = await claim(store, work, owner=settings.instance, seconds=seconds)
        finally:
            if lease is None:
                await held.release()
        if lease is None:
            return None
        log.info("work taken", extra={"work": work.id, "kind": work.kind, "attempt": lease.number})
        reservation = Reservation(store, settings, work)
        lease.slots = slots = HeldSlots(work, held, reservation, use=use, wake=self._wake_up.set)
        return lease, slots


@asynccontextmanager
async def working(
    background: LoopSupervisor, store: Store, settings: Settings, runner: Runner, wake_ups: WakeUps
) -> AsyncIterator[None]:
    """Work until the context is left; then engines are stopped and leases given back."""
    slots = {
        SlotGroup.TASKS: settings.slots,
        SlotGroup.COMMANDS: settings.command_slots,
        SlotGroup.CHANGE_TESTS: settings.change_test_slots,
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
