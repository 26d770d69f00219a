"""Removes stale locks of a store."""

from collections.abc import Sequence

from contracts.messages.connector.base import ConnectorCommand
from contracts.messages.connector.stores import StoreLock, UnlockedStore, UnlockStore

from connector.context.worker_context import WorkerContext
from connector.domain.work import Kind
from connector.engine.errors import LockNotStale
from connector.jobs.definition import CommandDefinition
from connector.queue.lease import Lease
from connector.store_state.locks import locks_of
from connector.store_state.orphan_snapshots import store_location


async def unlock_store(context: WorkerContext, lease: Lease, command: ConnectorCommand) -> None:
    """Remove the locks of a store that are proved stale, and answer which.

    Raises `lock_not_stale` where locks are there and none of them is, what the engine raises, `app_not_found` or
    `app_unknown`.
    """
    app, org = await context.store_of(command), command.organization_id
    before = await locks_of(context, org, app)
    if before:
        await context.engine.unlock_stale(store_location(context, org, app))
    # Listed again rather than taken from the engine's output, which does not name the locks that it removed.
    after = await locks_of(context, org, app) if before else []
    removed = _gone(before, after)
    if after and not removed:
        raise LockNotStale(tuple(lock.in_words for lock in after))
    result = UnlockedStore(removed=tuple(removed), remaining=tuple(after))
    await lease.settle(result=result.model_dump(mode="json"))


def _gone(before: Sequence[StoreLock], after: Sequence[StoreLock]) -> list[StoreLock]:
    left = {lock.id for lock in after}
    return [lock for lock in before if lock.id not in left]


COMMAND = CommandDefinition(kind=Kind("unlock"), message=UnlockStore, run=unlock_store)
