"""What the restore index is told of a store: all that can be read, of each job what it announced, and what is gone."""

import contextlib
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from chassis.ids import utc_now
from chassis.persistence.aggregates import Aggregate
from connector.domain.attempts import TRIES_MAX
from connector.domain.store_comparison import PointState, difference, is_thorough_slot
from connector.domain.work import SYNC, SlotGroup, Work
from connector.engine.errors import StoreUnreachable
from connector.store.ports import KnownApp
from connector.stores.watch import Watch
from connector.tasks.initialize import initialize_store
from connector.tasks.refresh import refresh_store
from connector.tasks.store_sync import sync_store
from contracts.errors import PermanentError, TemporaryError
from contracts.messages.connector.stores import RefreshStore, RestorePointCreated, RestorePointRemoved, StoreRefreshed
from contracts.messages.outcomes import CommandOutcome
from contracts.messages.restore_index import Damage, RestorePointDamaged
from contracts.values import SnapshotId
from restic_reader.errors import AccessDenied, BlobMissing, Damaged, FileMissing, SnapshotNotFound, StoreUnavailable

from tests.unit.connector.parts import ORG, REFRESH, an_app
from tests.unit.connector.workshop import MemoryReader, Workshop

DAMAGED = Damaged("tree", "x", why="of a test")


@pytest.fixture
async def workshop(tmp_path: Path) -> Workshop:
    return await Workshop(tmp_path).open()


async def follow(workshop: Workshop, **asked: Any) -> StoreRefreshed:
    lease = await workshop.command(kind=SYNC, **asked)
    await sync_store(workshop.context, lease, lease.work.cause.data)  # type: ignore[arg-type]
    told: StoreRefreshed = workshop.published(StoreRefreshed)[-1]
    return told


def announced(workshop: Workshop) -> list[str]:
    return [each.restore_point.snapshot_id for each in workshop.published(RestorePointCreated)]


def gone(workshop: Workshop) -> list[str]:
    return [each.snapshot_id for each in workshop.published(RestorePointRemoved)]


def test_a_store_is_compared_by_what_is_in_it() -> None:
    browsable, awaited, damaged = PointState.BROWSABLE, PointState.AWAITED, PointState.DAMAGED
    indexed = {"open": browsable, "closed": awaited, "gone": browsable, "lost": damaged, "hurt": damaged}
    found = difference(indexed, ["open", "closed", "new", "hurt"])

    assert (found.added, found.removed) == ({"new"}, {"gone", "lost"})
    assert (found.unbrowsable, found.damaged) == ({"closed", "hurt"}, {"hurt"})
    assert found.to_list(rebuild=False) == {"new", "closed", "hurt"}
    assert found.to_list(rebuild=True) == {"new", "closed", "hurt", "open"}


