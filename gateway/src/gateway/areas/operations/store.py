"""Operations in MongoDB: requests that were not finished in time.

All documents are inserted and never changed, so that several gateways may share them.
"""

import asyncio
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from chassis.ids import utc_now
from chassis.persistence.mongo import Collection, Database, Document, ensure_indexes, insert_new
from chassis.persistence.outbox import entry_to_envelope, envelope_to_entry
from contracts.envelope import Envelope
from contracts.messages.base import Message
from contracts.messages.outcomes import Problem
from contracts.messages.scheduler import RunTask
from contracts.values import OrganizationId
from pydantic import JsonValue

from gateway.retention import day_of, forget_old

UNSENT_AT_ONCE = 500


@dataclass(frozen=True)
class End:
    """How an operation ended: with a result, or with a problem."""

    result: dict[str, JsonValue] | None = None
    problem: Problem | None = None


class OperationStore:
    """Operations, their ends, and commands that Kafka may lack; kept for `KEPT_DAYS`."""

    def __init__(self, database: Database) -> None:
        self._operations: Collection = database["operations"]
        self._ends: Collection = database["operation_ends"]
        self._unsent: Collection = database["unsent_commands"]

    async def setup(self) -> None:
        """Create the indexes that `of_run`, `forget` and `unsent` need."""
        await asyncio.gather(
            ensure_indexes(self._operations, ("day",), ("org", "run_id")),
            ensure_indexes(self._ends, ("day",)),
            ensure_indexes(self._unsent, ("day",), ("state",)),
        )

    @property
    def _all(self) -> tuple[Collection, ...]:
        return self._operations, self._ends, self._unsent

    async def begin(self, command: Envelope[Message], *, taken: bool) -> None:
        """Keep a command whose outcome did not come in time; if Kafka may lack it, as `unsent` too. May be repeated."""
        entry = envelope_to_entry(command, kind="operation", aggregate_id=command.id, revision=0)
        document = {"_id": command.id, "org": command.data.organization_id, "day": day_of(utc_now()), "command": entry}
        if isinstance(command.data, RunTask):
            document["run_id"] = command.data.run_id
        # First: whoever sees the operation may rely on its command being sent.
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

    async def of_run(self, org: OrganizationId, run_id: str) -> Envelope[Message] | None:
        """The command that starts a run."""
        found = await self._operations.find_one({"org": org, "run_id": run_id})
        return entry_to_envelope(found["command"]) if found else None

    async def end(self, org: OrganizationId, operation_id: str, end: End) -> None:
        """Keep how an operation ended. The first end that is written counts."""
        problem = end.problem.model_dump(mode="json") if end.problem else None
        # As text: results come from other services, and FerretDB refuses keys that begin with a `$`.
        kept = json.dumps({"result": end.result, "problem": problem})
        document = {"_id": operation_id, "org": org, "day": day_of(utc_now()), "end": kept}
        await insert_new(self._ends, document)

    async def ended(self, org: OrganizationId, operation_id: str) -> End | None:
        """How an operation ended; None while no end is known."""
        found: Document | None = await self._ends.find_one({"_id": operation_id, "org": org})
        if found is None:
            return None
        kept: dict[str, Any] = json.loads(found["end"])
        return End(kept["result"], Problem.model_validate(kept["problem"]) if kept["problem"] else None)

    async def forget(self, now: datetime) -> None:
        """Remove what is older than `KEPT_DAYS`."""
        await forget_old(now, *self._all)
