"""Tables of blobs in a directory that anything may happen to."""

import errno
import os
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

import pytest
from restic_reader import FileKind, IndexLimits, Limits, Repository
from restic_reader.index import table_cache, table_file
from restic_reader.index.table_builder import TableBuilder

from tests.support.descriptors import open_files
from tests.unit.restic_reader.builder import PASSWORD, Builder, CountingFiles


class Store:
    """A repository, what was put into it, and how often its index files are read."""

    def __init__(self, directory: Path, limits: IndexLimits) -> None:
        self.builder, self.directory, self.limits = Builder(), directory, limits
        self.contents: dict[str, bytes] = {}
        self.read: list[str] = []
        self.add(5)

    def add(self, blobs: int) -> None:
        contents = [os.urandom(100) for _ in range(blobs)]
        _, ids = self.builder.pack(*contents)
        self.contents.update(zip(ids, contents, strict=True))

    def index_files(self) -> list[str]:
        return [name for kind, name in self.builder.files.files if kind is FileKind.INDEX]

    def open(self) -> Repository:
        files = IndexReads(self.builder.files)
        self.read = files.read_names
        limits = Limits(index=self.limits)
        return Repository.open(files, PASSWORD, cache_bytes=0, cache_dir=self.directory, limits=limits)

    def tables(self) -> list[Path]:
        return sorted(self.directory.glob("*.blobs"))

    def check(self, repository: Repository) -> None:
        assert {blob: repository.load_blob(blob) for blob in self.contents} == self.contents
        assert repository.index_size == len(self.contents)


class IndexReads(CountingFiles):
    """Notes which index files are read."""

    def __init__(self, inner: CountingFiles) -> None:  # type: ignore[override]
        super().__init__(inner)
        self.read_names: list[str] = []

    def read(self, kind: FileKind, name: str) -> bytes:
        if kind is FileKind.INDEX:
            self.read_names.append(name)
        return super().read(kind, name)


@pytest.fixture(params=[IndexLimits(), IndexLimits(table_bytes=-1)], ids=["in memory", "in the file"])
def store(tmp_path: Path, request: pytest.FixtureRequest) -> Store:
    """With small tables as they are, or treated like large ones."""
    return Store(tmp_path / "work" / "tables", request.param)


def test_the_next_opening_reads_no_index_file(store: Store) -> None:
    for expected in (1, 0, 0):
        with store.open() as repository:
            store.check(repository)
        assert len(store.read) == expected


def test_tables_are_for_their_owner_only(store: Store) -> None:
    os.umask(os.umask(0))
    store.open().close()
    places = [store.directory, store.directory.parent]
    assert {stat.S_IMODE(place.stat().st_mode) for place in places} == {0o700}
    assert {stat.S_IMODE(path.stat().st_mode) for path in store.tables()} == {0o600}


