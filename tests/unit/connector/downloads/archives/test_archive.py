"""Archives of a repository in memory: what is chosen, what breaks off, and that nothing is left behind."""

import io
import os
import tarfile
import zipfile
from collections.abc import AsyncIterator
from typing import NamedTuple

import pytest
import pytest_asyncio
import zstandard
from connector.downloads.archives.archive import Archive, Format, is_one_file, open_archive
from connector.store.ports import KnownApp, Store
from connector.stores.open_stores import OpenStores
from contracts.errors import Invalid
from contracts.messages.assignment import App
from contracts.values import OrganizationId
from restic_reader import FileKind, Repository
from restic_reader.errors import BlobMissing, Damaged, PathNotFound

from tests.support.waiting import eventually_async
from tests.unit.connector.parts import ORG, an_app, memory_store, repository_threads
from tests.unit.restic_reader.builder import PASSWORD, Builder, CountingFiles, dir_node, file_node

SMALL = [b"content %d" % n for n in range(300)]
LARGE = [os.urandom(1_000_000) for _ in range(8)]


class Shelf(NamedTuple):
    """A store with a snapshot of some directories."""

    builder: Builder
    files: CountingFiles
    store: Store
    stores: OpenStores
    snapshot_id: str
    openings: list[Repository]
    large_pack: str

    async def opened(self, *paths: str, form: Format = "zip") -> Archive:
        place = {"store_id": "store", "snapshot_id": self.snapshot_id}
        asked = [path.encode() for path in paths]
        return await open_archive(self.store, self.stores, ORG, **place, paths=asked, form=form)

    async def names(self, *paths: str) -> list[str]:
        return zipfile.ZipFile(io.BytesIO(await self.read(*paths))).namelist()

    async def read(self, *paths: str, form: Format = "zip") -> bytes:
        archive = await self.opened(*paths, form=form)
        content = b"".join([piece async for piece in archive.read(self.stores)])
        await archive.close()
        return content

    @property
    def users(self) -> int:
        return sum(self.stores.borrowed.values())


@pytest_asyncio.fixture(loop_scope="session")
async def shelf() -> AsyncIterator[Shelf]:
    builder, store = Builder(), memory_store()
    _, small = builder.pack(*SMALL)
    large_pack, large = builder.pack(*LARGE)
    empty = builder.tree()
    many = builder.tree(*(file_node(f"{n:03}", [each], len(SMALL[n])) for n, each in enumerate(small)))
    below = builder.tree(dir_node("empty", empty), file_node("one", [small[0]], 9), dir_node("many", many))
    sockets = [{"name": name, "type": name} for name in ("irregular", "socket")]
    root = builder.tree(
        dir_node("a", below), dir_node("b", many), file_node("big", large, sum(map(len, LARGE))), *sockets,
        {"name": "pipe", "type": "fifo"}, file_node("none", [], 0),
    )  # fmt: skip
    tags = ["cairn:org=org", "cairn:source=s", "cairn:job=j", "cairn:location=/srv/link"]
    snapshot_id = builder.snapshot(root, tags=tags)
    await store.apps.save(await store.apps.load(ORG, "store"), KnownApp(revision=1, app=an_app()))
    openings: list[Repository] = []
    files = CountingFiles(builder.files)

    def open_repository(_: OrganizationId, app: App) -> Repository:
        openings.append(Repository.open(files, PASSWORD))
        return openings[-1]

    stores = OpenStores(open_repository, limit=1)
    yield Shelf(builder, files, store, stores, snapshot_id, openings, large_pack)
    await stores.close()


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["/a/one"], ["one"]),
        (["/a/empty"], ["empty/"]),
        (["/a/empty", "/none", "/a/empty/"], ["a/empty/", "none"]),
        (["/a/one", "/a/empty"], ["empty/", "one"]),
        (["/a/one", "/a/many/001", "/a/many/000"], ["many/000", "many/001", "one"]),
        (["/srv/link/a/one"], ["one"]),
        (["/srv/link/a/one", "/a/one"], ["one"]),
        (["/srv/link/none", "/srv/link/a/empty"], ["a/empty/", "none"]),
        (["/pipe"], []),
    ],
)
async def test_names_begin_below_the_folder_that_holds_all(shelf: Shelf, paths: list[str], names: list[str]) -> None:
    assert await shelf.names(*paths) == names


