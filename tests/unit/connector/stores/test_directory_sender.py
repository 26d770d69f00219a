"""Listing a restore point: only what is new, children first, and no thread left behind."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
from connector.queue.lease import Lease, LeaseLost
from connector.stores.directory_pages import PageMaker
from connector.stores.directory_sender import (
    BATCH_BYTES,
    BATCHES_AHEAD,
    MESSAGES_AHEAD,
    Listed,
    Lister,
    NewPageMaker,
    Rebuilt,
)
from connector.stores.restore_points import restore_point_of
from contracts.envelope import Envelope
from contracts.messages.base import Message
from contracts.messages.restore_index import DirectoriesListed, DirectoryPage, RestorePointListed
from contracts.values import AppId, OrganizationId
from restic_reader import FileKind, Limits, Repository, Totals, Walked
from restic_reader.errors import Damaged

from tests.support.waiting import eventually_async
from tests.unit.connector.parts import ORG, MemoryPublisher, held, memory_store, some_work
from tests.unit.restic_reader.builder import PASSWORD, Builder, dir_node, file_node

SEEN_AT = datetime(2024, 5, 1, tzinfo=UTC)


class Index:
    """A restore index that knows some directories, or does not answer."""

    def __init__(self, *, answers: bool = True) -> None:
        self.known_totals: dict[str, Totals] = {}
        self.asked: list[list[str]] = []
        self.silent = asyncio.Event()
        self.awaited: list[DirectoryPage] = []
        self.arrived_pages = 0
        self._answers = answers

    async def known(self, org: OrganizationId, store_id: str, tree_ids: list[str]) -> dict[str, Totals]:
        self.asked.append(tree_ids)
        if not self._answers:
            self.silent.set()
            await asyncio.Event().wait()
        return {tree: totals for tree, totals in self.known_totals.items() if tree in tree_ids}

    async def arrived(self, org: OrganizationId, store_id: str, tree_id: str, *, pages: int) -> int:
        return self.arrived_pages

    async def await_arrival(
        self, org: OrganizationId, store_id: str, page: DirectoryPage, *, patience_seconds: float
    ) -> bool:
        self.awaited.append(page)
        return await self.takes_in(page)

    async def takes_in(self, page: DirectoryPage) -> bool:
        return True


class SlowIndex(Index):
    """Takes messages in only when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()

    async def takes_in(self, page: DirectoryPage) -> bool:
        await self.gate.wait()
        return True


class StuckIndex(Index):
    """Answers, and takes nothing in."""

    async def takes_in(self, page: DirectoryPage) -> bool:
        return False


