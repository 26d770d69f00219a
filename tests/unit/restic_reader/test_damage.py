"""Each kind of file missing, cut or changed, wherever that is: never another byte than what was written."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zstandard
from restic_reader import FileKind, Found, Limits, MemoryFiles, Repository, StoredFile
from restic_reader.errors import (
    BlobMissing,
    Damaged,
    FileMissing,
    PartMissing,
    ReaderError,
    RepositoryNotFound,
    SnapshotNotFound,
    WrongPassword,
)

from tests.unit.restic_reader.builder import PASSWORD, Builder, dir_node, file_node, seal, sha256

NONCE, SEALED, MAC = 0, 16, -16
CONTENTS = [os.urandom(1000), b"compressible " * 100, b"x"]


def opened(builder: Builder, password: str = PASSWORD) -> Repository:
    return Repository.open(builder.files, password, cache_bytes=0)


def only(builder: Builder, kind: FileKind) -> str:
    (name,) = [name for of_kind, name in builder.files.files if of_kind is kind]
    return name


def blob_places(builder: Builder, pack: str) -> list[tuple[int, int]]:
    """Where the blobs of a pack begin and end, by its index file."""
    with opened(builder) as repository:
        blobs = [repository.locate(sha256(content)) for content in CONTENTS]
    assert {blob.pack for blob in blobs} == {pack}
    return [(blob.offset, blob.end) for blob in blobs]


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("number", range(len(CONTENTS)))
@pytest.mark.parametrize("region", ["nonce", "ciphertext", "mac"])
def test_a_change_anywhere_in_a_blob_spoils_that_blob_alone(version: int, number: int, region: str) -> None:
    builder = Builder(version)
    pack, ids = builder.pack(*CONTENTS)
    start, end = blob_places(builder, pack)[number]
    first, last = {"nonce": (start, start + 15), "ciphertext": (start + 16, end - 17), "mac": (end - 16, end - 1)}[
        region
    ]
    for offset in {first, (first + last) // 2, last}:
        builder.change(FileKind.PACK, pack, offset)
        with opened(builder) as repository:
            for each, blob in enumerate(ids):
                if each == number:
                    with pytest.raises(Damaged, match=pack):
                        repository.load_blob(blob)
                else:
                    assert repository.load_blob(blob) == CONTENTS[each]
        builder.change(FileKind.PACK, pack, offset)


def test_the_header_of_a_pack_is_not_needed() -> None:
    builder = Builder()
    pack, ids = builder.pack(*CONTENTS)
    builder.files.files[FileKind.PACK, pack] = builder.files.files[FileKind.PACK, pack][: -len(b"header is not read")]
    with opened(builder) as repository:
        assert [repository.load_blob(blob) for blob in ids] == CONTENTS


@pytest.mark.parametrize("left", [0, 1, 16, 31, 32, 500])
def test_a_pack_cut_anywhere_gives_nothing_of_what_was_cut(left: int) -> None:
    builder = Builder()
    pack, (first, *_) = builder.pack(*CONTENTS)
    builder.files.files[FileKind.PACK, pack] = builder.files.files[FileKind.PACK, pack][:left]
    with opened(builder) as repository, pytest.raises(Damaged, match=pack):
        repository.load_blob(first)


def test_a_pack_in_place_of_another_is_damage() -> None:
    builder = Builder()
    one, (blob,) = builder.pack(b"a" * 100)
    other, _ = builder.pack(b"b" * 100)
    builder.files.files[FileKind.PACK, one] = builder.files.files[FileKind.PACK, other]
    with opened(builder) as repository, pytest.raises(Damaged, match="another content"):
        repository.load_blob(blob)


def test_a_blob_that_the_index_calls_too_large_costs_no_memory() -> None:
    builder = Builder()
    entries = [
        {"id": "1" * 64, "type": "data", "offset": 0, "length": (1 << 32) - 1},
        {"id": "2" * 64, "type": "data", "offset": 0, "length": 100, "uncompressed_length": (1 << 32) - 1},
    ]
    pack = builder.put(FileKind.PACK, seal(builder.keys, zstandard.compress(b"x" * 1000)))
    builder.document(FileKind.INDEX, {"packs": [{"id": pack, "blobs": entries}]})
    with opened(builder) as repository:
        for blob in ("1" * 64, "2" * 64):
            with pytest.raises(Damaged, match=pack):
                repository.load_blob(blob)


def a_store() -> tuple[Builder, str]:
    """A repository with one file; the snapshot."""
    builder = Builder()
    _, ids = builder.pack(*CONTENTS)
    tree = builder.tree(file_node("file", ids, sum(map(len, CONTENTS))))
    return builder, builder.snapshot(builder.tree(dir_node("dir", tree)))


def read_all(builder: Builder, snapshot: str) -> bytes:
    with opened(builder) as repository:
        node = repository.resolve(repository.snapshot(snapshot).tree, b"/dir/file")
        return b"".join(repository.read(node))


Change = Callable[[bytes], bytes]
CHANGES: dict[str, Change] = {
    "emptied": lambda data: b"",
    "cut": lambda data: data[: len(data) // 2],
    "cut by one byte": lambda data: data[:-1],
    "lengthened": lambda data: data + b"x",
    "nonce changed": lambda data: _flipped(data, NONCE),
    "text changed": lambda data: _flipped(data, SEALED),
    "mac changed": lambda data: _flipped(data, MAC),
    "zeroed": lambda data: bytes(len(data)),
}


def _flipped(data: bytes, offset: int) -> bytes:
    changed = bytearray(data)
    changed[offset] ^= 1
    return bytes(changed)


@pytest.mark.parametrize("change", CHANGES.values(), ids=list(CHANGES))
@pytest.mark.parametrize("kind", [kind for kind in FileKind if kind not in (FileKind.PACK, FileKind.LOCK)])
@pytest.mark.parametrize("renamed", [False, True], ids=["under its name", "under the name it should have"])
def test_a_changed_file_is_named_and_nothing_of_it_is_told(kind: FileKind, change: Change, renamed: bool) -> None:
    builder, snapshot = a_store()
    for name in [name for of_kind, name in builder.files.files if of_kind is kind]:
        data = change(builder.remove(kind, name))
        called = sha256(data) if renamed and name else name
        builder.files.files[kind, called] = data
        snapshot = called if kind is FileKind.SNAPSHOT else snapshot
    with pytest.raises((Damaged, WrongPassword, BlobMissing)) as caught:
        read_all(builder, snapshot)
    error = caught.value.unreadable[0] if isinstance(caught.value, BlobMissing) else caught.value
    if isinstance(error, Damaged):
        assert error.what == kind.word
        assert error.name in {name for of_kind, name in builder.files.files if of_kind is kind}
        assert error.name in caught.value.detail
    else:
        assert kind is FileKind.KEY


@pytest.mark.parametrize("change", CHANGES.values(), ids=list(CHANGES))
def test_a_damaged_index_file_hides_only_what_no_other_one_tells_of(change: Change) -> None:
    builder = Builder()
    _, (hidden,) = builder.pack(b"hidden")
    index = only(builder, FileKind.INDEX)
    whole = builder.files.files[FileKind.INDEX, index]
    _, (known,) = builder.pack(b"known")
    builder.files.files[FileKind.INDEX, index] = change(whole)
    with opened(builder) as repository:
        assert repository.load_blob(known) == b"known"
        with pytest.raises(BlobMissing, match=index):
            repository.load_blob(hidden)

        builder.files.files[FileKind.INDEX, index] = whole

        assert repository.load_blob(hidden) == b"hidden"
        with pytest.raises(BlobMissing) as caught:
            repository.load_blob("0" * 64)
        assert caught.value.unreadable == ()


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        (FileKind.CONFIG, RepositoryNotFound),
        (FileKind.KEY, PartMissing),
        (FileKind.SNAPSHOT, SnapshotNotFound),
        (FileKind.INDEX, BlobMissing),
        (FileKind.PACK, FileMissing),
    ],
)
def test_a_missing_kind_of_files_is_told_in_words(kind: FileKind, error: type[ReaderError]) -> None:
    builder, snapshot = a_store()
    for name in [name for of_kind, name in builder.files.files if of_kind is kind]:
        builder.remove(kind, name)
    with pytest.raises(error):
        read_all(builder, snapshot)


def test_the_config_of_another_repository_is_damage() -> None:
    builder, other = a_store()[0], Builder()
    builder.files.files[FileKind.CONFIG, ""] = other.files.files[FileKind.CONFIG, ""]
    with pytest.raises(Damaged, match="The config is damaged: it was not sealed with the repository's key"):
        opened(builder)


def test_the_key_of_another_repository_opens_nothing() -> None:
    builder, snapshot = a_store()
    other = Builder()
    for name in [name for kind, name in builder.files.files if kind is FileKind.KEY]:
        builder.remove(FileKind.KEY, name)
    builder.files.files[FileKind.KEY, only(other, FileKind.KEY)] = other.files.files[
        FileKind.KEY, only(other, FileKind.KEY)
    ]
    with pytest.raises(Damaged, match="config"):
        read_all(builder, snapshot)


def test_a_damaged_snapshot_leaves_the_others_readable() -> None:
    builder, snapshot = a_store()
    bad = builder.snapshot(builder.tree())
    builder.change(FileKind.SNAPSHOT, bad, 20)
    assert read_all(builder, snapshot) == b"".join(CONTENTS)
    with opened(builder) as repository:
        assert set(repository.snapshot_ids()) == {snapshot, bad}
        with pytest.raises(Damaged, match=bad):
            repository.snapshot(bad)
        with pytest.raises(Damaged, match=bad):
            repository.snapshots()


class Pruned(MemoryFiles):
    """A repository whose index files are replaced in the moment that somebody begins to read one."""

    def __init__(self, builder: Builder, times: int) -> None:
        super().__init__(builder.files.files)
        self.builder, self.times = builder, times

    def read(self, kind: FileKind, name: str) -> bytes:
        if kind is FileKind.INDEX and self.times:
            self.times -= 1
            replaced = self.builder.remove(kind, name)
            document = zstandard.decompress(opened_box(self.builder, replaced)[1:])
            self.builder.document(kind, {**json.loads(document), "supersedes": [name] * self.times})
        return super().read(kind, name)


def opened_box(builder: Builder, sealed: bytes) -> bytes:
    from restic_reader.crypto import Box

    return Box(builder.keys).open(sealed)


@pytest.mark.parametrize("times", [1, 2])
def test_index_files_may_be_replaced_between_listing_and_reading(times: int) -> None:
    builder, snapshot = a_store()
    with Repository.open(Pruned(builder, times), PASSWORD) as repository:
        node = repository.resolve(repository.snapshot(snapshot).tree, b"/dir/file")
        assert b"".join(repository.read(node)) == b"".join(CONTENTS)


class Listed(MemoryFiles):
    """A store that lists an index file which it does not give."""

    def read(self, kind: FileKind, name: str) -> bytes:
        if kind is FileKind.INDEX:
            raise FileMissing(kind.word, name)
        return super().read(kind, name)


def test_an_index_file_that_is_listed_but_not_there_is_named() -> None:
    builder = Builder()
    builder.pack(b"blob")
    with pytest.raises(FileMissing, match=only(builder, FileKind.INDEX)):
        Repository.open(Listed(builder.files.files), PASSWORD)


def test_documents_of_both_versions_lie_side_by_side() -> None:
    """A repository that was upgraded from version 1 to 2 keeps what it had."""
    builder, old = Builder(2), Builder(1)
    old.keys, old.files = builder.keys, builder.files
    _, (small, large) = old.pack(b"old", b"o" * 5000)
    _, (new,) = builder.pack(b"n" * 5000)
    snapshots = [each.snapshot(each.tree(file_node("f", [new, large], 10_000))) for each in (old, builder)]
    with opened(builder) as repository:
        for snapshot in snapshots:
            node = repository.resolve(repository.snapshot(snapshot).tree, b"/f")
            assert b"".join(repository.read(node)) == b"n" * 5000 + b"o" * 5000
        assert repository.load_blob(small) == b"old"


def test_the_right_key_among_twenty_opens_and_beyond_them_none_does() -> None:
    builder = Builder()
    for number in range(19):
        builder.key(f"other {number}")
    opened(builder).close()
    opened(builder, "other 18").close()
    names = sorted(name for kind, name in builder.files.files if kind is FileKind.KEY)
    while sorted(name for kind, name in builder.files.files if kind is FileKind.KEY)[:20] == names:
        builder.key("one more")
    refused = [
        password
        for password in (PASSWORD, *(f"other {number}" for number in range(19)))
        if not opens(builder, password)
    ]
    assert len(refused) == 1


def opens(builder: Builder, password: str) -> bool:
    try:
        opened(builder, password).close()
    except WrongPassword:
        return False
    return True


def test_fields_that_nobody_knows_yet_are_passed_over() -> None:
    builder = Builder()
    new = {"from the future": [{"a": [1, None, 1.5, {}]}], "": None}
    config = {"version": 2, "id": "0" * 64, "chunker_polynomial": "25b468838dcb75", **new}
    builder.files.files[FileKind.CONFIG, ""] = seal(builder.keys, json.dumps(config).encode())
    name = only(builder, FileKind.KEY)
    builder.put(FileKind.KEY, json.dumps({**json.loads(builder.remove(FileKind.KEY, name)), **new}).encode())
    _, (blob,) = builder.pack(b"content", indexed=False)
    pack = only(builder, FileKind.PACK)
    entry = {"id": blob, "type": "data", "offset": 0, "length": 7 + 32, **new}
    builder.document(FileKind.INDEX, {"packs": [{"id": pack, "blobs": [entry], **new}], **new})
    snapshot = builder.snapshot(builder.tree({**file_node("f", [blob], 7), **new}), **new)
    with opened(builder) as repository:
        node = repository.resolve(repository.snapshot(snapshot).tree, b"/f")
        assert b"".join(repository.read(node)) == b"content"


@pytest.mark.parametrize("subtree", [None, "", "no id"])
def test_a_directory_that_does_not_tell_what_is_in_it_is_not_empty(subtree: str | None) -> None:
    builder = Builder()
    hurt = {**dir_node("hurt", ""), "subtree": subtree}
    root = builder.tree(file_node("file", [], 0), hurt)
    with opened(builder) as repository:
        with pytest.raises(Damaged, match=f"tree {root} .* in its directory 'hurt'"):
            list(repository.walk_new(root, lambda _: {}))
        with pytest.raises(Damaged, match="directory 'hurt'"):
            repository.resolve(root, b"/hurt/below")
        with pytest.raises(Damaged, match="directory 'hurt'"):
            list(repository.descend(Found(b"hurt", repository.resolve(root, b"/hurt"))))
        found = repository.descend(Found(b"", repository.resolve(root, b"/")))
        assert next(found).path == b"file"
        with pytest.raises(Damaged, match="directory 'hurt'"):
            next(found)


def test_a_large_directory_does_not_hide_one_that_tells_nothing(tmp_path: Path) -> None:
    builder = Builder()
    root = builder.tree(file_node("file", [], 0), {**dir_node("hurt", ""), "subtree": None})
    with (
        Repository.open(
            builder.files, PASSWORD, scratch=tmp_path, limits=Limits(large_directory_bytes=1)
        ) as repository,
        pytest.raises(Damaged, match="directory 'hurt'"),
    ):
        list(repository.walk_new(root, lambda _: {}))


@pytest.mark.parametrize("lost", [{"content": None}, {}], ids=["none", "not told"])
def test_a_file_that_does_not_tell_its_content_is_not_handed_out_as_an_empty_one(lost: dict[str, object]) -> None:
    builder = Builder()
    facts = file_node("hurt", [], 5)
    del facts["content"]
    root = builder.tree(file_node("empty", [], 0), facts | lost)
    with opened(builder) as repository:
        node = repository.resolve(root, b"/hurt")
        with pytest.raises(Damaged, match="file 'hurt' is damaged"):
            repository.content_length(node)
        with pytest.raises(Damaged, match="file 'hurt' is damaged"):
            repository.read(node)
        with pytest.raises(Damaged, match="file 'hurt' is damaged"):
            list(repository.read_all(iter([Found(b"hurt", node)])))
        assert b"".join(repository.read(repository.resolve(root, b"/empty"))) == b""


@pytest.mark.parametrize("cached", [True, False])
def test_doubtful_packs_are_noticed_when_directories_lay_in_them(cached: bool, tmp_path: Path) -> None:
    builder = Builder()
    contents, _ = builder.pack(*CONTENTS)
    root = builder.tree(file_node("f", [], 1))

    def has_lost() -> bool:
        with Repository.open(builder.files, PASSWORD, cache_dir=tmp_path if cached else None) as repository:
            return bool(repository.doubtful_packs())

    assert not has_lost()
    kept = builder.remove(FileKind.PACK, contents)
    assert not has_lost()
    builder.files.files[FileKind.PACK, contents] = kept
    with opened(builder) as repository:
        trees = repository.locate(root).pack
    builder.remove(FileKind.PACK, trees)
    assert has_lost()


@pytest.mark.parametrize("cached", [True, False])
def test_packs_that_end_before_their_directories_are_noticed(cached: bool, tmp_path: Path) -> None:
    builder = Builder()
    contents, _ = builder.pack(*CONTENTS)
    ids = builder.trees([[file_node("f", [], number)] for number in range(3)])
    with opened(builder) as repository:
        trees = repository.locate(ids[0]).pack
        end = max(repository.locate(each).end for each in ids)
    kept = builder.files.files[FileKind.PACK, trees]

    def doubtful() -> frozenset[bytes]:
        with Repository.open(builder.files, PASSWORD, cache_dir=tmp_path if cached else None) as repository:
            assert repository.doubtful_packs() == repository.doubtful_packs()
            return repository.doubtful_packs()

    builder.files.files[FileKind.PACK, contents] = b""
    assert doubtful() == set()
    builder.files.files[FileKind.PACK, trees] = kept[:end]
    assert doubtful() == set()
    for left in (end - 1, 1, 0):
        builder.files.files[FileKind.PACK, trees] = kept[:left]
        assert doubtful() == {bytes.fromhex(trees)}


class Sizeless(MemoryFiles):
    """A store that does not tell how large its files are."""

    def list(self, kind: FileKind) -> Iterator[StoredFile]:
        return (StoredFile(found.name, -1) for found in super().list(kind))


def test_a_pack_whose_size_is_not_told_is_not_lost() -> None:
    builder = Builder()
    builder.tree(file_node("f", [], 1))
    with Repository.open(Sizeless(builder.files.files), PASSWORD) as repository:
        assert not repository.doubtful_packs()


@pytest.mark.parametrize("left", [None, b"garbage"])
@pytest.mark.parametrize("cached", [True, False])
def test_a_lost_index_file_is_noticed_by_the_packs_that_it_told_of(
    cached: bool, left: bytes | None, tmp_path: Path
) -> None:
    builder = Builder()
    builder.tree(file_node("f", [], 1))
    index = only(builder, FileKind.INDEX)
    with opened(builder) as repository:
        assert not repository.doubtful_packs()
        kept = builder.remove(FileKind.INDEX, index)
        assert repository.doubtful_packs()
        builder.files.files[FileKind.INDEX, index] = kept
        assert not repository.doubtful_packs()
    builder.files.files[FileKind.INDEX, index] = left or b""
    with Repository.open(builder.files, PASSWORD, cache_dir=tmp_path if cached else None) as repository:
        assert repository.doubtful_packs()


def test_what_a_prune_took_away_is_not_lost() -> None:
    builder = Builder()
    root = builder.tree(file_node("f", [], 1))
    with opened(builder) as repository:
        pack = repository.locate(root).pack
        builder.remove(FileKind.PACK, pack)
        builder.remove(FileKind.INDEX, only(builder, FileKind.INDEX))
        assert not repository.doubtful_packs()
