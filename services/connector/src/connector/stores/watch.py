"""Queues comparisons of stores with the restore index: on a schedule, after backups, and after losses."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from chassis.messaging.envelopes import envelope
from chassis.persistence.mongo import PyMongoError
from chassis.runtime.supervision import LoopSupervisor
from contracts.errors import CairnError
from contracts.messages.assignment import App, AppRef
from contracts.messages.connector.base import ConnectorCommand
from contracts.messages.connector.offers import Reach
from contracts.messages.connector.stores import RefreshStore
from contracts.values import OrganizationId, SnapshotId

from connector.domain.store_comparison import DAY_SECONDS, is_thorough_slot, refresh_work_id
from connector.domain.work import SYNC, SlotGroup
from connector.queue.intake import WakeUps, work_of
from connector.settings import Settings
from connector.store.ports import Store

log = logging.getLogger(__name__)
LOOK_SECONDS = 60.0
LOOKS_PER_SUSPICION = 4
# A store in which something may have changed is compared at most once in this time: many backups may end at once.
SUSPICION_SECONDS = 60.0
# Both bounds keep memory small when all stores fail at once; what is dropped is found by the schedule.
SUSPECTED_MAX = 1000
POINTS_SUSPECTED_MAX = 100


@dataclass
class _Suspicion:
    """A store in which something may have changed, or was lost."""

    org: OrganizationId
    ref: AppRef
    loss: bool = False
    points: set[SnapshotId] = field(default_factory=set)

    def to_command(self) -> RefreshStore:
        return RefreshStore(
            organization_id=self.org,
            app_id=self.ref.id,
            app=self.ref,
            look_for_loss=self.loss,
            suspects=tuple(sorted(self.points)),
        )


class Watch:
    """Queues comparisons of stores with the restore index. Any number of workers may do so: each is queued once."""

    def __init__(
        self,
        store: Store,
        wake_ups: WakeUps,
        settings: Settings,
        *,
        reach: Sequence[Reach] = (),
        suspicion_seconds: float = SUSPICION_SECONDS,
    ) -> None:
        self._store = store
        self._wake_ups = wake_ups
        self._every = settings.refresh_seconds
        self._pool = settings.pool
        self._reach = reach
        self._suspicion_seconds = suspicion_seconds
        self._suspected: dict[str, _Suspicion] = {}
        self._thorough: dict[str, float] = {}
        """When losses were looked for last in each store, or the store was first seen; a restart forgets it."""
        self._wake = asyncio.Event()

    def suspect(self, org: OrganizationId, store: App | AppRef) -> None:
        """Something may have changed in this store."""
        self._suspect(org, store)

    def suspect_loss(self, org: OrganizationId, store: App | AppRef, snapshot_id: SnapshotId | None = None) -> None:
        """This store has lost something; it was noticed in this restore point, or in none."""
        if (suspicion := self._suspect(org, store)) is not None:
            suspicion.loss = True
            if snapshot_id and len(suspicion.points) < POINTS_SUSPECTED_MAX:
                suspicion.points.add(snapshot_id)

    def _suspect(self, org: OrganizationId, store: App | AppRef) -> "_Suspicion | None":
        if store.id not in self._suspected and len(self._suspected) >= SUSPECTED_MAX:
            return None
        self._wake.set()
        suspicion = self._suspected.setdefault(store.id, _Suspicion(org, _reference(store)))
        suspicion.ref = _reference(store)
        return suspicion

    @asynccontextmanager
    async def running(self, background: LoopSupervisor) -> AsyncIterator[None]:
        """Queue in the background until the context is left."""
        async with background.running("store watch", self._run):
            yield

    async def look(self, now: float) -> int:
        """Queue what is due at a moment (seconds since the epoch); how much that was."""
        # A store that only another pool reaches is compared by the workers of that pool.
        every = [each for each in await self._store.stores.all() if self._is_reached(each[1])] if self._every else []
        under_way = await self._under_way()
        self._thorough = {app.id: self._thorough.get(app.id, now) for _, app in every}
        idle = [(org, app) for org, app in every if app.id not in under_way]
        queued = sum([await self._queue_scheduled(org, app, now) for org, app in idle])
        queued += await self._queue_suspected(under_way, now)
        if queued:
            self._wake_ups.wake(SlotGroup.LISTINGS)
        return queued

    async def _queue_suspected(self, under_way: Collection[str], now: float) -> int:
        queued = 0
        for suspicion in list(self._suspected.values()):
            wanted = suspicion.to_command()
            # A suspicion that cannot be queued now stays for a later look.
            if wanted.app_id not in under_way and await self._queue(wanted, now, every_seconds=self._suspicion_seconds):
                queued += 1
                if suspicion.to_command() == wanted:  # Else something more was noticed meanwhile.
                    del self._suspected[wanted.app_id]
        return queued

    def _is_reached(self, app: App) -> bool:
        values = {name: field.value for name, field in app.fields.items()}
        return all(limit.admits(app.protocol, values.get(limit.field)) for limit in self._reach)

    async def _queue_scheduled(self, org: OrganizationId, app: App, now: float) -> bool:
        """Queue the comparison of the current slot; whether it was not queued before."""
        # Thorough in its slot, and also where that slot was missed, for example because the store was busy then.
        in_thorough_slot = is_thorough_slot(app.id, now, every_seconds=self._every)
        thorough = in_thorough_slot or now - self._thorough[app.id] >= DAY_SECONDS
        wanted = RefreshStore(organization_id=org, app_id=app.id, app=_reference(app), look_for_loss=thorough)
        is_new = await self._queue(wanted, now, every_seconds=self._every)
        # In the thorough slot another worker may have queued it: that look for losses counts all the same.
        if in_thorough_slot or (is_new and thorough):
            self._thorough[app.id] = now
        return is_new

    async def _under_way(self) -> set[str]:
        waiting = await self._store.work.waiting(pool=self._pool, group=SlotGroup.LISTINGS)
        return {work.cause.data.app_id for work in waiting if isinstance(work.cause.data, ConnectorCommand)}

    async def _queue(self, wanted: RefreshStore, now: float, *, every_seconds: float) -> bool:
        """Whether it was not queued before in this slot."""
        cause = envelope(wanted, service="connector")
        work_id = refresh_work_id(wanted.app_id, now, every_seconds=every_seconds)
        work = work_of(cause, kind=SYNC, work_id=work_id, pool=self._pool)
        return await self._store.work.add(work, group=SlotGroup.LISTINGS)

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            try:
                await self.look(time.time())
            except (CairnError, PyMongoError) as error:
                log.warning("stores not watched", extra={"reason": type(error).__name__})
            with suppress(TimeoutError):
                async with asyncio.timeout(self._pause_seconds()):
                    await self._wake.wait()

    def _pause_seconds(self) -> float:
        pause = min(LOOK_SECONDS, self._every or LOOK_SECONDS)
        return min(pause, self._suspicion_seconds / LOOKS_PER_SUSPICION) if self._suspected else pause


def _reference(store: App | AppRef) -> AppRef:
    return AppRef(id=store.id, revision=store.revision, kind=store.kind, name=store.name)
