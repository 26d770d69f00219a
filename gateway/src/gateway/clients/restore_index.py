"""Reads of the restore index."""

import asyncio
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from chassis.http.client import ServiceClient
from chassis.http.problems import to_error
from chassis.http.transport import Answer
from contracts.errors import CairnError, NotFound
from contracts.messages.restore_index import refusal_of
from contracts.prune_rules import PruneRule
from contracts.queries.base import Listing
from contracts.queries.restore_index import (
    MOST_SOURCES_ASKED,
    Deletion,
    IndexedRestorePoint,
    PruneDecision,
    RetentionFloor,
)

from gateway.access.principal import Principal
from gateway.clients.base import segment


def refusal(point: IndexedRestorePoint) -> CairnError:
    """Why what is in a restore point cannot be shown."""
    return to_error(refusal_of(point.damage))


@dataclass(frozen=True)
class RestoreIndexClient:
    """Restore points and what is in them. Unknown and foreign ids raise `NotFound`, silence `Unavailable`."""

    service: ServiceClient

    async def restore_points(self, who: Principal, store_id: str) -> Sequence[IndexedRestorePoint]:
        """All restore points of a store, newest first."""
        answer = await self.service.get("/internal/restore-points", who.caller(), {"store_id": store_id})
        return Listing[IndexedRestorePoint].model_validate(answer).items

    async def same_restore_points(self, who: Principal, snapshot_id: str) -> Sequence[IndexedRestorePoint]:
        """One restore point, in each store that shares its repository; the likeliest to be usable first."""
        segment(snapshot_id, missing="snapshot")
        params = {"snapshot_id": snapshot_id}
        answer = await self.service.get("/internal/restore-points", who.caller(), params)
        found = Listing[IndexedRestorePoint].model_validate(answer).items
        if not found:
            raise NotFound("snapshot_not_found", "There is no such restore point.")
        return found

    async def restore_points_from(self, who: Principal, source_id: str) -> Sequence[IndexedRestorePoint]:
        """All restore points of a source, in every store, newest first."""
        answer = await self.service.get("/internal/restore-points", who.caller(), {"source_id": source_id})
        return Listing[IndexedRestorePoint].model_validate(answer).items

    async def has_restore_points_from(self, who: Principal, source_id: str) -> bool:
        """Whether any store has a restore point of a source."""
        # Of a source that was backed up for years all of them are megabytes.
        params = {"source_id": source_id, "limit": "1"}
        answer = await self.service.get("/internal/restore-points", who.caller(), params)
        return bool(Listing[IndexedRestorePoint].model_validate(answer).items)

    async def latest_from(
        self, who: Principal, source_ids: Sequence[str], *, limit: int
    ) -> Sequence[IndexedRestorePoint]:
        """The newest restore points of some sources together, in all stores."""
        parts = [source_ids[start:][:MOST_SOURCES_ASKED] for start in range(0, len(source_ids), MOST_SOURCES_ASKED)]
        answers = await asyncio.gather(*(self._latest_from(who, part, limit) for part in parts))
        found = [point for answer in answers for point in answer]
        return sorted(found, key=lambda point: (point.time, point.snapshot_id), reverse=True)[:limit]

    async def _latest_from(
        self, who: Principal, source_ids: Sequence[str], limit: int
    ) -> Sequence[IndexedRestorePoint]:
        question = {"source_ids": list(source_ids), "limit": limit}
        answer = await self.service.post("/internal/restore-points/latest", who.caller(), question)
        return Listing[IndexedRestorePoint].model_validate(answer).items

    async def preview_prune(self, who: Principal, store_id: str, rule: PruneRule) -> PruneDecision:
        """What a rule would do to the restore points of a store. Raises `Invalid` (`rule_empty`)."""
        path = f"/internal/stores/{segment(store_id, missing='app')}/prune-preview"
        # Asked by POST, as a rule is too much for an address; nothing changes by it.
        answer = await self.service.post(path, who.caller(), rule.model_dump(mode="json"))
        return PruneDecision.model_validate(answer)

    async def reserved_deletion(self, who: Principal, store_id: str, job_id: str) -> Deletion:
        """What was claimed for a job that deletes, though it may not have begun. Raises `NotFound`."""
        path = f"/internal/stores/{segment(store_id, missing='app')}/deletions/{segment(job_id, missing='job')}"
        return Deletion.model_validate(await self.service.get(path, who.caller(), {"reserved": "true"}))

    async def retention_floor(self, who: Principal) -> RetentionFloor:
        """The floor of the organization."""
        return RetentionFloor.model_validate(await self.service.get("/internal/retention-floor", who.caller()))

    async def in_all_restore_points(self, who: Principal, question: str) -> bytes:
        """What the index answers about all restore points, as JSON; see `in_restore_point`."""
        # Not parsed: these are the largest answers; to decode and encode a page again can take most of its time (0037).
        return await self.service.get_raw(f"/internal/{question}", who.caller())

    def lines_in_restore_point(
        self, who: Principal, snapshot_id: str, question: str
    ) -> AbstractAsyncContextManager[Answer]:
        """What the index answers about a restore point, line by line; see `in_restore_point`."""
        path = f"/internal/restore-points/{segment(snapshot_id, missing='snapshot')}/{question}"
        return self.service.stream(path, who.caller())

    async def in_restore_point(self, who: Principal, snapshot_id: str, question: str) -> bytes:
        """What the index answers about a restore point, as JSON; `question`: the rest of an address, quoted already."""
        path = f"/internal/restore-points/{segment(snapshot_id, missing='snapshot')}/{question}"
        return await self.service.get_raw(path, who.caller())
