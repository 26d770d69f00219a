"""Reads of the restore index."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from chassis.http.client import ServiceClient
from chassis.http.problems import to_error
from chassis.http.transport import Answer
from contracts.errors import CairnError, NotFound
from contracts.messages.restore_index import refusal_of
from contracts.queries.base import Listing
from contracts.queries.restore_index import IndexedRestorePoint

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
