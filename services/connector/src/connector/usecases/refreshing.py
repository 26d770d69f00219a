"""Comparing a store with what the restore index has of it."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from chassis.errors import Conflict, TemporaryError, Unavailable
from contracts.assignment import App
from contracts.connector import RefreshStore
from contracts.values import OrganizationId

from connector.domain import Difference, difference
from connector.engine.errors import StoreNotInitialized, StoreUnreachable
from connector.repository.errors import Damaged, RepositoryNotFound
from connector.usecases.commands import queue_following, store_app
from connector.usecases.equipment import Equipment
from connector.usecases.lease import Lease
from connector.usecases.stores import OpenStore

log = logging.getLogger(__name__)


async def refresh_store(equipment: Equipment, lease: Lease, command: RefreshStore) -> None:
    """Tell how a store differs from the index; the index is told of it next.

    Raises `store_not_initialized`, `repository_changed`, `store_unreachable`, what opening the store raises,
    `app_not_found` or `app_unknown`. Nothing has changed then.
    """
    app = await store_app(equipment, command)
    try:
        async with comparing(equipment, command.organization_id, app) as (_, found):
            await queue_following(equipment, lease)
    except Unavailable:
        raise
    except TemporaryError as error:
        raise StoreUnreachable(error.detail) from None
    listed = len(found.to_list(rebuild=command.rebuild))
    counts = {"added": found.added, "removed": found.removed, "damaged": found.damaged}
    await lease.settle(result={"listed": listed, **{name: len(those) for name, those in counts.items()}})


@asynccontextmanager
async def comparing(equipment: Equipment, org: OrganizationId, app: App) -> AsyncIterator[tuple[OpenStore, Difference]]:
    """An open store and how it differs from what the index has of it.

    The index is asked first: a restore point that it has by then was in the store before. Raises
    `StoreNotInitialized`, `Conflict` (`repository_changed`), `Unavailable`, or what opening the store raises.
    """
    indexed = await equipment.index.restore_points(org, app.id)
    try:
        stored = await _look_into(equipment, org, app)
    except Damaged:  # of another repository than the one that was open here
        stored = await _look_into(equipment, org, app)
    async with equipment.stores.borrow(org, app) as store:
        yield store, difference(indexed, stored)


async def _look_into(equipment: Equipment, org: OrganizationId, app: App) -> list[str]:
    """The ids of a store's snapshots, of the repository that it had before, from a place where that was all along."""
    async with equipment.stores.borrow(org, app) as store:

        def look() -> list[str]:
            store.repository.confirm()
            found = store.repository.snapshot_ids()
            store.repository.confirm()
            return found

        try:
            stored = await equipment.stores.in_thread(look)
        except RepositoryNotFound:
            raise StoreNotInitialized from None
        await _require_same(equipment, org, app, store.repository.config.id)
        return stored


async def _require_same(equipment: Equipment, org: OrganizationId, app: App, repository_id: str) -> None:
    known = await equipment.store.repositories.of(org, app.id)
    if known is None:
        await equipment.store.repositories.note(org, app.id, repository_id)
    elif known != repository_id:
        detail = (
            f"The store {app.name!r} holds another repository than before: {repository_id[:8]} in place of {known[:8]}."
            " Initialize it to take this one over."
        )
        raise Conflict("repository_changed", detail)
