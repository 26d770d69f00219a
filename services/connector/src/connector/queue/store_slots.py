"""How many jobs reach one store at once, over all workers: each has one of the store's slots while it runs."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

from chassis.persistence.mongo import PyMongoError
from chassis.runtime.supervision import beside
from contracts.errors import CairnError

from connector.domain.work import Work
from connector.queue.lease import Lease, LeaseLost, claim, is_free
from connector.settings import Settings
from connector.store.ports import Store

log = logging.getLogger(__name__)
RENEWALS_PER_LEASE = 3
_RENEWED_BELOW = 1 - 1 / RENEWALS_PER_LEASE
"""Of a lease, so much is left."""


class StoreFull(Exception):
    """As many jobs reach the store as may."""

    def __init__(self, store_id: str) -> None:
        super().__init__(store_id)
        self.store_id = store_id


class StoreSlots:
    """Takes slots of stores, by inserts, like the mutex of a location."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._settings = settings
        self._latest: dict[str, int] = {}
        """Which slot of a store was free when this worker looked last."""

    async def take(self, work: Work, store_ids: Sequence[str], *, next_at: str = "") -> "Held":
        """A slot of each of these stores. Raises `StoreFull`, and none is held, where one of them has no slot left.

        A slot that is kept for other work (see `Reservation`) is none; at the store `next_at` it is kept for this work.
        """
        held = Held(self._store)
        try:
            # In one order for all, and without waiting: jobs that want the same two stores never wait for each other.
            for store_id in sorted(set(store_ids)) if self._settings.store_slots else ():
                held.leases.append(await self._take(work, store_id, is_next=store_id == next_at))
        except BaseException:
            await held.release()
            raise
        return held

    async def _take(self, work: Work, store_id: str, *, is_next: bool) -> Lease:
        settings = self._settings
        for number in await self._numbers(work, store_id, is_next=is_next):
            slot = _slot(work, store_id, number)
            lease = await claim(self._store, slot, owner=settings.instance, seconds=settings.lease_seconds)
            if lease is not None:
                self._latest[store_id] = number
                return lease
        raise StoreFull(store_id)

    async def _numbers(self, work: Work, store_id: str, *, is_next: bool) -> Sequence[int]:
        """The slots that may be tried, in order."""
        slots, latest = self._settings.store_slots, self._latest.get(store_id, 0)
        if is_next or await is_free(self._store, _next_at(work, store_id)):
            return *range(latest, slots), *range(min(latest, slots))
        # All leave the same one: else each of two workers would take the one that the other has left.
        return [each for each in range(slots) if await is_free(self._store, _slot(work, store_id, each))][1:]


class Reservation:
    """Keeps the next free slot of a full store for work that stood in line: others would else be first each time.

    One work has it at a store, over all workers, and work has one at a time: two that reach the same two stores never
    keep each other waiting.
    """

    def __init__(self, store: Store, settings: Settings, work: Work) -> None:
        self._store = store
        self._settings = settings
        self._work = work
        self._held = Held(store)
        self.store_id = ""
        """Where it is."""

    async def have_at(self, store_id: str) -> None:
        """Have it at this store, unless other work has it there. It ends with its lease if this is not said again."""
        if self.store_id == store_id and await self._is_renewed():
            return
        await self.give_up()
        settings, mark = self._settings, _next_at(self._work, store_id)
        lease = await claim(self._store, mark, owner=settings.instance, seconds=settings.lease_seconds)
        if lease is not None:
            self._held.leases.append(lease)
            self.store_id = store_id

    async def give_up(self) -> None:
        """Keep nothing. Given up twice, it is given up once."""
        self.store_id = ""
        await self._held.release()

    async def _is_renewed(self) -> bool:
        [lease] = self._held.leases
        try:
            lease.check()
            if lease.left_seconds < lease.seconds * _RENEWED_BELOW:
                await lease.renew()
        except LeaseLost:
            return False
        return True


def _slot(work: Work, store_id: str, number: int) -> Work:
    return work.model_copy(update={"id": f"store-slot:{store_id}:{number}"})


def _next_at(work: Work, store_id: str) -> Work:
    return work.model_copy(update={"id": f"store-next:{store_id}"})


class Held:
    """The slots that a job has; given back when it ends, and taken from a worker that is lost."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.leases: list[Lease] = []

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Keep the slots until the context is left, then give them back."""
        try:
            if not self.leases:
                yield
                return
            async with beside("slots of stores", self._renew_forever):
                yield
        finally:
            await self.release()

    async def release(self) -> None:
        """Give the slots back. Where that fails, they expire."""
        while self.leases:
            lease = self.leases.pop()
            with suppress(LeaseLost, CairnError, PyMongoError):
                # The latest attempt at a slot says all there is to know: without this each job would leave one more.
                if lease.number > 1:
                    await self._store.work.forget_attempt(lease.work.organization_id, lease.work.id, lease.number - 1)
                await lease.release()

    async def _renew_forever(self) -> None:
        every = min(lease.seconds for lease in self.leases) / RENEWALS_PER_LEASE
        while True:
            await asyncio.sleep(every)
            for lease in list(self.leases):
                try:
                    await lease.renew()
                except LeaseLost:
                    # The lease of the job is as old: the keeper of that one stops the job.
                    return
                except (CairnError, PyMongoError) as error:
                    facts = {"work": lease.work.id, "reason": type(error).__name__}
                    log.warning("slot of a store not renewed", extra=facts)
