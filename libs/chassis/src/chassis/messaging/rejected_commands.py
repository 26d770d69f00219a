"""Remembers which commands were rejected, and with which outcome.

An accepted command is remembered by the document it changed; a rejected one changes nothing. Without this, one that
comes again, from its sender or after a kill, might be accepted the second time, because of what was done in between.
"""

import json
from collections.abc import Callable
from datetime import datetime, timedelta

from contracts.envelope import Envelope
from contracts.messages.base import Message

from chassis.ids import utc_now
from chassis.persistence.mongo import Collection, Database, DuplicateKeyError, ensure_indexes
from chassis.persistence.outbox import entry_to_envelope, envelope_to_entry

DAYS_KEPT = 8
"""Longer than Kafka keeps a message, which is seven days unless somebody chose otherwise."""


class RejectedCommands:
    """The rejected commands of one service, for longer than a message can come again."""

    def __init__(self, database: Database, *, clock: Callable[[], datetime] = utc_now) -> None:
        # The name that older versions gave it: what they remember must be found by this one.
        self._collection: Collection = database["refusals"]
        self._clock = clock
        self._forgotten = ""

    async def setup(self) -> None:
        """Create the index, and forget what is old."""
        await ensure_indexes(self._collection, ("day",))
        await self._forget()

    async def remember(self, command: Envelope[Message], outcome: Envelope[Message]) -> Envelope[Message]:
        """Keep the outcome of a rejected command. Returns the one that counts, the first.

        Forgets what is old once a day.
        """
        await self._forget()
        entry = envelope_to_entry(outcome, kind="refusal", aggregate_id=command.id, revision=0)
        about = {"_id": _name(command), "day": self._day(), "outcome": entry}
        try:
            await self._collection.insert_one(about)
        except DuplicateKeyError:
            return await self.outcome_of(command) or outcome
        return outcome

    async def outcome_of(self, command: Envelope[Message]) -> Envelope[Message] | None:
        """What was published for a rejected command; None when it was not rejected."""
        found = await self._collection.find_one({"_id": _name(command)})
        return entry_to_envelope(found["outcome"]) if found else None

    async def _forget(self) -> None:
        if self._forgotten != self._day():
            await self._collection.delete_many({"day": {"$lt": self._day(DAYS_KEPT)}})
            self._forgotten = self._day()

    def _day(self, ago: int = 0) -> str:
        return (self._clock() - timedelta(days=ago)).date().isoformat()


def _name(command: Envelope[Message]) -> str:
    return json.dumps(command.identity)
