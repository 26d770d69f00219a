"""Taking in the restore points that a store already had."""

import logging

from chassis.envelopes import envelope
from contracts.connector import ConnectorCommand
from contracts.values import AppId

from connector.repository import Snapshot
from connector.usecases.apps import await_app
from connector.usecases.equipment import Equipment
from connector.usecases.lease import Lease
from connector.usecases.restore_points import created, restore_point_of
from connector.usecases.stores import OpenStore

log = logging.getLogger(__name__)


async def adopt_restore_points(equipment: Equipment, lease: Lease, command: ConnectorCommand) -> None:
    """Announce and list every snapshot of a store, oldest first. Doing it twice changes nothing.

    Raises `LeaseLost`, `Unavailable`, or what opening and reading the store raises.
    """
    org, patience = command.organization_id, equipment.settings.app_patience_seconds
    app = await await_app(equipment.store, org, command.app, patience_seconds=patience)
    async with equipment.stores.borrow(org, app) as store:
        snapshots = await equipment.stores.in_thread(store.repository.snapshots)
        for snapshot in snapshots:
            await _take_in(equipment, lease, store, snapshot=snapshot, store_id=app.id)
    log.info("restore points adopted", extra={"store": app.id, "count": len(snapshots)})
    await lease.settle()


async def _take_in(
    equipment: Equipment, lease: Lease, store: OpenStore, *, snapshot: Snapshot, store_id: AppId
) -> None:
    org = lease.work.organization_id
    point = restore_point_of(snapshot, org=org, store_id=store_id)
    lease.check()
    await equipment.publisher.send(envelope(created(point, org), service="connector", cause=lease.work.cause))
    await equipment.lister.list_restore_point(lease, store.repository, point, on_listed=lambda _: None)
