"""Taking in the restore points that a store already had."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Sequence
from functools import partial

from chassis.envelopes import envelope
from chassis.errors import CairnError, TemporaryError
from contracts.connector import ConnectorCommand
from contracts.restore_index import RestorePoint
from contracts.values import AppId, OrganizationId

from connector.domain import announced_ids
from connector.usecases.apps import await_app
from connector.usecases.equipment import Equipment
from connector.usecases.lease import Lease
from connector.usecases.restore_points import created, restore_point_of
from connector.usecases.stores import OpenStore, OpenStores

log = logging.getLogger(__name__)


async def adopt_restore_points(equipment: Equipment, lease: Lease, command: ConnectorCommand) -> None:
    """Announce and list every snapshot of a store, oldest first. Doing it twice changes nothing.

    A damaged one is passed over, and so is one that a job left beside the one it announced. Raises `LeaseLost`,
    `TemporaryError`, or what opening the store raises.
    """
    org, patience = command.organization_id, equipment.settings.app_patience_seconds
    app = await await_app(equipment.store, org, command.app, patience_seconds=patience)
    taken = 0
    async with equipment.stores.borrow(org, app) as store:
        points = await _readable(equipment.stores, store, org=org, store_id=app.id)
        for point in await _without_strays(equipment, org, points):
            taken += await _take_in(equipment, lease, store, point)
    log.info("restore points adopted", extra={"store": app.id, "count": taken})
    await lease.settle()


async def _readable(
    stores: OpenStores, store: OpenStore, *, org: OrganizationId, store_id: AppId
) -> list[RestorePoint]:
    """The restore points whose snapshots can be read, oldest first."""

    def read(snapshot_id: str) -> tuple[int, RestorePoint] | None:
        try:
            snapshot = store.repository.snapshot(snapshot_id)
            return snapshot.time_ns, restore_point_of(snapshot, org=org, store_id=store_id)
        except TemporaryError:
            raise
        except CairnError as error:
            log.warning("snapshot not adopted", extra={"snapshot": snapshot_id, "reason": error.detail})
            return None

    ids = await stores.in_thread(store.repository.snapshot_ids)
    found = await asyncio.gather(*(stores.in_thread(partial(read, each)) for each in ids))
    return [point for _, point in sorted(filter(None, found), key=lambda each: (each[0], each[1].snapshot_id))]


async def _without_strays(
    equipment: Equipment, org: OrganizationId, points: Sequence[RestorePoint]
) -> list[RestorePoint]:
    """All but those whose job announced another one of this store."""
    by_job: dict[str, set[str]] = defaultdict(set)
    for point in points:
        if point.job_id is not None:
            by_job[point.job_id].add(point.snapshot_id)
    strays: set[str] = set()
    for job_id, found in by_job.items():
        if len(found) > 1:
            announced = announced_ids(await equipment.store.attempts_at(org, job_id)) & found
            strays |= found - announced if announced else set()
    return [point for point in points if point.snapshot_id not in strays]


async def _take_in(equipment: Equipment, lease: Lease, store: OpenStore, point: RestorePoint) -> bool:
    """Whether it could be listed; what is damaged in it is only told in this process's log."""
    org = lease.work.organization_id
    lease.check()
    await equipment.publisher.send(envelope(created(point, org), service="connector", cause=lease.work.cause))
    try:
        await equipment.lister.list_restore_point(lease, store.repository, point, on_listed=lambda _: None)
    except TemporaryError:
        raise
    except CairnError as error:
        log.warning("restore point not listed", extra={"snapshot": point.snapshot_id, "reason": error.detail})
        return False
    return True
