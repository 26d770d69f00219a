"""Removes work that was closed long ago; a message that asks for it again is refused by its age."""

import logging

from chassis.ids import utc_now

from connector.domain.work import expired_days
from connector.store.ports import Store

log = logging.getLogger(__name__)


async def remove_expired_work(store: Store) -> int:
    """Remove work whose retention has ended; returns how much. Any number of workers may do this at once."""
    removed = 0
    for day in expired_days(utc_now()):
        # In batches, each removed before the next query: a busy installation closes more in a day than fits in memory.
        while found := await store.work.closed_on(day):
            for org, work_id in found:
                await store.work.forget(org, work_id)
            removed += len(found)
    if removed:
        log.info("expired work removed", extra={"count": removed})
    return removed
