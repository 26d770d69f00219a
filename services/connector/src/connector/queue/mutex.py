"""A mutex over all workers for the location of a repository: two initializations at once would destroy it."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from chassis.persistence.mongo import PyMongoError
from chassis.runtime.supervision import beside
from contracts.errors import CairnError
from contracts.messages.connector.base import EVERYBODY
from integrations.sdk.locations import StoreLocation

from connector.domain.work import Work
from connector.engine.errors import StoreLocked
from connector.queue.lease import Lease, LeaseLost, claim
from connector.queue.lines import place_of
from connector.settings import Settings
from connector.store.ports import Store

log = logging.getLogger(__name__)
PATIENCE_SECONDS = 60.0
PAUSE_SECONDS = 0.1
RENEWALS_PER_LEASE = 3


@asynccontextmanager
async def exclusive_at(
    store: Store,
    settings: Settings,
    lease: Lease,
    location: StoreLocation,
    *,
    patience_seconds: float = PATIENCE_SECONDS,
) -> AsyncIterator[None]:
    """Hold the mutex of a location until the context is left. Raises `StoreLocked` when others hold it for too long."""
    mutex = await _acquire(store, settings, _mutex_work(location, lease.work), patience_seconds)
    try:
        async with beside("mutex of a location", lambda: _renew_forever(mutex)):
            yield
    finally:
        await _release(mutex)


def _mutex_work(location: StoreLocation, cause: Work) -> Work:
    """Work that is never queued: an attempt at it is the mutex, with the same leases and take-over as other work."""
    # It belongs to no organization, because two of them may have stores at one location.
    message = cause.cause.data.model_copy(update={"organization_id": EVERYBODY})
    return cause.model_copy(
        update={
            "id": f"initialize:{place_of(location)}",
            "cause": cause.cause.model_copy(update={"data": message}),
        }
    )


async def _acquire(store: Store, settings: Settings, mutex: Work, patience_seconds: float) -> Lease:
    # A loop of our own, without tenacity: that another worker has the mutex is an answer, no error to try again after.
    deadline = time.monotonic() + patience_seconds
    while time.monotonic() < deadline:
        claimed = await claim(store, mutex, owner=settings.instance, seconds=settings.lease_seconds)
        if claimed is not None:
            return claimed
        await asyncio.sleep(PAUSE_SECONDS)
    raise StoreLocked


async def _renew_forever(mutex: Lease) -> None:
    while True:
        await asyncio.sleep(mutex.seconds / RENEWALS_PER_LEASE)
        try:
            await mutex.renew()
        except LeaseLost:
            # The lease of the work itself is older, so it ends first, and the keeper of that lease stops the work.
            return
        except (CairnError, PyMongoError) as error:
            log.warning("mutex not renewed", extra={"work": mutex.work.id, "reason": type(error).__name__})


async def _release(mutex: Lease) -> None:
    try:
        await mutex.release()
    except (LeaseLost, CairnError, PyMongoError) as error:
        log.warning("mutex not released, it will expire", extra={"work": mutex.work.id, "reason": type(error).__name__})
