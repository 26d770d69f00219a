"""Work on two stores: which of them something is wrong with, and what each has."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from contracts.errors import CairnError
from contracts.messages.assignment import App
from contracts.messages.restore_index import RestorePoint
from contracts.values import OrganizationId
from integrations.sdk.errors import Cancelled, named
from integrations.sdk.job_log import OnLog
from integrations.sdk.locations import StoreLocation
from restic_reader.errors import Damaged, SnapshotNotFound

from connector.context.worker_context import WorkerContext
from connector.engine.errors import Side
from connector.failures import FAILURES, as_cairn_error
from connector.store_state.orphan_snapshots import store_location
from connector.store_state.sync_candidates import readable_points
from connector.stores.restore_points import restore_point_of


@dataclass(frozen=True)
class FoundPoints:
    """What was found in a store."""

    points: list[RestorePoint]
    """Those that can be read, oldest first."""
    unreadable: tuple[str, ...] = ()
    """The ids of the others, each of which is logged with the reason."""


@dataclass(frozen=True, kw_only=True)
class Party:
    """One of two stores, and the words for it."""

    context: WorkerContext
    org: OrganizationId
    app: App
    side: Side
    location: StoreLocation
    on_log: OnLog

    def in_words(self, error: CairnError) -> str:
        """What an error says, after the name of the store."""
        return f"The {self.side}{named(self.app.name)}: {error.detail}"

    def renamed(self, error: CairnError) -> CairnError:
        """The same error, with the store in its words."""
        # Not by the class itself: each takes other arguments.
        found = error.__class__.__new__(error.__class__)
        found.__dict__.update(error.__dict__)
        found.detail = self.in_words(error)
        found.args = (f"{error.code}: {found.detail}",)
        return found

    @contextmanager
    def named(self) -> Iterator[None]:
        """Raises what the block raises about a store with the store in its words."""
        try:
            yield
        except Cancelled:
            raise
        except FAILURES as error:
            raise self.renamed(as_cairn_error(error)) from error

    async def points(self) -> list[RestorePoint]:
        """The restore points that the store has now, oldest first, but for such as cannot be read."""
        return (await self.look()).points

    async def look(self) -> FoundPoints:
        """The restore points that the store has now, and which cannot be read."""
        with self.named():
            async with self.context.stores.borrow(self.org, self.app) as opened:
                try:
                    found = await self.context.stores.in_thread(opened.repository.snapshots, of=self.app.id)
                except Damaged:
                    ids = await self.context.stores.in_thread(opened.repository.snapshot_ids, of=self.app.id)
                    points, failures = await readable_points(
                        self.context.stores, opened, ids, org=self.org, store_id=self.app.id
                    )
                    # What was removed since it was listed is no loss.
                    left = {each: error for each, error in failures if not isinstance(error, SnapshotNotFound)}
                    for snapshot_id, error in left.items():
                        self.on_log("warning", f"A snapshot of the {self.side} cannot be read, {snapshot_id}: {error}")
                    return FoundPoints(points, tuple(left))
        return FoundPoints([restore_point_of(each, org=self.org, store_id=self.app.id) for each in found])


def party_of(context: WorkerContext, org: OrganizationId, app: App, *, side: Side, on_log: OnLog) -> Party:
    """A store as one of two. Raises what opening its secrets and its integration raise, with its name."""
    try:
        location = store_location(context, org, app)
    except CairnError as error:
        error.detail = f"The {side}{named(app.name)}: {error.detail}"
        raise
    return Party(context=context, org=org, app=app, side=side, location=location, on_log=on_log)
