"""Which processes run, and which master keys each of them has: so that nobody is forgotten when a key is replaced."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta

from contracts.queries.sealing import KeyHolder

from chassis.ids import new_id, utc_now
from chassis.persistence.mongo import Database, PyMongoError
from chassis.runtime.supervision import LoopSupervisor
from chassis.security.keyring import Keyring

log = logging.getLogger(__name__)
REPORT_SECONDS = 1.0
REPEAT = timedelta(seconds=10)
Keys = Callable[[], Keyring]
SILENCE = timedelta(seconds=45)
"""Whoever says nothing for so long has ended: a process that runs repeats itself every ten seconds."""


class KeyHolders:
    """The processes of one service; each writes a document of its own."""

    def __init__(self, database: Database, *, clock: Callable[[], datetime] = utc_now) -> None:
        self._holders = database["key_holders"]
        self._clock = clock

    async def report(self, holder: KeyHolder) -> None:
        """Note what a process has, in the place of what one of its name had that ended."""
        document = {"_id": holder.name, **holder.model_dump(exclude={"name", "key_ids"})}
        document["key_ids"] = list(holder.key_ids)
        await self._holders.replace_one({"_id": holder.name}, document, upsert=True)

    async def forget(self, holder: KeyHolder) -> None:
        """A process ends, or ended long ago; one that took its name stays."""
        await self._holders.delete_one({"_id": holder.name, "id": holder.id})

    async def present(self) -> Sequence[KeyHolder]:
        """The processes that run, by name."""
        found = [KeyHolder(name=each.pop("_id"), **each) async for each in self._holders.find({})]
        oldest = self._clock() - SILENCE
        for gone in [each for each in found if each.at < oldest]:
            await self.forget(gone)
        return sorted((each for each in found if each.at >= oldest), key=lambda each: each.name)

    @asynccontextmanager
    async def reporting(self, background: LoopSupervisor, name: str, keys: Keys) -> AsyncIterator[None]:
        """Report what this process has, from before the context is entered until it is left.

        `name`: it has that alone among all that run.
        """
        holder_id = new_id()
        last = await self._report(holder_id, name, keys, sealing_since=self._clock())

        async def report_forever() -> None:
            nonlocal last
            while True:
                await asyncio.sleep(REPORT_SECONDS)
                ids, now = keys().ids, self._clock()
                if ids != last.key_ids or now - last.at >= REPEAT:
                    since = last.sealing_since if ids[0] == last.key_ids[0] else now
                    last = await self._report(holder_id, name, keys, sealing_since=since)

        async with background.running("master keys", report_forever):
            yield
        # One that cannot be taken back is taken for gone after a while.
        with suppress(PyMongoError):
            await self.forget(last)

    async def _report(self, holder_id: str, name: str, keys: Keys, *, sealing_since: datetime) -> KeyHolder:
        holder = KeyHolder(id=holder_id, name=name, key_ids=keys().ids, sealing_since=sealing_since, at=self._clock())
        await self.report(holder)
        return holder
