"""Finding restore points."""

from chassis import names
from chassis.telemetry import span
from contracts.values import AppId, OrganizationId, SnapshotId

from restore_index.domain import points
from restore_index.domain.points import Point
from restore_index.store import Store


async def list_points(store: Store, org: OrganizationId, store_id: AppId | None) -> list[Point]:
    """The restore points of one store or of all, newest first."""
    with span("restore-index.list_points", attributes={names.ORGANIZATION: org}):
        return points.newest_first(await store.points_of(org, store_id))


async def list_same(store: Store, org: OrganizationId, snapshot_id: SnapshotId) -> list[Point]:
    """A restore point as each store has it through which its repository is used, the likeliest to be usable first."""
    with span("restore-index.list_same", attributes={names.ORGANIZATION: org}):
        return points.likeliest_first(await store.points_named(org, snapshot_id))


async def get_point(store: Store, org: OrganizationId, snapshot_id: SnapshotId) -> Point:
    """One restore point. Raises `NotFound` (`snapshot_not_found`)."""
    with span("restore-index.get_point", attributes={names.ORGANIZATION: org}):
        return points.choose_point(await store.points_named(org, snapshot_id), snapshot_id)
