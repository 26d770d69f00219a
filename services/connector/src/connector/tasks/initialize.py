"""Initializes a store: makes its repository, or adopts the one that is there."""

import logging

from contracts.messages.assignment import App, AppRef
from contracts.messages.connector.stores import InitializedStore, InitializeStore, StoreInitialized
from contracts.values import OrganizationId
from integrations.sdk.errors import RepositoryGone
from integrations.sdk.locations import StoreLocation
from restic_reader import Access

from connector.context.apps import await_app
from connector.context.worker_context import WorkerContext
from connector.domain.work import Kind
from connector.engine.errors import CompressionUnsupported, CopyFailed, StoreNotInitialized
from connector.engine.port import Initialized
from connector.jobs.definition import CommandDefinition
from connector.queue.intake import queue_sync
from connector.queue.lease import Lease
from connector.queue.mutex import exclusive_at
from connector.store_state.identity import (
    ask_repository,
    half_made,
    open_new_repository,
    require_no_loss,
    require_noted,
    require_same_store,
    whole,
)
from connector.store_state.two_stores import party_of

log = logging.getLogger(__name__)


async def initialize_store(context: WorkerContext, lease: Lease, command: InitializeStore) -> None:
    """Make sure that a store has a repository, and queue a sync of the restore index with it.

    Raises `repository_missing`, `repository_changed` or `snapshots_missing` where another one, or more, was there
    before and that is not forced, what the engine raises, `compression_unsupported`, `root_forbidden`,
    `app_kind_wrong`, `app_not_found` or `app_unknown`.
    """
    app, org, noted = await context.store_of(command), command.organization_id, context.store.repositories
    location = context.integrations.store(app.protocol).store_location(context.configuration(org, app))
    async with exclusive_at(context.store, context.settings, lease, location):
        done, seal = await _adopt(context, command, app) or await _make(context, command, app, location)
    log.info("store initialized", extra={"app": app.id, "adopted": done.adopted})
    await noted.note(org, app.id, done.repository_id, seal=seal, compression=command.compression)
    # An adopted repository may hold restore points, and a new one lacks those of its predecessor.
    await queue_sync(context.store, context.wake_ups, lease.work)
    initialized = StoreInitialized(
        organization_id=org,
        app_id=app.id,
        adopted=done.adopted,
        repository_id=done.repository_id,
        revision=app.revision,
    )
    result = InitializedStore(
        adopted=done.adopted,
        repository_id=done.repository_id,
        compression=await noted.compression_of(org, app.id),
    )
    await lease.settle([initialized], result=result.model_dump(mode="json"))


async def _adopt(context: WorkerContext, command: InitializeStore, app: App) -> tuple[Initialized, str] | None:
    """The repository that is at the place of a store with its seal, if one is.

    Raises `StoreHalfMade` where there are files of a repository without its `config`.
    """
    org = command.organization_id
    try:
        access, suspicious = await ask_repository(context, org, app, _look)
    except StoreNotInitialized:
        return None
    except RepositoryGone as error:
        if not command.force:
            raise
        # `force` gives up a repository that is gone, not data that is there: a new one over it would bury it.
        if error.has_data:
            raise half_made(context, org, app) from None
        return None
    if not command.force:
        await require_noted(context, org, app, access)
        if suspicious:
            await require_no_loss(context, org, app)
    if command.compression and access.config.version == 1:
        raise CompressionUnsupported
    return Initialized(access.config.id, adopted=True), access.seal


async def _make(
    context: WorkerContext, command: InitializeStore, app: App, location: StoreLocation
) -> tuple[Initialized, str | None]:
    """A new repository at the place of a store, with its seal (see `open_new_repository`)."""
    org = command.organization_id
    if command.chunker_of is None:
        made = await context.engine.initialize(location)
    else:
        made = await _make_like(context, org, command.chunker_of, location)
    return made, await open_new_repository(context, org, app, repository_id=made.repository_id)


async def _make_like(
    context: WorkerContext, org: OrganizationId, other: AppRef, location: StoreLocation
) -> Initialized:
    patience = context.settings.app_patience_seconds
    known = await await_app(context.store, org, other, patience_seconds=patience)
    party = party_of(context, org, known, side="origin", on_log=lambda _, text: log.info("%s", text))
    with party.named():
        await require_same_store(context, org, known)
    try:
        return await context.engine.initialize(location, chunker_of=party.location)
    except CopyFailed as failed:
        raise (party.renamed(failed.error) if failed.side == "origin" else failed.error) from None


def _look(access: Access) -> tuple[Access, bool]:
    return whole(access), access.may_have_lost_snapshots()


COMMAND = CommandDefinition(kind=Kind("initialize"), message=InitializeStore, run=initialize_store)
