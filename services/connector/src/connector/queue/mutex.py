"""One at a time: two initializations of one place at once would destroy it, whoever asks for them."""

import asyncio
import hashlib
import logging
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from chassis.persistence.mongo import PyMongoError
from chassis.runtime.supervision import beside
from contracts.errors import CairnError
from contracts.messages.connector import EVERYBODY
from integrations.sdk.locations import StoreLocation

from connector.domain.work import Work
from connector.engine.errors import StoreLocked
from connector.queue.lease import Lease, LeaseLost, claim
from connector.settings import Settings
from connector.store import Store

log = logging.getLogger(__name__)
PATIENCE_SECONDS = 60.0
PAUSE_SECONDS = 0.1
RENEWALS_PER_LEASE = 3


@asynccontextmanager
async def exclusive_at(store: Store, settings: Settings, lease: Lease, location: StoreLocation) -> AsyncIterator[None]:
    """Hold a place until the context is left. Raises `StoreLocked` when others hold it for too long."""
    turn = await _take_turn(store, settings, _turn_at(location, lease.work))
    try:
        async with beside("turn at a place", lambda: _keep(turn)):
            yield
    finally:
        await _end(turn)


def _turn_at(location: StoreLocation, cause: Work) -> Work:
    """Work that never queues: attempts at it are turns. It is nobody's, since organizations may share a place."""
    place = os.path.realpath(location.local_path) if location.local_path else location.address.rstrip("/")
    message = cause.cause.data.model_copy(update={"organization_id": EVERYBODY})
    return cause.model_copy(
        update={
            "id": f"initialize:{hashlib.sha256(os.fsencode(place)).hexdigest()}",
            "cause": cause.cause.model_copy(update={"data": message}),
        }
    )


async def _take_turn(store: Store, settings: Settings, turn: Work) -> Lease:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        held = await claim(store, turn, owner=settings.instance, seconds=settings.lease_seconds)
        if held is not None:
            return held
        await asyncio.sleep(PAUSE_SECONDS)
    raise StoreLocked


async def _keep(turn: Lease) -> None:
    """Renew a turn. Its owner also keeps the lease of its work, which ends first and stops it where this fails."""
    while True:
        await asyncio.sleep(turn.seconds / RENEWALS_PER_LEASE)
        try:
            await turn.renew()
        except LeaseLost:
            return
        except (CairnError, PyMongoError) as error:
            log.warning("turn not renewed", extra={"work": turn.work.id, "reason": type(error).__name__})


async def _end(turn: Lease) -> None:
    try:
        await turn.release()
    except (LeaseLost, CairnError, PyMongoError) as error:
        log.warning("turn ends by itself", extra={"work": turn.work.id, "reason": type(error).__name__})
