"""The replacement of master keys, as far as the gateway does it (decision 0062)."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from chassis.ids import utc_now
from chassis.messaging.backlog import Backlog
from chassis.persistence.key_holders import KeyHolders
from contracts.errors import Conflict, TemporaryError
from contracts.queries.sealing import KeyHolder
from contracts.topics import ASSIGNMENT_COMMANDS, CATALOG_COMMANDS
from contracts.wording import counted, is_or_are

from gateway.areas.master_keys.resealing import Resealing
from gateway.areas.master_keys.status import Census, Status, in_words, status_of

log = logging.getLogger(__name__)
GRACE = timedelta(seconds=35)
"""No request takes longer (decision 0033): what it sealed before the switch is in Kafka by then, or nowhere."""
PATIENCE_SECONDS = 120.0
PAUSE_SECONDS = 0.5
_MOST_NAMED = 20
Until = Literal["known", "current", "gone"]
Say = Callable[[str], None]
_HANDLERS = {"assignment": ASSIGNMENT_COMMANDS, "catalog": CATALOG_COMMANDS}


@dataclass(frozen=True)
class MasterKeys:
    """What an operator does about master keys. The keys themselves are in files, which this never writes."""

    census: Census
    resealing: Resealing
    holders: KeyHolders
    backlog: Backlog
    clock: Callable[[], datetime] = utc_now
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    async def status(self) -> Status:
        """Everything that hangs on master keys, counted now."""
        return status_of(self.census.sealer.keyring, await self.census.uses(), await self._processes())

    async def taken_up(
        self, key_id: str, until: Until, say: Say, *, patience_seconds: float = PATIENCE_SECONDS
    ) -> None:
        """Return once every running process has a key, has it as the current one, or has it no more.

        Raises `TemporaryError` (`keys_not_taken_up`) naming those that do not.
        """
        deadline, told = self.clock() + timedelta(seconds=patience_seconds), ""
        while late := await self._late(key_id, until):
            if self.clock() > deadline:
                raise TemporaryError("keys_not_taken_up", f"Not taken up yet by {late}.")
            if late != told:
                say(f"waiting for {late}")
                told = late
            await self.sleep(PAUSE_SECONDS)

    async def reseal(self, say: Say, *, grace: timedelta = GRACE, patience_seconds: float = PATIENCE_SECONDS) -> Status:
        """Have everything under the current key; return once nothing is left under a former one.

        Safe to repeat, and to be killed. Raises `Conflict` (`keys_not_taken_up`) while a process seals under another
        key, `Conflict` (`secrets_unreadable`) for values that nobody can open, `TemporaryError` (`secrets_left`).
        """
        keyring = self.census.sealer.keyring
        if late := await self._late(keyring.current.id, "current"):
            raise Conflict("keys_not_taken_up", f"Another key than the current one is used by {late}.")
        former = [key.id for key in keyring.keys if key.role == "former"]
        await self._reseal_all(say)
        if former:
            await self._wait_for_what_is_on_its_way(say, grace=grace, patience_seconds=patience_seconds)
        deadline = self.clock() + timedelta(seconds=patience_seconds)
        while True:
            await self._reseal_all(say)
            status = await self.status()
            left = {key.id: key.values for key in status.keys if key.id in former and key.total}
            if not left:
                return status
            self._check_readable(former)
            if self.clock() > deadline:
                words = "; ".join(f"{key}: {in_words(values)}" for key, values in left.items())
                raise TemporaryError("secrets_left", f"Some is still sealed under a former key. {words}.")
            # Workers hear of what was resealed in a moment.
            await self.sleep(PAUSE_SECONDS)

    def _check_readable(self, former: Sequence[str]) -> None:
        held = [each for each in self.resealing.unreadable if each.key_id in former]
        if held:
            named = ", ".join(sorted(f"{each.kind} {each.id} field {each.field}" for each in held)[:_MOST_NAMED])
            detail = f"Nobody can open the secrets of {named}: give them again, or remove them."
            raise Conflict("secrets_unreadable", detail)

    async def _reseal_all(self, say: Say) -> None:
        self.resealing.unreadable.clear()
        replaced = 0

        def tell(count: int) -> None:
            nonlocal replaced
            replaced += count

        done = 0
        async for org in self.census.organizations():
            before = replaced
            await self.resealing.reseal(org, tell)
            done += 1
            if replaced > before:
                say(f"{counted(replaced, 'secret')} resealed, {counted(done, 'organization')} done")

    async def _wait_for_what_is_on_its_way(self, say: Say, *, grace: timedelta, patience_seconds: float) -> None:
        """Until nothing that was sealed before the switch can come any more."""
        gateways = await self.holders.present()
        ended = max((each.sealing_since for each in gateways), default=self.clock() - grace) + grace
        if (rest := (ended - self.clock()).total_seconds()) > 0:
            say(f"waiting {rest:.0f} s for requests that began before the switch")
            await self.sleep(rest)
        ends = {service: await self.backlog.ends([topic]) for service, topic in _HANDLERS.items()}
        deadline, told = self.clock() + timedelta(seconds=patience_seconds), False
        while left := sum([await self.backlog.left(service, end) for service, end in ends.items()]):
            if self.clock() > deadline:
                raise TemporaryError(
                    "commands_left", f"{counted(left, 'command')} from before {is_or_are(left)} not handled yet."
                )
            if not told:
                say(f"waiting for {counted(left, 'command that is on its way', 'commands that are on their way')}")
                told = True
            await self.sleep(PAUSE_SECONDS)

    async def _late(self, key_id: str, until: Until) -> str:
        """Who has not taken a key up so far, in words; empty: nobody."""
        try:
            found = await self._processes()
        except TemporaryError:
            # Which keys workers have, only workers can tell.
            return "a worker that answers"
        late = [each for each in found if not _is_settled(each, key_id, until)]
        return ", ".join(sorted({each.name for each in late}))

    async def _processes(self) -> Sequence[KeyHolder]:
        return [*await self.holders.present(), *await self.census.sealing.workers_present()]


def _is_settled(holder: KeyHolder, key_id: str, until: Until) -> bool:
    if until == "known":
        return key_id in holder.key_ids
    if until == "current":
        return holder.key_ids[:1] == (key_id,)
    return key_id not in holder.key_ids
