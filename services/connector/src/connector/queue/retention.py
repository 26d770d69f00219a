"""Forgetting work that was done long ago; a message that asks for it again is refused by its age."""

import logging

from chassis.ids import utc_now

from connector.domain.work import forgettable_days
from connector.store import Store

log = logging.getLogger(__name__)


async def remove_old_work(store: Store) -> int:
    """Remove what can be forgotten by now; how much it was. Any number of workers may do this at once."""
    forgotten = 0
    for day in forgettable_days(utc_now()):
        while found := await store.work.closed_on(day):
            for org, work_id in found:
                await store.work.forget(org, work_id)
            forgotten += len(found)
    if forgotten:
        log.info("old work forgotten", extra={"count": forgotten})
    return forgotten
