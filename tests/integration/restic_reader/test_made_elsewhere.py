"""What restic made is shown as `restic ls` shows it, with the contents that it has, or as damaged with the reason."""

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cairn_local.provision.programs import EngineTools
from chassis.ids import utc_now
from connector.downloads.content import find_node
from connector.stores.directory_pages import PageMaker
from connector.stores.restore_points import damaged, restore_point_of
from contracts.errors import Conflict, NotFound
from contracts.messages.restore_index import RestorePoint
from contracts.values import AppId, SnapshotId
from restic_reader import Repository
from restic_reader.errors import Damaged, FileMissing, PathNotFound, ReaderError
from restic_reader.restic_json import time_ns
from restore_index.domain.directory_listing import show_time
from restore_index.usecases import indexing
from restore_index.usecases.browse import show_entry

from tests.integration.restic_reader.elsewhere import DAMAGED, WHOLE, Elsewhere, lines_of, old_restic
from tests.unit.restore_index.memory_index import MemoryIndex
from tests.unit.restore_index.trees import ORG, a_point, directories, listed, wrapped

STORE = AppId("store")
OLD = [name for name in WHOLE if name.startswith("old_restic")]


@pytest.fixture
def elsewhere(engine: EngineTools, tmp_path: Path) -> Elsewhere:
    return Elsewhere(tmp_path, engine.restic, old_restic())


async def adopt(repository: Repository, world: MemoryIndex) -> dict[str, RestorePoint | None]:
    """What a worker sends of a repository, and the index keeps; by snapshot, None where nothing can be sent of it."""
    points: dict[str, RestorePoint | None] = {}
    for snapshot_id in repository.snapshot_ids():
        point = None
        try:
            point = restore_point_of(repository.snapshot(snapshot_id), org=ORG, store_id=STORE)
            pages = [
                page for each in repository.walk_new(point.tree_id, lambda _: {}) for page in PageMaker().pages(each)
            ]
        except ReaderError as error:
            told = damaged(error, snapshot_id, ORG, store_id=STORE, point=point, seen_at=utc_now())
            await indexing.record_damaged(world.store, wrapped(told))
        else:
            for event in directories(STORE, pages):
                await indexing.index_directories(world.store, wrapped(event))
            await indexing.make_browsable(world.store, wrapped(listed(point)))
        points[snapshot_id] = point
    return points


async def below(world: MemoryIndex, point: RestorePoint, path: str = "/") -> list[dict[str, Any]]:
    """All entries below a directory, in the order in which restic walks."""
    found = []
    for item in (await world.browse(point, path.encode())).items:
        found.append(item)
        if item["type"] == "dir":
            found += await below(world, point, item["path"])
    return found


def contents(dumped: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(dumped)) as archive:
        files = [member for member in archive if member.isfile()]
        return {f"/{m.name.lstrip('/')}": archive.extractfile(m).read() for m in files}  # type: ignore[union-attr]


def as_restic_shows(nodes: Iterator[dict[str, Any]]) -> list[tuple[object, ...]]:
    return [(n["path"], n["type"], n.get("size", 0), n["mode"] & 0o777, show_time(time_ns(n["mtime"]))) for n in nodes]


def as_cairn_shows(items: list[dict[str, Any]]) -> list[tuple[object, ...]]:
    sizes = [item["size"] if item["type"] == "file" else 0 for item in items]
    return [(i["path"], i["type"], s, i["mode"] & 0o777, i["mtime"]) for i, s in zip(items, sizes, strict=True)]


async def same_as_restic(it: Elsewhere, repository: Repository, world: MemoryIndex, point: RestorePoint) -> None:
    ls = list(lines_of(it.restic.run("ls", "--json", point.snapshot_id)))
    items = await below(world, point)
    assert as_cairn_shows(items) == as_restic_shows(iter(ls))
    read = {
        item["path"]: b"".join(repository.read(find_node(repository, point, item["path"].encode())))
        for item in items
        if item["type"] == "file"
    }
    if read:
        assert read == contents(it.restic.run("dump", "--archive", "tar", point.snapshot_id, "/"))
    there = {item["path"] for item in items}
    for place in point.paths:
        for path in {f"/{place.lstrip('/')}{item['path']}" for item in items} - there:
            with pytest.raises(NotFound):
                await show_entry(world.store, ORG, point.snapshot_id, path=path.encode())
            with pytest.raises(PathNotFound):
                find_node(repository, point, path.encode())


@pytest.mark.parametrize("name", WHOLE)
async def test_it_is_shown_as_restic_shows_it(name: str, elsewhere: Elsewhere) -> None:
    if name in OLD and elsewhere.old_program is None:
        pytest.skip("there is no restic older than 0.17 on the path (Debian's package `restic` has one)")
    WHOLE[name](elsewhere)
    world = MemoryIndex()
    with elsewhere.opened() as repository:
        points = await adopt(repository, world)
        told = {each["id"]: each for each in elsewhere.restic.snapshots()}
        assert points.keys() == told.keys()
        for snapshot_id, point in points.items():
            assert point is not None
            assert (point.hostname, point.source_id) == (told[snapshot_id].get("hostname", ""), None)
            assert list(point.paths) == (told[snapshot_id]["paths"] or [])
            await same_as_restic(elsewhere, repository, world, point)


@pytest.mark.parametrize("name", DAMAGED)
async def test_what_is_damaged_says_so_and_the_rest_is_as_it_was(name: str, elsewhere: Elsewhere) -> None:
    DAMAGED[name](elsewhere)
    world = MemoryIndex()
    with elsewhere.opened() as repository:
        points = await adopt(repository, world)
        assert elsewhere.damaged
        assert elsewhere.damaged.keys() <= points.keys()
        for snapshot_id, point in points.items():
            if reason := elsewhere.damaged.get(snapshot_id):
                with pytest.raises(Conflict, match="restore_point_damaged") as caught:
                    await world.browse(a_point(STORE, "", snapshot_id=SnapshotId(snapshot_id)), b"/")
                assert reason in caught.value.detail
            else:
                assert point is not None
                assert await below(world, point)


async def test_a_lost_pack_with_contents_is_told_where_they_are_wanted(elsewhere: Elsewhere) -> None:
    snapshot_id = elsewhere.back_up("data")
    world = MemoryIndex()
    with elsewhere.opened() as repository:
        file = repository.resolve(repository.snapshot(snapshot_id).tree, b"/data/a.txt")
    pack = elsewhere.pack_of((file.content or ("",))[0])
    pack.unlink()
    with elsewhere.opened() as repository:
        point = (await adopt(repository, world))[snapshot_id]
        assert point is not None
        assert [item["path"] for item in await below(world, point)][:2] == ["/data", "/data/a.txt"]
        with pytest.raises(FileMissing, match=pack.name):
            b"".join(repository.read(find_node(repository, point, b"/data/a.txt")))


@pytest.mark.parametrize(("kind", "word"), [("config", "config"), ("keys", "key")])
def test_a_repository_that_cannot_be_opened_says_why(elsewhere: Elsewhere, kind: str, word: str) -> None:
    elsewhere.back_up("data")
    [path] = elsewhere.the("keys") if kind == "keys" else [elsewhere.root / "config"]
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(ReaderError) as caught:
        elsewhere.opened()
    assert isinstance(caught.value, Damaged)
    assert caught.value.what == word


def test_there_are_thirty_and_more() -> None:
    assert len(WHOLE) + len(DAMAGED) + 3 >= 30
