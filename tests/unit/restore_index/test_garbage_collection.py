"""Garbage collection: never too much, whatever happens meanwhile, and in the end all of it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from chassis.persistence.aggregates import AlreadyHandled
from contracts.errors import Conflict
from contracts.messages.assignment import AppRemoved
from contracts.messages.restore_index import RestorePoint, StoreSweepDue
from contracts.values import AppId
from restore_index.domain.entries import unpack
from restore_index.domain.garbage_collection import CollectionState
from restore_index.domain.name_segments import read_frame
from restore_index.domain.search.conditions import read_conditions
from restore_index.store import point_id
from restore_index.usecases import garbage_collection, indexing
from restore_index.usecases.search import Question, search_point

from tests.unit.restore_index.memory_index import MemoryIndex
from tests.unit.restore_index.trees import ORG, Tree, a_point, created, directories, listed, new_store, removed, wrapped

GRACE = timedelta(minutes=15)
LATER = GRACE + timedelta(minutes=1)
SHARED: dict[bytes, Any] = {b"shared": {b"deep": {b"er": {b"file": 1}}}}
MANY = {f"{i:02}".encode(): i for i in range(50)}
OLD = Tree({**SHARED, b"old": {b"a": {b"b": {b"c": 1}}, b"d": 2, b"many": MANY}}, page_entries=20)
NEW = Tree({**SHARED, b"new": {b"a": {b"e": 1}}})


def ids(tree: Tree) -> set[str]:
    return {str(page.tree_id) for page in tree.pages}


class CollectedIndex(MemoryIndex):
    """An index over which time passes."""

    def __init__(self, **facts: Any) -> None:
        super().__init__(**facts)
        self.now = datetime.now(UTC)
        self.store_id = new_store()

    async def step(self) -> bool:
        """Take the next step, if one can be taken."""
        due = await garbage_collection.due_collections(self.store, self.now, grace=GRACE)
        for event in due:
            await garbage_collection.collect_garbage(self.store, wrapped(event), grace=GRACE, clock=lambda: self.now)
        return bool(due)

    async def until(self, phase: str) -> None:
        for _ in range(20):
            if (await self.state()).phase == phase:
                return
            self.now += LATER
            await self.step()
        raise AssertionError(f"never {phase}")

    async def state(self) -> CollectionState:
        return await self.store.candidates.of(ORG, self.store_id)

    async def to_the_end(self) -> None:
        for _ in range(30):
            self.now += LATER
            await self.step()
        assert not (await self.state()).is_pending

    async def point(self, tree: Tree) -> RestorePoint:
        point = a_point(self.store_id, tree)
        await self.hold(point, tree)
        return point

    async def remove(self, point: RestorePoint) -> None:
        await indexing.record_removed(self.store, wrapped(removed(point)))

    async def send(self, tree: Tree, *, only: set[str] | None = None) -> None:
        """Send the directories of a tree, or some of them."""
        pages = [page for page in tree.pages if only is None or page.tree_id in only]
        for event in directories(self.store_id, pages, each=2):
            await indexing.index_directories(self.store, wrapped(event))

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
        found = [
            tree async for trees in self.store.directories.known_trees.read(ORG, self.store_id) for tree in _cut(trees)
        ]
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
def index(request: pytest.FixtureRequest) -> CollectedIndex:
    return CollectedIndex(kept_in_memory=request.param)


async def test_what_no_restore_point_needs_goes_and_the_rest_stays(index: CollectedIndex) -> None:
    old, new = await index.point(OLD), await index.point(NEW)
    assert index.kept() == ids(OLD) | ids(NEW)

    await index.remove(old)
    await index.to_the_end()

    assert index.kept() == ids(NEW)
    assert await index.known(OLD) == ids(OLD) & ids(NEW)
    await index.check()
    assert await index.names(new, b"/shared/deep/er") == ["file"]
    assert index.marked.kept == {}


async def test_nothing_happens_before_its_time(index: CollectedIndex) -> None:
    await index.point(NEW)
    await index.remove(await index.point(OLD))

    assert not await index.step()
    index.now += LATER
    assert await index.step()
    assert await index.known(OLD) == ids(OLD) & ids(NEW)
    assert index.kept() == ids(OLD) | ids(NEW)
    assert not await index.step()


async def test_what_was_collected_comes_back_when_it_is_listed_again(index: CollectedIndex) -> None:
    await index.point(NEW)
    await index.remove(await index.point(OLD))
    await index.to_the_end()

    again = await index.point(OLD)

    await index.check()
    assert await index.names(again, b"/old/a/b") == ["c"]
    assert len(await index.names(again, b"/old/many")) == len(MANY)


async def test_a_listing_that_builds_on_marked_directories_takes_the_marks_back(index: CollectedIndex) -> None:
    await index.point(NEW)
    await index.remove(await index.point(OLD))
    await index.until("condemned")
    grown = Tree({b"above": {**SHARED, b"old": {b"a": {b"b": {b"c": 1}}, b"d": 2, b"many": MANY}}}, page_entries=20)
    point = a_point(index.store_id, grown)

    await indexing.record_created(index.store, wrapped(created(point)))
    await index.send(grown, only={grown.tree_id, *(ids(grown) - ids(OLD))})  # what it asked for before was known
    await indexing.make_browsable(index.store, wrapped(listed(point)))

    await index.check()
    await index.to_the_end()
    await index.check()
    assert await index.names(point, b"/above/old/a/b") == ["c"]


async def test_a_root_that_was_marked_since_is_unmarked(index: CollectedIndex) -> None:
    await index.remove(await index.point(OLD))
    await index.until("condemned")
    point = a_point(index.store_id, OLD)

    await indexing.make_browsable(index.store, wrapped(listed(point)))

    await index.to_the_end()
    await index.check()
    assert index.kept() == ids(OLD)


async def test_what_is_deleted_already_is_rejected_and_can_be_sent_again(index: CollectedIndex) -> None:
    await index.remove(await index.point(OLD))
    await index.until("deleting")
    point = a_point(index.store_id, OLD)

    with pytest.raises(Conflict, match="directory_incomplete"):
        await index.send(OLD, only={OLD.tree_id})
    with pytest.raises(Conflict, match="directories_missing"):
        await indexing.make_browsable(index.store, wrapped(listed(point)))
    await index.hold(point, OLD)
    await index.check()

    await index.to_the_end()
    await index.check()
    assert index.kept() == ids(OLD)


@pytest.mark.parametrize("phase", ["condemned", "deleting", "rewriting"])
async def test_what_is_sent_again_loses_its_mark(index: CollectedIndex, phase: str) -> None:
    await index.point(NEW)
    await index.remove(await index.point(OLD))
    await index.until(phase)

    again = await index.point(OLD)
    assert await index.known(OLD) == ids(OLD)
    await index.to_the_end()

    await index.check()
    assert index.kept() == ids(OLD) | ids(NEW)
    assert await index.names(again, b"/old/a/b") == ["c"]


async def test_nothing_goes_while_a_restore_point_is_being_listed_for_a_day_at_most(index: CollectedIndex) -> None:
    await index.remove(await index.point(OLD))
    await index.until("condemned")
    news = wrapped(created(a_point(index.store_id, NEW)))
    await indexing.record_created(index.store, news.model_copy(update={"time": index.now}))

    index.now += LATER
    assert await index.step()
    assert index.kept() == ids(OLD)
    index.now += timedelta(days=1)
    await index.step()

    assert index.kept() == set()


async def test_half_a_listing_is_not_marked(index: CollectedIndex) -> None:
    await index.remove(await index.point(NEW))
    news = wrapped(created(a_point(index.store_id, OLD)))
    await indexing.record_created(index.store, news.model_copy(update={"time": index.now}))
    await index.send(OLD, only=ids(OLD) - {OLD.tree_id})

    index.now += LATER
    await index.step()

    assert await index.known(OLD) == ids(OLD) - {OLD.tree_id}


async def test_nothing_is_marked_where_names_are_missing_until_it_is_listed_again(index: CollectedIndex) -> None:
    await index.point(NEW)
    await index.remove(await index.point(OLD))
    for name in list(index.segments.kept)[:1]:
        index.segments.kept[name] = index.segments.kept[name] | {"frame": b"damaged"}
    await index.to_the_end()
    assert index.kept() == ids(OLD) | ids(NEW)

    for event in directories(index.store_id, NEW.pages):
        await indexing.index_directories(index.store, wrapped(event.model_copy(update={"again": True})))
    await index.to_the_end()

    assert index.kept() == ids(NEW)
    await index.check()


@pytest.mark.parametrize("number", [0, 6, *(pytest.param(n, marks=pytest.mark.long) for n in range(1, 6))])
async def test_what_was_rebuilt_after_damage_is_found_after_collection_too(index: CollectedIndex, number: int) -> None:
    grown = Tree({**NEW.root, b"many": {f"{i:02}".encode(): {b"e": i} for i in range(50)}}, page_entries=20)
    point = await index.point(grown)
    before = await index.found(point)
    await index.remove(await index.point(OLD))
    name = list(index.segments.kept)[number]
    index.segments.kept[name] = index.segments.kept[name] | {"frame": b"damaged"}
    index.restart()

    counts = []
    for _ in range(4):
        for event in directories(index.store_id, grown.pages, each=2):
            await indexing.index_directories(index.store, wrapped(event.model_copy(update={"again": True})))
        await index.to_the_end()
        index.restart()
        assert await index.found(point) == before
        counts.append(sum([len(read_frame(s)) async for _, s in index.store.names.read(ORG, index.store_id)]))
        await index.remove(await index.point(OLD))
    assert len(set(counts)) == 1, counts


async def test_a_step_that_is_announced_twice_is_taken_once(index: CollectedIndex) -> None:
    await index.remove(await index.point(OLD))
    index.now += LATER
    event = wrapped(StoreSweepDue(organization_id=ORG, store_id=index.store_id))
    await garbage_collection.collect_garbage(index.store, event, grace=GRACE, clock=lambda: index.now)
    before = await index.state()

    with pytest.raises(AlreadyHandled):
        await garbage_collection.collect_garbage(index.store, event, grace=GRACE, clock=lambda: index.now)
    assert await index.state() == before


async def test_a_store_that_was_removed_goes_as_a_whole_and_nothing_late_brings_it_back(index: CollectedIndex) -> None:
    old, _ = await index.point(OLD), await index.point(NEW)
    half = Tree({b"half": {f"{i:02}".encode(): {} for i in range(30)}}, page_entries=20)
    await index.send(half, only={half.pages[0].tree_id})
    other = CollectedIndex()
    gone = wrapped(AppRemoved(organization_id=ORG, app_id=index.store_id, revision=2))

    await garbage_collection.schedule_store_removal(index.store, gone)
    await index.to_the_end()

    assert (index.documents.kept, index.batches.kept, index.segments.kept, index.marked.kept) == ({}, {}, {}, {})
    assert await index.store.points_of(ORG, index.store_id) == []
    await index.hold(a_point(index.store_id, NEW), NEW)
    await indexing.record_created(index.store, wrapped(created(old)))
    assert (index.documents.kept, await index.store.points_of(ORG, None)) == ({}, [])
    source = wrapped(AppRemoved(organization_id=ORG, app_id=AppId("a source"), revision=2))
    await garbage_collection.schedule_store_removal(other.store, source)
    assert await other.store.candidates.pending() == []


async def test_documents_do_not_grow_in_number_while_restore_points_come_and_go(index: CollectedIndex) -> None:
    counts = []
    point = None
    for number in range(60):
        tree = Tree({**SHARED, b"changing": {f"{number}".encode(): {b"x": number}}})
        last, point = point, await index.point(tree)
        if last is not None:
            await index.remove(last)
        if number % 10 == 9:
            index.now += timedelta(days=10)
            await index.to_the_end()
            kept = (index.documents, index.batches, index.segments, index.marked)
            counts.append(sum(len(each.kept) for each in kept) + len((await index.points.find(ORG)).items))
    await index.check()
    assert max(counts[1:]) <= counts[0] + 10, counts


async def test_an_index_that_lost_its_database_while_it_runs_is_sent_everything_again(index: CollectedIndex) -> None:
    point = await index.point(OLD)
    for kept in (index.documents, index.batches, index.segments, index.marked):
        kept.kept.clear()
    await index.points.drop(await index.points.load(ORG, point_id(point.store_id, point.snapshot_id)))
    await index.states.drop(await index.states.load(ORG, index.store_id))

    assert await index.known(OLD) == set()
    await index.hold(point, OLD)

    assert index.kept() == ids(OLD)
    await index.check()


async def test_searches_that_read_the_names_before_find_what_is_left(index: CollectedIndex) -> None:
    old, new = await index.point(OLD), await index.point(NEW)
    in_old, in_new = await index.found(old), await index.found(new)
    assert "/shared/deep/er/file" in in_old
    assert "/new/a/e" in in_new

    await index.remove(old)
    await index.to_the_end()

    assert await index.found(new) == in_new
    assert await index.found(await index.point(OLD)) == in_old


class Killed(Exception):
    """The process ends here."""


@pytest.mark.parametrize("step", [4, pytest.param(1, marks=pytest.mark.long)])
@pytest.mark.parametrize("listing", [None, OLD, NEW], ids=["no listing", "old listing", "new listing"])
async def test_a_kill_between_any_two_writes_is_harmless(listing: Tree | None, step: int) -> None:
    """Steps are cut off at each write in turn and sent again; with and without a listing in between."""
    number = 0
    while await _is_cut_off(number, listing):
        number += step
    assert number > 20


async def _is_cut_off(after: int, listing: Tree | None) -> bool:
    """Whether there were more writes than so many; the collection goes on to its end in either case."""
    index = CollectedIndex()
    await index.point(NEW)
    await index.remove(await index.point(OLD))
    left = [after]
    cut = False
    with pytest.MonkeyPatch.context() as patched:
        _let_die(patched, index, left)
        for _ in range(12):
            index.now += LATER
            try:
                await index.step()
            except Killed:
                cut = True
                break
    left[0] = 10**9
    index.restart()
    if listing is not None:
        await _list_what_is_not_known(index, listing)
    await index.check()
    await index.to_the_end()
    await index.check()
    assert index.kept() == ids(NEW) | (ids(listing) if listing else set())
    return cut


async def _list_what_is_not_known(index: CollectedIndex, tree: Tree) -> None:
    """As a worker does: what the index knows is not sent."""
    point, known = a_point(index.store_id, tree), await index.known(tree)
    await indexing.record_created(index.store, wrapped(created(point)))
    await index.send(tree, only=ids(tree) - known)
    await indexing.make_browsable(index.store, wrapped(listed(point)))


def _let_die(patched: pytest.MonkeyPatch, index: CollectedIndex, left: list[int]) -> None:
    def count() -> None:
        if left[0] <= 0:
            raise Killed
        left[0] -= 1

    for kept in (index.documents, index.batches, index.segments, index.marked):
        for name in ("put", "delete"):
            object.__setattr__(kept, name, _counted(getattr(kept, name), count))
    for records in (index.states, index.points):
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


async def test_nothing_is_marked_while_a_restore_point_is_not_among_what_is_known(index: CollectedIndex) -> None:
    gone, stays = await index.point(OLD), await index.point(NEW)
    last = max(index.batches.kept, key=lambda name: int(name.partition("/")[2]))
    del index.batches.kept[last]
    index.restart()
    await index.remove(gone)
    await index.to_the_end()

    assert ids(NEW) <= index.kept()
    assert await index.names(stays, b"/new/a") == ["e"]
