"""Blobs as they are stored, for a process that opens them itself."""

import os
import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest
from restic_reader import Asked, BlobInvalid, FileKind, LocalFiles, Node, Repository, SealedBlob, Unsealing, read_sealed

from tests.support.repository_writer import RepositoryWriter
from tests.unit.restic_reader.builder import PASSWORD, Builder, CountingFiles, file_node

CHUNKS = [os.urandom(size) for size in (1000, 1, 70_000, 300)]
MISSING = "ab" * 32


@pytest.fixture
def files() -> CountingFiles:
    builder = Builder()
    first, second = builder.pack(*CHUNKS[:2])[1], builder.pack(*CHUNKS[2:])[1]
    builder.snapshot(builder.tree(file_node("file", first + second, sum(map(len, CHUNKS)))))
    return CountingFiles(builder.files)


@pytest.fixture
def repository(files: CountingFiles) -> Iterator[Repository]:
    with Repository.open(files, PASSWORD, cache_bytes=0) as repository:
        yield repository


def the_node(repository: Repository) -> Node:
    return repository.resolve(repository.snapshots()[0].tree, b"/file")


def opened(unsealing: Unsealing, blob: SealedBlob) -> bytes:
    location = blob.wanted.location
    assert blob.sealed is not None
    return unsealing.open(blob.sealed, plain_length=location.plain_length, compressed=location.compressed)


def test_they_are_read_together_and_opened_elsewhere(repository: Repository, files: CountingFiles) -> None:
    ids = the_node(repository).content or ()
    files.reads.clear()

    found = list(
        repository.all_sealed([Asked("a", ids[:3], 71_001), Asked("b", ids[3:], 300), Asked("c", (), 0)], is_read=True)
    )

    unsealing = Unsealing(pickle.loads(pickle.dumps(repository.keys)))
    assert [(name, [opened(unsealing, blob) for blob in blobs or ()]) for name, blobs in found] == [
        ("a", CHUNKS[:3]),
        ("b", CHUNKS[3:]),
        ("c", []),
    ]
    assert len(files.reads) == 2
    assert "Keys(...)" in repr(repository.keys)


def test_without_reading_it_is_told_where_they_lie(repository: Repository, files: CountingFiles) -> None:
    ids = the_node(repository).content or ()
    files.reads.clear()

    [(_, blobs)] = repository.all_sealed([Asked("file", ids, sum(map(len, CHUNKS)))], is_read=False)

    assert not files.reads
    found = read_sealed(files, [blob.wanted for blob in blobs or ()])
    by_id = {each.wanted.blob_id: opened(Unsealing(repository.keys), each) for each in found}
    assert [by_id[blob_id] for blob_id in ids] == CHUNKS


@pytest.mark.parametrize("is_read", [True, False])
def test_what_is_in_no_index_or_of_another_size_is_told_of_by_itself(repository: Repository, *, is_read: bool) -> None:
    ids = the_node(repository).content or ()

    asked = [
        Asked("lost", [ids[0], MISSING], 1000),
        Asked("there", ids[:1], 1000),
        Asked("more than it says", ids[:1] * 1000, 1000),
        Asked("less than it says", ids[:1], 1001),
    ]

    found = dict(repository.all_sealed(asked, is_read=is_read))

    assert [name for name, blobs in found.items() if blobs is not None] == ["there"]


def test_a_pack_that_is_gone_leaves_its_blobs_unread(repository: Repository, files: CountingFiles) -> None:
    ids = the_node(repository).content or ()
    files.files.pop((FileKind.PACK, repository.locate(ids[0]).pack))

    [(_, blobs)] = repository.all_sealed([Asked("file", ids, sum(map(len, CHUNKS)))], is_read=True)

    assert [blob.sealed is None for blob in blobs or ()] == [True, True, False, False]


def test_what_is_not_authentic_or_of_another_length_is_no_blob(repository: Repository) -> None:
    [(_, blobs)] = repository.all_sealed([Asked("file", (the_node(repository).content or ())[:1], 1000)], is_read=True)
    assert blobs is not None
    assert blobs[0].sealed is not None
    sealed, location, unsealing = bytes(blobs[0].sealed), blobs[0].wanted.location, Unsealing(repository.keys)

    for data, length in (
        (sealed[:-1] + bytes([sealed[-1] ^ 1]), location.plain_length),
        (sealed[:40], location.plain_length),
        (sealed, location.plain_length + 1),
    ):
        with pytest.raises(BlobInvalid):
            unsealing.open(data, plain_length=length, compressed=location.compressed)


def test_only_a_directory_of_this_machine_can_be_read_by_another_process(
    repository: Repository, tmp_path: Path
) -> None:
    with RepositoryWriter(tmp_path, "word", scrypt_n=2) as writer:
        writer.snapshot(writer.tree([]))
    with Repository.open(LocalFiles(tmp_path), "word") as local:
        assert local.local_files is not None
        assert list(pickle.loads(pickle.dumps(local.local_files)).list(FileKind.SNAPSHOT))
    assert repository.local_files is None
