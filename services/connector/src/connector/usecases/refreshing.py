"""Comparing a store with what the restore index has of it."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from chassis.errors import TemporaryError, Unavailable
from contracts.assignment import App
from contracts.connector import RefreshStore
from contracts.values import OrganizationId
from pydantic import JsonValue

from connector.domain import Difference, difference
from connector.engine.errors import SnapshotsMissing, StoreNotInitialized, StoreUnreachable
from connector.repository import Repository
from connector.repository.errors import Damaged, RepositoryNotFound
from connector.usecases.commands import queue_following, store_app
from connector.usecases.equipment import Equipment
from connector.usecases.identity import absence, require_noted
from connector.usecases.lease import Lease
from connector.usecases.store_warnings import store_warnings
from connector.usecases.stores import OpenStore

log = logging.getLogger(__name__)


async def refresh_store(equipment: Equipment, lease: Lease, command: RefreshStore) -> None:
    """Tell how a store differs from the index; the index is told of it next.

    Raises `store_not_initialized`, `repository_missing`, `repository_changed`, `repository_damaged`,
    `snapshots_missing`, `store_unreachable`, what opening the store raises, `app_not_found` or `app_unknown`. Nothing
    has changed then.
    """
    app = await store_app(equipment, command)
    try:
        async with comparing(equipment, command.organization_id, app, force=command.force) as (_, found):
            await queue_following(equipment, lease)
    except Unavailable:
        raise
    except TemporaryError as error:
        raise StoreUnreachable(error.detail) from None
    listed = len(found.to_list(rebuild=command.rebuild))
    counts = {"added": found.added, "removed": found.removed, "damaged": found.damaged}
    result: dict[str, JsonValue] = {"listed": listed, "warnings": await _warnings(equipment, command, found)}
    await lease.settle(result=result | {name: len(those) for name, those in counts.items()})


async def _warnings(equipment: Equipment, command: RefreshStore, found: Difference) -> list[JsonValue]:
    if not found.damaged:
        return []
    told = await store_warnings(equipment.index, command.organization_id, command.app_id, among=found.damaged)
    return [warning.model_dump(mode="json") for warning in told]


@asynccontextmanager
async def comparing(
    equipment: Equipment, org: OrganizationId, app: App, *, force: bool = False
) -> AsyncIterator[tuple[OpenStore, Difference]]:
    """An open store and how it differs from what the index has of it.

    The index is asked first: a restore point that it has by then was in the store before. `force` says that a store
    without snapshots is meant to have none. Raises `repository_missing`, `repository_changed`, `repository_damaged`,
    `snapshots_missing`, `StoreNotInitialized`, `Unavailable`, or what opening the store raises.
    """
    indexed = await equipment.index.restore_points(org, app.id)
    try:
        stored, suspicious = await _look_into(equipment, org, app)
    except Damaged:  # of another repository than the one that was open here
        stored, suspicious = await _look_into(equipment, org, app)
    if indexed and suspicious and not force:
        raise SnapshotsMissing(app.name)
    async with equipment.stores.borrow(org, app) as store:
        yield store, difference(indexed, stored)


async def _look_into(equipment: Equipment, org: OrganizationId, app: App) -> tuple[list[str], bool]:
    """The ids of a store's snapshots, and whether that there are none is suspicious.

    Of the repository that it had before, from a place where that was all along, whole.
    """
    try:
        async with equipment.stores.borrow(org, app) as store:
            stored = await equipment.stores.in_thread(lambda: _look(store.repository), of=app.id)
            await require_noted(equipment, org, app, store.repository.access)
            return stored
    except RepositoryNotFound as error:
        raise await absence(equipment, org, app, has_data=error.has_data) from None
    except StoreNotInitialized:
        raise await absence(equipment, org, app) from None


def _look(repository: Repository) -> tuple[list[str], bool]:
    repository.confirm()
    found, suspicious = repository.snapshot_ids(), repository.access.may_have_lost_snapshots()
    repository.confirm()
    return found, suspicious
