import json
import os

import pytest
from restic_reader import FileKind, Limits, MemoryFiles, Repository
from restic_reader.errors import (
    Damaged,
    ReaderError,
    RepositoryNotFound,
    SnapshotNotFound,
    UnsupportedVersion,
    WrongPassword,
)

from tests.unit.restic_reader.builder import PASSWORD, Builder


@pytest.mark.parametrize("version", [1, 2])
def test_a_repository_opens_with_its_password(version: int) -> None:
    with Repository.open(Builder(version).files, PASSWORD) as repository:
        assert repository.config.version == version
        assert repository.snapshots() == []


def test_an_empty_place_holds_no_repository() -> None:
    with pytest.raises(RepositoryNotFound) as caught:
        Repository.open(MemoryFiles(), PASSWORD)
    assert caught.value.code == "repository_not_found"


def test_a_wrong_password_is_said_in_words_and_not_repeated() -> None:
    builder = Builder()
    builder.key("another")
    with pytest.raises(WrongPassword) as caught:
        Repository.open(builder.files, "hunter2")
    assert caught.value.code == "wrong_password"
    assert "2 tried" in caught.value.detail
    assert "hunter2" not in str(caught.value)


def test_every_key_opens_the_repository() -> None:
    builder = Builder()
    builder.key("s\u00e9cond")
    for password in (PASSWORD, "s\u00e9cond"):
        Repository.open(builder.files, password).close()


def test_a_damaged_key_file_does_not_shut_out_the_others() -> None:
    builder = Builder()
    other = builder.key("other")
    builder.change(FileKind.KEY, other, 10)
    Repository.open(builder.files, PASSWORD).close()
    with pytest.raises(Damaged):
        Repository.open(builder.files, "other")


def test_no_more_keys_are_tried_than_restic_tries() -> None:
    builder = Builder()
    for number in range(25):
        builder.key(f"other {number}")
    with pytest.raises(WrongPassword, match="20 tried"):
        Repository.open(builder.files, "hunter2")


def test_a_document_that_never_ends_is_damage() -> None:
    builder = Builder()
    builder.document(FileKind.SNAPSHOT, {"hostname": "x" * (2 << 20)})
    limits = Limits(document_bytes=1 << 20)
    with Repository.open(builder.files, PASSWORD, limits=limits) as repository, pytest.raises(Damaged):
        repository.snapshots()


def test_a_newer_format_is_refused() -> None:
    with pytest.raises(UnsupportedVersion) as caught:
        Repository.open(Builder(3).files, PASSWORD)
    assert caught.value.version == 3


@pytest.mark.parametrize("kind", [FileKind.CONFIG, FileKind.SNAPSHOT])
def test_a_changed_document_is_damage(kind: FileKind) -> None:
    builder = Builder()
    builder.pack(b"blob")
    builder.snapshot(builder.tree())
    name = next(name for of_kind, name in builder.files.files if of_kind is kind)
    builder.change(kind, name, 20)
    with pytest.raises(Damaged) as caught:
        Repository.open(builder.files, PASSWORD).snapshots()
    assert caught.value.what == kind.word


def test_a_document_under_another_name_is_damage() -> None:
    builder = Builder()
    builder.files.files[FileKind.SNAPSHOT, "0" * 64] = builder.files.files[
        FileKind.SNAPSHOT, builder.snapshot(builder.tree())
    ]
    with pytest.raises(Damaged):
        Repository.open(builder.files, PASSWORD).snapshots()


def test_snapshots_come_with_what_was_recorded_oldest_first() -> None:
    builder = Builder()
    tree = builder.tree()
    late = builder.snapshot(
        tree, time="2026-02-01T00:00:00Z", tags=["a", "b"], hostname="h", username="u", original="0" * 64
    )
    summary = {"total_files_processed": 3, "total_bytes_processed": 9, "something_new": {}}
    early = builder.snapshot(tree, summary=summary, parent="1" * 64, program_version="restic 0.19.1", tags=None)
    with Repository.open(builder.files, PASSWORD) as repository:
        first, second = repository.snapshots()
    assert (first.id, second.id, first.tree) == (early, late, tree)
    assert first.time_ns == 1_767_319_445_123_456_789
    assert first.summary is not None
    assert (first.summary.total_files_processed, first.parent, first.program_version) == (3, "1" * 64, "restic 0.19.1")
    assert (second.tags, second.hostname, second.username, second.original) == (("a", "b"), "h", "u", "0" * 64)


def test_snapshots_follow_what_happens_to_the_repository() -> None:
    builder = Builder()
    tree = builder.tree()
    old = builder.snapshot(tree)
    with Repository.open(builder.files, PASSWORD) as repository:
        assert [each.id for each in repository.snapshots()] == [old]
        builder.remove(FileKind.SNAPSHOT, old)
        new = builder.snapshot(tree, time="2026-03-01T00:00:00Z")
        assert [each.id for each in repository.snapshots()] == [new]


def test_a_snapshot_is_found_by_id_and_by_the_beginning_of_it() -> None:
    builder = Builder()
    ids = [builder.snapshot(builder.tree(), hostname=str(number)) for number in range(20)]
    with Repository.open(builder.files, PASSWORD) as repository:
        assert repository.snapshot(ids[0]).hostname == "0"
        assert repository.snapshot(ids[7][:20]).hostname == "7"
        shared = next(one[0] for one in ids if sum(each[0] == one[0] for each in ids) > 1)
        for prefix in ("", shared, "f" * 64, "../config", "x"):
            with pytest.raises(SnapshotNotFound):
                repository.snapshot(prefix)


def test_no_error_of_a_reader_shows_a_secret() -> None:
    builder = Builder()
    name = next(name for kind, name in builder.files.files if kind is FileKind.KEY)
    document = json.loads(builder.files.files[FileKind.KEY, name])
    builder.remove(FileKind.KEY, name)
    builder.files.files[FileKind.KEY, os.urandom(32).hex()] = json.dumps({**document, "N": 1 << 50}).encode()
    with pytest.raises(ReaderError) as caught:
        Repository.open(builder.files, "hunter2")
    error: BaseException | None = caught.value
    while error is not None:
        assert "hunter2" not in f"{error!r} {vars(error)}"
        error = error.__cause__ or error.__context__
