"""Has a job wait until it may have its store for itself, and say for whom it waits."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from contracts.messages.assignment import App
from integrations.sdk.locations import StoreLocation

from connector.domain.turns import Turn
from connector.jobs.definition import Job
from connector.queue.turns import HeldTurn, exclusive_turn


@asynccontextmanager
async def store_for_itself(job: Job, store: App, location: StoreLocation) -> AsyncIterator[HeldTurn]:
    """The store, with no other task at it that needs it for itself. Backups go on beside. Raises `Cancelled`."""

    def waiting(turn: Turn, more: int) -> None:
        whom = turn.in_words(job.org)
        others = f"; {more} more before this one" if more else ""
        job.reporter.wait(f"{whom}{others}")
        job.reporter.log("info", f"Another task has the store for itself: waiting for {whom}{others}.")

    async with exclusive_turn(
        job.context.store,
        job.lease,
        location,
        task_type=job.request.task.type,
        store_name=store.name,
        on_waiting=waiting,
        cancel=job.cancel,
    ) as turn:
        yield turn
