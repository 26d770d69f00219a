"""Forgetting what no restore point needs: never too much, whatever happens meanwhile, and in the end all of it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from chassis.persistence.aggregates import AlreadyHandled
from contracts.errors import Conflict
from contracts.messages.assignment import AppRemoved
from contracts.messages.restore_index import RestorePoint, StoreSweepDue
from contracts.values import AppId
from restore_index.domain.entries import unpack
from restore_index.domain.search.conditions import read_conditions
from restore_index.domain.segments import read_frame
from restore_index.domain.sweeping import Sweep
from restore_index.usecases import keeping, sweeping
from restore_index.usecases.searching import Question, search_point

from tests.unit.restore_index.builder import (
    ORG,
    Tree,
    a_point,
    created,
    directories,
    listed,
    new_store,
    removed,
    wrapped,
)
from tests.unit.restore_index.world import World

GRACE = timedelta(minutes=15)
LATER = GRACE + timedelta(minutes=1)
SHARED: dict[bytes, Any] = {b"shared": {b"deep": {b"er": {b"file": 1}}}}
MANY = {f"{i:02}".encode(): i for i in range(50)}
OLD = Tree({**SHARED, b"old": {b"a": {b"b": {b"c": 1}}, b"d": 2, b"many": MANY}}, page_entries=20)
NEW = Tree({**SHARED, b"new": {b"a": {b"e": 1}}})


def ids(tree: Tree) -> set[str]:
    return {str(page.tree_id) for page in tree.pages}


class Sweeping(World):
    """An index over which time passes."""

    def __init__(self, **facts: Any) -> None:
        super().__init__(**facts)
        self.now = datetime.now(UTC)
        self.store_id = new_store()

    async def step(self) -> bool:
        """Take the next step, if one can be taken."""
        due = await sweeping.look_for_stores(self.store, self.now, grace=GRACE)
        for event in due:
            await sweeping.sweep_store(self.store, wrapped(event), grace=GRACE, clock=lambda: self.now)
        return bool(due)

    async def until(self, phase: str) -> None:
        for _ in range(20):
            if (await self.sweep()).phase == phase:
                return
            self.now += LATER
            await self.step()
        raise AssertionError(f"never {phase}")

    async def sweep(self) -> Sweep:
        return await self.store.sentences.of(ORG, self.store_id)

    async def to_the_end(self) -> None:
        for _ in range(30):
            self.now += LATER
            await self.step()
        assert not (await self.sweep()).is_pending

    async def point(self, tree: Tree) -> RestorePoint:
        point = a_point(self.store_id, tree)
        await self.hold(point, tree)
        return point

    async def remove(self, point: RestorePoint) -> None:
        await keeping.note_removed(self.store, wrapped(removed(point)))

    async def send(self, tree: Tree, *, only: set[str] | None = None) -> None:
        """Send the directories of a tree, or some of them."""
        pages = [page for page in tree.pages if only is None or page.tree_id in only]
        for event in directories(self.store_id, pages, each=2):
            await keeping.keep_directories(self.store, wrapped(event))

    async def found(self, point: RestorePoint) -> list[str]:
        """Where names with an e in them are."""
        question = Question(read_conditions(q=b"e"), b"/", 100, "")
        return [item["path"] for item in (await search_point(self.store, ORG, point.snapshot_id, question)).items]

    async def known(self, tree: Tree) -> set[str]:
        return set(await self.store.directories.known(ORG, self.store_id, ids(tree)))

    def kept(self) -> set[str]:
        """What documents there are, by the ids of their directories."""
        return {name.partition("/")[2].partition("#")[0] for name in self.documents.kept}

    async def check(self) -> None:
        """Whatever is known is there with everything below it; whatever can be browsed is known."""
        self.restart()
        for point in await self.store.points_of(ORG, self.store_id):
            if point.browsable:
                tree_id = point.restore_point.tree_id
                assert tree_id in await self.store.directories.known(ORG, self.store_id, [tree_id])
        left = [self.store_id, *await self._all_known()]
        for tree_id in left[1:]:
            for child in await self._children(tree_id):
                assert child in left, f"{child} below {tree_id} is not known"

    async def _all_known(self) -> set[str]:
        found = [tree async for trees in self.store.directories.ledger.read(ORG, self.store_id) for tree in _cut(trees)]
        return set(await self.store.directories.known(ORG, self.store_id, [tree.hex() for tree in found]))

    async def _children(self, tree_id: str) -> list[str]:
        directory = await self.store.directories.get(ORG, self.store_id, tree_id)
        assert directory is not None, f"{tree_id} is known and gone"
        found = []
        for page in range(directory.pages):
            entries = unpack(await self.store.directories.packed(ORG, self.store_id, directory, page=page))
            assert entries or not directory.total
            found += [entry.subtree.hex() for entry in entries if entry.subtree]
        return found


def _cut(trees: bytes) -> list[bytes]:
    return [trees[start : start + 32] for start in range(0, len(trees), 32)]


@pytest.fixture(params=[1000, 0], ids=["in memory", "too many for memory"])
def world(request: pytest.FixtureRequest) -> Sweeping:
    return Sweeping(kept_in_memory=request.param)


async def test_what_no_restore_point_needs_goes_and_the_rest_stays(world: Sweeping) -> None:
    old, new = await world.point(OLD), await world.point(NEW)
    assert world.kept() == ids(OLD) | ids(NEW)

    await world.remove(old)
    await world.to_the_end()

    assert world.kept() == ids(NEW)
    assert await world.known(OLD) == ids(OLD) & ids(NEW)
    await world.check()
    assert await world.names(new, b"/shared/deep/er") == ["file"]
    assert world.condemned.kept == {}


async def test_nothing_happens_before_its_time(world: Sweeping) -> None:
    await world.point(NEW)
    await world.remove(await world.point(OLD))

    assert not await world.step()
    world.now += LATER
    assert await world.step()
    assert await world.known(OLD) == ids(OLD) & ids(NEW)
    assert world.kept() == ids(OLD) | ids(NEW)
    assert not await world.step()


async def test_what_was_swept_comes_back_when_it_is_listed_again(world: Sweeping) -> None:
    await world.point(NEW)
    await world.remove(await world.point(OLD))
    await world.to_the_end()

    again = await world.point(OLD)

    await world.check()
    assert await world.names(again, b"/old/a/b") == ["c"]
    assert len(await world.names(again, b"/old/many")) == len(MANY)


async def test_who_builds_on_what_was_condemned_since_has_it_spared(world: Sweeping) -> None:
    await world.point(NEW)
    await world.remove(await world.point(OLD))
    await world.until("condemned")
    grown = Tree({b"above": {**SHARED, b"old": {b"a": {b"b": {b"c": 1}}, b"d": 2, b"many": MANY}}}, page_entries=20)
    point = a_point(world.store_id, grown)

    await keeping.note_created(world.store, wrapped(created(point)))
    await world.send(grown, only={grown.tree_id, *(ids(grown) - ids(OLD))})  # what it asked for before was known
    await keeping.open_restore_point(world.store, wrapped(listed(point)))

    await world.check()
    await world.to_the_end()
    await world.check()
    assert await world.names(point, b"/above/old/a/b") == ["c"]


async def test_a_root_that_was_condemned_since_is_spared(world: Sweeping) -> None:
    await world.remove(await world.point(OLD))
    await world.until("condemned")
    point = a_point(world.store_id, OLD)

    await keeping.open_restore_point(world.store, wrapped(listed(point)))

    await world.to_the_end()
    await world.check()
    assert world.kept() == ids(OLD)


async def test_what_is_deleted_already_is_refused_and_can_be_sent_anew(world: Sweeping) -> None:
    await world.remove(await world.point(OLD))
    await world.until("deleting")
    point = a_point(world.store_id, OLD)

    with pytest.raises(Conflict, match="directory_incomplete"):
        await world.send(OLD, only={OLD.tree_id})
    with pytest.raises(Conflict, match="directories_missing"):
        await keeping.open_restore_point(world.store, wrapped(listed(point)))
    await world.hold(point, OLD)
    await world.check()

    await world.to_the_end()
    await world.check()
    assert world.kept() == ids(OLD)


@pytest.mark.parametrize("phase", ["condemned", "deleting", "rewriting"])
async def test_what_is_sent_again_is_condemned_no_more(world: Sweeping, phase: str) -> None:
    await world.point(NEW)
    await world.remove(await world.point(OLD))
    await world.until(phase)

    again = await world.point(OLD)
    assert await world.known(OLD) == ids(OLD)
    await world.to_the_end()

    await world.check()
    assert world.kept() == ids(OLD) | ids(NEW)
    assert await world.names(again, b"/old/a/b") == ["c"]


async def test_nothing_goes_while_a_restore_point_is_being_listed_for_a_day_at_most(world: Sweeping) -> None:
    await world.remove(await world.point(OLD))
    await world.until("condemned")
    news = wrapped(created(a_point(world.store_id, NEW)))
    await keeping.note_created(world.store, news.model_copy(update={"time": world.now}))

    world.now += LATER
    assert await world.step()
    assert world.kept() == ids(OLD)
    world.now += timedelta(days=1)
    await world.step()

    assert world.kept() == set()


async def test_half_a_listing_is_not_condemned(world: Sweeping) -> None:
    await world.remove(await world.point(NEW))
    news = wrapped(created(a_point(world.store_id, OLD)))
    await keeping.note_created(world.store, news.model_copy(update={"time": world.now}))
    await world.send(OLD, only=ids(OLD) - {OLD.tree_id})

    world.now += LATER
    await world.step()

    assert await world.known(OLD) == ids(OLD) - {OLD.tree_id}


async def test_nothing_is_condemned_where_names_are_missing_until_it_is_listed_again(world: Sweeping) -> None:
    await world.point(NEW)
    await world.remove(await world.point(OLD))
    for name in list(world.segments.kept)[:1]:
        world.segments.kept[name] = world.segments.kept[name] | {"frame": b"damaged"}
    await world.to_the_end()
    assert world.kept() == ids(OLD) | ids(NEW)

    for event in directories(world.store_id, NEW.pages):
        await keeping.keep_directories(world.store, wrapped(event.model_copy(update={"again": True})))
    await world.to_the_end()

    assert world.kept() == ids(NEW)
    await world.check()


@pytest.mark.parametrize("number", range(7))
async def test_what_was_rebuilt_after_damage_is_found_after_a_sweep_too(world: Sweeping, number: int) -> None:
    grown = Tree({**NEW.root, b"many": {f"{i:02}".encode(): {b"e": i} for i in range(50)}}, page_entries=20)
    point = await world.point(grown)
    before = await world.found(point)
    await world.remove(await world.point(OLD))
    name = list(world.segments.kept)[number]
    world.segments.kept[name] = world.segments.kept[name] | {"frame": b"damaged"}
    world.restart()

    counts = []
    for _ in range(4):
        for event in directories(world.store_id, grown.pages, each=2):
            await keeping.keep_directories(world.store, wrapped(event.model_copy(update={"again": True})))
        await world.to_the_end()
        world.restart()
        assert await world.found(point) == before
        counts.append(sum([len(read_frame(s)) async for _, s in world.store.names.read(ORG, world.store_id)]))
        await world.remove(await world.point(OLD))
    assert len(set(counts)) == 1, counts


async def test_a_step_that_is_told_twice_is_taken_once(world: Sweeping) -> None:
    await world.remove(await world.point(OLD))
    world.now += LATER
    event = wrapped(StoreSweepDue(organization_id=ORG, store_id=world.store_id))
    await sweeping.sweep_store(world.store, event, grace=GRACE, clock=lambda: world.now)
    before = await world.sweep()

    with pytest.raises(AlreadyHandled):
        await sweeping.sweep_store(world.store, event, grace=GRACE, clock=lambda: world.now)
    assert await world.sweep() == before


async def test_a_store_that_was_removed_goes_as_a_whole_and_nothing_late_brings_it_back(world: Sweeping) -> None:
    old, _ = await world.point(OLD), await world.point(NEW)
    half = Tree({b"half": {f"{i:02}".encode(): {} for i in range(30)}}, page_entries=20)
    await world.send(half, only={half.pages[0].tree_id})
    other = Sweeping()
    gone = wrapped(AppRemoved(organization_id=ORG, app_id=world.store_id, revision=2))

    await sweeping.forget_store(world.store, gone)
    await world.to_the_end()

    assert (world.documents.kept, world.batches.kept, world.segments.kept, world.condemned.kept) == ({}, {}, {}, {})
    assert await world.store.points_of(ORG, world.store_id) == []
    await world.hold(a_point(world.store_id, NEW), NEW)
    await keeping.note_created(world.store, wrapped(created(old)))
    assert (world.documents.kept, await world.store.points_of(ORG, None)) == ({}, [])
    source = wrapped(AppRemoved(organization_id=ORG, app_id=AppId("a source"), revision=2))
    await sweeping.forget_store(other.store, source)
    assert await other.store.sentences.pending() == []


async def test_documents_do_not_grow_in_number_while_restore_points_come_and_go(world: Sweeping) -> None:
    counts = []
    point = None
    for number in range(60):
        tree = Tree({**SHARED, b"changing": {f"{number}".encode(): {b"x": number}}})
        last, point = point, await world.point(tree)
        if last is not None:
            await world.remove(last)
        if number % 10 == 9:
            world.now += timedelta(days=10)
            await world.to_the_end()
            kept = (world.documents, world.batches, world.segments, world.condemned)
            counts.append(sum(len(each.kept) for each in kept) + len(world.points._kept))
    await world.check()
    assert max(counts[1:]) <= counts[0] + 10, counts


async def test_an_index_that_lost_its_database_while_it_runs_is_told_everything_again(world: Sweeping) -> None:
    point = await world.point(OLD)
    for kept in (world.documents, world.batches, world.segments, world.condemned):
        kept.kept.clear()
    world.points._kept.clear()
    world.sweeps._kept.clear()

    assert await world.known(OLD) == set()
    await world.hold(point, OLD)

    assert world.kept() == ids(OLD)
    await world.check()


async def test_searches_that_read_the_names_before_find_what_is_left(world: Sweeping) -> None:
    old, new = await world.point(OLD), await world.point(NEW)
    in_old, in_new = await world.found(old), await world.found(new)
    assert "/shared/deep/er/file" in in_old
    assert "/new/a/e" in in_new

    await world.remove(old)
    await world.to_the_end()

    assert await world.found(new) == in_new
    assert await world.found(await world.point(OLD)) == in_old


class Killed(Exception):
    """The process ends here."""


async def test_a_kill_between_any_two_writes_is_harmless() -> None:
    """Steps are cut off at each write in turn and told again; with and without a listing in between."""
    for listing in (None, OLD, NEW):
        number = 0
        while await _is_cut_off(number, listing):
            number += 1
        assert number > 20


async def _is_cut_off(after: int, listing: Tree | None) -> bool:
    """Whether there were more writes than so many; the sweep goes on to its end in either case."""
    world = Sweeping()
    await world.point(NEW)
    await world.remove(await world.point(OLD))
    left = [after]
    cut = False
    with pytest.MonkeyPatch.context() as patched:
        _let_die(patched, world, left)
        for _ in range(12):
            world.now += LATER
            try:
                await world.step()
            except Killed:
                cut = True
                break
    left[0] = 10**9
    world.restart()
    if listing is not None:
        await _list_what_is_not_known(world, listing)
    await world.check()
    await world.to_the_end()
    await world.check()
    assert world.kept() == ids(NEW) | (ids(listing) if listing else set())
    return cut


async def _list_what_is_not_known(world: Sweeping, tree: Tree) -> None:
    """As a worker does: what it is told is known is not sent."""
    point, known = a_point(world.store_id, tree), await world.known(tree)
    await keeping.note_created(world.store, wrapped(created(point)))
    await world.send(tree, only=ids(tree) - known)
    await keeping.open_restore_point(world.store, wrapped(listed(point)))


def _let_die(patched: pytest.MonkeyPatch, world: Sweeping, left: list[int]) -> None:
    def count() -> None:
        if left[0] <= 0:
            raise Killed
        left[0] -= 1

    for kept in (world.documents, world.batches, world.segments, world.condemned):
        for name in ("put", "delete"):
            object.__setattr__(kept, name, _counted(getattr(kept, name), count))
    for records in (world.sweeps, world.points):
        patched.setattr(records, "save", _counted(records.save, count))


def _counted(act: Any, count: Any) -> Any:
    async def counted(argument: Any, *rest: Any, **facts: Any) -> Any:
        if isinstance(argument, list | tuple):
            for each in argument:
                count()
                await act([each])
            return None
        count()
        return await act(argument, *rest, **facts)

    return counted


async def test_nothing_is_condemned_while_a_restore_point_is_not_among_what_is_known(world: Sweeping) -> None:
    gone, stays = await world.point(OLD), await world.point(NEW)
    last = max(world.batches.kept, key=lambda name: int(name.partition("/")[2]))
    del world.batches.kept[last]
    world.restart()
    await world.remove(gone)
    await world.to_the_end()

    assert ids(NEW) <= world.kept()
    assert await world.names(stays, b"/new/a") == ["e"]
