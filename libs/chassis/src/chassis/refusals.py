"""Remembers which commands were refused, and with which outcome.

An accepted command is remembered by the document it changed; a refused one changes nothing. Without this, one that
Kafka brings again after a kill might be accepted the second time, because of what was done in between.
"""

import contextlib
from datetime import timedelta

from contracts.envelope import Envelope
from contracts.messages import Message

from chassis.ids import utc_now
from chassis.mongo import Collection, Database, DuplicateKeyError
from chassis.outbox import entry_to_envelope, envelope_to_entry

DAYS_KEPT = 2
DAYS_SWEPT = 30


class Refusals:
    """The refused commands of one service, for a few days: longer than a message waits to come again."""

    def __init__(self, database: Database) -> None:
        self._collection: Collection = database["refusals"]

    async def setup(self) -> None:
        """Create the index, and forget what is old."""
        await self._collection.create_index("day")
        today = utc_now()
        for days in range(DAYS_KEPT + 1, DAYS_KEPT + DAYS_SWEPT):
            await self._collection.delete_many({"day": (today - timedelta(days=days)).date().isoformat()})

    async def remember(self, command: Envelope[Message], outcome: Envelope[Message]) -> None:
        """Keep the outcome of a refused command; the first one counts."""
        entry = envelope_to_entry(outcome, kind="refusal", record_id=command.id, revision=0)
        about = {"_id": command.id, "source": command.source, "day": utc_now().date().isoformat(), "outcome": entry}
        with contextlib.suppress(DuplicateKeyError):
            await self._collection.insert_one(about)

    async def outcome_of(self, command: Envelope[Message]) -> Envelope[Message] | None:
        """What was published for a refused command; None when it was not refused."""
        found = await self._collection.find_one({"_id": command.id})
        return entry_to_envelope(found["outcome"]) if found and found["source"] == command.source else None
