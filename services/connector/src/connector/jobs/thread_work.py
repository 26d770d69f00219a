"""The part of a job that reads a store in a thread, which nobody can cancel: it is told to stop, and waited for."""

import asyncio
from collections.abc import Callable
from threading import Event
from typing import TypeVar

from connector.engine.processes import own_process_counted
from connector.jobs.definition import Job

T = TypeVar("T")


async def in_thread(job: Job, work: Callable[[Event], T], *, of: str) -> T:
    """What comes of the work. The event that it gets is set when the job should stop, or this task is cancelled.

    Returns, or raises, only once the work has ended: what it uses may be closed then.
    """
    stop = Event()
    working = asyncio.ensure_future(job.context.stores.in_thread(lambda: work(stop), of=of))
    telling = asyncio.ensure_future(job.cancel.wait())
    telling.add_done_callback(lambda told: None if told.cancelled() else stop.set())
    try:
        with own_process_counted():
            return await asyncio.shield(working)
    except asyncio.CancelledError:
        stop.set()
        await asyncio.wait([working])
        raise
    finally:
        telling.cancel()
