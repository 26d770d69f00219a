"""Nothing damaged is ever handed out."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator
from typing import NamedTuple

import pytest
import pytest_asyncio
from connector.downloads.content import Content, Span, open_content
from connector.store.ports import KnownApp, Store
from connector.stores.open_stores import OpenStores
from contracts.messages.assignment import App
from contracts.values import OrganizationId
from restic_reader import FileKind, MemoryFiles, Repository
from restic_reader.errors import Damaged, NotAFile, PathNotFound

from tests.support.waiting import eventually_async
from tests.unit.connector.parts import ORG, an_app, memory_store, repository_threads
from tests.unit.restic_reader.builder import PASSWORD, Builder, file_node

FIRST, SECOND = b"a" * 100_000, b"b" * 100_000


class TableCache(NamedTuple):
    """A store with a snapshot of `/file`, whose second half is damaged."""

    store: Store
    stores: OpenStores
    snapshot_id: str
    openings: list[str]

    async def opened(self, span: Span | None = None, *, path: bytes = b"/file") -> Content:
        return await open_content(
            self.store,
            self.stores,
            ORG,
            store_id="store",
            snapshot_id=self.snapshot_id,
            path=path,
            choose=lambda found: span or Span(0, found.size),
        )


@pytest_asyncio.fixture(loop_scope="session")
async def shelf() -> AsyncIterator[TableCache]:
    builder, store = Builder(), memory_store()
    _, first = builder.pack(FIRST)
    pack, second = builder.pack(SECOND)
    builder.change(FileKind.PACK, pack, 20)
    tags = ["cairn:org=org", "cairn:source=s", "cairn:job=j", "cairn:location=/srv/link"]
    tree = builder.tree(file_node("file", [*first, *second], 200_000))
    snapshot_id = builder.snapshot(tree, paths=["/mnt/copy"], tags=tags)
    await store.apps.save(await store.apps.load(ORG, "store"), KnownApp(revision=1, app=an_app()))
    openings: list[str] = []

    def open_repository(_: OrganizationId, app: App) -> Repository:
        openings.append(app.id)
        return Repository.open(builder.files, PASSWORD)

    stores = OpenStores(open_repository, limit=1)
    yield TableCache(store, stores, snapshot_id, openings)
    await stores.close()


async def test_bytes_before_a_damaged_piece_come_then_an_error(shelf: TableCache) -> None:
    content = await shelf.opened()
    reading = content.read(shelf.stores)

    assert await anext(reading) == FIRST
    with pytest.raises(Damaged):
        await anext(reading)
    await content.close()


async def test_a_store_that_was_found_damaged_is_opened_anew(shelf: TableCache) -> None:
    content = await shelf.opened()
    with pytest.raises(Damaged):
        [piece async for piece in content.read(shelf.stores)]

    await (await shelf.opened()).close()
    await content.close()

    assert len(shelf.openings) == 2


async def test_damage_in_the_first_piece_shows_before_anything_is_answered(shelf: TableCache) -> None:
    with pytest.raises(Damaged):
        await shelf.opened(Span(100_000, 10))


async def test_what_is_not_asked_for_is_not_read(shelf: TableCache) -> None:
    content = await shelf.opened(Span(99_990, 10))

    assert [piece async for piece in content.read(shelf.stores)] == [b"a" * 10]
    await content.close()
    await content.close()


async def test_closing_ends_the_reading(shelf: TableCache) -> None:
    content = await shelf.opened()
    reading = content.read(shelf.stores)
    first = await anext(reading)

    await content.close()

    assert first == FIRST
    assert [piece async for piece in reading] == []


@pytest.mark.parametrize("path", [b"/file", b"/srv/link/file", b"/srv/link/file/"])
async def test_a_path_may_begin_with_the_root_of_the_source(shelf: TableCache, path: bytes) -> None:
    content = await shelf.opened(path=path)

    assert content.found.name == b"file"
    await content.close()


@pytest.mark.parametrize("path", [b"/mnt/copy/file", b"/srv/linkfile", b"/srv/link/other", b"/srv/link/file/x"])
async def test_no_other_place_leads_to_a_file(shelf: TableCache, path: bytes) -> None:
    with pytest.raises(PathNotFound):
        await shelf.opened(path=path)


@pytest.mark.parametrize("path", [b"/", b"/srv/link"])
async def test_the_root_is_no_file(shelf: TableCache, path: bytes) -> None:
    with pytest.raises(NotAFile):
        await shelf.opened(path=path)


class SlowFiles(MemoryFiles):
    """Reads of packs wait at a gate."""

    def __init__(self, inner: MemoryFiles) -> None:
        super().__init__(inner.files)
        self.gate, self.waiting, self.reads = threading.Event(), 0, 0

    def read_range(self, kind: FileKind, name: str, *, offset: int, length: int) -> bytes:
        self.waiting += 1
        self.gate.wait(10)
        self.waiting -= 1
        self.reads += 1
        return super().read_range(kind, name, offset=offset, length=length)


async def test_a_download_that_is_left_while_it_reads_leaves_nothing_behind() -> None:
    builder, store = Builder(), memory_store()
    chunks = [os.urandom(1 << 20) for _ in range(40)]
    ids = [builder.pack(chunk)[1][0] for chunk in chunks]
    snapshot_id = builder.snapshot(builder.tree(file_node("file", ids, 40 << 20)), tags=["cairn:org=org"])
    await store.apps.save(await store.apps.load(ORG, "store"), KnownApp(revision=1, app=an_app()))
    files = SlowFiles(builder.files)
    files.gate.set()
    before = repository_threads()
    stores = OpenStores(lambda org, app: Repository.open(files, PASSWORD), limit=1)
    content = await TableCache(store, stores, snapshot_id, []).opened()
    reading = content.read(stores)
    await anext(reading)
    files.gate.clear()

    async def rest() -> None:
        async for _ in reading:
            pass

    leaving = asyncio.create_task(rest())
    await eventually_async(lambda: files.waiting > 0)
    leaving.cancel()
    await asyncio.wait({leaving})
    await content.close()
    borrowed = stores.borrowed
    files.gate.set()
    await eventually_async(lambda: files.waiting == 0)
    await stores.close()

    assert borrowed == {"store": 0}
    await eventually_async(lambda: not (repository_threads() - before))
    assert files.reads < len(chunks)


async def test_many_downloads_of_one_file_and_of_others_are_whole() -> None:
    builder, store = Builder(), memory_store()
    contents = {f"file-{n:02}": [os.urandom(1000 + 37 * n) for _ in range(20)] for n in range(20)}
    nodes = [
        file_node(name, [builder.pack(piece)[1][0] for piece in pieces], sum(map(len, pieces)))
        for name, pieces in contents.items()
    ]
    snapshot_id = builder.snapshot(builder.tree(*nodes), tags=["cairn:org=org"])
    await store.apps.save(await store.apps.load(ORG, "store"), KnownApp(revision=1, app=an_app()))
    stores = OpenStores(lambda org, app: Repository.open(builder.files, PASSWORD), limit=1)
    shelf = TableCache(store, stores, snapshot_id, [])

    async def download(name: str) -> bytes:
        content = await shelf.opened(path=f"/{name}".encode())
        try:
            return b"".join([piece async for piece in content.read(stores)])
        finally:
            await content.close()

    wanted = [*contents, *["file-07"] * 20]
    got = await asyncio.gather(*map(download, wanted))
    borrowed = stores.borrowed
    await stores.close()

    assert got == [b"".join(contents[name]) for name in wanted]
    assert borrowed == {"store": 0}
