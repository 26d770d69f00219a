"""Which snapshots of a store its restore index is told of: those that can be read, and are no orphans of a job."""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Sequence
from functools import partial

from contracts.messages.restore_index import RestorePoint
from contracts.values import AppId, OrganizationId

from connector.domain.attempts import announced_ids, is_under_way
from connector.failures import is_temporary
from connector.store.ports import Store
from connector.stores.open_stores import OpenStore, OpenStores
from connector.stores.restore_points import restore_point_of


async def readable_points(
    stores: OpenStores, store: OpenStore, wanted: Collection[str], *, org: OrganizationId, store_id: AppId
) -> tuple[list[RestorePoint], list[tuple[str, Exception]]]:
    """The restore points among these snapshots that can be read, oldest first; and why the others cannot."""

    def read(snapshot_id: str) -> tuple[int, RestorePoint] | tuple[str, Exception]:
        try:
            snapshot = store.repository.snapshot(snapshot_id)
            return snapshot.time_ns, restore_point_of(snapshot, org=org, store_id=store_id)
        except Exception as error:  # whatever it is, the others can be read
            if is_temporary(error):
                raise
            return snapshot_id, error

    read_all = await asyncio.gather(*(stores.in_thread(partial(read, each), of=store_id) for each in sorted(wanted)))
    found = [each for each in read_all if isinstance(each[1], RestorePoint)]
    failures = [each for each in read_all if isinstance(each[1], Exception)]
    return [point for _, point in sorted(found, key=lambda each: (each[0], each[1].snapshot_id))], failures


async def without_orphans(store: Store, org: OrganizationId, points: Sequence[RestorePoint]) -> list[RestorePoint]:
    """All but those whose job announced another one in this store, or has not ended."""
    # A running job announces its restore point itself, and orphans are removed by their jobs.
    by_job: dict[str, set[str]] = defaultdict(set)
    for point in points:
        if point.job_id is not None:
            by_job[point.job_id].add(point.snapshot_id)
    orphans: set[str] = set()
    for job_id, found in by_job.items():
        attempts = await store.attempts_at(org, job_id)
        announced = announced_ids(attempts) & found
        if is_under_way(attempts):
            orphans |= found
        elif announced:
            orphans |= found - announced
    return [point for point in points if point.snapshot_id not in orphans]
