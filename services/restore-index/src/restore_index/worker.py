"""Looks every now and then in which stores garbage can be collected, and announces a step for each of them."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from chassis.ids import utc_now
from chassis.messaging.envelopes import envelope
from chassis.messaging.publisher import Publisher
from chassis.persistence.mongo import PyMongoError
from chassis.runtime.supervision import LoopSupervisor
from contracts.errors import CairnError

from restore_index.settings import Settings
from restore_index.store import Store
from restore_index.usecases.garbage_collection import due_collections

log = logging.getLogger(__name__)
SERVICE = "restore-index"


@asynccontextmanager
async def garbage_collection(
    background: LoopSupervisor, store: Store, publisher: Publisher, settings: Settings
) -> AsyncIterator[None]:
    """Look until the context is left. Any number of processes may: a step that is announced twice is taken once."""
    async with background.running("garbage-collection", lambda: _look_forever(store, publisher, settings)):
        yield


async def _look_forever(store: Store, publisher: Publisher, settings: Settings) -> None:
    grace = timedelta(seconds=settings.sweep_grace_seconds)
    while True:
        try:
            for due in await due_collections(store, utc_now(), grace=grace):
                await publisher.send(envelope(due, service=SERVICE))
        except (CairnError, PyMongoError) as error:
            # Whatever failed, the next look comes after the pause.
            log.warning("could not look for stores with garbage", extra={"reason": type(error).__name__})
        await asyncio.sleep(settings.sweep_look_seconds)
