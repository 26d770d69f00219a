"""Repositories that are written to, pruned, re-keyed or damaged while or before they are read."""

import random
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from restic_reader import LocalFiles, Repository
from restic_reader.errors import Damaged, RepositoryNotFound, SnapshotNotFound, WrongPassword

from tests.integration.restic_reader.restic_cli import PASSWORD, Restic

NewRestic = Callable[[], Restic]


@pytest.fixture
def restic(new_restic: NewRestic) -> Restic:
    return new_restic()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    root = tmp_path / "source"
    root.mkdir()
    for number in range(30):
        (root / f"file{number}").write_bytes(random.Random(number).randbytes(200_000))
    return root


def opened(restic: Restic, password: str = PASSWORD) -> Repository:
    return Repository.open(LocalFiles(restic.path), password)


def read(repository: Repository, snapshot: str, path: bytes) -> bytes:
    return b"".join(repository.read(repository.resolve(repository.snapshot(snapshot).tree, path)))


def test_a_backup_made_after_opening_is_found(restic: Restic, source: Path) -> None:
    with opened(restic) as repository:
        snapshot = restic.backup(source)
        assert [each.id for each in repository.snapshots()] == [snapshot]
        assert read(repository, snapshot, b"/file7") == (source / "file7").read_bytes()


def test_reading_goes_on_after_a_prune_moved_everything(restic: Restic, source: Path) -> None:
    first = restic.backup(source)
    for number in range(0, 30, 2):
        (source / f"file{number}").unlink()
    second = restic.backup(source)
    with opened(restic) as repository:
        before = set(restic.packs())
        restic.run("forget", first)
        restic.run("prune", "--max-unused", "0")
        assert before - set(restic.packs())
        for number in range(1, 30, 2):
            assert read(repository, second, b"/file%d" % number) == (source / f"file{number}").read_bytes()
        with pytest.raises(SnapshotNotFound):
            repository.snapshot(first)


@pytest.mark.parametrize("with_tables", [False, True])
def test_threads_read_on_while_the_repository_is_pruned(
    restic: Restic, source: Path, tmp_path: Path, with_tables: bool
) -> None:
    first = restic.backup(source)
    for number in range(0, 30, 2):
        (source / f"file{number}").unlink()
    second = restic.backup(source)
    stop, wrong = threading.Event(), list[str]()

    def keep_reading(repository: Repository) -> None:
        while not stop.is_set():
            for number in range(1, 30, 2):
                if read(repository, second, b"/file%d" % number) != (source / f"file{number}").read_bytes():
                    wrong.append(f"file{number}")

    tables = tmp_path / "tables" if with_tables else None
    with Repository.open(LocalFiles(restic.path), PASSWORD, cache_bytes=0, cache_dir=tables) as repository:
        readers = [threading.Thread(target=keep_reading, args=(repository,)) for _ in range(3)]
        for reader in readers:
            reader.start()
        restic.run("forget", first)
        restic.run("prune", "--max-unused", "0")
        stop.set()
        for reader in readers:
            reader.join()
    assert not wrong


def test_every_password_opens_and_a_removed_one_does_not(restic: Restic, source: Path, tmp_path: Path) -> None:
    snapshot = restic.backup(source)
    (tmp_path / "second").write_text("zw\u00f6lf Boxk\u00e4mpfer")
    restic.run("key", "add", "--new-password-file", str(tmp_path / "second"))
    for password in (PASSWORD, "zw\u00f6lf Boxk\u00e4mpfer"):
        with opened(restic, password) as repository:
            assert read(repository, snapshot, b"/file1") == (source / "file1").read_bytes()
    second = Restic(restic.program, restic.url, password="zw\u00f6lf Boxk\u00e4mpfer")
    (first_key,) = [line.split()[0] for line in second.run("key", "list").decode().splitlines()[2:-1] if line[0] == " "]
    second.run("key", "remove", first_key)
    with pytest.raises(WrongPassword):
        opened(restic)


