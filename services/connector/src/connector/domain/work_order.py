"""In which order work that waits is looked at."""

import heapq
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from contracts.messages.scheduler import USUAL_PRIORITY
from contracts.values import Moment, OrganizationId, Value

POINT_SECONDS = 30.0
"""Waiting so long counts as much as one point of priority, so that nothing waits for ever."""


class Queued(Value):
    """Work that waits, by what decides when it begins."""

    id: str
    organization_id: OrganizationId
    at: Moment
    priority: int = USUAL_PRIORITY
    stores: tuple[str, ...] = ()
    """Ids of the stores that the work reaches."""


def in_order(
    queued: Sequence[Queued],
    *,
    running: Counter[OrganizationId],
    begun: Mapping[OrganizationId, datetime],
    now: datetime,
) -> Iterator[Queued]:
    """Work in the order in which it begins. `begun`: when something of an organization was begun last.

    Within an organization: by priority, which grows while the work waits, then the oldest. Between organizations: by
    the priority of what they would begin, which grows while nothing of theirs is begun; then the one with the least
    that runs; then the one that began something the longest ago.
    """
    lines: dict[OrganizationId, list[Queued]] = {}
    for each in queued:
        lines.setdefault(each.organization_id, []).append(each)
    for line in lines.values():
        line.sort(key=lambda each: (-_rank(each, each.at, now), each.at, each.id), reverse=True)

    def entry(org: OrganizationId) -> tuple[object, ...]:
        first, last = lines[org][-1], begun.get(org)
        # An organization with much work would else be served before others for ever: its work waits the longest.
        rank = _rank(first, max(first.at, last) if last else first.at, now)
        return (-rank, running[org], last.timestamp() if last else 0.0, first.at, first.id, org)

    heads = [entry(org) for org in lines]
    heapq.heapify(heads)
    while heads:
        org = OrganizationId(str(heapq.heappop(heads)[-1]))
        yield lines[org].pop()
        if lines[org]:
            heapq.heappush(heads, entry(org))


def _rank(work: Queued, since: datetime, now: datetime) -> int:
    return work.priority + int(max((now - since).total_seconds(), 0) // POINT_SECONDS)
