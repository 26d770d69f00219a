"""Compares a store with what the restore index has of it."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from chassis.errors import Unavailable
from contracts.errors import TemporaryError
from contracts.messages.assignment import App
from contracts.messages.connector.stores import RefreshStore, StoreDifference, StoreWarning
from contracts.values import OrganizationId
from restic_reader import Repository
from restic_reader.errors import Damaged, RepositoryNotFound

from connector.context.worker_context import WorkerContext
from connector.domain.store_comparison import Difference, difference
from connector.domain.work import Kind
from connector.engine.errors import SnapshotsMissing, StoreNotInitialized, StoreUnreachable
from connector.failures import reader_errors_mapped
from connector.jobs.definition import CommandDefinition
from connector.queue.intake import queue_sync
from connector.queue.lease import Lease
from connector.store_state.identity import absence, require_no_loss, require_noted
from connector.store_state.warnings import store_warnings
from connector.stores.open_stores import OpenStore

log = logging.getLogger(__name__)
LOOKS = 3
"""So often a store is looked into whose snapshots come and go."""


async def refresh_store(context: WorkerContext, lease: Lease, command: RefreshStore) -> None:
    """Answer how a store differs from the restore index, and queue a sync of the index with it.

    Raises `store_not_initialized`, `repository_missing`, `repository_changed`, `repository_damaged`,
    `snapshots_missing`, `store_unreachable`, what opening the store raises, `app_not_found` or `app_unknown`. Nothing
    has changed then.
    """
    app = await context.store_of(command)
    try:
        with reader_errors_mapped():
            async with comparing(context, command.organization_id, app, force=command.force) as (_, found):
                await queue_sync(context.store, context.wake_ups, lease.work)
    except Unavailable:
        raise
    except TemporaryError as error:
        # A person waits for the answer, and a store may be down for hours: no further attempts.
        raise StoreUnreachable(error.detail) from None
    result = StoreDifference(
        added=len(found.added),
        removed=len(found.removed),
        listed=len(found.to_list(rebuild=command.rebuild)),
        damaged=len(found.damaged),
        warnings=await _warnings(context, command, found),
    )
    await lease.settle(result=result.model_dump(mode="json"))


async def _warnings(context: WorkerContext, command: RefreshStore, found: Difference) -> tuple[StoreWarning, ...]:
    if not found.damaged:
        return ()
    return await store_warnings(context.index, command.organization_id, command.app_id, among=found.damaged)


@asynccontextmanager
async def comparing(
    context: WorkerContext, org: OrganizationId, app: App, *, force: bool = False
) -> AsyncIterator[tuple[OpenStore, Difference]]:
    """An open store and how it differs from what the index has of it.

    `force` says that a store without snapshots is meant to have none. Raises `repository_missing`,
    `repository_changed`, `repository_damaged`, `snapshots_missing`, `StoreNotInitialized`, `Unavailable`, or what
    opening the store raises.
    """
    # The index is asked first: what it has by then was in the store before, so what the store lacks now was removed.
    indexed = await context.index.restore_points(org, app.id)
    stored = await _snapshots(context, org, app, may_be_none=force or not indexed)
    async with context.stores.borrow(org, app) as store:
        yield store, difference(indexed, stored)


async def _snapshots(context: WorkerContext, org: OrganizationId, app: App, *, may_be_none: bool) -> list[str]:
    """The ids of a store's snapshots. Raises `snapshots_missing` where there are none that should be."""
    for _ in range(LOOKS):
        stored, suspicious = await _look_anew(context, org, app)
        # What was found before snapshots were seen again says nothing: by it all of them would be gone.
        if may_be_none or not suspicious or await require_no_loss(context, org, app):
            return stored
    raise SnapshotsMissing(app.name)


async def _look_anew(context: WorkerContext, org: OrganizationId, app: App) -> tuple[list[str], bool]:
    try:
        return await _look_into(context, org, app)
    except Damaged:
        # The open repository may have been replaced by another one: opened anew, once.
        return await _look_into(context, org, app)


async def _look_into(context: WorkerContext, org: OrganizationId, app: App) -> tuple[list[str], bool]:
    """The ids of a store's snapshots, and whether it is suspicious that there are none.

    Raises `repository_missing` or `repository_changed` where it is not the repository that was noted.
    """
    try:
        async with context.stores.borrow(org, app) as store:
            stored = await context.stores.in_thread(lambda: _look(store.repository), of=app.id)
            await require_noted(context, org, app, store.repository.access)
            return stored
    except RepositoryNotFound as error:
        raise await absence(context, org, app, has_data=error.has_data) from None
    except StoreNotInitialized:
        raise await absence(context, org, app) from None


def _look(repository: Repository) -> tuple[list[str], bool]:
    repository.confirm()
    # Confirmed before and after: a listing of a place that was replaced or unmounted meanwhile would look like a loss.
    found, suspicious = repository.snapshot_ids(), repository.access.may_have_lost_snapshots()
    repository.confirm()
    return found, suspicious


COMMAND = CommandDefinition(kind=Kind("refresh"), message=RefreshStore, run=refresh_store)
