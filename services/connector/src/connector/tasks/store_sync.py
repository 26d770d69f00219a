"""Syncs the restore index with a store: announces and lists what it lacks, announces what is gone."""

import asyncio
import logging
import time
from collections.abc import Collection, Sequence

from chassis.http.problems import to_error, unexpected
from chassis.ids import utc_now
from chassis.messaging.envelopes import envelope
from chassis.persistence.mongo import PyMongoError
from contracts.errors import PermanentError, TemporaryError
from contracts.messages.assignment import App
from contracts.messages.connector.base import ConnectorCommand, ConnectorEvent
from contracts.messages.connector.stores import InitializeStore, RefreshStore, StoreRefreshed
from contracts.messages.restore_index import NOT_INDEXABLE, RestorePoint, RestorePointDamaged
from contracts.values import OrganizationId
from restic_reader import Totals
from restic_reader.errors import AccessDenied, ReaderError, SnapshotNotFound

from connector.context.apps import await_app
from connector.context.worker_context import WorkerContext
from connector.domain.attempts import is_worth_another_try
from connector.domain.store_comparison import Difference, PointState
from connector.domain.work import SYNC
from connector.failures import FAILURES, is_temporary, reader_errors_mapped
from connector.jobs.definition import CommandDefinition
from connector.queue.lease import Lease, LeaseLost
from connector.store_state.orphan_snapshots import remove_left_by_canceled
from connector.store_state.sync_candidates import readable_points, without_orphans
from connector.stores.directory_sender import Rebuilt
from connector.stores.open_stores import OpenStore
from connector.stores.restore_points import created, damaged, removed
from connector.tasks.refresh import comparing

log = logging.getLogger(__name__)
_LONGEST_PAUSE_SECONDS = 5.0
# Directories that are remembered as readable, so that those which restore points share are read once. Bounded, since
# a store may hold millions.
SOUND_MAX = 200_000


async def sync_store(context: WorkerContext, lease: Lease, command: ConnectorCommand) -> None:
    """Announce to the index how a store differs from what it has, oldest restore point first. May run twice.

    The index learns what is wrong with a damaged restore point, which is tried again the next time. Orphan snapshots
    of jobs, and what a running job has not announced yet, are skipped; what canceled jobs left is removed. What the
    index cannot open although it was listed is listed once more, in full. Raises `LeaseLost`, `TemporaryError` when it
    is worth another try, or what opening the store raises.
    """
    org, patience = command.organization_id, context.settings.app_patience_seconds
    app = await await_app(context.store, org, command.app, patience_seconds=patience)
    try:
        with reader_errors_mapped():
            refreshed = await _StoreSync(context, lease, org, app).run(
                rebuild=_is_rebuild(command), force=_is_forced(command)
            )
    except TemporaryError as error:
        if is_worth_another_try(error, lease.number):
            raise
        # Given up until the next comparison in `CAIRN_REFRESH_SECONDS`: a store may stay away for weeks.
        raise PermanentError(error.code, error.detail) from None
    log.info("index follows store", extra=refreshed.model_dump(exclude={"organization_id"}))
    await lease.settle([refreshed])


def _is_rebuild(command: ConnectorCommand) -> bool:
    return isinstance(command, RefreshStore) and command.rebuild


def _is_forced(command: ConnectorCommand) -> bool:
    return isinstance(command, RefreshStore | InitializeStore) and command.force


