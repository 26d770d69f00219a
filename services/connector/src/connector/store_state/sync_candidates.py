"""Which snapshots of a store its restore index is told of: those that can be read, and are no orphans of a job."""

from asyncio import gather
from collections import defaultdict
from collections.abc import Collection, Sequence
from functools import partial

from contracts.messages.restore_index import RestorePoint
from contracts.values import AppId, OrganizationId

from connector.domain.attempts import Attempt, announced_ids, is_settled, is_under_way
from connector.failures import is_temporary
from connector.store.ports import Store
from connector.stores.open_stores import OpenStore, OpenStores
from connector.stores.restore_points import restore_point_of

_JOBS_AT_ONCE = 32


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

    read_all = await gather(*(stores.in_thread(partial(read, each), of=store_id) for each in sorted(wanted)))
    found = [each for each in read_all if isinstance(each[1], RestorePoint)]
    failures = [each for each in read_all if isinstance(each[1], Exception)]
    return [point for _, point in sorted(found, key=lambda each: (each[0], each[1].snapshot_id))], failures


async def without_orphans(
    store: Store, org: OrganizationId, points: Sequence[RestorePoint], *, there: Collection[str]
) -> list[RestorePoint]:
    """All but those whose job announced another one in this store, has not ended, or was canceled and announced none.

    `there` are the ids of all snapshots in the store.
    """
    # A running job announces its restore point itself, and orphans are removed by their jobs.
    by_job: dict[str, set[str]] = defaultdict(set)
    for point in points:
        if point.job_id is not None:
            by_job[point.job_id].add(point.snapshot_id)
    orphans: set[str] = set()
    jobs = list(by_job)
    for begin in range(0, len(jobs), _JOBS_AT_ONCE):
        some = jobs[begin : begin + _JOBS_AT_ONCE]
        found = await gather(*(_orphans(store, org, each, by_job[each], there) for each in some))
        orphans.update(*found)
    return [point for point in points if point.snapshot_id not in orphans]


async def is_canceled_without_point(
    store: Store, org: OrganizationId, job_id: str, attempts: Sequence[Attempt]
) -> bool:
    """Whether a job has ended, announced no restore point and was canceled: nothing that it saved is one."""
    is_over = is_settled(attempts) and not announced_ids(attempts)
    return is_over and await store.work.is_cancelled(org, job_id)


async def _orphans(
    store: Store, org: OrganizationId, job_id: str, found: Collection[str], there: Collection[str]
) -> Collection[str]:
    """Which of the snapshots of one job are no restore points."""
    attempts = await store.attempts_at(org, job_id)
    if is_under_way(attempts) or await is_canceled_without_point(store, org, job_id, attempts):
        return found
    announced = announced_ids(attempts).intersection(there)
    return set(found) - announced if announced else ()
