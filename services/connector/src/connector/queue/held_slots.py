"""The slots of work: one of its worker and one of each store that it reaches. While it waits in line it has none."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Literal

from contracts.values import OrganizationId
from integrations.sdk.cancellation import unless_cancelled

from connector.domain.work import SlotUse, Work
from connector.queue.store_slots import Held, Reservation, StoreFull, StoreSlots


class HeldSlots:
    """The slots of one piece of work. The loop that claimed the work lends them, also when it wants them again."""

    def __init__(
        self, work: Work, stores: Held, reservation: Reservation, *, use: SlotUse, wake: Callable[[], None]
    ) -> None:
        self.work = work
        self.state: Literal["held", "given back", "wanted"] = "held"
        self.use: SlotUse = use
        """Of its worker, as long as it has slots."""
        self._stores = stores
        self._reservation = reservation
        self._wake = wake
        self._lent = asyncio.Event()

    @property
    def organization_id(self) -> OrganizationId:
        """Whose work it is."""
        return self.work.organization_id

    @property
    def is_next(self) -> bool:
        """Whether the next free slot of a store is kept for it."""
        return bool(self._reservation.store_id)

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Keep the slots until the context is left, then give them back."""
        try:
            async with self._stores.kept():
                yield
        finally:
            await self.step_back()

    async def give_back(self) -> None:
        """Let other work have them. Given back twice, they are given back once."""
        if self.state == "held":
            self.state = "given back"
            await self._stores.release()
            self._wake()

    async def take_again(self, cancel: asyncio.Event) -> None:
        """Wait for slots, unless the work has them still. Raises `Cancelled`."""
        if self.state == "held":
            return
        self.state = "wanted"
        self._lent.clear()
        self._wake()
        try:
            await unless_cancelled(self._lent.wait(), cancel)
        finally:
            if not self._lent.is_set():
                self.state = "given back"

    async def lend(self, slots: StoreSlots, *, use: SlotUse) -> None:
        """Have the work go on, with this slot of its worker and one of each of its stores.

        Raises `StoreFull`; then the next slot that comes free there is kept for it, unless one is for other work.
        """
        try:
            taken = await slots.take(self.work, self.work.stores, next_at=self._reservation.store_id)
        except StoreFull as error:
            await self._reservation.have_at(error.store_id)
            if self.state != "wanted":
                # It has ended while this one asked, here as below.
                await self.step_back()
            raise
        if self.state != "wanted":
            await taken.release()
            return
        self._stores.leases += taken.leases
        self.state, self.use = "held", use
        self._lent.set()
        await self.step_back()

    async def step_back(self) -> None:
        """Have no slot of a store kept for it: it has one, needs none, or could not go on with it now."""
        await self._reservation.give_up()
