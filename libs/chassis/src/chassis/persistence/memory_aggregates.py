"""Aggregates in memory, for unit tests of use cases."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Generic

from contracts.envelope import Envelope
from contracts.messages.base import Message
from contracts.values import OrganizationId
from pydantic import BaseModel

from chassis.errors import LostRace
from chassis.persistence.aggregates import (
    Aggregate,
    Announce,
    Change,
    Kept,
    Keys,
    Page,
    Result,
    Rewrite,
    Search,
    V,
    id_taken,
)
from chassis.persistence.revisions import next_revision, raise_if_handled


@dataclass
class MemoryAggregates(Generic[V]):
    """`Aggregates` in memory, for unit tests of use cases. Announces by appending to `published`."""

    model: type[V]
    keys: Callable[[V], Keys] = field(default=lambda _: {})
    service: str = "memory"
    published: list[Envelope[Message]] = field(default_factory=list)
    _kept: dict[str, Aggregate[V]] = field(default_factory=dict, init=False)

    async def load(
        self, org: OrganizationId, aggregate_id: str, *, cause: Envelope[Message] | None = None
    ) -> Aggregate[V]:
        """See `Aggregates`."""
        found = self._kept.get(aggregate_id)
        aggregate = found if found and found.organization_id == org else Aggregate[V](aggregate_id, org)
        raise_if_handled(aggregate, cause)
        return aggregate

    async def get(self, org: OrganizationId, aggregate_id: str) -> V | None:
        """See `Aggregates`."""
        return (await self.load(org, aggregate_id)).value

    async def save(
        self,
        aggregate: Aggregate[V],
        value: V | None,
        *,
        events: Sequence[Message] = (),
        cause: Envelope[Message] | None = None,
        result: Result | None = None,
        partial: bool = False,
    ) -> Aggregate[V]:
        """See `Aggregates`."""
        saved, announce = await self.write(aggregate, Change(value, events, cause, result, partial))
        await announce()
        return saved

    async def write(self, aggregate: Aggregate[V], change: Change[V]) -> tuple[Aggregate[V], Announce]:
        """See `Aggregates`."""
        # The same checks in the same order as MongoDB makes them by its keys and the revision in its filter.
        kept = self._kept.get(aggregate.id)
        if kept and kept.organization_id != aggregate.organization_id:
            raise id_taken()
        if (kept.revision if kept else 0) != aggregate.revision:
            raise LostRace(aggregate.id)
        revision = next_revision(aggregate, change, service=self.service)
        saved = Aggregate(
            aggregate.id, aggregate.organization_id, revision.number, change.value, seen=tuple(revision.seen)
        )
        self._kept[aggregate.id] = saved

        async def announce() -> bool:
            self.published.extend(revision.messages)
            return True

        return saved, announce

    async def find(
        self,
        org: OrganizationId,
        where: Keys | None = None,
        *,
        search: Search | None = None,
        limit: int = 0,
        offset: int = 0,
        newest_first: bool = False,
    ) -> Page[V]:
        """See `Aggregates`."""
        aggregates = sorted(self._kept.values(), key=lambda r: r.id, reverse=newest_first)
        values = [r.value for r in aggregates if r.organization_id == org and r.value is not None]
        chosen = [v for v in values if (where or {}).items() <= dict(self.keys(v)).items() and _matches(v, search)]
        return Page[V](total=len(chosen), items=chosen[offset : offset + limit if limit else None])

    async def scan(
        self, org: OrganizationId, where: Keys | None = None, *, batch: int = 500
    ) -> AsyncIterator[list[Kept[V]]]:
        """See `Aggregates`."""
        chosen = {id(value) for value in (await self.find(org, where)).items}
        aggregates = sorted(self._kept.values(), key=lambda r: r.id)
        found = [Kept(r.id, r.revision, r.value) for r in aggregates if r.value is not None and id(r.value) in chosen]
        for first in range(0, len(found), batch):
            yield found[first : first + batch]

    async def scan_all(self, *, batch: int = 500) -> AsyncIterator[list[tuple[OrganizationId, V]]]:
        """See `Aggregates`."""
        aggregates = sorted(self._kept.values(), key=lambda r: r.id)
        found = [(r.organization_id, r.value) for r in aggregates if r.value is not None]
        for first in range(0, len(found), batch):
            yield found[first : first + batch]

    async def save_many(self, org: OrganizationId, rewrites: Sequence[Rewrite[V]]) -> None:
        """See `Aggregates`."""
        for each in rewrites:
            kept = self._kept.get(each.id, Aggregate[V](each.id, org))
            if kept.organization_id != org:
                raise id_taken()
            if kept.revision < each.revision:
                raise LostRace(each.id)
            if kept.revision == each.revision:
                self._kept[each.id] = replace(kept, revision=each.revision + 1, value=each.after)

    async def drop(self, aggregate: Aggregate[V]) -> None:
        """See `Aggregates`."""
        kept = self._kept.get(aggregate.id)
        if kept is not None and kept.revision == aggregate.revision:
            del self._kept[aggregate.id]


def _matches(value: BaseModel, search: Search | None) -> bool:
    if search is None or not search.text:
        return True
    return any(search.text.lower() in str(getattr(value, f)).lower() for f in search.fields)
