"""What the scheduler does by itself, now and then."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from chassis.messaging.publisher import Publisher
from chassis.persistence.mongo import PyMongoError
from chassis.runtime.supervision import Background
from contracts.errors import CairnError

from scheduler import usecases
from scheduler.settings import Settings
from scheduler.store import SchedulerStore
from scheduler.usecases import Clock

log = logging.getLogger(__name__)


@asynccontextmanager
async def looking(
    background: Background, store: SchedulerStore, publisher: Publisher, clock: Clock, settings: Settings
) -> AsyncIterator[None]:
    """Look after jobs without news in the background."""
    async with background.running("jobs", lambda: _look_forever(store, publisher, clock, settings)):
        yield


async def _look_forever(store: SchedulerStore, publisher: Publisher, clock: Clock, settings: Settings) -> None:
    silence = timedelta(seconds=settings.silence_seconds)
    while True:
        await asyncio.sleep(settings.look_seconds)
        try:
            await usecases.ask_again(store, publisher, clock, silence=silence)
        except (CairnError, PyMongoError) as error:
            log.warning("jobs not looked after", extra={"reason": type(error).__name__})
