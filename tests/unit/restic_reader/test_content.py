import os
import random
from concurrent.futures import ThreadPoolExecutor

import pytest
from restic_reader import Access, FileKind, Location, Node, Repository
from restic_reader.blobs import Blobs
from restic_reader.errors import Damaged, NotADirectory, NotAFile, PathNotFound
from restic_reader.file_content import Layouts, read_content

from tests.unit.restic_reader.builder import PASSWORD, Builder, CountingFiles, dir_node, file_node

CHUNKS = [os.urandom(size) for size in (1000, 1, 70_000, 300, 0x20000, 4096)]
WHOLE = b"".join(CHUNKS)


@pytest.fixture
def files() -> CountingFiles:
    builder = Builder()
    first, second = builder.pack(*CHUNKS[:3])[1], builder.pack(*CHUNKS[3:])[1]
    inner = builder.tree(file_node("empty", [], 0), file_node("file", first + second, len(WHOLE)))
    builder.snapshot(builder.tree(dir_node("dir", inner), {"name": "link", "type": "symlink", "linktarget": "/dir"}))
    return CountingFiles(builder.files)


@pytest.fixture
def repository(files: CountingFiles) -> Repository:
    return Repository.open(files, PASSWORD, cache_bytes=0)


def at(repository: Repository, path: bytes) -> Node:
    return repository.resolve(repository.snapshots()[0].tree, path)


def test_a_file_is_read_in_order(repository: Repository) -> None:
    node = at(repository, b"/dir/file")
    assert b"".join(repository.read(node)) == WHOLE
    assert repository.content_length(node) == len(WHOLE)


def test_any_range_is_the_same_range_of_the_file(repository: Repository) -> None:
    node, chance = at(repository, b"/dir/file"), random.Random(7)
    edges = [0, 1, 999, 1000, 1001, 71_000, 71_001, len(WHOLE) - 1, len(WHOLE), len(WHOLE) + 5]
    ranges = [(start, length) for start in edges for length in (0, 1, 2, 1000, len(WHOLE), None)]
    ranges += [(chance.randrange(len(WHOLE)), chance.randrange(len(WHOLE))) for _ in range(100)]
    for start, length in ranges:
        expected = WHOLE[start:] if length is None else WHOLE[start : start + length]
        assert b"".join(repository.read(node, start, length)) == expected


def test_a_range_reads_only_the_blobs_it_needs(repository: Repository, files: CountingFiles) -> None:
    node = at(repository, b"/dir/file")
    files.reads.clear()
    assert b"".join(repository.read(node, 71_001, 10)) == WHOLE[71_001:71_011]
    assert [length for _, _, _, length in files.reads] == [300 + 32]


def test_neighbours_are_read_together(repository: Repository, files: CountingFiles) -> None:
    node = at(repository, b"/dir/file")
    files.reads.clear()
    list(repository.read(node))
    assert len(files.reads) == 3  # the first blob by itself, then one read for each pack


def test_blobs_that_alternate_between_packs_are_read_together() -> None:
    builder, chunks = Builder(), [os.urandom(1000) for _ in range(100)]
    packs = builder.pack(*chunks[::2])[1], builder.pack(*chunks[1::2])[1]
    ids = [blob for pair in zip(*packs, strict=True) for blob in pair]
    tree = builder.tree(file_node("file", ids, 100_000))
    files = CountingFiles(builder.files)
    with Repository.open(files, PASSWORD) as repository:
        node = repository.resolve(tree, b"/file")
        files.reads.clear()
        assert b"".join(repository.read(node)) == b"".join(chunks)
    assert len(files.reads) == 3


def test_a_blob_that_repeats_is_given_each_time() -> None:
    builder, zeros = Builder(), bytes(1 << 20)
    (blob,) = builder.pack(zeros)[1]
    tree = builder.tree(file_node("sparse", [blob] * 12, 12 << 20))
    with Repository.open(builder.files, PASSWORD) as repository:
        node = repository.resolve(tree, b"/sparse")
        assert b"".join(repository.read(node)) == zeros * 12
        assert b"".join(repository.read(node, (7 << 20) + 5, 3 << 20)) == zeros * 3


