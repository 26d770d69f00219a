"""Whether a store still is what it was: the repository that was noted for it, whole, at its place (decision 0025)."""

from collections.abc import Callable
from contextlib import closing
from typing import TypeVar

from contracts.errors import CairnError
from contracts.messages.assignment import App
from contracts.values import OrganizationId
from integrations.sdk.errors import PassphraseWrong, RepositoryChanged, RepositoryGone, StoreHalfMade
from restic_reader import Access, RepositoryFiles, may_have_lost_snapshots, require_parts, seal_of
from restic_reader.errors import AccessDenied, RepositoryNotFound, WrongPassword

from connector.context.worker_context import WorkerContext
from connector.engine.errors import SnapshotsMissing, StoreNotInitialized, StoreRefused, StoreUnreachable
from connector.failures import FAILURES, is_temporary

T = TypeVar("T")


async def require_same_store(context: WorkerContext, org: OrganizationId, app: App) -> None:
    """Make sure that a store can be written to: it holds the repository that was noted of it, and all of that.

    Of a store of which nothing was noted yet, its repository is noted. Raises `repository_missing`,
    `repository_changed`, `repository_damaged`, `snapshots_missing`, or what `ask_repository` raises.
    """
    noted = await context.store.repositories.seal_of(org, app.id)
    seal, suspicious = await _ask(context, org, app, lambda: _look(context.files(org, app)))
    # An equal seal means the very `config` that was noted. Deriving its key here too would double that work.
    if seal != noted:
        access = await ask_repository(context, org, app, lambda access: access)
        await require_noted(context, org, app, access)
    if suspicious:
        await require_no_loss(context, org, app)


async def require_no_loss(context: WorkerContext, org: OrganizationId, app: App) -> bool:
    """Of a store that was found without a snapshot, though it has data: whether it may be so; False where it has
    snapshots by now, and whoever needs to know which has to look again.

    Raises `snapshots_missing` where restore points are known that no job deletes, or what `ask_repository` raises
    where the store is away by now.
    """
    expected = await context.index.staying_points(org, app.id)
    # Asked before the look and after it: meanwhile the first backup may have ended, or a job may have deleted the last.
    if not expected:
        return True
    if not await _is_without_snapshots(context, org, app):
        return False
    if expected & await context.index.staying_points(org, app.id):
        raise SnapshotsMissing(app.name)
    return True


async def _is_without_snapshots(context: WorkerContext, org: OrganizationId, app: App) -> bool:
    _, suspicious = await _ask(context, org, app, lambda: _look(context.files(org, app)))
    return suspicious


async def ask_repository(context: WorkerContext, org: OrganizationId, app: App, question: Callable[[Access], T]) -> T:
    """What the repository of a store tells without its index.

    Raises `repository_missing` or `StoreNotInitialized`, `PassphraseMissing`, `PassphraseWrong`, `StoreUnreachable`,
    `StoreRefused`, or what is damaged.
    """

    def ask() -> T:
        with closing(context.access(org, app)) as access:
            return question(access)

    return await _ask(context, org, app, ask)


async def _ask(context: WorkerContext, org: OrganizationId, app: App, ask: Callable[[], T]) -> T:
    try:
        return await context.stores.in_thread(ask, of=app.id)
    except RepositoryNotFound as error:
        raise await absence(context, org, app, has_data=error.has_data) from None
    except WrongPassword:
        raise PassphraseWrong from None
    except AccessDenied as error:
        raise StoreRefused(error.detail) from None
    except FAILURES as error:
        if is_temporary(error):
            raise StoreUnreachable(error.detail) from None
        raise


async def absence(context: WorkerContext, org: OrganizationId, app: App, *, has_data: bool = False) -> CairnError:
    """What to say of a store without a repository: that it has none yet, or that what it had is away."""
    noted = await context.store.repositories.of(org, app.id)
    if noted is None:
        return half_made(context, org, app) if has_data else StoreNotInitialized()
    return RepositoryGone(app.name, noted, has_data=has_data)


def half_made(context: WorkerContext, org: OrganizationId, app: App) -> StoreHalfMade:
    """What to say of a store that has data of a repository and no `config`."""
    configuration = context.configuration(org, app)
    return StoreHalfMade(context.integrations.store(app.protocol).store_location(configuration).address)


async def require_noted(context: WorkerContext, org: OrganizationId, app: App, access: Access) -> None:
    """Note the repository of a store, or raise `repository_changed` when another one was noted."""
    noted = await context.store.repositories.of(org, app.id)
    if noted not in (None, access.config.id):
        raise RepositoryChanged(app.name, str(noted), found=access.config.id)
    await context.store.repositories.note(org, app.id, access.config.id, seal=access.seal)


async def open_new_repository(
    context: WorkerContext, org: OrganizationId, app: App, *, repository_id: str
) -> str | None:
    """Open the repository once, so that this worker has its key; returns its seal, None where it cannot be opened."""
    # Otherwise the first backup derives the key while the engine derives its own. A failure here fails nothing: the
    # repository was made, and the next backup finds out what is wrong with it.
    try:
        access = await ask_repository(context, org, app, lambda access: access)
    except FAILURES:
        return None
    return access.seal if access.config.id == repository_id else None


def whole(access: Access) -> Access:
    """A repository, if it is whole. Raises `PartMissing`."""
    access.require_parts()
    return access


def _look(files: RepositoryFiles) -> tuple[str, bool]:
    with closing(files):
        seal = seal_of(files)
        require_parts(files)
        return seal, may_have_lost_snapshots(files)
