"""Reads of the restore index."""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Literal

from chassis.http.client import ServiceClient
from chassis.http.problems import to_error
from chassis.http.transport import Answer
from contracts.errors import CairnError, NotFound
from contracts.messages.restore_index import Damage, RestorePoint, Totals, refusal_of

from gateway.access.principal import Principal
from gateway.clients.base import page_of, segment


class KnownRestorePoint(RestorePoint):
    """A restore point and whether it can be opened."""

    browsable: bool = False
    damage: Damage | None = None
    totals: Totals | None = None

    @property
    def state(self) -> Literal["browsable", "indexing", "damaged", "unreadable"]:
        """What can be done with it: `unreadable` is what the store has and does not give out."""
        if self.browsable:
            return "browsable"
        if self.damage is None:
            return "indexing"
        return "damaged" if self.damage.is_loss else "unreadable"

    @property
    def refusal(self) -> CairnError:
        """Why what is in it cannot be told."""
        return to_error(refusal_of(self.damage))


@dataclass(frozen=True)
class RestoreIndexClient:
    """Restore points and what is in them. Unknown and foreign ids raise `NotFound`, silence `Unavailable`."""

    service: ServiceClient

    async def restore_points(self, who: Principal, store_id: str) -> list[KnownRestorePoint]:
        """All restore points of a store, newest first."""
        answer = await self.service.get("/internal/restore-points", who.caller(), {"store_id": store_id})
        return list(page_of(KnownRestorePoint, answer).items)

    async def same_restore_points(self, who: Principal, snapshot_id: str) -> list[KnownRestorePoint]:
        """One restore point, in each store that shares its repository; the likeliest to be usable first."""
        segment(snapshot_id, missing="snapshot")
        params = {"snapshot_id": snapshot_id}
        answer = await self.service.get("/internal/restore-points", who.caller(), params)
        found = page_of(KnownRestorePoint, answer).items
        if not found:
            raise NotFound("snapshot_not_found", "There is no such restore point.")
        return list(found)

    async def in_all_restore_points(self, who: Principal, question: str) -> bytes:
        """What the index tells of all restore points, as JSON; see `in_restore_point`."""
        return await self.service.get_raw(f"/internal/{question}", who.caller())

    def lines_in_restore_point(
        self, who: Principal, snapshot_id: str, question: str
    ) -> AbstractAsyncContextManager[Answer]:
        """What the index tells of a restore point line by line; see `in_restore_point`."""
        path = f"/internal/restore-points/{segment(snapshot_id, missing='snapshot')}/{question}"
        return self.service.stream(path, who.caller())

    async def in_restore_point(self, who: Principal, snapshot_id: str, question: str) -> bytes:
        """What the index tells of a restore point, as JSON; `question` is the rest of an address, quoted already."""
        path = f"/internal/restore-points/{segment(snapshot_id, missing='snapshot')}/{question}"
        return await self.service.get_raw(path, who.caller())
