"""What the gateway remembers of requests: keys of repeated ones, and operations that outlived their request.

All documents are inserted and never changed, so that several gateways may share them.
"""

import asyncio
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from chassis.ids import utc_now
from chassis.persistence.mongo import Collection, Database, Document, ensure_indexes, insert_new
from chassis.persistence.outbox import entry_to_envelope, envelope_to_entry
from contracts.envelope import Envelope
from contracts.messages.base import Message
from contracts.messages.outcomes import Problem
from contracts.values import OrganizationId
from pydantic import JsonValue

KEPT_DAYS = 8
FORGOTTEN_DAYS = 30
UNSENT_AT_ONCE = 500


@dataclass(frozen=True)
class RememberedKey:
    """An idempotency key that was used: for which body, and which command it became."""

    fingerprint: str
    command_id: str


@dataclass(frozen=True)
class End:
    """How an operation ended: with a result, or with a problem."""

    result: dict[str, JsonValue] | None = None
    problem: Problem | None = None


class Requests:
    """Idempotency keys and operations, kept for `KEPT_DAYS`."""

    def __init__(self, database: Database) -> None:
        self._keys: Collection = database["idempotency_keys"]
        self._operations: Collection = database["operations"]
        self._ends: Collection = database["operation_ends"]
        self._unsent: Collection = database["unsent_commands"]

    async def setup(self) -> None:
        """Create the indexes that `forget` and `unsent` need."""
        others = (each for each in self._all if each is not self._unsent)
        await asyncio.gather(
            *(ensure_indexes(each, ("day",)) for each in others), ensure_indexes(self._unsent, ("day",), ("state",))
        )

    @property
    def _all(self) -> tuple[Collection, ...]:
        return self._keys, self._operations, self._ends, self._unsent

    async def remember(self, org: OrganizationId, key: str, wanted: RememberedKey) -> RememberedKey:
        """Claim a key. Answers with what it was claimed for first, by this request or an earlier one."""
        document = {"_id": key, "org": org, "day": _day(utc_now()), **vars(wanted)}
        if await insert_new(self._keys, document):
            return wanted
        found = await self._keys.find_one({"_id": key, "org": org}) or document
        return RememberedKey(found["fingerprint"], found["command_id"])

    async def begin(self, command: Envelope[Message], *, taken: bool) -> None:
        """Keep a command whose outcome did not come in time; if Kafka may lack it, as `unsent` too. May be repeated."""
        entry = envelope_to_entry(command, kind="operation", record_id=command.id, revision=0)
        document = {"_id": command.id, "org": command.data.organization_id, "day": _day(utc_now()), "command": entry}
        if not taken:
            await insert_new(self._unsent, document | {"state": "unsent"})
        await insert_new(self._operations, document)

    async def unsent(self) -> list[Envelope[Message]]:
        """Commands that were kept because Kafka did not take them, of all organizations; some if they are many."""
        found = self._unsent.find({"state": "unsent"}).limit(UNSENT_AT_ONCE)
        return [entry_to_envelope(document["command"]) async for document in found]

    async def sent(self, command: Envelope[Message]) -> None:
        """Kafka has a command."""
        await self._unsent.delete_one({"_id": command.id, "org": command.data.organization_id})

    async def command(self, org: OrganizationId, operation_id: str) -> Envelope[Message] | None:
        """The command of an operation."""
        found = await self._operations.find_one({"_id": operation_id, "org": org})
        return entry_to_envelope(found["command"]) if found else None

    async def end(self, org: OrganizationId, operation_id: str, end: End) -> None:
        """Keep how an operation ended. The first to tell is believed."""
        problem = end.problem.model_dump(mode="json") if end.problem else None
        kept = json.dumps({"result": end.result, "problem": problem})
        document = {"_id": operation_id, "org": org, "day": _day(utc_now()), "end": kept}
        await insert_new(self._ends, document)

    async def ended(self, org: OrganizationId, operation_id: str) -> End | None:
        """How an operation ended; None while it has not, as far as anybody has heard."""
        found: Document | None = await self._ends.find_one({"_id": operation_id, "org": org})
        if found is None:
            return None
        kept: dict[str, Any] = json.loads(found["end"])
        return End(kept["result"], Problem.model_validate(kept["problem"]) if kept["problem"] else None)

    async def forget(self, now: datetime) -> None:
        """Remove what is older than `KEPT_DAYS`, a day at a time; what is older still was removed before."""
        for age in range(KEPT_DAYS, FORGOTTEN_DAYS):
            for collection in self._all:
                await collection.delete_many({"day": _day(now - timedelta(days=age))})


def _day(moment: datetime) -> str:
    return moment.date().isoformat()
