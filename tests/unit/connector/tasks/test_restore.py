"""Which restore point a restore takes, over memory."""

from dataclasses import replace
from pathlib import Path

import pytest
from connector.domain.attempts import AttemptState
from connector.domain.named_points import NamedPointsNotFound
from connector.jobs.definition import Job
from connector.stores.point_choice import NoRestorePoint
from connector.tasks.restore import choose_point, restore
from contracts.tasks import Task, TaskOptions
from contracts.values import to_milliseconds
from restic_reader.errors import SnapshotNotFound

from tests.unit.connector.parts import ORG, SOURCE, TARGET, an_app
from tests.unit.connector.workshop import Workshop

RESTORE = Task(type="restore", origin=TARGET, options=TaskOptions())


@pytest.fixture
async def workshop(tmp_path: Path) -> Workshop:
    return await Workshop(tmp_path).open()


async def test_without_conditions_the_newest_restore_point_is_taken(workshop: Workshop) -> None:
    for _ in range(3):
        await workshop.left_behind("earlier")
    newest = max(workshop.kept(), key=lambda each: (to_milliseconds(each.time), each.snapshot_id))

    chosen = await choose_point(await workshop.job(task=RESTORE), an_app("store"))

    assert (chosen.snapshot_id, chosen.matched) == (newest.snapshot_id, 3)


async def test_a_later_attempt_takes_what_an_earlier_one_chose_though_there_is_a_newer_one(workshop: Workshop) -> None:
    older = await workshop.left_behind("earlier")
    first = await workshop.job(task=RESTORE)
    await choose_point(first, an_app("store"))
    await first.lease.release()
    await workshop.left_behind("earlier")

    second: Job = replace(first, lease=await workshop.again(first.lease))
    chosen = await choose_point(second, an_app("store"))

    assert second.lease.number == 2
    assert (chosen.snapshot_id, chosen.matched) == (older, 1)


@pytest.mark.parametrize("state", ["running", "settled"])
async def test_a_snapshot_that_is_no_restore_point_is_never_the_newest(workshop: Workshop, state: AttemptState) -> None:
    announced = await workshop.left_behind("earlier")
    # Of a backup that has saved it and announced nothing yet, or of an attempt that was killed.
    other = "running" if state == "running" else "earlier"
    await workshop.left_behind(other)
    await workshop.lost_attempt(job_id="earlier", made=announced, state="settled")
    if state == "running":
        await workshop.lost_attempt(job_id=other)

    chosen = await choose_point(await workshop.job(task=RESTORE), an_app("store"))

    assert (chosen.snapshot_id, chosen.matched) == (announced, 1)


async def test_a_store_without_restore_points_has_none_to_restore(workshop: Workshop) -> None:
    with pytest.raises(NoRestorePoint, match="Of the 0 restore points in the store 'store' none is there"):
        await choose_point(await workshop.job(task=RESTORE), an_app("store"))


async def test_a_restore_point_is_taken_by_its_first_digits_and_all_that_are_named_must_be_there(
    workshop: Workshop,
) -> None:
    older, newer = await workshop.left_behind(), await workshop.left_behind()
    digits = next(older[:n] for n in range(1, 64) if not newer.startswith(older[:n]))

    def naming(*ids: str) -> Task:
        return Task(type="restore", origin=TARGET, options=TaskOptions(snapshot_ids=ids))

    with pytest.raises(NamedPointsNotFound, match=f"has no restore point {'f' * 64}"):
        await choose_point(lost := await workshop.job(task=naming(older, "f" * 64)), an_app("store"))
    await lost.lease.release()
    again = replace(lost, request=lost.request.model_copy(update={"task": naming(digits)}))
    chosen = await choose_point(replace(again, lease=await workshop.again(lost.lease)), an_app("store"))

    assert (chosen.snapshot_id, chosen.matched) == (older, 1)


async def test_a_restore_point_that_was_deleted_since_it_was_read_is_not_found(workshop: Workshop) -> None:
    gone, _ = await workshop.left_behind(), await workshop.left_behind()
    task = RESTORE.model_copy(update={"target": SOURCE, "options": TaskOptions(snapshot_id=gone)})
    async with workshop.context.stores.borrow(ORG, an_app()) as opened:
        opened.snapshot(gone)
    del workshop.repository.snapshots[gone]

    with pytest.raises(SnapshotNotFound):
        await restore(await workshop.job(task=task))
