"""What workers keep: the apps they may have to reach, the work they were asked for, and the attempts at it."""

from dataclasses import dataclass
from datetime import date
from typing import Protocol

from chassis.persistence.aggregates import Aggregates
from contracts.messages.assignment import App
from contracts.messages.connector.base import EVERYBODY
from contracts.messages.connector.stores import Compression
from contracts.values import OrganizationId, Value

from connector.domain.attempts import Attempt
from connector.domain.places_in_line import PlaceInLine
from connector.domain.read_shares import ReadShare
from connector.domain.work import SlotGroup, Work
from connector.domain.work_order import Queued

OPEN_LIMIT = 500
QUEUED_LIMIT = 20_000
SWEEP_LIMIT = 500


class KnownApp(Value):
    """An app as of its last event; removed when `app` is None. Secrets are sealed as they came."""

    revision: int
    app: App | None = None


class StoreApps(Protocol):
    """The apps of all organizations that are stores."""

    async def all(self) -> list[tuple[OrganizationId, App]]:
        """All of them, in no certain order."""
        ...


class Repositories(Protocol):
    """Which repository each store has."""

    async def of(self, org: OrganizationId, store_id: str) -> str | None:
        """The id of the repository that was noted last."""
        ...

    async def compression_of(self, org: OrganizationId, store_id: str) -> Compression:
        """How backups into a store compress; `auto` unless noted otherwise."""
        ...

    async def seal_of(self, org: OrganizationId, store_id: str) -> str | None:
        """The seal (see `repository.seal_of`) of the repository that was noted last; None where it is not known."""
        ...

    async def note(
        self,
        org: OrganizationId,
        store_id: str,
        repository_id: str,
        *,
        seal: str | None = None,
        compression: Compression | None = None,
    ) -> None:
        """This is a store's repository from now on, by this seal, and so backups into it compress; None: as before.

        Harmless when done twice.
        """
        ...


class WorkQueue(Protocol):
    """Work that was requested, and requests to stop it."""

    async def add(self, work: Work, *, group: SlotGroup) -> bool:
        """Keep new work, open, until slots of a group take it.

        False, and nothing changed, when work with this id is there already.
        """
        ...

    async def get(self, org: OrganizationId, work_id: str) -> Work | None:
        """Work by its id, open or not."""
        ...

    async def waiting(self, *, pool: str, group: SlotGroup) -> list[Work]:
        """Open work of all organizations for the workers of a pool, oldest first, at most `OPEN_LIMIT`."""
        ...

    async def queued(self, *, pool: str, group: SlotGroup) -> list[Queued]:
        """The same by what decides when it begins, at most `QUEUED_LIMIT`: nobody's work is hidden behind others'."""
        ...

    async def close(self, org: OrganizationId, work_id: str) -> None:
        """Note that work is done. Harmless when done twice."""
        ...

    async def closed_on(self, day: date) -> list[tuple[OrganizationId, str]]:
        """Work of all organizations that was closed on a day (UTC), at most `SWEEP_LIMIT`."""
        ...

    async def forget(self, org: OrganizationId, work_id: str) -> None:
        """Remove closed work with its attempts and the request to stop it. Harmless when done twice."""
        ...

    async def forget_attempt(self, org: OrganizationId, work_id: str, number: int) -> None:
        """Remove one attempt, which a later one has followed. Harmless when done twice."""
        ...

    async def cancel(self, org: OrganizationId, work_id: str) -> None:
        """Note that work should be stopped, whether it is there or not. Harmless when done twice."""
        ...

    async def is_cancelled(self, org: OrganizationId, work_id: str) -> bool:
        """Whether work should be stopped."""
        ...


@dataclass(frozen=True)
class Store:
    """Everything a worker keeps."""

    apps: Aggregates[KnownApp]
    attempts: Aggregates[Attempt]
    work: WorkQueue
    stores: StoreApps
    repositories: Repositories
    lines: Aggregates[PlaceInLine]
    read_shares: Aggregates[ReadShare]
    """By the id of a store."""

    async def attempts_at(self, org: OrganizationId, work_id: str) -> list[Attempt]:
        """All attempts at a piece of work, by number."""
        found = await self.attempts.find(org, {"work": work_id})
        return sorted(found.items, key=lambda a: a.number)

    async def line_at(self, place: str) -> list[PlaceInLine]:
        """All places in the line at a store that are remembered, by number."""
        found = await self.lines.find(EVERYBODY, {"place": place})
        return sorted(found.items, key=lambda each: each.number)