def test_a_name_that_is_not_utf8_is_found_by_its_shown_form_on_request() -> None:
    builder = Builder()
    tree = builder.tree(file_node(r"\xff.txt", [], 1), file_node(r"\\xff.txt", [], 2), file_node(r"\xfe.txt", [], 3))
    with Repository.open(builder.files, PASSWORD) as repository:
        assert repository.resolve(tree, rb"/\xfe.txt", shown=True).name == b"\xfe.txt"
        assert repository.resolve(tree, rb"/\xff.txt", shown=True).name == rb"\xff.txt"
        with pytest.raises(PathNotFound):
            repository.resolve(tree, rb"/\xfe.txt")


def test_an_empty_file_has_no_bytes(repository: Repository) -> None:
    node = at(repository, b"/dir/empty")
    assert (list(repository.read(node)), repository.content_length(node)) == ([], 0)


def test_damage_ends_a_read_after_the_sound_bytes(repository: Repository, files: CountingFiles) -> None:
    node = at(repository, b"/dir/file")
    pack = next(name for (kind, name), data in files.files.items() if kind is FileKind.PACK and len(data) > 0x20000)
    data = bytearray(files.files[FileKind.PACK, pack])
    data[500] ^= 1
    files.files[FileKind.PACK, pack] = bytes(data)
    got = bytearray()
    with pytest.raises(Damaged):
        got.extend(part for parts in map(bytearray, repository.read(node)) for part in parts)
    assert WHOLE.startswith(bytes(got))


def test_the_root_is_a_directory_without_a_name(repository: Repository) -> None:
    for path in (b"", b"/", b"//"):
        node = at(repository, path)
        assert (node.type, node.name, node.st_mode) == ("dir", b"", 0o040755)


@pytest.mark.parametrize("path", [b"/nothing", b"/dir/nothing", b"/dir/..", b"/..", b"/.", b"/dir/file\n"])
def test_what_is_not_there_is_not_found(repository: Repository, path: bytes) -> None:
    with pytest.raises(PathNotFound):
        at(repository, path)


@pytest.mark.parametrize("path", [b"/dir/file/x", b"/link/file"])
def test_a_path_does_not_go_on_below_a_file_or_link(repository: Repository, path: bytes) -> None:
    with pytest.raises(NotADirectory):
        at(repository, path)


@pytest.mark.parametrize("path", [b"/", b"/dir", b"/link"])
def test_only_files_are_read(repository: Repository, path: bytes) -> None:
    with pytest.raises(NotAFile):
        repository.read(at(repository, path))


def test_negative_ranges_are_refused(repository: Repository) -> None:
    with pytest.raises(ValueError, match="negative"):
        repository.read(at(repository, b"/dir/file"), -1)


def test_a_reader_may_stop_early(repository: Repository) -> None:
    parts = repository.read(at(repository, b"/dir/file"))
    assert next(parts) == CHUNKS[0]
    parts.close()


class CountedLookups(Blobs):
    """Counts how often it is asked where a blob lies."""

    lookups = 0

    def locate(self, blob_id: str) -> Location:
        self.lookups += 1
        return super().locate(blob_id)


def test_the_blobs_of_a_large_file_are_looked_up_once() -> None:
    builder = Builder()
    chunks = [os.urandom(chance) for chance in range(1, 3000, 10)]
    _, ids = builder.pack(*chunks)
    access = Access.open(builder.files, PASSWORD)
    blobs = CountedLookups(access.files, access.box, cache_bytes=0)
    layouts = Layouts(blobs, cache_bytes=1 << 20)
    for _ in range(3):
        ends = layouts.ends(ids * 40)
        with ThreadPoolExecutor(1) as pool:
            last = read_content(blobs, ids * 40, ends, pool=pool, offset=ends[-1] - 10, length=None)
            assert b"".join(last) == chunks[-1][-10:]
    assert len(ids) * 40 <= blobs.lookups < len(ids) * 40 + 10