class TestWhatIsThere:
    async def test_what_a_lost_attempt_made_is_not_listed_beside_what_its_job_announced_long_ago(
        self, workshop: Workshop
    ) -> None:
        known = await workshop.left_behind()
        await workshop.lost_attempt(made=known, state="settled")
        await follow(workshop)
        await workshop.left_behind()

        await follow(workshop)

        assert announced(workshop) == workshop.lister.listed == [known]

    async def test_a_snapshot_that_cannot_be_read_does_not_stop_the_others(self, workshop: Workshop) -> None:
        first, damaged, last = [await workshop.left_behind() for _ in range(3)]
        workshop.damaged[damaged] = DAMAGED

        told = await follow(workshop)

        assert announced(workshop) == workshop.lister.listed == [first, last]
        assert (told.added, told.listed, told.unlisted, told.damaged) == (2, 2, 1, 1)
        (news,) = workshop.published(RestorePointDamaged)
        assert (news.snapshot_id, news.restore_point) == (damaged, None)
        assert news.damage == Damage(code="repository_damaged", detail=DAMAGED.detail)

    async def test_what_is_deleted_while_others_are_listed_is_not_announced(self, workshop: Workshop) -> None:
        first, deleted = [await workshop.left_behind() for _ in range(2)]
        began = utc_now()

        async def delete() -> None:
            workshop.repository.snapshots.pop(deleted, None)

        workshop.lister.before = delete

        told = await follow(workshop)

        assert announced(workshop) == workshop.lister.listed == [first]
        assert (told.listed, told.damaged) == (1, 0)
        [news] = workshop.published(RestorePointCreated)
        assert began <= news.seen_at <= utc_now()

    async def test_what_is_told_late_is_as_of_the_look_into_the_store(self, workshop: Workshop) -> None:
        _, last = [await workshop.left_behind() for _ in range(2)]
        workshop.lister.failures[last] = BlobMissing("x")
        looked = []

        async def look() -> None:
            looked.append(utc_now())

        workshop.lister.before = look

        await follow(workshop)

        told = [*workshop.published(RestorePointCreated), *workshop.published(RestorePointDamaged)]
        assert len(told) == 3
        assert {each.seen_at <= looked[0] for each in told} == {True}

    async def test_of_what_could_not_be_listed_the_index_hears_why(self, workshop: Workshop) -> None:
        damaged, gone = [await workshop.left_behind() for _ in range(2)]
        workshop.lister.failures[damaged] = BlobMissing("x")
        workshop.damaged[gone] = SnapshotNotFound(gone)

        told = await follow(workshop)

        assert (told.unlisted, told.damaged) == (2, 1)
        (news,) = workshop.published(RestorePointDamaged)
        assert news.restore_point.snapshot_id == news.snapshot_id == damaged
        assert news.damage.code == "blob_missing"

    async def test_a_damaged_one_is_read_through_before_it_is_listed_again(self, workshop: Workshop) -> None:
        damaged = await workshop.left_behind()
        workshop.index.damaged = {damaged}
        tree = workshop.kept()[0].tree_id
        workshop.lost[tree] = FileMissing("pack", "p")

        assert (await follow(workshop)).damaged == 1
        assert workshop.lister.listed == []
        del workshop.lost[tree]

        assert (await follow(workshop)).damaged == 0
        assert workshop.lister.listed == [damaged]

    @pytest.mark.parametrize("error", [ValueError("a bug"), PermanentError("unforeseen", "Of a test.")])
    @pytest.mark.parametrize("where", ["snapshot", "listing", "reading through"])
    async def test_what_nobody_foresaw_is_told_and_stops_no_other_one(
        self, workshop: Workshop, error: Exception, where: str
    ) -> None:
        odd, other = [await workshop.left_behind() for _ in range(2)]
        if where == "snapshot":
            workshop.damaged[odd] = error
        elif where == "listing":
            workshop.lister.failures[odd] = error
        else:
            workshop.index.damaged = {odd}
            workshop.lost[next(each.tree_id for each in workshop.kept() if each.snapshot_id == odd)] = error

        told = await follow(workshop)

        assert (workshop.lister.listed, told.damaged) == ([other], 1)
        [news] = workshop.published(RestorePointDamaged)
        expected = "internal_error" if isinstance(error, ValueError) else "unforeseen"
        assert (news.snapshot_id, news.damage.code) == (odd, expected)

    @pytest.mark.parametrize("error", [OSError("no space left on this machine"), PermanentError("odd", "Of a test.")])
    async def test_what_is_no_fault_of_the_store_takes_nothing_away(self, workshop: Workshop, error: Exception) -> None:
        await workshop.left_behind()
        await follow(workshop)
        [tree] = [each.tree_id for each in workshop.kept()]
        workshop.lost[tree] = error

        assert (await follow(workshop, look_for_loss=True)).damaged == 0
        assert workshop.published(RestorePointDamaged) == []

    async def test_a_store_whose_packs_may_not_be_listed_is_followed(
        self, workshop: Workshop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(_: MemoryReader) -> frozenset[bytes]:
            raise AccessDenied("pack")

        monkeypatch.setattr(MemoryReader, "doubtful_packs", refuse)
        there = await workshop.left_behind()

        assert (await follow(workshop, look_for_loss=True)).listed == 1
        assert workshop.lister.listed == [there]

    @pytest.mark.parametrize("asked", ["look_for_loss", "suspects"])
    async def test_what_was_lost_since_it_was_indexed_is_found_where_it_is_looked_for(
        self, workshop: Workshop, asked: str
    ) -> None:
        hurt = await workshop.left_behind()
        (workshop.root / "source" / "another").touch()
        whole = await workshop.left_behind()
        await follow(workshop)
        assert workshop.lister.listed == [hurt, whole]
        [tree] = [each.tree_id for each in workshop.kept() if each.snapshot_id == hurt]
        workshop.lost[tree] = FileMissing("pack", "p")

        assert (await follow(workshop)).damaged == 0
        told = await follow(workshop, **{asked: True if asked == "look_for_loss" else (hurt, whole)})

        assert (told.listed, told.damaged) == (0, 1)
        assert [news.snapshot_id for news in workshop.published(RestorePointDamaged)] == [hurt]

    async def test_a_pack_that_stays_lost_is_looked_into_once(self, workshop: Workshop) -> None:
        await workshop.left_behind()
        (workshop.root / "source" / "another").touch()
        await workshop.left_behind()
        await follow(workshop)
        first, second = (each.tree_id for each in workshop.kept())
        workshop.lost["pack of a forgotten tree"] = FileMissing("pack", "p")

        await follow(workshop, look_for_loss=True)
        assert sorted(workshop.walked) == sorted([first, second])
        await follow(workshop, look_for_loss=True)
        assert len(workshop.walked) == 2

        (workshop.root / "source" / "third").touch()
        await workshop.left_behind()
        await follow(workshop)
        await follow(workshop, look_for_loss=True)
        third = workshop.kept()[-1].tree_id
        assert workshop.walked[2:] == [third]  # It may refer to what was lost before.

        workshop.lost[second] = FileMissing("pack", "q")
        assert (await follow(workshop, look_for_loss=True)).damaged == 1
        assert len(workshop.walked) == 6

    async def test_a_restore_point_that_was_not_read_is_read_the_next_time(
        self, workshop: Workshop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_: Any) -> None:
            raise KeyError("unforeseen")

        await workshop.left_behind()
        await follow(workshop)
        workshop.lost["p"] = FileMissing("pack", "p")
        with monkeypatch.context() as patch:
            patch.setattr(MemoryReader, "walk_new", fail)
            await follow(workshop, look_for_loss=True)
        assert workshop.walked == []

        await follow(workshop, look_for_loss=True)

        assert len(workshop.walked) == 1

    async def test_a_rebuild_tells_of_what_was_lost_since(self, workshop: Workshop) -> None:
        lost = await workshop.left_behind()
        await follow(workshop)
        workshop.lister.failures[lost] = DAMAGED

        told = await follow(workshop, rebuild=True)

        assert (told.listed, told.damaged) == (0, 1)
        assert [news.snapshot_id for news in workshop.published(RestorePointDamaged)] == [lost]

    async def test_what_could_not_be_listed_is_tried_again_the_next_time(self, workshop: Workshop) -> None:
        damaged, last = [await workshop.left_behind() for _ in range(2)]
        workshop.lister.failures[damaged] = DAMAGED
        assert (await follow(workshop)).unlisted == 1
        assert workshop.lister.listed == [last]
        del workshop.lister.failures[damaged]

        assert (await follow(workshop)).unlisted == 0

        assert workshop.lister.listed == [last, damaged]

    async def test_what_the_index_has_is_left_alone(self, workshop: Workshop) -> None:
        await workshop.left_behind()
        await follow(workshop)

        told = await follow(workshop)

        assert (told.added, told.listed, len(announced(workshop))) == (0, 0, 1)

    async def test_a_rebuild_lists_everything_again(self, workshop: Workshop) -> None:
        points = [await workshop.left_behind() for _ in range(2)]
        await follow(workshop)

        told = await follow(workshop, rebuild=True)

        assert (told.rebuild, told.added, told.listed) == (True, 0, 2)
        assert workshop.lister.again == points

    async def test_what_the_index_cannot_open_is_listed_in_full(self, workshop: Workshop) -> None:
        refused, other = [await workshop.left_behind() for _ in range(2)]
        workshop.index.refuses = {refused}

        assert (await follow(workshop)).unlisted == 0

        assert workshop.lister.listed == [refused, other, refused]
        assert workshop.lister.again == [refused]

    async def test_what_the_index_never_takes_in_is_told_and_not_awaited_for_ever(self, workshop: Workshop) -> None:
        refused, other = [await workshop.left_behind() for _ in range(2)]
        workshop.index.refuses_all = {refused}

        told = await follow(workshop)

        assert workshop.lister.listed == [refused, other, refused]
        [news] = workshop.published(RestorePointDamaged)
        assert (news.snapshot_id, news.damage.code) == (refused, "not_indexable")
        assert (told.unlisted, told.damaged) == (1, 1)


class TestJobs:
    async def test_what_a_job_left_beside_the_one_it_announced_is_passed_over(self, workshop: Workshop) -> None:
        _, kept = [await workshop.left_behind() for _ in range(2)]
        await workshop.lost_attempt(made=kept, state="settled")

        await follow(workshop)

        assert announced(workshop) == [kept]

    async def test_a_copy_in_another_store_is_taken_in_though_its_job_announced_the_original(
        self, workshop: Workshop
    ) -> None:
        copies = [await workshop.left_behind() for _ in range(2)]
        await workshop.lost_attempt(made="of another store", state="settled")

        await follow(workshop)

        assert announced(workshop) == copies

    async def test_what_a_running_job_made_is_the_job_s_to_announce(self, workshop: Workshop) -> None:
        made = await workshop.left_behind()
        running = await workshop.attempt()
        await follow(workshop)
        assert announced(workshop) == []

        await running.settle()
        await follow(workshop)

        assert announced(workshop) == [made]

    async def left_by_a_canceled_job(self, workshop: Workshop) -> str:
        """Its store was away when it ended."""
        made = await workshop.left_behind()
        await workshop.store.work.cancel(ORG, "job")
        await workshop.lost_attempt()
        await workshop.lost_attempt(number=2, state="settled")
        return made

    async def test_what_a_canceled_job_left_is_removed_and_never_announced(self, workshop: Workshop) -> None:
        await self.left_by_a_canceled_job(workshop)
        other = await workshop.left_behind("another job")

        told = await follow(workshop)

        assert announced(workshop) == [other]
        assert [each.snapshot_id for each in workshop.kept()] == [other]
        assert (told.added, told.listed, told.unlisted) == (1, 1, 0)

    async def test_what_a_store_does_not_delete_is_passed_over(self, workshop: Workshop) -> None:
        made = await self.left_by_a_canceled_job(workshop)
        workshop.repository.keeps_all = "It is append-only."

        await follow(workshop)

        assert announced(workshop) == []
        assert [each.snapshot_id for each in workshop.kept()] == [made]

    async def test_what_is_listed_already_is_not_removed(self, workshop: Workshop) -> None:
        made = await self.left_by_a_canceled_job(workshop)
        workshop.index.points = {made: False}

        await follow(workshop)

        assert [each.snapshot_id for each in workshop.kept()] == [made]

    async def test_what_a_canceled_job_announced_is_taken_in(self, workshop: Workshop) -> None:
        made = await workshop.left_behind()
        await workshop.store.work.cancel(ORG, "job")
        await workshop.lost_attempt(made=made, state="settled")

        await follow(workshop)

        assert announced(workshop) == [made]


class TestWhatIsGone:
    async def test_what_the_store_has_no_more_is_announced_as_removed(self, workshop: Workshop) -> None:
        kept = await workshop.left_behind()
        workshop.index.points = {kept: True, "gone": True, "never opened": False}

        told = await follow(workshop)

        assert gone(workshop) == ["gone", "never opened"]
        assert (told.removed, told.added, told.listed) == (2, 0, 0)

    async def test_a_restore_point_made_after_the_index_was_asked_is_no_removal(self, workshop: Workshop) -> None:
        made: list[str] = []

        async def back_up() -> None:
            made.append(await workshop.left_behind())
            workshop.index.points[made[0]] = True

        workshop.index.after = back_up

        await follow(workshop)

        assert made[0] in {found.snapshot_id for found in workshop.kept()}
        assert gone(workshop) == []

    async def test_an_initialization_notes_the_repository_and_has_the_index_follow(self, workshop: Workshop) -> None:
        lease = await workshop.command()
        await initialize_store(workshop.context, lease, lease.work.cause.data)  # type: ignore[arg-type]

        assert await workshop.store.repositories.of(ORG, "store") == await _engine_id(workshop)
        assert [w.kind for w in await workshop.store.work.waiting(pool="default", group=SlotGroup.LISTINGS)] == [SYNC]


async def _engine_id(workshop: Workshop) -> str:
    return (await workshop.engine.initialize(workshop.place)).repository_id


class TestCommand:
    async def test_the_answer_tells_what_differs_and_the_rest_follows(self, workshop: Workshop) -> None:
        await workshop.left_behind()
        workshop.index.points = {"gone": True}
        lease = await workshop.command(kind=REFRESH)

        await workshop.runner().run(lease)

        (outcome,) = workshop.published(CommandOutcome)
        assert outcome.result == {"added": 1, "removed": 1, "listed": 1, "damaged": 0, "warnings": []}
        assert gone(workshop) == announced(workshop) == []
        (following,) = await workshop.store.work.waiting(pool="default", group=SlotGroup.LISTINGS)
        assert (following.kind, following.cause.id) == (SYNC, lease.work.id)

    async def test_a_store_that_does_not_answer_refuses_the_command_at_once(self, workshop: Workshop) -> None:
        workshop.silent = StoreUnavailable("gone")
        lease = await workshop.command(kind=REFRESH)

        with pytest.raises(StoreUnreachable):
            await refresh_store(workshop.context, lease, lease.work.cause.data)  # type: ignore[arg-type]

    async def test_following_a_store_that_does_not_answer_is_tried_again_for_a_while(self, workshop: Workshop) -> None:
        workshop.silent = StoreUnavailable("gone")
        lease = await workshop.command(kind=SYNC)
        with pytest.raises(TemporaryError):
            await sync_store(workshop.context, lease, lease.work.cause.data)  # type: ignore[arg-type]
        await lease.release()
        for number in range(2, TRIES_MAX + 1):
            lease = await workshop.again(lease)
            assert lease.number == number
            await workshop.runner().run(lease) if number == TRIES_MAX else await lease.release()

        assert await workshop.store.work.waiting(pool="default", group=SlotGroup.LISTINGS) == []


class TestWatch:
    async def test_each_store_is_compared_once_in_its_slot_whichever_worker_looks(self, workshop: Workshop) -> None:
        workshop.store.stores.stores = [(ORG, an_app("store")), (ORG, an_app("other"))]  # type: ignore[attr-defined]

        assert await workshop.watch.look(now=1_000_000) == 2
        for work in await workshop.store.work.waiting(pool="default", group=SlotGroup.LISTINGS):
            await workshop.store.work.close(ORG, work.id)

        assert await workshop.watch.look(now=1_000_001) == 0
        assert await workshop.watch.look(now=1_000_000 + 2 * 3600) == 2

    async def test_a_store_is_not_queued_while_it_is_being_followed(self, workshop: Workshop) -> None:
        workshop.store.stores.stores = [(ORG, an_app("store"))]  # type: ignore[attr-defined]
        await workshop.watch.look(now=1_000_000)

        assert await workshop.watch.look(now=2_000_000) == 0

    async def test_a_suspicion_waits_for_its_slot_and_is_not_forgotten(self, workshop: Workshop) -> None:
        workshop.watch.suspect(ORG, an_app("store"))
        assert await workshop.watch.look(now=1_000_000) == 1
        workshop.watch.suspect(ORG, an_app("store"))
        assert await workshop.watch.look(now=1_000_001) == 0
        (work,) = await workshop.store.work.waiting(pool="default", group=SlotGroup.LISTINGS)
        await workshop.store.work.close(ORG, work.id)
        assert await workshop.watch.look(now=1_000_001) == 0

        assert await workshop.watch.look(now=1_000_061) == 1

    @pytest.mark.parametrize("every", [60.0, 3600.0, 86_400.0, 604_800.0])
    def test_losses_are_looked_for_once_a_day(self, every: float) -> None:
        moments = range(1_000_000, 1_000_000 + 7 * 86_400, int(min(every, 86_400)))
        thorough = sum(is_thorough_slot("store", now, every_seconds=every) for now in moments)
        assert thorough == 7

    @pytest.mark.parametrize("error", [FileMissing("pack", "x"), Damaged("pack", "x", why="y")])
    async def test_what_a_reader_meets_is_looked_into(self, workshop: Workshop, error: Exception) -> None:
        snapshot_id = await workshop.left_behind()
        with contextlib.suppress(Damaged):
            async with workshop.context.stores.borrow(ORG, an_app("store"), reading=SnapshotId(snapshot_id)):
                raise error
        assert await workshop.watch.look(now=1_000_000) == 1
        [work] = await workshop.store.work.waiting(pool="default", group=SlotGroup.LISTINGS)
        command = work.cause.data
        assert isinstance(command, RefreshStore)
        assert (command.look_for_loss, command.suspects) == (True, (snapshot_id,))

    async def test_what_is_noticed_while_a_comparison_is_queued_is_not_forgotten(
        self, workshop: Workshop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        add, store = workshop.store.work.add, an_app("store")

        async def add_slowly(work: Work, *, group: SlotGroup) -> bool:
            added = await add(work, group=group)
            workshop.watch.suspect_loss(ORG, store, SnapshotId("b" * 64))
            return added

        monkeypatch.setattr(workshop.store.work, "add", add_slowly)
        workshop.watch.suspect_loss(ORG, store, SnapshotId("a" * 64))
        assert await workshop.watch.look(now=1_000_000) == 1
        monkeypatch.undo()
        for work in await workshop.store.work.waiting(pool="default", group=SlotGroup.LISTINGS):
            await workshop.store.work.close(ORG, work.id)

        assert await workshop.watch.look(now=1_000_061) == 1

    @pytest.mark.parametrize(("error", "suspected"), [(SnapshotNotFound("x"), 1), (BlobMissing("x"), 1), (DAMAGED, 0)])
    async def test_what_is_missing_in_a_store_makes_it_suspect(
        self, workshop: Workshop, error: Exception, suspected: int
    ) -> None:
        with pytest.raises(type(error)):
            async with workshop.context.stores.borrow(ORG, an_app("store")):
                raise error

        assert await workshop.watch.look(now=1_000_000) == suspected

    @pytest.mark.parametrize("reading", [None, SnapshotId("s" * 64)])
    async def test_a_snapshot_that_was_removed_is_no_reason_to_look_for_losses(
        self, workshop: Workshop, reading: SnapshotId | None
    ) -> None:
        with contextlib.suppress(SnapshotNotFound):
            async with workshop.context.stores.borrow(ORG, an_app("store"), reading=reading):
                raise SnapshotNotFound("s")
        await workshop.watch.look(now=1_000_000)

        [work] = await workshop.store.work.waiting(pool="default", group=SlotGroup.LISTINGS)
        command = work.cause.data
        assert isinstance(command, RefreshStore)
        assert (command.look_for_loss, command.suspects) == (False, ())

    @pytest.mark.parametrize("every", [3600.0, 5000.0, 604_800.0])
    async def test_a_store_that_was_busy_in_its_thorough_slot_has_it_later(
        self, workshop: Workshop, every: float
    ) -> None:
        workshop.store.stores.stores = [(ORG, an_app("store"))]  # type: ignore[attr-defined]
        watch = watching(workshop, every)
        begun = list[float]()
        for now in range(1_000_000, 1_000_000 + 14 * 86_400, 600):
            if is_thorough_slot("store", now, every_seconds=every) and every < 86_400:
                continue  # It is being compared all that time.
            if await watch.look(now=now):
                begun += [now for each in await queued(workshop) if each.look_for_loss]
                await close(workshop)

        longest = max(every, 86_400) + 2 * every + 600
        assert begun
        assert all(later - sooner <= longest for sooner, later in pairwise([1_000_000, *begun]))
        assert all(later - sooner >= 86_400 for sooner, later in pairwise(begun))

    async def test_no_store_is_compared_by_itself_when_that_is_switched_off(self, workshop: Workshop) -> None:
        workshop.store.stores.stores = [(ORG, an_app("store"))]  # type: ignore[attr-defined]

        assert await watching(workshop, 0).look(now=1_000_000) == 0


def watching(workshop: Workshop, every_seconds: float) -> Watch:
    """A watch that has stores compared this often."""
    context = workshop.context
    settings = context.settings.model_copy(update={"refresh_seconds": every_seconds})
    return Watch(workshop.store, context.wake_ups, settings)


async def queued(workshop: Workshop) -> list[RefreshStore]:
    """Comparisons that wait."""
    waiting = await workshop.store.work.waiting(pool="default", group=SlotGroup.LISTINGS)
    return [work.cause.data for work in waiting if isinstance(work.cause.data, RefreshStore)]


async def close(workshop: Workshop) -> None:
    """Have made what waits."""
    for work in await workshop.store.work.waiting(pool="default", group=SlotGroup.LISTINGS):
        await workshop.store.work.close(ORG, work.id)


async def test_a_store_that_was_removed_is_not_followed(workshop: Workshop) -> None:
    lease = await workshop.command("other", kind=SYNC)
    record = await workshop.store.apps.load(ORG, "other")
    await workshop.store.apps.save(Aggregate(record.id, ORG, record.revision), KnownApp(revision=2))

    await workshop.runner().run(lease)

    assert await workshop.store.work.waiting(pool="default", group=SlotGroup.LISTINGS) == []
    assert workshop.published(StoreRefreshed) == []
