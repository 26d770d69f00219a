"""The lease of a piece of work: claimed by an insert, kept by renewal, given up at the first doubt."""

import asyncio
import logging
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol

from chassis.errors import LostRace
from chassis.ids import utc_now
from chassis.persistence.aggregates import Aggregate, Announce, Change, Result
from chassis.persistence.mongo import PyMongoError
from contracts.errors import CairnError
from contracts.messages.base import Event

from connector.domain.attempts import (
    Attempt,
    AttemptState,
    ChosenSnapshot,
    MadeSnapshot,
    is_confirmed,
    is_superseded,
    next_step,
)
from connector.domain.work import Work
from connector.store.ports import Store

log = logging.getLogger(__name__)
# Renewing before every message would double the writes to the database; a lease with this share left is long enough.
_FRESH = 0.9


class LeaseLost(Exception):
    """Another worker may have taken over: stop, and publish nothing more."""


class LentSlots(Protocol):
    """The slots that work has while it works."""

    async def give_back(self) -> None:
        """Let other work have them. Given back twice, they are given back once."""
        ...

    async def take_again(self, cancel: asyncio.Event) -> None:
        """Wait for slots, unless the work has them still. Raises `Cancelled`."""
        ...


class NoSlots:
    """Of work that nobody counts."""

    async def give_back(self) -> None:
        """Do nothing."""

    async def take_again(self, cancel: asyncio.Event) -> None:
        """Do nothing."""


class Lease:
    """This worker's claim to a piece of work. Only its owner writes the attempt and publishes messages about it."""

    def __init__(self, store: Store, work: Work, record: Aggregate[Attempt], *, seconds: float, since: float) -> None:
        self.work = work
        self.seconds = seconds
        self.end_is_saved = False
        """Whether it is written down that this worker brought the attempt to an end: nothing is left to keep."""
        self.slots: LentSlots = NoSlots()
        """What the work gives back while it waits in a line."""
        self._store = store
        self._record = record
        self._attempt = _value(record)
        # From before the write, by the steady clock: neither a slow answer nor a changed wall clock makes it longer.
        self._expires = since + seconds
        # The keeper renews while the work announces: two saves of one document at once would conflict.
        self._lock = asyncio.Lock()

    @property
    def number(self) -> int:
        """The attempt number, which is the fencing token."""
        return self._attempt.number

    @property
    def is_ended(self) -> bool:
        """Whether this worker brought the attempt to an end itself, with a result or without."""
        return self._attempt.state != "running"

    @property
    def left_seconds(self) -> float:
        """How long the lease lasts by this process's own steady clock."""
        return self._expires - time.monotonic()

    def check(self) -> None:
        """Raise `LeaseLost` when the lease has run out, by the clock alone."""
        if self.is_ended or self.left_seconds <= 0:
            raise LeaseLost(self._attempt.id)

    async def renew(self) -> None:
        """Extend the lease, unless its work is done. Raises `LeaseLost` when it has expired or was taken over."""
        async with self._lock:
            if self._attempt.state == "running":
                await self._renew()

    async def announce(self, events: Sequence[Event], *, made: MadeSnapshot | None = None) -> None:
        """Publish events that must not be lost, and save what was `made` for later attempts.

        Raises `LeaseLost`, and then nothing was published.
        """
        async with self._lock:
            await self._assure()
            self._attempt = self._attempt.model_copy(update={"made": made or self._attempt.made})
            announce = await self._save(events)
        # The lease can be renewed meanwhile: a broker that is silent for longer must not end it.
        await announce()

    async def choose(self, chosen: ChosenSnapshot) -> None:
        """Save what was chosen, for later attempts. Raises `LeaseLost`."""
        async with self._lock:
            await self._assure()
            self._attempt = self._attempt.model_copy(update={"chosen": chosen})
            await self._save()

    async def note_repair(self) -> None:
        """Save that the index of a store was wrong and is repaired, for later attempts. Raises `LeaseLost`."""
        async with self._lock:
            await self._assure()
            self._attempt = self._attempt.model_copy(update={"index_repaired": True})
            await self._save()

    async def settle(
        self,
        events: Sequence[Event] = (),
        *,
        result: Result | None = None,
    ) -> None:
        """Save the result together with its events, then close the work. Raises `LeaseLost`."""
        async with self._lock:
            await self._assure()
            self._attempt = self._until("settled", 0)
            announce = await self._save(events, result=result or {})
            self.end_is_saved = True
        await announce()
        # Closed last: a kill before this line leaves a settled attempt, and whoever claims the work next closes it.
        await self._raise_if_superseded()
        await self._store.work.close(self.work.organization_id, self.work.id)

    async def release(self, *, pause_seconds: float = 0) -> None:
        """Give the work up without a result; any worker may take it after a pause."""
        async with self._lock:
            self.check()
            self._attempt = self._until("released", pause_seconds)
            await self._save()
            self.end_is_saved = True

    async def _assure(self) -> None:
        """Make sure that the lease is valid and stays so for a while. Raises `LeaseLost`."""
        self.check()
        if self.left_seconds < self.seconds * _FRESH:
            await self._renew()
        else:
            await self._raise_if_superseded()

    async def _renew(self) -> None:
        self.check()
        since = time.monotonic()
        self._attempt = self._until("running", self.seconds)
        await self._save()
        # Read after the write, like `claim`: see `is_confirmed`.
        await self._raise_if_superseded()
        self._expires = since + self.seconds

    async def _save(self, events: Sequence[Event] = (), *, result: Result | None = None) -> Announce:
        """Save the attempt. What it is saved with is still to be announced, without the lock."""
        attempts, change = self._store.attempts, Change(self._attempt)
        if events or result is not None:
            # A command gets its only outcome with the result; a save before that, or of a job, must not answer it.
            partial = result is None or not self.work.answers
            change = Change(self._attempt, events, self.work.cause, result, partial)
        try:
            self._record, announce = await attempts.write(self._record, change)
        except LostRace:
            # Nobody else writes this document: an answer to an earlier write must have been lost.
            self._record = await attempts.load(self.work.organization_id, self._attempt.id)
            self._record, announce = await attempts.write(self._record, change)
        return announce

    async def _raise_if_superseded(self) -> None:
        attempts = await self._store.attempts_at(self.work.organization_id, self.work.id)
        if is_superseded(self._attempt, attempts):
            raise LeaseLost(self._attempt.id)

    def _until(self, state: AttemptState, seconds: float) -> Attempt:
        until = utc_now() + timedelta(seconds=seconds)
        return self._attempt.model_copy(update={"state": state, "until": until})


