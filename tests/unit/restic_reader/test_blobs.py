import os
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import pytest
import zstandard
from restic_reader import FileKind, Repository
from restic_reader.errors import BlobMissing, Damaged, FileMissing, ThawRequired

from tests.unit.restic_reader.builder import PASSWORD, Builder, CountingFiles, seal, sha256


@pytest.mark.parametrize("version", [1, 2])
def test_blobs_come_back_as_they_were(version: int) -> None:
    builder = Builder(version)
    contents = [b"x", b"y" * 100_000, os.urandom(5000)]
    _, ids = builder.pack(*contents)
    with Repository.open(builder.files, PASSWORD) as repository:
        assert [repository.load_blob(each) for each in ids] == contents


def test_a_blob_is_read_from_the_store_once() -> None:
    builder = Builder()
    _, (blob,) = builder.pack(b"content")
    files = CountingFiles(builder.files)
    with Repository.open(files, PASSWORD) as repository:
        assert repository.load_blob(blob) == repository.load_blob(blob)
    assert len(files.reads) == 1


@pytest.mark.parametrize("offset", [0, 20, -30])
def test_a_flipped_bit_hands_out_nothing(offset: int) -> None:
    builder = Builder()
    pack, (blob,) = builder.pack(os.urandom(1000))
    builder.change(FileKind.PACK, pack, offset if offset >= 0 else offset - len(b"header is not read"))
    with Repository.open(builder.files, PASSWORD) as repository, pytest.raises(Damaged) as caught:
        repository.load_blob(blob)
    assert (caught.value.what, caught.value.name) == ("pack", pack)


def test_a_sound_blob_under_another_id_is_damage() -> None:
    builder = Builder()
    pack, _ = builder.pack(os.urandom(100), indexed=False)
    entry = {"id": sha256(b"other"), "type": "data", "offset": 0, "length": 132}
    builder.document(FileKind.INDEX, {"packs": [{"id": pack, "blobs": [entry]}]})
    with Repository.open(builder.files, PASSWORD) as repository, pytest.raises(Damaged):
        repository.load_blob(sha256(b"other"))


def test_a_frame_that_asks_for_more_than_the_index_says_gets_no_memory() -> None:
    builder = Builder()
    sealed = seal(builder.keys, zstandard.compress(bytes(64 << 20)))
    pack = builder.put(FileKind.PACK, sealed)
    entry = {"id": "0" * 64, "type": "data", "offset": 0, "length": len(sealed), "uncompressed_length": 100}
    builder.document(FileKind.INDEX, {"packs": [{"id": pack, "blobs": [entry]}]})

    with Repository.open(builder.files, PASSWORD) as repository:
        tracemalloc.start()
        with pytest.raises(Damaged):
            repository.load_blob("0" * 64)
        _, peak_bytes = tracemalloc.get_traced_memory()
        tracemalloc.stop()

    assert peak_bytes < 8 << 20


def test_a_shortened_pack_is_damage() -> None:
    builder = Builder()
    pack, (first, second) = builder.pack(os.urandom(100), os.urandom(100))
    builder.files.files[FileKind.PACK, pack] = builder.files.files[FileKind.PACK, pack][:200]
    with Repository.open(builder.files, PASSWORD) as repository:
        assert len(repository.load_blob(first)) == 100
        with pytest.raises(Damaged):
            repository.load_blob(second)


def test_a_second_copy_stands_in_for_a_damaged_one() -> None:
    builder = Builder()
    content = os.urandom(100)
    packs = [builder.pack(content)[0], builder.pack(content)[0]]
    builder.change(FileKind.PACK, packs[0], 30)
    builder.change(FileKind.INDEX, next(name for kind, name in builder.files.files if kind is FileKind.INDEX), 0)
    builder.files.files = {key: data for key, data in builder.files.files.items() if key[0] is not FileKind.INDEX}
    for pack in packs:
        entry = {"id": sha256(content), "type": "data", "offset": 0, "length": 132}
        builder.document(FileKind.INDEX, {"packs": [{"id": pack, "blobs": [entry]}]})
    with Repository.open(builder.files, PASSWORD) as repository:
        assert repository.load_blob(sha256(content)) == content


