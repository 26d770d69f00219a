"""Restore points; those asked for a moment ago come from memory."""

import time
from collections.abc import Callable, Sequence

from cachetools import TTLCache
from chassis.persistence.aggregates import Aggregate, Aggregates, Keys, Page, Result, Search
from contracts.envelope import Envelope
from contracts.messages.base import Event, Message
from contracts.values import OrganizationId, SnapshotId

from restore_index.domain.restore_points import Point

REMEMBERED_SECONDS = 1.0
_REMEMBERED_MOST = 1000
_Key = tuple[OrganizationId, str]


class RestorePoints:
    """`Aggregates` of restore points. A person who browses asks for the same one again and again: once it can be
    browsed, what was found by its id is remembered for a moment. What this process saves is forgotten at once.
    """

    def __init__(self, records: Aggregates[Point], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._records = records
        self._recent: TTLCache[_Key, list[Point]] = TTLCache(_REMEMBERED_MOST, ttl=REMEMBERED_SECONDS, timer=clock)
        self._saves = 0

    async def named(self, org: OrganizationId, snapshot_id: SnapshotId) -> list[Point]:
        """The restore points with an id. One that another process removed may be among them for a moment."""
        key = (org, snapshot_id)
        known = self._recent.get(key)
        if known is not None:
            return known
        saves = self._saves
        found = (await self._records.find(org, {"snapshot_id": snapshot_id})).items
        # Read before a save that happened meanwhile, it may be out of date: then it is not remembered.
        if any(point.browsable for point in found) and saves == self._saves:
            self._recent[key] = found
        return found

    async def load(
        self, org: OrganizationId, record_id: str, *, cause: Envelope[Message] | None = None
    ) -> Aggregate[Point]:
        """See `Aggregates`."""
        return await self._records.load(org, record_id, cause=cause)

    async def get(self, org: OrganizationId, record_id: str) -> Point | None:
        """See `Aggregates`."""
        return await self._records.get(org, record_id)

    async def save(
        self,
        record: Aggregate[Point],
        value: Point | None,
        *,
        events: Sequence[Event] = (),
        cause: Envelope[Message] | None = None,
        result: Result | None = None,
        partial: bool = False,
    ) -> Aggregate[Point]:
        """See `Aggregates`."""
        try:
            return await self._records.save(record, value, events=events, cause=cause, result=result, partial=partial)
        finally:
            self._saves += 1
            self._recent.pop((record.organization_id, record.id.rpartition("/")[2]), None)

    async def find(
        self,
        org: OrganizationId,
        where: Keys | None = None,
        *,
        search: Search | None = None,
        limit: int = 0,
        offset: int = 0,
        newest_first: bool = False,
    ) -> Page[Point]:
        """See `Aggregates`."""
        return await self._records.find(
            org, where, search=search, limit=limit, offset=offset, newest_first=newest_first
        )

    async def drop(self, record: Aggregate[Point]) -> None:
        """See `Aggregates`."""
        await self._records.drop(record)
