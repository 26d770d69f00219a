"""Has a job wait until it may have its store, or two of them, for itself, and say for whom it waits."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from contracts.messages.assignment import App
from integrations.sdk.locations import StoreLocation

from connector.domain.places_in_line import PlaceInLine
from connector.jobs.definition import Job
from connector.queue.lines import HeldPlace, first_in_line, pair_of, place_of


@asynccontextmanager
async def store_for_itself(job: Job, store: App, location: StoreLocation) -> AsyncIterator[HeldPlace]:
    """The store, with no other task at it that needs it for itself. Backups go on beside. Raises `Cancelled`."""

    async with _first_in(job, store, place_of(location), because="Another task has the store for itself") as held:
        yield held


@asynccontextmanager
async def copying_alone(
    job: Job, origin: App, from_location: StoreLocation, to_location: StoreLocation
) -> AsyncIterator[None]:
    """Two stores, with no other task that copies from the one into the other. Raises `Cancelled`."""
    because = "Another task copies between the same stores"
    async with _first_in(job, origin, pair_of(from_location, to_location), because=because):
        yield


@asynccontextmanager
async def _first_in(job: Job, store: App, place: str, *, because: str) -> AsyncIterator[HeldPlace]:
    def waiting(ahead: PlaceInLine | None, more: int) -> None:
        if ahead is None:
            job.reporter.wait("a free slot of the worker and of the store")
            return
        whom = ahead.in_words(job.org)
        others = f"; {more} more before this one" if more else ""
        job.reporter.wait(f"{whom}{others}")
        job.reporter.log("info", f"{because}: waiting for {whom}{others}.")

    async with first_in_line(
        job.context.store,
        job.lease,
        place,
        task_type=job.request.task.type,
        store_name=store.name,
        on_waiting=waiting,
        cancel=job.cancel,
    ) as held:
        yield held