class SlowPublisher(MemoryPublisher):
    """A Kafka that takes messages only when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()

    async def send(self, message: Envelope[Message]) -> None:
        await self.gate.wait()
        await super().send(message)


class CountingMaker(PageMaker):
    """Counts the pages that were made."""

    made = 0

    def pages(self, directory: Walked) -> Iterator[DirectoryPage]:
        for page in super().pages(directory):
            CountingMaker.made += 1
            yield page


class Wide:
    """A hundred directories in one, whose listing takes a message each."""

    def __init__(self) -> None:
        CountingMaker.made = 0
        self.builder = Builder()
        leaves = self.builder.trees([file_node(f"f{number}", [], 1)] for number in range(100))
        self.root = self.builder.tree(*(dir_node(f"d{number:03}", leaf) for number, leaf in enumerate(leaves)))
        self.snapshot_id = self.builder.snapshot(self.root)
        self.repository = Repository.open(self.builder.files, PASSWORD)


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


async def list_it(
    tree: Tree | Wide,
    index: Any,
    publisher: MemoryPublisher,
    lease: Lease | None = None,
    *,
    again: Rebuilt | None = None,
    batch_bytes: int = BATCH_BYTES,
    new_page_maker: NewPageMaker = PageMaker,
) -> Listed:
    point = restore_point_of(tree.repository.snapshot(tree.snapshot_id), org=ORG, store_id=AppId("store"))
    if isinstance(tree, Wide):
        batch_bytes, new_page_maker = 1, CountingMaker
    lister = Lister(publisher, index, batch_bytes=batch_bytes, new_page_maker=new_page_maker)
    return await lister.list_restore_point(
        lease or await a_lease(), tree.repository, point, seen_at=SEEN_AT, on_listed=lambda _: None, again=again
    )


def listed(publisher: MemoryPublisher) -> list[str]:
    events = [m.data for m in publisher.sent if isinstance(m.data, DirectoriesListed)]
    return [page.tree_id for event in events for page in event.directories]


async def test_children_come_before_parents_and_the_restore_point_last() -> None:
    tree, publisher = Tree(), MemoryPublisher()

    told = await list_it(tree, Index(), publisher, batch_bytes=1)

    order = listed(publisher)
    assert sorted(order) == sorted([tree.a, tree.b, tree.c, tree.root])
    assert order.index(tree.b) < order.index(tree.a) < order.index(tree.root) == 3
    assert isinstance(publisher.sent[-1].data, RestorePointListed)
    assert publisher.sent[-1].data.seen_at == SEEN_AT
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


async def test_a_rebuild_sends_what_the_index_knows_and_what_restore_points_share_once() -> None:
    tree, index, publisher, again = Tree(), Index(), MemoryPublisher(), Rebuilt()
    index.known_totals = dict.fromkeys((tree.root, tree.a, tree.b, tree.c), Totals(files=1, dirs=1, bytes=7))

    await list_it(tree, index, publisher, again=again)
    assert sorted(listed(publisher)) == sorted([tree.a, tree.b, tree.c, tree.root])
    assert all(m.data.again for m in publisher.sent if isinstance(m.data, DirectoriesListed))
    tree.snapshot_id = tree.builder.snapshot(tree.builder.tree(dir_node("a", tree.a)))
    tree.repository.refresh()
    await list_it(tree, index, publisher, again=again)

    assert len(listed(publisher)) == 5


async def test_a_rebuild_sends_again_what_the_index_has_lost_meanwhile() -> None:
    tree, index, publisher, again = Tree(), Index(), MemoryPublisher(), Rebuilt()
    await list_it(tree, index, publisher, again=again)

    await list_it(tree, index, publisher, again=again)

    assert len(listed(publisher)) == 8


async def test_a_damaged_directory_ends_the_listing_with_its_error() -> None:
    tree, publisher = Tree(), MemoryPublisher()
    for kind, name in list(tree.builder.files.files):
        if kind is FileKind.PACK:
            tree.builder.change(kind, name, 20)

    with pytest.raises(Damaged) as raised:
        await list_it(tree, Index(), publisher)

    assert isinstance(raised.value, Damaged)
    assert publisher.sent == []


async def test_who_lost_the_lease_lists_nothing() -> None:
    publisher = MemoryPublisher()

    with pytest.raises(LeaseLost):
        await list_it(Tree(), Index(), publisher, await a_lease(seconds=-1))
    assert publisher.sent == []


async def test_the_walk_is_never_far_ahead_of_what_kafka_has_taken() -> None:
    wide, publisher = Wide(), SlowPublisher()
    task = asyncio.create_task(list_it(wide, Index(), publisher))
    most = BATCHES_AHEAD + 3  # one is being sent, one waits to be sent, one is being filled

    await eventually_async(lambda: CountingMaker.made >= most - 1)
    assert CountingMaker.made <= most
    publisher.gate.set()
    await task

    assert CountingMaker.made == len(listed(publisher)) == 101


async def test_messages_are_never_far_ahead_of_what_the_index_has_taken_in() -> None:
    wide, index, publisher = Wide(), SlowIndex(), MemoryPublisher()
    task = asyncio.create_task(list_it(wide, index, publisher))

    await eventually_async(lambda: bool(index.awaited))
    assert len(publisher.sent) == MESSAGES_AHEAD
    assert index.awaited[0].tree_id == listed(publisher)[MESSAGES_AHEAD // 4 - 1]
    index.gate.set()
    await task

    assert len(listed(publisher)) == 101
    assert len(index.awaited) == 1 + (101 - MESSAGES_AHEAD) // (MESSAGES_AHEAD // 4)


async def test_an_index_that_takes_nothing_in_is_not_waited_for_again() -> None:
    wide, index, publisher = Wide(), StuckIndex(), MemoryPublisher()

    await list_it(wide, index, publisher)

    assert (len(listed(publisher)), len(index.awaited)) == (101, 1)


async def test_of_a_large_directory_only_the_pages_that_have_not_arrived_are_sent() -> None:
    tree, index = Tree(), Index()
    tree.root = tree.builder.tree(*(file_node(f"f{number:02}", [], number) for number in range(60)))
    tree.snapshot_id = tree.builder.snapshot(tree.root)
    tree.repository = Repository.open(tree.builder.files, PASSWORD, limits=Limits(large_directory_bytes=2000))

    async def pages_sent(arrived: int) -> list[DirectoryPage]:
        index.arrived_pages, publisher = arrived, MemoryPublisher()
        await list_it(tree, index, publisher, new_page_maker=partial(PageMaker, entries_per_page=7))
        return [p for m in publisher.sent if isinstance(m.data, DirectoriesListed) for p in m.data.directories]

    whole = await pages_sent(0)
    assert [page.page for page in whole] == list(range(9))
    assert await pages_sent(5) == whole[5:]
    assert await pages_sent(9) == []


async def test_a_listing_that_waits_for_an_answer_can_be_stopped() -> None:
    index = Index(answers=False)
    task = asyncio.create_task(list_it(Tree(), index, MemoryPublisher()))
    await index.silent.wait()

    task.cancel()

    async with asyncio.timeout(5):
        with pytest.raises(asyncio.CancelledError):
            await task
    assert len(index.asked) == 1
