"""What a repository tells without its index, and keys that are derived once."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from restic_reader import Access, FileKind, KeyRing, LocalFiles, MemoryFiles, RepositoryFiles, keys, seal_of
from restic_reader.errors import Damaged, PartMissing, RepositoryNotFound, WrongPassword

from tests.unit.restic_reader.builder import PASSWORD, Builder

LOCK = {"time": "2026-01-02T03:04:05+01:00", "exclusive": True, "hostname": "there", "username": "me", "pid": 7}


@pytest.fixture
def derivations(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Passwords that keys were derived from."""
    derived: list[bytes] = []
    derive = keys.derive_keys

    def counting(password: bytes, **parameters: int) -> object:
        derived.append(password)
        return derive(password, **parameters)  # type: ignore[arg-type]

    monkeypatch.setattr(keys, "derive_keys", counting)
    return derived


def on_disk(builder: Builder, root: Path) -> Path:
    """The repository as a directory, with all the directories that restic makes."""
    for kind in FileKind:
        if kind is not FileKind.CONFIG:
            (root / kind.value).mkdir(parents=True, exist_ok=True)
    for (kind, name), content in builder.files.files.items():
        place = root / kind.value / (name[:2] if kind is FileKind.PACK else "") / name
        place.parent.mkdir(exist_ok=True)
        (place if name else root / "config").write_bytes(content)
    return root


def a_repository() -> Builder:
    builder = Builder()
    builder.snapshot(builder.tree())
    return builder


class TestKeys:
    def test_a_key_is_derived_once_for_a_password(self, derivations: list[bytes]) -> None:
        builder, ring = Builder(), KeyRing()

        for _ in range(3):
            Access.open(builder.files, PASSWORD, ring=ring).close()

        assert len(derivations) == 1

    def test_who_needs_a_key_at_the_same_time_waits_for_it(self, derivations: list[bytes]) -> None:
        builder, ring, together = Builder(), KeyRing(), Barrier(4)

        def unlock(_: int) -> None:
            together.wait(10)
            Access.open(builder.files, PASSWORD, ring=ring).close()

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(unlock, range(4)))

        assert len(derivations) == 1

    def test_the_seal_tells_repositories_apart_without_a_key(self) -> None:
        builder = Builder()

        assert Access.open(builder.files, PASSWORD).seal == seal_of(builder.files) != seal_of(Builder().files)

    def test_another_password_is_not_let_in_by_what_is_kept(self, derivations: list[bytes]) -> None:
        builder, ring = Builder(), KeyRing()
        Access.open(builder.files, PASSWORD, ring=ring).close()

        with pytest.raises(WrongPassword):
            Access.open(builder.files, "another", ring=ring)

        assert len(derivations) == 2

    def test_a_key_that_was_removed_opens_nothing_any_more(self) -> None:
        builder, ring = Builder(), KeyRing()
        Access.open(builder.files, PASSWORD, ring=ring).close()
        [name] = [name for kind, name in builder.files.files if kind is FileKind.KEY]
        builder.key("new")
        builder.remove(FileKind.KEY, name)

        with pytest.raises(WrongPassword):
            Access.open(builder.files, PASSWORD, ring=ring)

    def test_no_more_are_kept_than_there_is_room_for(self, derivations: list[bytes]) -> None:
        first, second, ring = Builder(), Builder(), KeyRing(limit=1)

        for builder in (first, second, first):
            Access.open(builder.files, PASSWORD, ring=ring).close()

        assert len(derivations) == 3


class TestParts:
    @pytest.mark.parametrize("kind", [FileKind.SNAPSHOT, FileKind.INDEX, FileKind.PACK])
    def test_a_directory_that_is_gone_is_damage_and_one_that_is_empty_is_not(
        self, tmp_path: Path, kind: FileKind
    ) -> None:
        root = on_disk(Builder(), tmp_path)
        access = Access.open(LocalFiles(root), PASSWORD)
        access.confirm()
        (root / kind.value).rmdir()

        with pytest.raises(PartMissing, match=kind.value):
            access.confirm()

    def test_without_keys_it_is_damage_and_no_wrong_password(self) -> None:
        builder = Builder()
        [name] = [name for kind, name in builder.files.files if kind is FileKind.KEY]
        builder.remove(FileKind.KEY, name)

        with pytest.raises(PartMissing, match="keys"):
            Access.open(builder.files, PASSWORD)

    @pytest.mark.parametrize("has_data", [True, False])
    def test_without_config_it_tells_whether_there_is_data(self, has_data: bool) -> None:
        builder = a_repository() if has_data else Builder()
        builder.remove(FileKind.CONFIG, "")

        with pytest.raises(RepositoryNotFound) as caught:
            Access.open(builder.files, PASSWORD)

        assert caught.value.has_data is has_data

    def test_another_repository_at_the_place_is_noticed(self) -> None:
        builder = Builder()
        access = Access.open(builder.files, PASSWORD)
        builder.files.files[FileKind.CONFIG, ""] = Builder().files.files[FileKind.CONFIG, ""]

        with pytest.raises(Damaged):
            access.confirm()


class TestLostSnapshots:
    def _emptied(self, builder: Builder) -> Builder:
        for kind, name in list(builder.files.files):
            if kind is FileKind.SNAPSHOT:
                builder.remove(kind, name)
        return builder

    def _asked(self, files: RepositoryFiles) -> bool:
        return Access.open(files, PASSWORD).may_have_lost_snapshots()

    def test_data_without_snapshots_is_suspicious_where_there_are_no_directories(self) -> None:
        assert not self._asked(a_repository().files)
        assert self._asked(self._emptied(a_repository()).files)

    def test_a_pruned_repository_is_not(self) -> None:
        assert not self._asked(Builder().files)

    def test_an_empty_directory_was_emptied(self, tmp_path: Path) -> None:
        assert not self._asked(LocalFiles(on_disk(self._emptied(a_repository()), tmp_path)))


class TestLocks:
    def test_who_works_on_it_is_told_oldest_first(self) -> None:
        builder = Builder()
        young = builder.document(FileKind.LOCK, {**LOCK, "time": "2026-01-02T03:04:06+01:00", "exclusive": False})
        old = builder.document(FileKind.LOCK, LOCK)

        locks = Access.open(builder.files, PASSWORD).locks()

        assert [lock.id for lock in locks] == [old, young]
        assert (locks[0].hostname, locks[0].username, locks[0].pid, locks[0].exclusive) == ("there", "me", 7, True)
        assert (locks[1].time_ns - locks[0].time_ns) == 10**9

    def test_one_that_cannot_be_read_is_there_all_the_same(self) -> None:
        builder = Builder()
        cut_off = builder.put(FileKind.LOCK, b"")

        assert [(lock.id, lock.hostname) for lock in Access.open(builder.files, PASSWORD).locks()] == [(cut_off, "")]

    def test_one_that_vanishes_meanwhile_is_none(self) -> None:
        class Vanishing(MemoryFiles):
            def read(self, kind: FileKind, name: str) -> bytes:
                data = super().read(kind, name)
                if kind is FileKind.CONFIG:
                    return data
                self.files.pop((FileKind.LOCK, lock), None)
                return super().read(kind, name)

        builder = Builder()
        lock = builder.document(FileKind.LOCK, LOCK)
        access = Access.open(Vanishing(builder.files.files), PASSWORD)
        builder.files.files[FileKind.LOCK, lock] = b""

        assert access.locks() == []