def test_an_open_directory_is_closed_and_that_of_somebody_else_not_used(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.directory.mkdir(parents=True, mode=0o777)
    store.open().close()
    assert stat.S_IMODE(store.directory.stat().st_mode) == 0o700
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    with store.open() as repository:
        store.check(repository)
    assert len(store.read) == 1


def test_each_refresh_reads_only_what_is_new(store: Store) -> None:
    with store.open() as repository:
        for _ in range(20):
            store.add(3)
            store.read.clear()
            store.check(repository)
            assert len(store.read) == 1
    assert len(store.tables()) < 5
    with store.open() as repository:
        store.check(repository)
        assert store.read == []


def test_a_prune_costs_what_it_wrote(store: Store) -> None:
    for _ in range(4):
        store.add(10)
    with store.open() as repository:
        old = store.index_files()[0]
        pruned = list(store.contents)[:5]
        store.builder.remove(FileKind.INDEX, old)
        for blob in pruned:
            del store.contents[blob]
        store.add(2)
        store.read.clear()
        repository.refresh()
        store.check(repository)
        assert len(store.read) == 1
    with store.open() as repository:
        store.check(repository)
        assert store.read == []


def test_a_prune_that_replaces_everything_leaves_no_old_table(store: Store) -> None:
    with store.open() as repository:
        (before,) = store.tables()
        for name in store.index_files():
            store.builder.remove(FileKind.INDEX, name)
        store.contents.clear()
        store.add(7)
        repository.refresh()
        store.check(repository)
        assert before not in store.tables()
        assert len(store.tables()) == 1


def _cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _emptied(path: Path) -> None:
    os.truncate(path, 0)


def _lengthened(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"x" * 100)


def _changed_at(offset: int) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        data = bytearray(path.read_bytes())
        data[offset] ^= 1
        path.write_bytes(data)

    change.__name__ = f"_changed_at_{offset}"
    return change


def _a_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _a_link(path: Path) -> None:
    path.rename(path.with_suffix(".elsewhere"))
    path.symlink_to(path.with_suffix(".elsewhere"))


def _deleted(path: Path) -> None:
    path.unlink()


DAMAGE = [_cut, _emptied, _lengthened, _a_directory, _a_link, _deleted, *map(_changed_at, (0, 40, -1, -40, -60, -100))]


@pytest.mark.parametrize("damage", DAMAGE, ids=lambda damage: damage.__name__)
def test_a_damaged_table_is_made_anew(store: Store, damage: Callable[[Path], None]) -> None:
    store.open().close()
    damage(store.tables()[0])
    with store.open() as repository:
        store.check(repository)
    assert len(store.read) == 1
    with store.open() as repository:
        store.check(repository)


@pytest.mark.parametrize("damage", DAMAGE, ids=lambda damage: damage.__name__)
def test_a_table_that_is_damaged_while_open_gives_no_wrong_answer(store: Store, damage: Callable[[Path], None]) -> None:
    with store.open() as repository:
        damage(store.tables()[0])
        store.check(repository)
        store.add(3)
        store.check(repository)
    with store.open() as repository:
        store.check(repository)


def test_a_table_that_is_damaged_again_and_again_is_kept_in_memory(store: Store) -> None:
    with store.open() as repository:
        for _ in range(8):
            for path in store.tables():
                _changed_at(10)(path)
            store.check(repository)


def test_a_table_of_another_repository_is_not_used(store: Store, tmp_path: Path) -> None:
    other = Store(store.directory, store.limits)
    other.open().close()
    name = other.tables()[0]
    store.open().close()
    (own,) = store.tables()
    name.write_bytes(own.read_bytes())
    own.unlink()
    with other.open() as repository:
        other.check(repository)


def test_the_directory_may_go_at_any_time(store: Store) -> None:
    with store.open() as repository:
        for path in store.directory.iterdir():
            path.unlink()
        store.directory.rmdir()
        store.check(repository)
        store.add(3)
        store.check(repository)
    with store.open() as repository:
        store.check(repository)


def test_a_directory_that_goes_while_a_table_is_written(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    finish = table_file.finish_file

    def finish_and_lose(*arguments: object, scope: str) -> None:
        finish(*arguments, scope=scope)  # type: ignore[arg-type]
        for path in store.directory.iterdir():
            path.unlink()
        store.directory.rmdir()

    monkeypatch.setattr(table_cache, "finish_file", finish_and_lose)
    with store.open() as repository:
        store.check(repository)
    assert len(store.read) == 1


def test_a_place_that_cannot_be_written_to_is_done_without(store: Store, tmp_path: Path) -> None:
    store.directory.parent.touch()
    with store.open() as repository:
        store.check(repository)
        store.add(3)
        store.check(repository)


def test_a_full_disk_is_done_without(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    write = TableBuilder.write

    def full(builder: TableBuilder, file: IO[bytes]) -> object:
        if builder.directory:
            file.write(b"some")
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(builder, file)

    with monkeypatch.context() as patched, store.open() as repository:
        patched.setattr(TableBuilder, "write", full)
        store.add(3)
        store.check(repository)
    assert [path.suffix for path in store.directory.iterdir()] == [".blobs"]
    with store.open() as repository:
        store.check(repository)


def test_what_killed_processes_left_goes_after_a_while(store: Store) -> None:
    store.directory.mkdir(parents=True)
    fresh, old = store.directory / "x.unfinished", store.directory / "y.unfinished"
    for path in (fresh, old):
        path.touch()
    os.utime(old, (time.time() - 7200, time.time() - 7200))
    store.open().close()
    assert (fresh.exists(), old.exists()) == (True, False)


def test_processes_share_a_directory(store: Store) -> None:
    with store.open() as one, store.open() as other:
        for turn in range(6):
            store.add(3)
            (one, other)[turn % 2].refresh()
        store.check(one)
        store.check(other)
    with store.open() as repository:
        store.check(repository)
        assert store.read == []


def test_open_files_are_closed_with_their_tables(store: Store) -> None:
    before = open_files()
    for _ in range(5):
        with store.open() as repository:
            store.add(2)
            store.check(repository)
        del repository
    assert open_files() == before
