"""Client of the restore index: asks what it has."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeVar

from chassis.http.client import ServiceClient
from chassis.http.tokens import Caller
from chassis.persistence.mongo import Unavailable
from contracts.errors import NotFound
from contracts.messages.restore_index import Damage, DirectoryPage, Totals
from contracts.queries.base import Listing
from contracts.queries.restore_index import Deletion, IndexedRestorePoint
from contracts.values import OrganizationId, SnapshotId
from restic_reader import Totals as Below
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_exponential

from connector.domain.store_comparison import PointState

T = TypeVar("T")
# The index looks these up in 4 ms, during which its other clients wait.
IDS_PER_QUESTION = 1024
PATIENCE_SECONDS = 60.0
_ONE_WAIT_SECONDS = 2.0
_FIRST_PAUSE_SECONDS = 0.02
_LONGEST_PAUSE_SECONDS = 0.5
_LONGEST_RETRY_PAUSE_SECONDS = 5.0
_WORKER = "connector"


class DamagedPoint(NamedTuple):
    """A restore point that cannot be listed, and why."""

    snapshot_id: SnapshotId
    damage: Damage


class IndexClient:
    """The restore index, asked on behalf of an organization. Raises `Unavailable` when it stays silent."""

    def __init__(self, service: ServiceClient) -> None:
        self._service = service

    async def known(self, org: OrganizationId, store_id: str, tree_ids: list[str]) -> dict[str, Below]:
        """Which of these directories of a store are known whole, with their totals."""
        found: dict[str, Below] = {}
        for start in range(0, len(tree_ids), IDS_PER_QUESTION):
            question = {"store_id": store_id, "tree_ids": tree_ids[start : start + IDS_PER_QUESTION]}
            answer = await _patiently(partial(self._ask, "known", org, question))
            found |= {tree_id: _below(totals) for tree_id, totals in answer.items()}
        return found

    async def restore_points(self, org: OrganizationId, store_id: str) -> dict[str, PointState]:
        """The ids of the restore points that are known of a store, each with whether it can be browsed."""
        points = await _patiently(partial(self._points, org, store_id))
        return {point.snapshot_id: _state(point) for point in points}

    async def staying_points(self, org: OrganizationId, store_id: str) -> frozenset[SnapshotId]:
        """The ids of the restore points that are known of a store and that no job deletes or may have deleted."""
        points = await _patiently(partial(self._points, org, store_id))
        return frozenset(point.snapshot_id for point in points if not (point.being_deleted or point.maybe_deleted))

    async def held_points(self, org: OrganizationId, store_id: str) -> frozenset[SnapshotId]:
        """The ids of the restore points of a store that are under a legal hold."""
        points = await _patiently(partial(self._points, org, store_id))
        return frozenset(point.snapshot_id for point in points if point.legal_hold)

    async def sync_copies(self, org: OrganizationId, store_id: str) -> frozenset[SnapshotId]:
        """The ids of the restore points of a store of which the index knows that a sync copied them, and what of."""
        points = await _patiently(partial(self._points, org, store_id))
        return frozenset(point.snapshot_id for point in points if point.origin_store_id and point.origin_snapshot_id)

    async def damaged_points(self, org: OrganizationId, store_id: str) -> list[DamagedPoint]:
        """The restore points of a store that cannot be opened, newest first. Raises `Unavailable` at once."""
        points = await self._points(org, store_id)
        return [DamagedPoint(point.snapshot_id, point.damage) for point in points if point.damage]

    async def deletion(
        self, org: OrganizationId, store_id: str, job_id: str, *, reserved: bool = False
    ) -> Deletion | None:
        """What a job may delete of a store; None as long as that is not decided.

        `reserved`: also what was claimed for some time only.
        """
        question = {"reserved": "true"} if reserved else None

        async def ask() -> Deletion | None:
            try:
                found = await self._service.get(
                    f"/internal/stores/{store_id}/deletions/{job_id}", _caller(org), question
                )
            except NotFound:
                return None
            return Deletion.model_validate(found)

        return await _patiently(ask)

    async def await_deletion(
        self, org: OrganizationId, store_id: str, job_id: str, *, patience_seconds: float, reserved: bool = False
    ) -> Deletion | None:
        """Wait until it is decided what a job may delete of a store; None when that takes too long."""
        decided: list[Deletion] = []

        async def is_decided() -> bool:
            found = await self.deletion(org, store_id, job_id, reserved=reserved)
            decided.extend([found] if found else [])
            return found is not None

        return decided[0] if await _until(is_decided, patience_seconds) else None

    async def await_gone(
        self, org: OrganizationId, store_id: str, snapshot_ids: Collection[str], *, patience_seconds: float
    ) -> bool:
        """Wait until none of these restore points of a store is listed; False when that takes too long."""
        gone = frozenset(snapshot_ids)

        async def are_gone() -> bool:
            return gone.isdisjoint(await self.restore_points(org, store_id))

        return await _until(are_gone, patience_seconds)

    async def _points(self, org: OrganizationId, store_id: str) -> Sequence[IndexedRestorePoint]:
        answer = await self._service.get("/internal/restore-points", _caller(org), {"store_id": store_id})
        return Listing[IndexedRestorePoint].model_validate(answer).items

    async def arrived(self, org: OrganizationId, store_id: str, tree_id: str, *, pages: int, first: int = 0) -> int:
        """How many of a directory's pages need not be sent again, if those before `first` need not; all if it is known.

        Asks on until one is missing.
        """
        while True:
            question = {"store_id": store_id, "tree_id": tree_id, "pages": pages, "first": first}
            answer = await _patiently(partial(self._ask, "arrived", org, question))
            if answer in (first, pages):
                return int(answer)
            first = int(answer)

    async def await_arrival(
        self, org: OrganizationId, store_id: str, page: DirectoryPage, *, patience_seconds: float
    ) -> bool:
        """Wait until the index has taken in a page; False when that takes too long."""

        async def is_there() -> bool:
            question = {"store_id": store_id, "tree_id": page.tree_id, "pages": page.pages, "first": page.page}
            return bool(await _patiently(partial(self._ask, "arrived", org, question)) > page.page)

        return await _until(is_there, patience_seconds)

    async def await_browsable(
        self, org: OrganizationId, store_id: str, snapshot_id: str, *, patience_seconds: float
    ) -> bool:
        """Wait until a restore point can be browsed; False when that takes too long."""
        deadline = time.monotonic() + patience_seconds

        async def is_browsable() -> bool:
            left = max(0.0, deadline - time.monotonic())
            question = {"store_id": store_id, "wait_seconds": f"{min(left, _ONE_WAIT_SECONDS):.3f}"}
            return await self._is_browsable(org, snapshot_id, question)

        return await _until(is_browsable, patience_seconds)

    async def _is_browsable(self, org: OrganizationId, snapshot_id: str, question: Mapping[str, str]) -> bool:
        """Whether a restore point can be browsed, answered as soon as it can be or after `wait_seconds`."""
        # The index waits rather than this client: it knows at once, and a poll would come late on average.
        try:
            found = await self._service.get(f"/internal/restore-points/{snapshot_id}", _caller(org), question)
        except (NotFound, Unavailable):
            return False
        return IndexedRestorePoint.model_validate(found).browsable

    async def _ask(self, what: str, org: OrganizationId, question: Mapping[str, object]) -> Any:
        return (await self._service.post(f"/internal/directories/{what}", _caller(org), question))[what]


def _caller(org: OrganizationId) -> Caller:
    return Caller(organization_id=org, account_id=_WORKER)


def _state(point: IndexedRestorePoint) -> PointState:
    if point.browsable:
        return PointState.BROWSABLE
    return PointState.DAMAGED if point.damage else PointState.AWAITED


def _below(totals: object) -> Below:
    read = Totals.model_validate(totals)
    return Below(files=read.files, dirs=read.directories, bytes=read.bytes)


async def _until(is_so: Callable[[], Awaitable[bool]], patience_seconds: float) -> bool:
    # Not with tenacity: the end of patience is an answer here, and there it is an error to be caught.
    deadline, pause = time.monotonic() + patience_seconds, _FIRST_PAUSE_SECONDS
    while not await is_so():
        if time.monotonic() >= deadline:
            return False
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, _LONGEST_PAUSE_SECONDS)
    return True


async def _patiently(ask: Callable[[], Awaitable[T]]) -> T:
    # A restart of the index takes seconds, and giving up would cost the job an attempt.
    retrying = AsyncRetrying(
        retry=retry_if_exception_type(Unavailable),
        wait=wait_exponential(_FIRST_PAUSE_SECONDS, max=_LONGEST_RETRY_PAUSE_SECONDS),
        stop=stop_after_delay(PATIENCE_SECONDS),
        reraise=True,
    )
    return await retrying(ask)