@pytest.mark.parametrize("blob", ["f" * 64, "", "../../config", "F" * 64])
def test_a_blob_that_nobody_knows_is_missing(blob: str) -> None:
    builder = Builder()
    builder.pack(b"something")
    with Repository.open(builder.files, PASSWORD) as repository, pytest.raises(BlobMissing):
        repository.load_blob(blob)


def test_a_blob_written_after_opening_is_found() -> None:
    builder = Builder()
    with Repository.open(builder.files, PASSWORD) as repository:
        _, (blob,) = builder.pack(b"new")
        assert repository.load_blob(blob) == b"new"


def test_a_blob_that_moved_to_another_pack_is_found_after_a_prune() -> None:
    builder = Builder()
    content = os.urandom(100)
    pack, (blob,) = builder.pack(content)
    index = next(name for kind, name in builder.files.files if kind is FileKind.INDEX)
    with Repository.open(builder.files, PASSWORD) as repository:
        builder.pack(b"other", content)
        builder.remove(FileKind.INDEX, index)
        builder.remove(FileKind.PACK, pack)
        assert repository.load_blob(blob) == content


def test_a_pack_that_is_gone_for_good_is_said_to_be_missing() -> None:
    builder = Builder()
    pack, (blob,) = builder.pack(b"content")
    builder.remove(FileKind.PACK, pack)
    with Repository.open(builder.files, PASSWORD) as repository, pytest.raises(FileMissing) as caught:
        repository.load_blob(blob)
    assert caught.value.name == pack


def test_a_refresh_reads_new_index_files_only() -> None:
    builder = Builder()
    builder.pack(b"old")
    files = CountingFiles(builder.files)
    with Repository.open(files, PASSWORD) as repository:
        before = repository.index_size
        builder.pack(b"new", b"newer")
        repository.refresh()
        assert (before, repository.index_size) == (1, 3)


def test_index_files_are_listed_once_for_an_opening_and_once_for_a_refresh() -> None:
    builder = Builder()
    builder.pack(b"old")
    files = CountingFiles(builder.files)
    with Repository.open(files, PASSWORD) as repository:
        assert files.listings.count(FileKind.INDEX) == 1
        builder.pack(b"new")
        repository.refresh()
        assert files.listings.count(FileKind.INDEX) == 2


def test_many_threads_read_the_same_repository() -> None:
    builder = Builder()
    contents = [os.urandom(2000 + number) for number in range(200)]
    ids = [blob for start in range(0, 200, 20) for blob in builder.pack(*contents[start : start + 20])[1]]
    with Repository.open(builder.files, PASSWORD, cache_bytes=20_000) as repository, ThreadPoolExecutor(8) as pool:
        assert list(pool.map(repository.load_blob, ids * 5)) == contents * 5


class ArchivedPacks(CountingFiles):
    """Some packs lie in an archive."""

    archived: frozenset[str] = frozenset()

    def read_range(self, kind: FileKind, name: str, *, offset: int, length: int) -> bytes:
        data = super().read_range(kind, name, offset=offset, length=length)
        if name in self.archived:
            raise ThawRequired(kind.word, name)
        return data


def test_another_copy_is_read_where_one_is_in_an_archive() -> None:
    builder, content = Builder(), os.urandom(1000)
    first, (blob,) = builder.pack(content)
    second, _ = builder.pack(content)
    files = ArchivedPacks(builder.files)
    with Repository.open(files, PASSWORD) as repository:
        files.archived = frozenset({repository.locate(blob).pack})
        assert repository.load_blob(blob) == content
    with Repository.open(files, PASSWORD) as repository:
        files.archived = frozenset({first, second})
        with pytest.raises(ThawRequired):
            repository.load_blob(blob)


def test_that_a_copy_can_be_thawed_is_told_before_that_another_is_gone() -> None:
    builder, content = Builder(), os.urandom(1000)
    first, (blob,) = builder.pack(content)
    second, _ = builder.pack(content)
    files = ArchivedPacks(builder.files)
    with Repository.open(files, PASSWORD) as repository:
        files.archived = frozenset({second})
        builder.remove(FileKind.PACK, first)
        with pytest.raises(ThawRequired):
            repository.load_blob(blob)
