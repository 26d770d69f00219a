"""Packs that should be there, compared with a listing of those that are."""

from collections.abc import Iterator

import pytest
from restic_reader import FileKind, MemoryFiles, Node, Repository, StoredFile
from restic_reader.errors import BlobMissing, Damaged, FileMissing

from tests.unit.restic_reader.builder import PASSWORD, Builder, CountingFiles

CONTENTS = (b"first" * 100, b"second" * 100)


def opened(files: MemoryFiles) -> Repository:
    return Repository.open(files, PASSWORD)


def a_file(*ids: str) -> Node:
    return Node(quoted_name="file", type="file", size=1, content=ids)


def test_many_files_cost_one_listing_and_no_reading() -> None:
    builder = Builder()
    _, ids = builder.pack(*CONTENTS)
    files = CountingFiles(builder.files)
    with opened(files) as repository:
        packs = repository.stored_packs()
        for _ in range(3):
            packs.require(a_file(*ids))

    assert files.listings.count(FileKind.PACK) == 1
    assert not files.reads


def test_a_pack_that_is_gone_or_too_short_is_told_by_its_name() -> None:
    builder = Builder()
    (gone, [lost]), (short, [cut]) = (builder.pack(each) for each in CONTENTS)
    builder.remove(FileKind.PACK, gone)
    # It ends one byte before the blob does.
    content = builder.remove(FileKind.PACK, short)
    builder.files.files[FileKind.PACK, short] = content[: -len(b"header is not read") - 1]

    with opened(builder.files) as repository:
        packs = repository.stored_packs()
        with pytest.raises(FileMissing, match=gone):
            packs.require(a_file(lost))
        with pytest.raises(Damaged, match=f"{short} is damaged: it is shorter than the index says"):
            packs.require(a_file(cut))
        with pytest.raises(BlobMissing):
            packs.require(a_file("ab" * 32))


def test_a_blob_of_which_another_copy_is_there_is_not_lost() -> None:
    builder = Builder()
    names = [builder.pack(CONTENTS[0], other)[0] for other in CONTENTS]
    _, [blob_id] = builder.pack(CONTENTS[0])
    for name in names:
        builder.remove(FileKind.PACK, name)

    with opened(builder.files) as repository:
        repository.stored_packs().require(a_file(blob_id))


def test_what_was_written_or_moved_since_the_listing_is_not_lost() -> None:
    builder = Builder()
    old, ids = builder.pack(*CONTENTS)
    [of_old] = [name for kind, name in builder.files.files if kind is FileKind.INDEX]
    with opened(builder.files) as repository:
        packs = repository.stored_packs()
        packs.require(a_file(ids[0]))
        _, [later] = builder.pack(b"later" * 100)
        packs.require(a_file(later))
        # A prune: what is still needed into a new pack, the old index file first, then its pack.
        builder.pack(*CONTENTS, b"filler")
        builder.remove(FileKind.INDEX, of_old)
        builder.remove(FileKind.PACK, old)
        _, [last] = builder.pack(b"last" * 100)
        packs.require(a_file(last, *ids))


class Pruning(MemoryFiles):
    """A repository that is pruned while its packs are listed the first time."""

    def __init__(self, builder: Builder, of_old: str, old: str) -> None:
        super().__init__(builder.files.files)
        self._builder, self._gone = builder, [(FileKind.INDEX, of_old), (FileKind.PACK, old)]

    def list(self, kind: FileKind) -> Iterator[StoredFile]:
        if kind is FileKind.PACK and self._gone:
            self._builder.pack(*CONTENTS, b"filler")
            for each in self._gone:
                self._builder.remove(*each)
            self._gone = []
        return super().list(kind)


def test_a_prune_during_the_listing_loses_nothing() -> None:
    builder = Builder()
    old, ids = builder.pack(*CONTENTS)
    [of_old] = [name for kind, name in builder.files.files if kind is FileKind.INDEX]

    with opened(Pruning(builder, of_old, old)) as repository:
        repository.stored_packs().require(a_file(*ids))
