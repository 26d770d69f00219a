"""The index: all resources in the memory of this process, and how far it has read of what is told about them."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from aiokafka import TopicPartition
from chassis.errors import Unavailable
from chassis.persistence.batches import Batches
from contracts.messages.base import Message
from contracts.values import ImportId, OrganizationId

from catalog.resource_index.domain.all_rows import AllRows
from catalog.resource_index.domain.resource_rows import ResourceRows

Offsets = Mapping[TopicPartition, int]
Ends = Callable[[Sequence[TopicPartition]], Awaitable[Offsets]]
PATIENCE_SECONDS = 5.0
"""How long a read waits for what was told before it began."""
LOADING = "The resources are being loaded from the database. Try again in a moment."
BEHIND = "What was told about resources is not read yet: the message broker is slow or does not answer. Try again."


class ResourceIndex:
    """Told by one feed, asked by many reads: each waits until all is read that was told before it began."""

    def __init__(self, *, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self.patience_seconds = patience_seconds
        self._moved = asyncio.Event()
        self.begin()

    def begin(self) -> None:
        """Nothing is known any more; it is loaded from now on."""
        self.rows = AllRows()
        self.is_lost = False
        self._positions: dict[TopicPartition, int] = {}
        self._is_loaded = self.is_amid = False
        self._ends: Batches[None, Offsets] | None = None
        self._moved.set()

    def begin_at(self, positions: Offsets) -> None:
        """What comes from here on is going to be taken."""
        self._positions = dict(positions)

    def loaded(self, ends: Ends) -> None:
        """All is known up to some position. `ends`: where the partitions end by now."""

        async def ask(asked: Sequence[None]) -> list[Offsets]:
            # Given up by itself: whoever asks later would wait behind a call that never ends.
            async with asyncio.timeout(self.patience_seconds):
                found = await ends(tuple(self._positions))
            return [found] * len(asked)

        # Reads that begin while Kafka is asked share the next answer: an earlier one may not have what they must see.
        self._ends, self._is_loaded = Batches("ends of topics", ask), True
        self._moved.set()

    async def take(self, place: TopicPartition, offset: int, event: Message | None) -> None:
        """Take what stood at an offset: an event, or something else. What lies between is lost."""
        if offset > self._positions.get(place, 0):
            self.is_lost, self._is_loaded = True, False
        if event is not None and offset >= self._positions.get(place, 0):
            try:
                for _ in self.rows.take(event):
                    self.is_amid = True
                    # A long list: reads wait until all of it is there, everybody else goes on.
                    await asyncio.sleep(0)
            finally:
                self.is_amid = False
        self._positions[place] = max(offset + 1, self._positions.get(place, 0))
        self._moved.set()

    async def rows_of(self, org: OrganizationId) -> ResourceRows:
        """The rows of an organization, to be read before anything else is awaited. Raises `Unavailable`.

        Waits for a load too, as that of a process that has just begun takes a moment.
        """
        try:
            async with asyncio.timeout(self.patience_seconds):
                await self._until(lambda: self._is_loaded)
                await self._catch_up()
        except TimeoutError:
            await self.check()
            raise Unavailable("resources_behind", BEHIND) from None
        await self.check()
        return self.rows.of(org)

    async def shown(self, import_id: ImportId) -> None:
        """Return once it was told that an import is applied."""
        await self._until(lambda: self.rows.is_shown(import_id))

    async def check(self) -> None:
        """Raise `Unavailable` while resources are loaded. For the readiness of the process."""
        if not self._is_loaded:
            raise Unavailable("resources_loading", LOADING)

    async def _catch_up(self) -> None:
        if (ends := self._ends) is None:
            return
        wanted = await ends.ask(None)
        await self._until(lambda: not self._is_loaded or (not self.is_amid and self._covers(wanted)))

    def _covers(self, wanted: Offsets) -> bool:
        return all(self._positions.get(place, 0) >= offset for place, offset in wanted.items())

    async def _until(self, is_so: Callable[[], Any]) -> None:
        while not is_so():
            self._moved.clear()
            await self._moved.wait()