@pytest.mark.parametrize(
    ("paths", "name"),
    [
        (["/a"], "a.zip"),
        (["/a/one"], "one.zip"),
        (["/a/one", "/a/many"], "a.zip"),
        (["/a/one", "/b"], None),
        (["/"], None),
    ],
)
async def test_what_it_is_called(shelf: Shelf, paths: list[str], name: str | None) -> None:
    archive = await shelf.opened(*paths)
    await archive.close()

    assert archive.name == (name or f"restore-point-{shelf.snapshot_id[:8]}.zip")


async def test_everything_comes_once(shelf: Shelf) -> None:
    names = await shelf.names("/a/many", "/", "/big", "/srv/link")

    assert len(names) == len(set(names)) == 3 + 1 + 300 + 300 + 1 + 1 + 1
    assert not {"irregular", "socket", "pipe"} & set(names)


async def test_the_place_on_the_source_is_everything(shelf: Shelf) -> None:
    assert await shelf.names("/srv/link/") == await shelf.names("/")


async def test_both_formats_hold_the_same(shelf: Shelf) -> None:
    zipped = zipfile.ZipFile(io.BytesIO(await shelf.read("/")))
    packed = await shelf.read("/", form="tar.zst")
    plain = zstandard.ZstdDecompressor().decompressobj().decompress(packed)
    with tarfile.open(fileobj=io.BytesIO(plain)) as tarred:
        files = {m.name: tarred.extractfile(m).read() for m in tarred if m.isfile()}  # type: ignore[union-attr]
        assert tarred.getmember("pipe").isfifo()

    assert files == {i.filename: zipped.read(i) for i in zipped.infolist() if not i.is_dir()}
    assert files["big"] == b"".join(LARGE)


async def test_small_files_share_reads(shelf: Shelf) -> None:
    await (await shelf.opened("/a/one")).close()
    shelf.files.reads.clear()

    await shelf.read("/b")

    assert len([read for read in shelf.files.reads if read[0] is FileKind.PACK]) <= 3


@pytest.mark.parametrize(("paths", "told"), [(["/a", "/no"], " /no."), (["/a/one/x"], " /a/one/x."), (["/a/"], None)])
async def test_paths_that_lead_nowhere_are_named_before_the_first_byte(
    shelf: Shelf, paths: list[str], told: str | None
) -> None:
    if told is None:
        await (await shelf.opened(*paths)).close()
        return
    with pytest.raises(PathNotFound) as raised:
        await shelf.opened(*paths)
    assert told in raised.value.detail
    assert shelf.users == 0


async def test_many_paths_of_one_directory_are_looked_for_at_once(shelf: Shelf) -> None:
    odd = [b"\\xff", b"\xff", b"shown\xfe", *(b"%d" % n for n in range(500))]
    nodes = [{"name": _quoted(name), "type": "file", "content": []} for name in odd]
    tree = shelf.builder.tree(dir_node("d", shelf.builder.tree(*nodes)))
    other = shelf._replace(snapshot_id=shelf.builder.snapshot(tree))
    asked = [f"/d/{n}" for n in range(0, 500, 2)]

    names = await other.names(*asked, "/d/\\xff", "/d/shown\\xfe")

    assert sorted(names) == sorted([*(a[3:] for a in asked), "\\xff", "shown\xfe".encode("latin-1").decode("cp437")])
    with pytest.raises(PathNotFound, match=r" /d/no\.$"):
        await other.opened(*asked, "/d/no")


