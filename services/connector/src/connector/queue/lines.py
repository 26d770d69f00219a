"""One exclusive task per place at a time, over all workers; others wait in the order in which they came."""

import asyncio
import hashlib
import logging
import os
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from chassis.errors import LostRace
from chassis.ids import utc_now
from chassis.persistence.aggregates import Aggregate
from chassis.persistence.mongo import PyMongoError
from contracts.errors import CairnError
from contracts.messages.connector.base import EVERYBODY
from integrations.sdk.errors import Cancelled
from integrations.sdk.locations import StoreLocation

from connector.domain.places_in_line import PlaceInLine, before, is_over, next_number, owing
from connector.queue.lease import Lease
from connector.store.ports import Store

log = logging.getLogger(__name__)
LOOK_SECONDS = 1.0
# A worker that has read the line and was held up before it inserted its place must find the numbers that were taken
# meanwhile: a number is not taken twice as long as it is remembered.
REMEMBERED = timedelta(hours=1)

FURTHEST_LOOK = 10
"""Whoever is so far behind looks this many times less often than the next one."""

OnWaiting = Callable[[PlaceInLine | None, int], None]
"""Told of the place that has the store, and how many more come before this one, whenever that changes; of none once
this one is next and waits for slots. Those whose worker was lost count until one of them would be first."""


def place_of(location: StoreLocation) -> str:
    """The place of a repository, whichever app leads to it."""
    # Symbolic links are resolved because two paths may lead to one directory.
    place = os.path.realpath(location.local_path) if location.local_path else location.address.rstrip("/")
    return hashlib.sha256(os.fsencode(place)).hexdigest()


def pair_of(origin: StoreLocation, target: StoreLocation) -> str:
    """The place of what goes from one repository into another: its tasks wait for each other and for no others."""
    return hashlib.sha256(f"{place_of(origin)}>{place_of(target)}".encode()).hexdigest()


@dataclass
class HeldPlace:
    """A store, or a pair of stores, that a task has for itself."""

    store: Store
    own: PlaceInLine
    record: Aggregate[PlaceInLine]

    async def is_owed(self) -> bool:
        """Whether a task that came before left it to those that follow to free unused data."""
        return owing(before(await self.store.line_at(self.own.place), self.own)) is not None

    async def leave_unused(self) -> None:
        """Have the next ones free unused data, whatever they do beside that."""
        await self._note("left")

    async def freed_unused(self) -> None:
        """Nobody who follows needs to free what was left."""
        await self._note("freed")

    async def left_nothing(self) -> None:
        """Take back that this one left something. What others left before is owed still."""
        if self.own.unused:
            await self._note("")

    async def _note(self, unused: Literal["", "left", "freed"]) -> None:
        self.own = self.own.model_copy(update={"unused": unused})
        self.record = await self.store.lines.save(self.record, self.own)

    async def followers(self, task_types: Collection[str]) -> int:
        """How many tasks of these types wait for this one."""
        line = await self.store.line_at(self.own.place)
        later = [each for each in line if each.number > self.own.number and each.task_type in task_types]
        return len(await _standing(self.store, later))


@asynccontextmanager
async def first_in_line(
    store: Store,
    lease: Lease,
    place: str,
    *,
    task_type: str,
    store_name: str,
    on_waiting: OnWaiting,
    cancel: asyncio.Event,
    look_seconds: float = LOOK_SECONDS,
) -> AsyncIterator[HeldPlace]:
    """Wait until an attempt is first in line at a place, and have that until the context is left. Raises `Cancelled`.

    It lasts as long as the lease: a worker that is lost keeps nobody waiting for longer.
    """
    # The mutex keeps tasks in order and tells whom they wait for. That two never change one repository at once is
    # held by the engine's lock, also where a worker was stopped for longer than its lease and goes on afterwards.
    record = await _line_up(store, lease, place, task_type=task_type, store_name=store_name)
    if record.value is None:
        raise ValueError("a place in the line needs a saved document")
    held = HeldPlace(store, record.value, record)
    try:
        await _await_first(store, lease, record.value, on_waiting=on_waiting, cancel=cancel, look_seconds=look_seconds)
        yield held
    finally:
        await _leave(store, held.record, held.own)


async def _line_up(
    store: Store, lease: Lease, place: str, *, task_type: str, store_name: str
) -> Aggregate[PlaceInLine]:
    while True:
        mine = PlaceInLine(
            place=place,
            number=next_number(await store.line_at(place)),
            organization_id=lease.work.organization_id,
            work_id=lease.work.id,
            attempt=lease.number,
            task_type=task_type,
            store_name=store_name,
            at=utc_now(),
        )
        # Another one took the number: look again.
        with suppress(LostRace):
            return await store.lines.save(Aggregate(mine.id, EVERYBODY), mine)


async def _await_first(
    store: Store, lease: Lease, mine: PlaceInLine, *, on_waiting: OnWaiting, cancel: asyncio.Event, look_seconds: float
) -> None:
    """Wait until nobody is ahead. Meanwhile the slots are lent to others, so that lines never stop a worker."""
    told: list[str] = []
    while ahead := await _ahead(store, mine):
        if told != (told := [each.id for each in ahead]):
            on_waiting(ahead[0], len(ahead) - 1)
        await lease.slots.give_back()
        with suppress(TimeoutError):
            await asyncio.wait_for(cancel.wait(), look_seconds * min(len(ahead), FURTHEST_LOOK))
        if cancel.is_set():
            raise Cancelled
    if told:
        on_waiting(None, 0)
    await lease.slots.take_again(cancel)


async def _ahead(store: Store, mine: PlaceInLine) -> list[PlaceInLine]:
    """The one that has the store, and those between that and this one. Of nobody: this one is next."""
    places = before(await store.line_at(mine.place), mine)
    for position, each in enumerate(places):
        if await _stands(store, each):
            # To ask about the others, too, would take as many queries as a line has pairs.
            return [each, *(later for later in places[position + 1 :] if not later.is_left)]
    return []


async def _standing(store: Store, places: Collection[PlaceInLine]) -> list[PlaceInLine]:
    """Those that are not over, in order."""
    return [each for each in places if await _stands(store, each)]


async def _stands(store: Store, place: PlaceInLine) -> bool:
    if place.is_left:
        return False
    return not is_over(place, await store.attempts_at(place.organization_id, place.work_id), utc_now())


async def _leave(store: Store, record: Aggregate[PlaceInLine], mine: PlaceInLine) -> None:
    try:
        await store.lines.save(record, mine.model_copy(update={"is_left": True}))
        await _forget_old(store, mine)
    except (CairnError, PyMongoError) as error:
        facts = {"work": mine.work_id, "reason": type(error).__name__}
        log.warning("place in line not given back, it ends with its attempt", extra=facts)


async def _forget_old(store: Store, mine: PlaceInLine) -> None:
    """Remove what nobody needs any more of the line that was before."""
    earlier = before(await store.line_at(mine.place), mine)
    old = [each for each in earlier if each.at < mine.at - REMEMBERED]
    owed = owing([*earlier, mine])
    still = {each.id for each in await _standing(store, old)} | ({owed.id} if owed else set())
    for each in old:
        if each.id not in still:
            await store.lines.drop(await store.lines.load(EVERYBODY, each.id))
