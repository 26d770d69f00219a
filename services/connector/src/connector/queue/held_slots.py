"""The slots of work: one of its worker and one of each store that it reaches. While it waits in line it has none."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Literal

from contracts.values import OrganizationId
from integrations.sdk.cancellation import unless_cancelled

from connector.domain.work import Work
from connector.queue.store_slots import Held, StoreSlots


class HeldSlots:
    """The slots of one piece of work. The loop that claimed the work lends them, also when it wants them again."""

    def __init__(self, work: Work, stores: Held, *, wake: Callable[[], None]) -> None:
        self.work = work
        self.state: Literal["held", "given back", "wanted"] = "held"
        self._stores = stores
        self._wake = wake
        self._lent = asyncio.Event()

    @property
    def organization_id(self) -> OrganizationId:
        """Whose work it is."""
        return self.work.organization_id

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Keep the slots until the context is left, then give them back."""
        async with self._stores.kept():
            yield

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

    async def lend(self, slots: StoreSlots) -> None:
        """Have the work go on, with a slot of each of its stores. Raises `StoreFull`."""
        taken = await slots.take(self.work, self.work.stores)
        if self.state != "wanted":
            # It has ended while this one asked.
            await taken.release()
            return
        self._stores.leases += taken.leases
        self.state = "held"
        self._lent.set()
