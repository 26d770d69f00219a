"""What the scheduler does by itself: it looks for jobs without news, packs those that are over, removes old ones."""

import asyncio
import itertools
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from chassis.messaging.publisher import Publisher
from chassis.persistence.mongo import PyMongoError
from chassis.runtime.supervision import Loop, LoopSupervisor
from contracts.errors import CairnError

from scheduler.jobs import retention, usecases
from scheduler.jobs.domain.retention import retention_of
from scheduler.jobs.store import SchedulerStore
from scheduler.jobs.usecases import Clock
from scheduler.settings import Settings

log = logging.getLogger(__name__)


@asynccontextmanager
async def watch_jobs(
    background: LoopSupervisor, store: SchedulerStore, publisher: Publisher, clock: Clock, settings: Settings
) -> AsyncIterator[None]:
    """Ask workers again for jobs without news, pack jobs that are over, and remove those that were kept long enough.

    In the background, until the context is left.
    """
    loops: dict[str, Loop] = {
        "jobs": lambda: _ask_forever(store, publisher, clock, settings),
        "job retention": lambda: _remove_forever(store, clock, settings),
        "history of jobs": lambda: _pack_forever(store, settings),
    }
    async with background.all_running(loops):
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


async def _remove_forever(store: SchedulerStore, clock: Clock, settings: Settings) -> None:
    kept = retention_of(
        jobs_days=settings.job_retention_days,
        logs_days=settings.job_log_retention_days,
        measures_days=settings.job_measures_retention_days,
    )
    for look in itertools.count():
        await asyncio.sleep(settings.job_clean_up_seconds)
        try:
            await retention.remove_expired(store, clock(), kept, look=look)
        except (CairnError, PyMongoError) as error:
            log.warning("expired jobs were not removed", extra={"reason": type(error).__name__})


async def _pack_forever(store: SchedulerStore, settings: Settings) -> None:
    while True:
        try:
            # As long as there is much: an upgrade may leave hundreds of thousands of jobs to be packed.
            while packed := await usecases.pack_history(store):
                log.info("jobs that are over were packed", extra={"count": packed})
        except (CairnError, PyMongoError) as error:
            log.warning("jobs that are over were not packed", extra={"reason": type(error).__name__})
        await asyncio.sleep(settings.pack_seconds)