def _quoted(name: bytes) -> str:
    return name.replace(b"\\", b"\\\\").decode(errors="backslashreplace")


@pytest.mark.parametrize("path", ["a", "/a/../b", "/a//b", "", "/a\0"])
async def test_odd_paths_are_invalid(shelf: Shelf, path: str) -> None:
    with pytest.raises(Invalid):
        await shelf.opened("/b", path)


async def test_whether_it_is_one_file(shelf: Shelf) -> None:
    async def told(*paths: str) -> bool:
        place = {"store_id": "store", "snapshot_id": shelf.snapshot_id}
        return await is_one_file(shelf.store, shelf.stores, ORG, **place, paths=[p.encode() for p in paths])

    assert await told("/a/one", "/a/one/")
    for others in (["/a"], ["/a/one", "/none"], ["/pipe"], ["/"]):
        assert not await told(*others)
    with pytest.raises(PathNotFound):
        await told("/no")


async def test_damage_in_the_middle_breaks_it_off_and_opens_the_store_anew(shelf: Shelf) -> None:
    offset = len(shelf.builder.files.files[FileKind.PACK, shelf.large_pack]) - 100
    shelf.builder.change(FileKind.PACK, shelf.large_pack, offset)
    archive = await shelf.opened("/", form="tar.zst")
    pieces: list[bytes] = []
    with pytest.raises(Damaged):
        pieces.extend([piece async for piece in archive.read(shelf.stores)])
    await archive.close()

    assert not any(piece.endswith(bytes(1024)) for piece in pieces)
    assert shelf.users == 0
    await (await shelf.opened("/a/one")).close()
    assert len(shelf.openings) == 2


async def test_a_pack_that_is_gone_breaks_it_off(shelf: Shelf) -> None:
    shelf.builder.remove(FileKind.PACK, shelf.large_pack)
    with pytest.raises((Damaged, BlobMissing)):
        await shelf.read("/")
    assert shelf.users == 0


@pytest.mark.parametrize("pieces", [0, 1, 3])
async def test_whoever_leaves_leaves_nothing_behind(shelf: Shelf, pieces: int) -> None:
    before = repository_threads()
    archive = await shelf.opened("/big")
    reading = archive.read(shelf.stores)
    for _ in range(pieces):
        await anext(reading)
    assert shelf.users == 1

    await archive.close()
    await archive.close()

    assert shelf.users == 0
    # Of what is left of it only the piece can come that was there when it was opened.
    assert len([piece async for piece in reading]) == (pieces == 0)
    shelf.stores.drop("store")
    await eventually_async(lambda: not (repository_threads() - before))


def node(name: str) -> dict[str, object]:
    return {"name": name, "type": "file", "content": []}


@pytest.mark.parametrize("name", ["..", ".", "", "a/b", "/etc/passwd", "a\\x00b"])
async def test_names_that_would_lead_out_of_the_archive_are_damage(shelf: Shelf, name: str) -> None:
    tree = shelf.builder.tree(dir_node("d", shelf.builder.tree(node("a"), node(name))))
    snapshot_id = shelf.builder.snapshot(tree)
    for form in ("zip", "tar.zst"):
        with pytest.raises(Damaged):
            await shelf._replace(snapshot_id=snapshot_id).read("/", form=form)  # type: ignore[arg-type]


async def test_directories_of_any_size_and_depth(shelf: Shelf) -> None:
    tree = shelf.builder.tree(file_node("leaf", [], 0))
    for level in range(300):
        tree = shelf.builder.tree(dir_node(f"{level}", tree))
    wide = shelf.builder.tree(*(file_node(f"{n:06}", [], 0) for n in range(25_000)))
    snapshot_id = shelf.builder.snapshot(shelf.builder.tree(dir_node("deep", tree), dir_node("wide", wide)))

    names = await shelf._replace(snapshot_id=snapshot_id).names("/")

    assert len(names) == 2 + 300 + 1 + 25_000
    assert max(names, key=len).count("/") == 301