def test_locks_hold_nobody_up_who_only_reads(restic: Restic, source: Path) -> None:
    snapshot = restic.backup(source)
    (restic.path / "locks" / ("0" * 64)).write_bytes(b"an exclusive lock of somebody who was killed, as far as we know")
    with opened(restic) as repository:
        assert read(repository, snapshot, b"/file1") == (source / "file1").read_bytes()


def test_tables_of_blobs_follow_what_restic_does(restic: Restic, source: Path, tmp_path: Path) -> None:
    first, tables = restic.backup(source), tmp_path / "tables"
    with Repository.open(LocalFiles(restic.path), PASSWORD, cache_dir=tables) as repository:
        for number in range(0, 30, 2):
            (source / f"file{number}").write_bytes(b"new" * number)
        second = restic.backup(source)
        assert read(repository, second, b"/file2") == b"new" * 2
        restic.run("forget", first, "--prune", "--max-unused", "0")
        repository.refresh()
    with Repository.open(LocalFiles(restic.path), PASSWORD, cache_dir=tables) as repository:
        told = set(restic.run("list", "blobs").decode().split()) - {"data", "tree"}
        assert repository.index_size == len(told)
        assert all(repository.load_blob(blob) for blob in told)


def test_a_wrong_password_is_refused(restic: Restic) -> None:
    with pytest.raises(WrongPassword) as caught:
        opened(restic, "not the one")
    assert "not the one" not in str(caught.value)


def test_a_directory_that_is_no_repository_is_told_apart(tmp_path: Path) -> None:
    for root in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(RepositoryNotFound):
            Repository.open(LocalFiles(root), PASSWORD)


def test_a_flipped_byte_anywhere_in_a_pack_gives_damage_or_the_truth(restic: Restic, source: Path) -> None:
    snapshot, chance = restic.backup(source), random.Random(5)
    pack = max(restic.packs(), key=lambda path: path.stat().st_size)
    sound = pack.read_bytes()
    pack.chmod(0o600)
    for _ in range(8):
        flipped = bytearray(sound)
        flipped[chance.randrange(len(sound) - 3000)] ^= 1 << chance.randrange(8)
        pack.write_bytes(flipped)
        with opened(restic) as repository:
            damaged = [
                number for number in range(30) if not reads_the_truth(repository, snapshot, source / f"file{number}")
            ]
        assert len(damaged) == 1


def reads_the_truth(repository: Repository, snapshot: str, file: Path) -> bool:
    """False for damage; anything else than the truth or damage fails."""
    try:
        assert read(repository, snapshot, b"/" + file.name.encode()) == file.read_bytes()
    except Damaged:
        return False
    return True


def test_a_shortened_pack_gives_what_comes_before_and_damage_after(restic: Restic, source: Path) -> None:
    snapshot = restic.backup(source)
    pack = max(restic.packs(), key=lambda path: path.stat().st_size)
    pack.chmod(0o600)
    pack.write_bytes(pack.read_bytes()[: pack.stat().st_size // 2])
    with opened(restic) as repository:
        read_well = [reads_the_truth(repository, snapshot, source / f"file{number}") for number in range(30)]
    assert 5 < sum(read_well) < 25


def test_a_missing_pack_is_named(restic: Restic, source: Path) -> None:
    snapshot = restic.backup(source)
    pack = max(restic.packs(), key=lambda path: path.stat().st_size)
    pack.unlink()
    with opened(restic) as repository, pytest.raises(Damaged) as caught:
        read(repository, snapshot, b"/file3")
    assert (caught.value.what, caught.value.name) == ("pack", pack.name)


def test_a_stream_that_restic_took_from_a_command_is_a_file(restic: Restic) -> None:
    restic.run("backup", "--stdin-from-command", "--stdin-filename", "dump.sql", "--", "printf", "SELECT 1;")
    with opened(restic) as repository:
        (snapshot,) = repository.snapshots()
        assert read(repository, snapshot.id, b"/dump.sql") == b"SELECT 1;"
