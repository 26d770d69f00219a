"""One at a time: two initializations of one place at once would destroy it, whoever asks for them."""

import asyncio
import hashlib
import logging
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from chassis.background import beside
from chassis.errors import CairnError
from chassis.mongo import PyMongoError
from contracts.connector import EVERYBODY

from connector.domain import Work
from connector.engine.errors import StoreLocked
from connector.engine.places import StoreLocation
from connector.usecases.equipment import Equipment
from connector.usecases.lease import Lease, LeaseLost, claim

log = logging.getLogger(__name__)
PATIENCE_SECONDS = 60.0
PAUSE_SECONDS = 0.1
RENEWALS_PER_LEASE = 3


@asynccontextmanager
async def alone_at(equipment: Equipment, lease: Lease, location: StoreLocation) -> AsyncIterator[None]:
    """Hold a place until the context is left. Raises `StoreLocked` when others hold it for too long."""
    turn = await _take_turn(equipment, _turn_at(location, lease.work))
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


async def _take_turn(equipment: Equipment, turn: Work) -> Lease:
    settings, deadline = equipment.settings, time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        held = await claim(equipment.store, turn, owner=settings.instance, seconds=settings.lease_seconds)
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
