"""Listing a restore point: only what is new, children first, and no thread left behind."""

import asyncio
from typing import Any

import pytest
from chassis.errors import PermanentError
from connector.repository import FileKind, Repository, Totals
from connector.repository.errors import Damaged
from connector.usecases import listing
from connector.usecases.lease import Lease, LeaseLost
from connector.usecases.listing import Listed, Lister
from connector.usecases.restore_points import restore_point_of
from contracts.restore_index import DirectoriesListed, RestorePointListed
from contracts.values import AppId, OrganizationId

from tests.unit.connector_worker.parts import ORG, MemoryPublisher, held, memory_store, some_work
from tests.unit.repository.builder import PASSWORD, Builder, dir_node, file_node


class Index:
    """A restore index that knows some directories, or does not answer."""

    def __init__(self, *, answers: bool = True) -> None:
        self.known_totals: dict[str, Totals] = {}
        self.asked: list[list[str]] = []
        self.silent = asyncio.Event()
        self._answers = answers

    async def known(self, org: OrganizationId, store_id: str, tree_ids: list[str]) -> dict[str, Totals]:
        self.asked.append(tree_ids)
        if not self._answers:
            self.silent.set()
            await asyncio.Event().wait()
        return {tree: totals for tree, totals in self.known_totals.items() if tree in tree_ids}


class Tree:
    """`/a/b/file` and `/c/file` in a repository."""

    def __init__(self) -> None:
        self.builder = Builder()
        _, content = self.builder.pack(b"content")
        file = file_node("file", content, 7)
        self.b = self.builder.tree(file)
        self.a = self.builder.tree(dir_node("b", self.b))
        self.c = self.builder.tree(file, file_node("other", [], 0))
        self.root = self.builder.tree(dir_node("a", self.a), dir_node("c", self.c))
        self.snapshot_id = self.builder.snapshot(self.root)
        self.repository = Repository.open(self.builder.files, PASSWORD)


async def a_lease(seconds: float = 30) -> Lease:
    store = memory_store()
    return await held(store, await some_work(store), seconds=seconds)


async def list_it(tree: Tree, index: Any, publisher: MemoryPublisher, lease: Lease | None = None) -> Listed:
    point = restore_point_of(tree.repository.snapshot(tree.snapshot_id), org=ORG, store_id=AppId("store"))
    lister = Lister(publisher, index)
    return await lister.list_restore_point(lease or await a_lease(), tree.repository, point, on_listed=lambda _: None)


def listed(publisher: MemoryPublisher) -> list[str]:
    events = [m.data for m in publisher.sent if isinstance(m.data, DirectoriesListed)]
    return [page.tree_id for event in events for page in event.directories]


async def test_children_come_before_parents_and_the_restore_point_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "BATCH_BYTES", 1)
    tree, publisher = Tree(), MemoryPublisher()

    told = await list_it(tree, Index(), publisher)

    order = listed(publisher)
    assert sorted(order) == sorted([tree.a, tree.b, tree.c, tree.root])
    assert order.index(tree.b) < order.index(tree.a) < order.index(tree.root) == 3
    assert isinstance(publisher.sent[-1].data, RestorePointListed)
    assert told == Listed(directories=4, entries=6)


async def test_what_the_index_knows_is_not_sent_and_counts_nevertheless() -> None:
    tree, index, publisher = Tree(), Index(), MemoryPublisher()
    index.known_totals = {tree.a: Totals(files=1, dirs=1, bytes=7)}

    await list_it(tree, index, publisher)

    assert set(listed(publisher)) == {tree.c, tree.root}
    (event,) = [m.data for m in publisher.sent if isinstance(m.data, DirectoriesListed)]
    assert event.directories[-1].totals.model_dump() == {"files": 3, "directories": 3, "bytes": 14}


async def test_a_restore_point_that_is_known_whole_is_only_announced() -> None:
    tree, index, publisher = Tree(), Index(), MemoryPublisher()
    index.known_totals = {tree.root: Totals(files=3, dirs=3, bytes=14)}

    assert await list_it(tree, index, publisher) == Listed()
    assert [type(m.data) for m in publisher.sent] == [RestorePointListed]


async def test_a_damaged_directory_ends_the_listing_with_its_error() -> None:
    tree, publisher = Tree(), MemoryPublisher()
    for kind, name in list(tree.builder.files.files):
        if kind is FileKind.PACK:
            tree.builder.change(kind, name, 20)

    with pytest.raises(PermanentError) as raised:
        await list_it(tree, Index(), publisher)

    assert isinstance(raised.value, Damaged)
    assert publisher.sent == []


async def test_who_lost_the_lease_lists_nothing() -> None:
    publisher = MemoryPublisher()

    with pytest.raises(LeaseLost):
        await list_it(Tree(), Index(), publisher, await a_lease(seconds=-1))
    assert publisher.sent == []


async def test_a_listing_that_waits_for_an_answer_can_be_stopped() -> None:
    index = Index(answers=False)
    task = asyncio.create_task(list_it(Tree(), index, MemoryPublisher()))
    await index.silent.wait()

    task.cancel()

    async with asyncio.timeout(5):
        with pytest.raises(asyncio.CancelledError):
            await task
    assert len(index.asked) == 1