class _StoreSync:
    """One comparison and what follows from it."""

    def __init__(self, context: WorkerContext, lease: Lease, org: OrganizationId, app: App) -> None:
        self._context = context
        self._lease = lease
        self._org = org
        self._app = app
        # Before the look into the store: what is deleted meanwhile does not come back by what is told of it late.
        self._seen_at = utc_now()
        self._browsable: frozenset[str] = frozenset()
        self._damaged: set[str] = set()
        self._sound: dict[str, Totals] = {}

    async def _read_suspects(self, store: OpenStore, points: Sequence[RestorePoint], found: Difference) -> None:
        # A damaged one is read before it is listed again: else the index would get a part of it each time.
        for point in points:
            if point.snapshot_id in found.damaged:
                await self._read_through(store, point)
        await self._look_for_loss(store, found)

    async def _list_in_full(self, store: OpenStore, points: Sequence[RestorePoint]) -> set[str]:
        """List restore points once more; the ids of those that cannot be browsed all the same."""
        # The index may keep a damaged directory of these; sent in full, such directories are written anew.
        await self._list(store, points, again=Rebuilt())
        left = await self._await_browsable({point.snapshot_id for point in points})
        for point in points:
            if point.snapshot_id in left:
                await self._report_damage(_not_indexable(), point.snapshot_id, point)
        return left

    async def run(self, *, rebuild: bool, force: bool) -> StoreRefreshed:
        async with comparing(self._context, self._org, self._app, force=force) as (store, found):
            self._browsable = found.known
            for snapshot_id in sorted(found.removed):
                await self._publish(removed(snapshot_id, self._org, store_id=self._app.id))
            wanted = found.to_list(rebuild=rebuild)
            readable = await self._readable(store, wanted)
            points = await without_orphans(self._context.store, self._org, readable, there=found.there)
            if not rebuild:
                await self._read_suspects(store, points, found)
            listed = await self._list(store, points, again=Rebuilt() if rebuild else None)
            left = await self._await_browsable({point.snapshot_id for point in listed})
            if left and not rebuild:
                left = await self._list_in_full(store, [p for p in listed if p.snapshot_id in left])
        unknown = found.added - {point.snapshot_id for point in points}
        await self._remove_orphans([point for point in readable if point.snapshot_id in unknown])
        return StoreRefreshed(
            organization_id=self._org,
            app_id=self._app.id,
            rebuild=rebuild,
            added=len(found.added & {point.snapshot_id for point in points}),
            removed=len(found.removed),
            listed=len(listed),
            unlisted=len(wanted) - len(readable) + len(points) - len(listed) + len(left),
            damaged=len(self._damaged),
        )

    async def _remove_orphans(self, left_out: Sequence[RestorePoint]) -> None:
        """Remove what canceled jobs left. Only what the index does not know: nobody can have put that under hold."""
        if left_out:
            self._lease.check()
            await remove_left_by_canceled(self._context, self._org, self._app, left_out)

    async def _publish(self, event: ConnectorEvent | RestorePointDamaged) -> None:
        self._lease.check()
        await self._context.publisher.send(envelope(event, service="connector", cause=self._lease.work.cause))

    async def _list(
        self, store: OpenStore, points: Sequence[RestorePoint], *, again: Rebuilt | None
    ) -> list[RestorePoint]:
        """Announce and list restore points that are still there; returns those that could be listed."""
        listed = []
        for point in points:
            # Those before it may have taken hours.
            if not await self._readable(store, [point.snapshot_id]):
                continue
            await self._publish(created(point, self._org, seen_at=self._seen_at))
            if point.snapshot_id in self._damaged:
                continue
            try:
                await self._context.lister.list_restore_point(
                    self._lease,
                    store.repository,
                    point,
                    seen_at=self._seen_at,
                    on_listed=lambda _: None,
                    again=again,
                )
            except (PyMongoError, LeaseLost):
                raise
            except Exception as error:  # whatever it is, the other restore points can be listed
                if is_temporary(error):
                    raise
                await self._report_damage(error, point.snapshot_id, point)
            else:
                listed.append(point)
        return listed

    async def _report_damage(self, error: Exception, snapshot_id: str, point: RestorePoint | None = None) -> None:
        """Publish why a restore point is not listed: otherwise the index would wait for it forever."""
        if isinstance(error, SnapshotNotFound):  # Removed meanwhile, which the next comparison finds.
            log.info("restore point is gone", extra={"snapshot": snapshot_id})
            return
        # One that can be browsed stays so unless the store is at fault: a failure of ours must not take it from users.
        if snapshot_id in self._browsable and not isinstance(error, ReaderError):
            log.error("restore point not looked through", extra={"snapshot": snapshot_id}, exc_info=error)
            return
        if not isinstance(error, FAILURES):
            log.error("restore point not listed unexpectedly", extra={"snapshot": snapshot_id}, exc_info=error)
            error = to_error(unexpected())
        log.warning("restore point not listed", extra={"snapshot": snapshot_id, "reason": error.detail})
        self._damaged.add(snapshot_id)
        store_id, seen_at = self._app.id, self._seen_at
        await self._publish(damaged(error, snapshot_id, self._org, store_id=store_id, point=point, seen_at=seen_at))

    async def _look_for_loss(self, store: OpenStore, found: Difference) -> None:
        """Read restore points that the index can open and of which the store may have lost something."""
        command, losses = self._lease.work.cause.data, self._context.losses
        if not isinstance(command, RefreshStore):
            return
        doubtful = await self._doubtful_packs(store) if command.look_for_loss else None
        # Each is read once for the same packs: those that a lost pack affects are marked as damaged by then.
        unread = losses.not_read_since(self._app.id, doubtful, found.known) if doubtful else frozenset()
        read = await self._read_all(store, unread | (found.known & frozenset(command.suspects)))
        if doubtful:
            losses.note(self._app.id, doubtful, (found.known - unread) | read)
        elif doubtful is not None:
            losses.forget(self._app.id)

    async def _doubtful_packs(self, store: OpenStore) -> frozenset[bytes] | None:
        """Packs that may be lost; None where the store does not allow its packs to be listed."""
        try:
            return await self._context.stores.in_thread(store.repository.doubtful_packs, of=self._app.id)
        except AccessDenied as error:
            log.warning("packs not listed", extra={"app": self._app.id, "reason": error.detail})
            return None

    async def _read_all(self, store: OpenStore, wanted: Collection[str]) -> frozenset[str]:
        """Read some restore points; returns those that could be read or were reported as damaged."""
        points = await self._readable(store, wanted)
        read = [point.snapshot_id for point in points if await self._read_through(store, point)]
        return frozenset(read) | (self._damaged & frozenset(wanted))

    async def _read_through(self, store: OpenStore, point: RestorePoint) -> bool:
        """Whether all directories of a restore point can still be read."""

        def read() -> None:
            # Not skipping what the index has: it may have directories that the store has lost since.
            for directory in store.repository.walk_new(point.tree_id, self._sound_among):
                self._lease.check()
                if len(self._sound) < SOUND_MAX:
                    self._sound[directory.tree_id] = directory.totals

        try:
            await self._context.stores.in_thread(read, of=self._app.id)
        except (PyMongoError, LeaseLost):
            raise
        except Exception as error:  # whatever it is, the others can be read
            if is_temporary(error):
                raise
            await self._report_damage(error, point.snapshot_id, point)
            return False
        return True

    def _sound_among(self, tree_ids: list[str]) -> dict[str, Totals]:
        return {tree_id: self._sound[tree_id] for tree_id in tree_ids if tree_id in self._sound}

    async def _await_browsable(self, wanted: set[str]) -> set[str]:
        """Those of some restore points that cannot be browsed; waits for as long as more and more of them can be."""
        # A loop of our own, without tenacity: patience begins anew with each restore point that gets there.
        patience, pause = self._context.settings.browsable_patience_seconds, 0.1
        left, deadline, index = wanted, time.monotonic() + patience, self._context.index
        while left:
            is_one_more = await index.await_browsable(self._org, self._app.id, min(left), patience_seconds=pause)
            indexed = await index.restore_points(self._org, self._app.id)
            now_left = {each for each in left if indexed.get(each) is not PointState.BROWSABLE}
            if len(now_left) < len(left):
                left, deadline = now_left, time.monotonic() + patience
            elif time.monotonic() >= deadline:
                break
            else:
                await asyncio.sleep(pause if is_one_more else 0)
                pause = min(pause * 1.5, _LONGEST_PAUSE_SECONDS)
        return left

    async def _readable(self, store: OpenStore, wanted: Collection[str]) -> list[RestorePoint]:
        found, failures = await readable_points(
            self._context.stores, store, wanted, org=self._org, store_id=self._app.id
        )
        for snapshot_id, error in failures:
            await self._report_damage(error, snapshot_id)
        return found


def _not_indexable() -> PermanentError:
    return PermanentError(
        NOT_INDEXABLE,
        "The files of this restore point could not be made browsable, though all of them were listed twice. It is tried"
        " again with every refresh of the store; it can be restored and downloaded from meanwhile.",
    )


COMMAND = CommandDefinition(kind=SYNC, run=sync_store, waits_for_servers=True)