async def is_free(store: Store, work: Work) -> bool:
    """Whether a claim may succeed now; false while somebody is at it. Work that is done is for `claim` to close."""
    return next_step(await store.attempts_at(work.organization_id, work.id), utc_now()).action != "leave"


async def claim(store: Store, work: Work, *, owner: str, seconds: float, despite_pauses: bool = False) -> Lease | None:
    """Try to claim a piece of work: None when it is done, or when another worker has it.

    `despite_pauses`: also while it was given up and should not be tried again yet, in order to end it.
    """
    org = work.organization_id
    step = next_step(await store.attempts_at(org, work.id), utc_now(), despite_pauses=despite_pauses)
    if step.action == "close":
        await store.work.close(org, work.id)
    if step.action != "take":
        return None
    since = time.monotonic()
    until = utc_now() + timedelta(seconds=seconds)
    mine = Attempt(work_id=work.id, number=step.number, owner=owner, until=until, ends=despite_pauses)
    # The id is the work's id and the attempt number: inserting it is the claim, and needs no more of the database than
    # that an id exists once (FerretDB has no transactions to rely on).
    try:
        record = await store.attempts.save(Aggregate(mine.id, org), mine)
    except LostRace:
        return None
    lease = Lease(store, work, record, seconds=seconds, since=since)
    if is_confirmed(mine, await store.attempts_at(org, work.id), utc_now(), despite_pauses=despite_pauses):
        return lease
    await lease.release()
    return None


def _value(record: Aggregate[Attempt]) -> Attempt:
    if record.value is None:
        raise ValueError("a lease needs a saved attempt")
    return record.value


async def give_up(lease: Lease, *, pause_seconds: float) -> None:
    """Release a lease, so that others may claim the work after a pause. Where that fails, the lease expires."""
    try:
        await lease.release(pause_seconds=pause_seconds)
    except (LeaseLost, CairnError, PyMongoError) as error:
        facts = {"work": lease.work.id, "attempt": lease.number, "reason": type(error).__name__}
        log.warning("lease not released, it will expire", extra=facts)
