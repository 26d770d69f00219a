"""Repositories kept open, shared, bounded, and closed when nobody reads them."""

import asyncio
import threading
from collections.abc import AsyncIterator
from functools import partial

import pytest
import pytest_asyncio
from connector.stores.open_stores import READERS_PER_STORE, OpenStores, PointDeleted
from contracts.messages.assignment import App
from contracts.values import OrganizationId, SnapshotId
from integrations.sdk.errors import PassphraseWrong
from restic_reader import FileKind, Repository
from restic_reader.errors import BlobMissing, Damaged

from tests.support.waiting import eventually_async
from tests.unit.connector.parts import ORG, an_app
from tests.unit.restic_reader.builder import PASSWORD, Builder


class Opener:
    """Opens an empty repository, slowly when told so; counts."""

    def __init__(self) -> None:
        self.files = Builder().files
        self.password = PASSWORD
        self.gate = threading.Event()
        self.gate.set()
        self.opened: list[Repository] = []

    def __call__(self, org: OrganizationId, app: App) -> Repository:
        self.gate.wait(10)
        self.opened.append(Repository.open(self.files, self.password))
        return self.opened[-1]


@pytest.fixture
def opener() -> Opener:
    return Opener()


@pytest_asyncio.fixture(loop_scope="session")
async def stores(opener: Opener) -> AsyncIterator[OpenStores]:
    made = OpenStores(opener, limit=2)
    yield made
    await made.close()


async def test_many_readers_share_one_opening(stores: OpenStores, opener: Opener) -> None:
    opener.gate.clear()

    async def read() -> Repository:
        async with stores.borrow(ORG, an_app()) as store:
            return store.repository

    readers = [asyncio.create_task(read()) for _ in range(5)]
    await asyncio.sleep(0)
    opener.gate.set()

    assert {id(r) for r in await asyncio.gather(*readers)} == {id(opener.opened[0])}
    assert len(opener.opened) == 1


async def test_a_reader_that_leaves_early_does_not_stop_the_opening(stores: OpenStores, opener: Opener) -> None:
    opener.gate.clear()
    stores.open_ahead(ORG, an_app())

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01), stores.borrow(ORG, an_app()):
            pass
    opener.gate.set()

    async with stores.borrow(ORG, an_app()):
        assert len(opener.opened) == 1


async def test_a_new_revision_is_opened_anew_and_the_old_one_closed(stores: OpenStores, opener: Opener) -> None:
    async with stores.borrow(ORG, an_app()) as old, stores.borrow(ORG, an_app(revision=2)) as new:
        assert old.repository is not new.repository
        assert not old.repository.is_closed

    assert [r.is_closed for r in opener.opened] == [True, False]


async def test_the_least_recently_used_is_closed_when_there_are_too_many(stores: OpenStores, opener: Opener) -> None:
    for name in ("a", "b", "a", "c"):
        async with stores.borrow(ORG, an_app(name)):
            pass

    a, b, c = opener.opened
    assert [r.is_closed for r in (a, b, c)] == [False, True, False]


async def test_what_failed_to_open_is_tried_again(stores: OpenStores, opener: Opener) -> None:
    opener.password = "wrong"
    with pytest.raises(PassphraseWrong):
        async with stores.borrow(ORG, an_app()):
            pass

    opener.password = PASSWORD
    async with stores.borrow(ORG, an_app()):
        assert len(opener.opened) == 1


async def test_a_store_found_damaged_is_opened_anew(stores: OpenStores, opener: Opener) -> None:
    with pytest.raises(Damaged):
        async with stores.borrow(ORG, an_app()):
            raise Damaged("pack", "x", why="for a test")

    async with stores.borrow(ORG, an_app()):
        assert len(opener.opened) == 2
    assert opener.opened[0].is_closed


async def test_damage_in_a_restore_point_that_is_not_there_any_more_is_no_loss(opener: Opener) -> None:
    builder, told = Builder(), list[str]()
    snapshot_id = builder.snapshot(builder.tree())
    opener.files = builder.files
    stores = OpenStores(
        opener, limit=2, on_loss=lambda *_: told.append("loss"), on_change=lambda *_: told.append("change")
    )

    async def lose() -> None:
        async with stores.borrow(ORG, an_app(), reading=SnapshotId(snapshot_id)):
            raise BlobMissing("ab" * 32)

    with pytest.raises(BlobMissing):
        await lose()
    builder.remove(FileKind.SNAPSHOT, snapshot_id)
    with pytest.raises(PointDeleted, match=f"Restore point {snapshot_id[:8]} was deleted while it was read"):
        await lose()
    await stores.close()

    assert told == ["loss", "change"]


async def test_a_dropped_store_is_closed_once_nobody_reads(stores: OpenStores, opener: Opener) -> None:
    async with stores.borrow(ORG, an_app()) as store:
        stores.drop("store")
        assert not store.repository.is_closed

    assert opener.opened[0].is_closed


async def test_a_repository_for_one_reader_is_nobody_elses_and_is_closed_after_it(
    stores: OpenStores, opener: Opener
) -> None:
    async with stores.borrow(ORG, an_app()) as shared, stores.open_alone(ORG, an_app()) as reading:
        for _ in range(2):
            async with reading(SnapshotId("ab" * 32)) as alone:
                assert alone.repository is not shared.repository
        assert not alone.repository.is_closed

    assert [each.is_closed for each in opener.opened] == [False, True]


async def test_a_repository_for_one_reader_who_does_not_wait_for_it_is_closed_once_it_is_open(
    stores: OpenStores, opener: Opener
) -> None:
    opener.gate.clear()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01), stores.open_alone(ORG, an_app()) as reading, reading(SnapshotId("ab" * 32)):
            pass
    opener.gate.set()

    await eventually_async(lambda: [each.is_closed for each in opener.opened] == [True])


async def test_a_store_that_does_not_answer_keeps_no_thread_from_another(stores: OpenStores) -> None:
    answers, begun = threading.Event(), list[int]()

    def hang(number: int) -> None:
        begun.append(number)
        answers.wait(30)

    hung = [asyncio.create_task(stores.in_thread(partial(hang, number), of="silent")) for number in range(300)]
    await eventually_async(lambda: len(begun) == READERS_PER_STORE)
    assert await stores.in_thread(lambda: "read", of="other") == "read"
    for reading in hung[:READERS_PER_STORE]:
        reading.cancel()
    await asyncio.wait(hung[:READERS_PER_STORE])
    assert await stores.in_thread(lambda: "read", of="other") == "read"
    assert len(begun) == READERS_PER_STORE  # Who has stopped waiting freed no thread.
    answers.set()
    await asyncio.wait(hung)
    assert len(begun) == 300
