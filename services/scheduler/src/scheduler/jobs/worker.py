"""What the scheduler does by itself: it looks for jobs of which no worker has reported anything for long."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from chassis.messaging.publisher import Publisher
from chassis.persistence.mongo import PyMongoError
from chassis.runtime.supervision import LoopSupervisor
from contracts.errors import CairnError

from scheduler.jobs import usecases
from scheduler.jobs.store import SchedulerStore
from scheduler.jobs.usecases import Clock
from scheduler.settings import Settings

log = logging.getLogger(__name__)


@asynccontextmanager
async def watch_silent_jobs(
    background: LoopSupervisor, store: SchedulerStore, publisher: Publisher, clock: Clock, settings: Settings
) -> AsyncIterator[None]:
    """Ask workers again for jobs of which no event came for long, in the background, until the context is left."""
    async with background.running("jobs", lambda: _ask_forever(store, publisher, clock, settings)):
        yield


async def _ask_forever(store: SchedulerStore, publisher: Publisher, clock: Clock, settings: Settings) -> None:
    silence = timedelta(seconds=settings.silence_seconds)
    while True:
        await asyncio.sleep(settings.look_seconds)
        try:
            await usecases.ask_again(store, publisher, clock, silence=silence)
        except (CairnError, PyMongoError) as error:
            # A server that is away for a while: the next look makes up for this one.
            log.warning("silent jobs were not asked for", extra={"reason": type(error).__name__})
