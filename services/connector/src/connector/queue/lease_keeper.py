"""Renews a lease while its work runs, and watches for a request to stop it."""

import asyncio
import logging
import time
from collections.abc import Coroutine

from chassis.persistence.mongo import PyMongoError
from contracts.errors import CairnError

from connector.queue.lease import Lease, LeaseLost
from connector.store.ports import Store

log = logging.getLogger(__name__)
LOOK_SECONDS = 1.0
RENEWALS_PER_LEASE = 3
# The part of a lease that is left when its work is stopped for lack of a renewal: engines need time to die, and the
# clocks of other workers may be ahead.
SAFETY = 0.1


class Keeper:
    """Renews one lease at a third of its length; sets `cancel` when the work should stop."""

    def __init__(self, store: Store, lease: Lease, cancel: asyncio.Event) -> None:
        self._store = store
        self._lease = lease
        self._cancel = cancel
        self._every = lease.seconds / RENEWALS_PER_LEASE
        self._margin = lease.seconds * SAFETY

    async def keep(self) -> None:
        """Run until cancelled. Raises `LeaseLost` when another worker took over, and in time before one may.

        Once its own worker has saved the end of the attempt, there is nothing to keep.
        """
        renewed = time.monotonic()
        while not self._lease.end_is_saved:
            await self._look_for_cancellation()
            if time.monotonic() - renewed >= self._every and await self._try(self._lease.renew()):
                renewed = time.monotonic()
            # Several looks per renewal, so that one failed renewal is followed by others before the lease ends.
            await asyncio.sleep(min(LOOK_SECONDS, self._every / 4))
        await asyncio.Event().wait()

    async def _look_for_cancellation(self) -> None:
        work = self._lease.work

        async def look() -> None:
            if await self._store.work.is_cancelled(work.organization_id, work.id):
                self._cancel.set()

        if not self._cancel.is_set():
            await self._try(look())

    async def _try(self, action: Coroutine[object, object, None]) -> bool:
        """Whether the action succeeded. Raises `LeaseLost` when it takes longer than the lease allows."""
        left = self._lease.left_seconds - self._margin
        try:
            async with asyncio.timeout(max(left, 0)):
                await action
        except TimeoutError:
            # No answer says nothing about who owns the work now, so the worker has to assume that another one does.
            raise LeaseLost(self._lease.work.id) from None
        except (CairnError, PyMongoError) as error:
            # An answer that is an error comes early: there is time to ask again before the lease ends.
            log.warning("lease not renewed", extra={"work": self._lease.work.id, "reason": type(error).__name__})
            return False
        return True
