"""Copies from store to store, over memory."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from chassis.ids import utc_now
from connector.domain.named_points import NamedPointsNotFound
from connector.domain.origins import job_tag
from connector.domain.work import TASK, SlotGroup
from connector.engine.errors import CopyFailed, EngineFailed, StoreUnreachable
from connector.engine.port import BackupOptions, CopyOutcome, FoundSnapshot
from connector.jobs.definition import Job, JobOutcome
from connector.queue.intake import work_of
from connector.queue.lines import pair_of
from connector.store_state.surplus_claims import claimed
from connector.store_state.surplus_replicas import clean_up_after_lost_sync
from connector.store_state.two_stores import Party, party_of
from connector.tasks.sync import CopiesMissing, PointsUnreadable, sync
from contracts.errors import CairnError, TemporaryError
from contracts.messages.assignment import AppRef
from contracts.messages.connector.stores import RestorePointCreated, RestorePointRemoved
from contracts.messages.protection import ClaimDeletion, ReleaseDeletion
from contracts.messages.restore_index import RestorePoint
from contracts.queries.restore_index import Deletion
from contracts.task_types.sync import SyncResult
from contracts.tasks import Task, TaskOptions
from contracts.values import AppId, JobId, OrganizationId, SnapshotId, to_milliseconds
from integrations.sdk.errors import Cancelled
from integrations.sdk.locations import SourceTree
from restic_reader.errors import Damaged, SnapshotNotFound

from tests.support.waiting import eventually_async
from tests.unit.connector.parts import ORG, TARGET, held, task_request
from tests.unit.connector.workshop import REPLICA, Workshop

REPLICA_REF = AppRef(id=AppId(REPLICA), revision=1, kind="store", name=REPLICA)
SYNC_TASK = Task(type="sync", origin=TARGET, target=REPLICA_REF)


class Stores(Workshop):
    """Two stores; the first one has restore points."""

    async def ready(self, *, points: int = 2) -> "Stores":
        await self.open()
        await self.engine.initialize(self.replica_place)
        for number in range(points):
            await self.back_up(f"job-{number}")
        return self

    async def back_up(self, job_id: str) -> str:
        (self.root / "source" / job_id).write_text(job_id)
        marks = (job_tag(job_id), f"cairn:org={ORG}", "cairn:source=source")
        made = await self.engine.backup(
            self.place,
            SourceTree(directory=self.root / "source"),
            options=BackupOptions(host="source", tags=marks),
            on_progress=lambda _: None,
            on_log=lambda *_: None,
            cancel=asyncio.Event(),
        )
        return made.snapshot_id

    async def end(self, task: Task = SYNC_TASK) -> JobOutcome:
        job = await self.job(task=task)
        try:
            return await sync(job)
        finally:
            await job.lease.release()

    async def sync(self) -> SyncResult:
        outcome = await self.end()
        assert outcome.problem is None
        assert isinstance(outcome.result, SyncResult)
        return outcome.result

    @property
    def replicas(self) -> list[FoundSnapshot]:
        return [found for found, _ in self.engine.repositories[self.replica_place.address].snapshots.values()]

    def double(self, snapshot_id: str = "f" * 64) -> str:
        """One more copy of the first restore point, as a worker leaves it that was stopped for a while."""
        kept = self.engine.repositories[self.replica_place.address].snapshots
        found, files = next(iter(kept.values()))
        kept[snapshot_id] = (replace(found, snapshot_id=snapshot_id), files)
        return snapshot_id

    def engine_copies(self, monkeypatch: pytest.MonkeyPatch, act: Callable[[], None]) -> None:
        async def copied(*_: Any, **__: Any) -> CopyOutcome:
            act()
            return CopyOutcome()

        monkeypatch.setattr(self.engine, "copy", copied)


@pytest.fixture
async def stores(tmp_path: Path) -> Stores:
    return await Stores(tmp_path).ready()


def failing(error: Exception) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


async def test_what_is_missing_is_copied_announced_and_listed_once(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await stores.sync()
    stores.engine_copies(monkeypatch, failing(AssertionError("nothing is missing")))
    second = await stores.sync()

    told = [each.restore_point for each in stores.published(RestorePointCreated)]
    assert (first.points_chosen, first.points_copied, first.points_present) == (2, 2, 0)
    assert (second.points_chosen, second.points_copied, second.points_present) == (2, 0, 2)
    in_order = sorted(stores.kept(), key=lambda each: (to_milliseconds(each.time), each.snapshot_id))
    assert [each.original for each in told] == [each.snapshot_id for each in in_order]
    assert [each.origin_snapshot_id for each in told] == [each.snapshot_id for each in in_order]
    assert {(each.store_id, each.origin_store_id) for each in told} == {(REPLICA, TARGET.id)}
    assert stores.lister.listed == [each.snapshot_id for each in told]


async def test_what_a_comparison_listed_before_its_sync_did_is_announced_with_its_origin(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = stores.engine.copy

    async def beside_a_comparison(*arguments: Any, **options: Any) -> CopyOutcome:
        outcome = await copy(*arguments, **options)
        stores.index.points = {each.snapshot_id: True for each in stores.replicas}
        return outcome

    monkeypatch.setattr(stores.engine, "copy", beside_a_comparison)

    await stores.sync()

    told = [each.restore_point for each in stores.published(RestorePointCreated)]
    assert {each.snapshot_id for each in told} == {each.snapshot_id for each in stores.replicas}
    assert {each.origin_store_id for each in told} == {TARGET.id}
    assert stores.lister.listed == []


async def test_a_copy_that_another_job_deletes_before_it_is_announced_is_not(stores: Stores) -> None:
    began, kept = utc_now(), stores.engine.repositories[stores.replica_place.address].snapshots

    async def delete() -> None:
        kept.pop(next(iter(kept)), None)
        stores.index.after = None

    stores.index.after = delete

    await stores.sync()

    [told] = stores.published(RestorePointCreated)
    assert [told.restore_point.snapshot_id] == list(kept) == stores.lister.listed
    assert began <= told.seen_at <= utc_now()


async def test_a_copy_of_a_copy_names_the_copy_that_it_was_made_of(stores: Stores) -> None:
    for snapshot_id, (found, files) in list(stores.repository.snapshots.items()):
        # As another sync brought it here from the store of the first one.
        stores.repository.snapshots[snapshot_id] = (replace(found, original="0" * 64), files)

    await stores.sync()

    told = [each.restore_point for each in stores.published(RestorePointCreated)]
    assert {each.original for each in told} == {"0" * 64}
    assert {each.origin_snapshot_id for each in told} == {each.snapshot_id for each in stores.kept()}


async def test_snapshots_of_a_backup_that_has_not_ended_are_left(stores: Stores) -> None:
    await stores.lost_attempt()
    unannounced = await stores.left_behind()
    job = await stores.job(task=SYNC_TASK)

    outcome = await sync(job)

    assert isinstance(outcome.result, SyncResult)
    assert outcome.result.points_copied == 2
    assert unannounced not in {each.original for each in stores.replicas}


async def test_the_latest_of_all_is_the_latest_whose_backup_has_ended(stores: Stores) -> None:
    ended = max(stores.kept(), key=lambda each: (to_milliseconds(each.time), each.snapshot_id)).snapshot_id
    await stores.left_behind("running")
    await stores.lost_attempt(job_id="running")

    outcome = await stores.end(SYNC_TASK.model_copy(update={"options": TaskOptions(latest=True)}))

    assert isinstance(outcome.result, SyncResult)
    assert (outcome.result.points_chosen, outcome.result.points_copied) == (1, 1)
    assert [each.original for each in stores.replicas] == [ended]


@pytest.mark.parametrize(("there", "orphans", "asked"), [(False, 0, 2), (True, 0, 0), (False, 1, 3), (True, 1, 1)])
async def test_of_a_job_it_is_asked_once_and_only_where_something_of_it_is_missing(
    stores: Stores, monkeypatch: pytest.MonkeyPatch, there: bool, orphans: int, asked: int
) -> None:
    if there:
        await stores.sync()
    for number in range(orphans):
        await stores.back_up(f"running-{number}")
        await stores.lost_attempt(job_id=f"running-{number}")
    job, jobs = await stores.job(task=SYNC_TASK), list[str]()
    ask = stores.store.attempts.find

    async def asking(org: OrganizationId, keys: dict[str, str], **more: Any) -> Any:
        jobs.append(keys["work"])
        return await ask(org, keys, **more)

    monkeypatch.setattr(stores.store.attempts, "find", asking)

    outcome = await sync(job)

    assert isinstance(outcome.result, SyncResult)
    assert outcome.result.points_chosen == 2
    assert len([each for each in jobs if each != job.id]) == asked


async def test_what_a_lost_attempt_made_is_not_copied_though_what_was_announced_is_there_already(
    stores: Stores,
) -> None:
    announced = await stores.back_up("another")
    await stores.lost_attempt(job_id="another", made=announced, state="settled")
    await stores.sync()
    orphan = await stores.back_up("another")

    result = await stores.sync()

    assert (result.points_chosen, result.points_copied) == (3, 0)
    assert orphan not in {each.original for each in stores.replicas}


async def test_a_later_attempt_announces_what_an_earlier_one_copied_and_removes_what_is_there_twice(
    stores: Stores,
) -> None:
    await stores.sync()
    stores.index.points.clear()
    stores.lister.listed.clear()
    stores.double()
    await stores.lost_attempt()

    result = await stores.sync()

    assert sorted(stores.lister.listed) == sorted(each.snapshot_id for each in stores.replicas)
    assert len(stores.replicas) == len({each.original for each in stores.replicas}) == 2
    assert (result.points_copied, result.points_present) == (0, 2)
    assert stores.published(RestorePointRemoved) == []


async def test_a_later_attempt_removes_what_was_copied_beside_it_after_it_had_looked(stores: Stores) -> None:
    await stores.sync()
    stores.index.points.clear()
    told = {each.snapshot_id for each in stores.replicas}
    stores.index.refuses_all = told
    await stores.lost_attempt()

    async def copy_late() -> None:
        stores.double("0" * 64)

    stores.lister.before = copy_late

    await stores.sync()

    # The announced ones stay, although the index has not taken them in.
    assert {each.snapshot_id for each in stores.replicas} == told


async def test_the_first_attempt_removes_what_another_sync_copied_beside_it(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = stores.engine.copy

    async def beside_another(*arguments: Any, **options: Any) -> CopyOutcome:
        outcome = await copy(*arguments, **options)
        stores.double()
        return outcome

    monkeypatch.setattr(stores.engine, "copy", beside_another)

    result = await stores.sync()

    assert result.points_copied == len(stores.replicas) == 2
    assert sorted(stores.lister.listed) == sorted(each.snapshot_id for each in stores.replicas)


async def test_syncs_between_the_same_stores_wait_for_each_other(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, copies, go_on = await stores.job(task=SYNC_TASK), asyncio.Event(), asyncio.Event()
    other = work_of(task_request("other", task=SYNC_TASK), kind=TASK, work_id="other", pool="default")
    await stores.store.work.add(other, group=SlotGroup.TASKS)
    second = replace(first, lease=await held(stores.store, other, owner="other"))
    copy = stores.engine.copy

    async def slow(*arguments: Any, **options: Any) -> CopyOutcome:
        copies.set()
        await go_on.wait()
        return await copy(*arguments, **options)

    monkeypatch.setattr(stores.engine, "copy", slow)
    running = asyncio.create_task(sync(first))
    await copies.wait()
    waiting = asyncio.create_task(sync(second))

    async def is_in_line() -> bool:
        return len(await stores.store.line_at(pair_of(stores.place, stores.replica_place))) == 2

    await eventually_async(is_in_line)
    go_on.set()
    results = [(await each).result for each in (running, waiting)]

    assert [getattr(each, "points_copied", None) for each in results] == [2, 0]
    assert len(stores.replicas) == 2


async def announced_twice(stores: Stores) -> tuple[str, str]:
    """Two copies of one restore point, both of them announced, and the second one under hold."""
    await stores.sync()
    first, double = stores.replicas[0].snapshot_id, stores.double()
    stores.index.points[double] = True
    stores.index.held = {double}
    await stores.lost_attempt()
    return first, double


def decided(stores: Stores, **lists: Any) -> None:
    stores.index.decision = Deletion(store_id=AppId(REPLICA), job_id=JobId("job"), **lists)


async def test_what_came_under_hold_since_the_store_was_looked_at_stays(stores: Stores) -> None:
    first, _ = await announced_twice(stores)
    decided(stores, held=(SnapshotId(first),))

    await stores.sync()

    assert len(stores.replicas) == 3
    assert stores.published(RestorePointRemoved) == []
    assert len(stores.published(ReleaseDeletion)) == 1


async def test_what_is_there_twice_and_announced_is_announced_as_removed_unless_it_is_held(stores: Stores) -> None:
    first, double = await announced_twice(stores)
    decided(stores, deletable=(SnapshotId(first),))

    await stores.sync()

    assert [each.snapshot_ids for each in stores.published(ClaimDeletion)] == [(first,)]

    removed = [each.snapshot_id for each in stores.published(RestorePointRemoved)]
    assert double in {each.snapshot_id for each in stores.replicas}
    assert len(removed) == 1
    assert len(stores.replicas) == 2


async def test_what_was_announced_twice_is_removed_after_the_job_is_over(stores: Stores) -> None:
    first, _ = await announced_twice(stores)
    work = (await stores.job(task=SYNC_TASK)).lease.work
    await stores.lost_attempt(number=9, state="settled")
    stores.index.over = {"job"}
    decided(stores, deletable=(SnapshotId(first),))

    await clean_up_after_lost_sync(stores.context, work)

    assert first not in {each.snapshot_id for each in stores.replicas}
    assert [each.snapshot_id for each in stores.published(RestorePointRemoved)] == [first]
    [claim], [release] = stores.published(ClaimDeletion), stores.published(ReleaseDeletion)
    assert claim.job_id == release.job_id != "job"
    # Nobody ends it with a job.
    assert claim.lasts_seconds


@pytest.mark.parametrize(
    ("list_", "words"),
    [
        ("held", "a legal hold keeps them"),
        ("floored", "the retention floor of the organization keeps them"),
        ("being_deleted", "another job deletes them"),
        ("missing", "not listed any more"),
        ("", "not decided in time"),
    ],
)
async def test_the_log_says_why_what_is_there_twice_stays(stores: Stores, list_: str, words: str) -> None:
    first, _ = await announced_twice(stores)
    if list_:
        decided(stores, **{list_: (SnapshotId(first),)})

    await sync(job := await stores.job(task=SYNC_TASK))

    lines = [line.text for event in job.reporter.rest() for line in getattr(event, "lines", ())]
    assert [line for line in lines if "there twice" in line and words in line and line.startswith("1 ")]
    assert len(stores.replicas) == 3


async def test_more_than_one_claim_has_room_for_are_claimed_in_parts(stores: Stores) -> None:
    job, ids = await stores.job(task=SYNC_TASK), [SnapshotId(digit * 64) for digit in "abc"]
    app, cancel = await job.app(REPLICA_REF), asyncio.Event()
    target = party_of(stores.context, ORG, app, side="target", on_log=job.reporter.log)
    decided(stores, deletable=tuple(ids))

    async with claimed(
        stores.context, job.lease.work, target, ids, is_job_over=False, cancel=cancel, most_claimed=2
    ) as free:
        assert (free, stores.published(ReleaseDeletion)) == (set(ids), [])

    claims = stores.published(ClaimDeletion)
    assert [each.snapshot_ids for each in claims] == [tuple(ids[:2]), tuple(ids[2:])]
    assert [claims[0].job_id, claims[0].lasts_seconds] == ["job", None]
    assert [each.job_id for each in claims] == [each.job_id for each in stores.published(ReleaseDeletion)]
    assert claims[1].job_id != "job"
    assert claims[1].lasts_seconds


async def test_a_sync_that_waits_for_the_index_stops_when_it_is_cancelled(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    await announced_twice(stores)
    job = await stores.job(task=SYNC_TASK)

    async def hangs(*_: Any, **__: Any) -> None:
        job.cancel.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(stores.index, "await_deletion", hangs)

    with pytest.raises(Cancelled):
        await asyncio.wait_for(sync(job), 5)

    assert len(stores.published(ReleaseDeletion)) == 1
    assert len(stores.replicas) == 3


@pytest.mark.parametrize(("state", "left"), [("running", 3), ("settled", 2)])
async def test_a_worker_that_was_stopped_cleans_up_once_the_job_is_over(stores: Stores, state: Any, left: int) -> None:
    await stores.sync()
    double = stores.double()
    work = (await stores.job(task=SYNC_TASK)).lease.work
    await stores.lost_attempt(number=9, state=state)

    await clean_up_after_lost_sync(stores.context, work)

    assert len(stores.replicas) == left
    assert (double in {each.snapshot_id for each in stores.replicas}) is (left == 3)


async def test_a_worker_that_was_stopped_waits_for_the_attempt_that_has_looked_before_it_cleans_up(
    stores: Stores,
) -> None:
    await stores.sync()
    other = await stores.job(task=SYNC_TASK)
    double = stores.double()

    cleaning = asyncio.create_task(clean_up_after_lost_sync(stores.context, other.lease.work))
    await asyncio.sleep(0)
    assert double in {each.snapshot_id for each in stores.replicas}
    await other.lease.settle([])
    await asyncio.wait_for(cleaning, 5)

    assert double not in {each.snapshot_id for each in stores.replicas}
    assert len(stores.replicas) == 2


@pytest.mark.parametrize(
    ("failure", "raised", "words"),
    [
        (CopyFailed("target", StoreUnreachable("connection refused")), TemporaryError, "The target 'replica': "),
        (CopyFailed("origin", EngineFailed("restic copy", "odd")), EngineFailed, "The origin 'store': "),
        (EngineFailed("restic copy", "odd"), EngineFailed, "restic copy failed: odd"),
    ],
)
async def test_what_goes_wrong_is_told_of_its_store(
    stores: Stores, monkeypatch: pytest.MonkeyPatch, failure: Exception, raised: type[CairnError], words: str
) -> None:
    stores.engine_copies(monkeypatch, failing(failure))

    with pytest.raises(raised) as told:
        await stores.sync()

    assert isinstance(told.value, CairnError)
    assert told.value.detail.startswith(words)


async def test_what_was_not_copied_fails_the_job_unless_it_is_gone_from_the_origin(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    stores.engine_copies(monkeypatch, lambda: None)
    with pytest.raises(CopiesMissing, match="2 restore points were not copied"):
        await stores.sync()

    stores.engine_copies(monkeypatch, stores.repository.snapshots.clear)
    result = await stores.sync()

    assert (result.points_chosen, result.points_copied) == (2, 0)


async def test_what_of_the_origin_cannot_be_read_fails_the_job_after_the_rest_is_copied(stores: Stores) -> None:
    lost, gone, sound = [*(each.snapshot_id for each in stores.kept()), await stores.back_up("last")]
    stores.damaged = {lost: Damaged("snapshot", lost, why="cut off"), gone: SnapshotNotFound(gone)}

    outcome = await stores.end()

    assert isinstance(outcome.result, SyncResult)
    assert isinstance(outcome.problem, PointsUnreadable)
    assert (outcome.result.points_chosen, outcome.result.points_copied, outcome.result.unreadable_count) == (1, 1, 1)
    assert outcome.problem.detail.startswith("The origin 'store': 1 restore point cannot be read")
    assert lost[:8] in outcome.problem.detail
    assert [each.original for each in stores.replicas] == [sound]


async def test_what_cannot_be_read_and_is_not_meant_fails_nothing(stores: Stores) -> None:
    lost, sound = [each.snapshot_id for each in stores.kept()]
    stores.damaged = {lost: Damaged("snapshot", lost, why="cut off")}

    def naming(*ids: str) -> Task:
        return SYNC_TASK.model_copy(update={"options": TaskOptions(snapshot_ids=ids)})

    of_another = await stores.end(naming(sound))
    of_itself = await stores.end(naming(sound, lost))

    assert of_another.problem is None
    assert isinstance(of_itself.problem, PointsUnreadable)


async def test_a_job_that_is_canceled_copies_nothing(stores: Stores) -> None:
    job = await stores.job(task=SYNC_TASK)
    job.cancel.set()

    with pytest.raises(Cancelled):
        await sync(job)

    assert stores.replicas == []


async def test_a_job_that_is_canceled_while_it_lists_its_copies_lists_no_more_of_them(stores: Stores) -> None:
    job = await stores.job(task=SYNC_TASK)

    async def cancel() -> None:
        job.cancel.set()

    stores.lister.before = cancel

    with pytest.raises(Cancelled):
        await sync(job)

    assert len(stores.replicas) == 2
    assert len(stores.lister.listed) <= 1


async def test_a_job_that_is_canceled_does_not_wait_until_its_copies_can_be_browsed(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = await stores.job(task=SYNC_TASK)

    async def hangs(*_: Any, **__: Any) -> None:
        job.cancel.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(stores.index, "await_browsable", hangs)

    with pytest.raises(Cancelled):
        await asyncio.wait_for(sync(job), 5)


def naming(*ids: str) -> Task:
    return SYNC_TASK.model_copy(update={"options": TaskOptions(snapshot_ids=ids)})


async def test_named_restore_points_that_are_not_in_the_origin_fail_a_sync_before_anything_is_copied(
    stores: Stores,
) -> None:
    there = stores.kept()[0].snapshot_id

    with pytest.raises(NamedPointsNotFound, match=f"has no restore point {'f' * 64}, {'e' * 64}"):
        await stores.end(naming(there, "f" * 64, "e" * 64))

    assert stores.replicas == []


async def test_a_restore_point_is_copied_by_its_first_digits(stores: Stores) -> None:
    meant, other = (each.snapshot_id for each in stores.kept())
    digits = next(meant[:n] for n in range(1, 64) if not other.startswith(meant[:n]))

    await stores.end(naming(digits))

    assert [each.original for each in stores.replicas] == [meant]


def lines(job: Job) -> list[tuple[str, str]]:
    return [(each.level, each.text) for event in job.reporter.rest() for each in getattr(event, "lines", ())]


@pytest.mark.parametrize(
    ("running", "left"), [(1, "1 snapshot is left out: of backups"), (2, "2 snapshots are left out: of backups")]
)
async def test_what_is_left_out_is_told_and_not_counted(stores: Stores, running: int, left: str) -> None:
    for number in range(running):
        await stores.back_up(f"running-{number}")
        await stores.lost_attempt(job_id=f"running-{number}")
    job = await stores.job(task=SYNC_TASK)

    await sync(job)

    told = lines(job)
    assert any(text.startswith(left) for _, text in told)
    assert ("info", "2 of 2 restore points are to be in the target.") in told


async def test_nothing_is_said_of_conditions_while_the_first_backup_runs(tmp_path: Path) -> None:
    stores = await Stores(tmp_path).ready(points=0)
    await stores.back_up("running")
    await stores.lost_attempt(job_id="running")
    job = await stores.job(task=SYNC_TASK.model_copy(update={"options": TaskOptions(latest=True)}))

    outcome = await sync(job)

    told = lines(job)
    assert ("info", "No restore point of the origin is to be in the target.") in told
    assert [text for level, text in told if level == "warning"] == []
    assert outcome.problem is None


@pytest.mark.parametrize("error", [None, StoreUnreachable("gone")], ids=["canceled", "away"])
async def test_what_goes_wrong_after_everything_was_announced_changes_nothing(
    stores: Stores, monkeypatch: pytest.MonkeyPatch, error: Exception | None
) -> None:
    await stores.lost_attempt()
    job, look = await stores.job(task=SYNC_TASK), Party.points

    async def fail(party: Party) -> list[RestorePoint]:
        if party.side == "target" and stores.lister.listed:
            job.cancel.set()
            raise error or Cancelled
        return await look(party)

    monkeypatch.setattr(Party, "points", fail)

    outcome = await sync(job)

    assert isinstance(outcome.result, SyncResult)
    assert outcome.problem is None
    assert outcome.result.points_copied == 2
    words = "What an earlier attempt may have copied twice was not looked for: "
    assert [text.startswith(words) for level, text in lines(job) if level == "warning"] == [True]


async def test_a_sync_whose_conditions_choose_nothing_says_so(stores: Stores) -> None:
    task = SYNC_TASK.model_copy(update={"options": TaskOptions(labels=("monthly",))})
    job = await stores.job(task=task)

    outcome = await sync(job)

    words = "Of the 2 restore points in the origin none fulfils all conditions (labels monthly)"
    assert [level for level, text in lines(job) if text.startswith(words)] == ["warning"]
    assert outcome.problem is None
    assert isinstance(outcome.result, SyncResult)
    assert outcome.result.points_chosen == 0
    assert outcome.result.in_words().startswith("no restore point of the origin was chosen, nothing was copied")
