"""Directories too large for memory: read in parts, found in, walked, and never trusted more than small ones."""

import json
import random
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from restic_reader import Directory, FileKind, LargeDirectory, Limits, Repository, Totals
from restic_reader.errors import BlobMissing, Damaged, NoScratch, PathNotFound
from restic_reader.structs import Entry
from restic_reader.walk import Known

from tests.support.descriptors import open_files
from tests.unit.restic_reader.builder import PASSWORD, Builder, CountingFiles, dir_node, file_node

Node = dict[str, object]


SMALL = Limits(large_directory_bytes=2000, directory_part_bytes=600)
"""With these limits whatever has more than a dozen entries is large."""


@pytest.fixture
def builder() -> Builder:
    return Builder()


def opened(builder: Builder, scratch: Path | None = None, limits: Limits = SMALL) -> Repository:
    return Repository.open(builder.files, PASSWORD, scratch=scratch, limits=limits)


def many(count: int) -> list[Node]:
    return [file_node(f"f{number:05}", [], number) for number in range(count)]


def read(repository: Repository, tree: str) -> list[str]:
    return [node.quoted_name for part in repository.parts(tree) for node in part]


def compact(nodes: list[Node]) -> bytes:
    return json.dumps({"nodes": nodes}, separators=(",", ":")).encode() + b"\n"


def spaced(nodes: list[Node]) -> bytes:
    return json.dumps({"nodes": nodes}, indent=2).encode()


def type_first(nodes: list[Node]) -> bytes:
    return json.dumps({"nodes": [dict(sorted(node.items(), reverse=True)) for node in nodes]}).encode()


WRITERS = [compact, spaced, type_first]


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("count", [11, 12, 13, 100, 1000])
def test_all_nodes_are_read_whoever_wrote_them(
    builder: Builder, write: Callable[[list[Node]], bytes], count: int
) -> None:
    _, (tree,) = builder.pack(write(many(count)), kind="tree")
    with opened(builder) as repository:
        assert read(repository, tree) == [str(node["name"]) for node in many(count)]
        assert max(len(part) for part in repository.parts(tree)) < 25


@pytest.mark.parametrize("write", WRITERS)
def test_lists_that_look_like_the_end_of_a_node_do_not_cut_it(
    builder: Builder, write: Callable[[list[Node]], bytes]
) -> None:
    nodes = many(300)
    attributes = [{"name": f"user.{number}", "value": "eA=="} for number in range(40)]
    for node in nodes[::3]:
        node["extended_attributes"] = attributes
    for node in nodes[::5]:
        node["user"] = '"},{"name":"x","type":"file"},{"name":"y"'
    nodes[7]["generic_attributes"] = {"a": [{"name": "x", "type": "y"}] * 30}
    _, (tree,) = builder.pack(write(nodes), kind="tree")
    with opened(builder) as repository:
        assert read(repository, tree) == [node["name"] for node in nodes]
        found = repository.resolve(tree, b"/f00003")
    assert len(found.extended_attributes or ()) == 40


def test_a_node_larger_than_a_part_is_read(builder: Builder) -> None:
    nodes = many(50)
    nodes[20]["content"] = [f"{number:064x}" for number in range(500)]
    _, (tree,) = builder.pack(compact(nodes), kind="tree")
    with opened(builder) as repository:
        assert read(repository, tree) == [node["name"] for node in nodes]
        assert len(repository.resolve(tree, b"f00020").content or ()) == 500


@pytest.mark.parametrize(
    "text",
    [
        compact(many(50))[:-5],
        compact(many(50)).replace(b"f00031", b'f"0031'),
        compact(many(50)) + b"}",
        b'{"nodes":[' + b"x" * 3000 + b"]}",
        b'{"nodes":"' + b"x" * 3000 + b'"}',
        b"[" * 3000,
        b'{"nodes":[' + b"1," * 2000 + b"1]}",
        compact([file_node(name, [], 0) for name in (*map(str, range(10, 60)), "11")]),
        compact([*many(50)[:25], *many(50)[24:]]),
    ],
    ids=["cut", "torn", "too much", "no list", "a text", "no end", "numbers", "unsorted", "twice"],
)
def test_what_is_no_sorted_directory_is_damage(builder: Builder, text: bytes) -> None:
    _, (tree,) = builder.pack(text, kind="tree")
    with opened(builder) as repository, pytest.raises(Damaged) as caught:
        read(repository, tree)
    assert (caught.value.what, caught.value.name) == ("tree", tree)


def test_an_entry_that_is_larger_than_anybody_writes_is_damage(builder: Builder) -> None:
    _, (tree,) = builder.pack(compact([{**file_node("f", [], 0), "user": "u" * 20_000}]), kind="tree")
    with opened(builder, limits=replace(SMALL, node_bytes=5000)) as repository, pytest.raises(Damaged):
        read(repository, tree)


@pytest.mark.parametrize("version", [1, 2])
def test_one_node_is_found_or_not(version: int) -> None:
    builder = Builder(version)
    _, (content,) = builder.pack(b"hello")
    odd = [file_node(r"f\xff", [content], 5), file_node("f~", [], 1)]
    tree = builder.tree(*many(500), *sorted(odd, key=lambda node: str(node["name"]) == r"f\xff"))
    root = builder.tree(dir_node("d", tree))
    with opened(builder) as repository:
        for number in (0, 1, 250, 499):
            assert repository.resolve(root, f"/d/f{number:05}".encode()).size == number
        assert repository.resolve(root, b"/d/f~").size == 1
        for path in (b"/d/f\xff", rb"/d/f\xff"):
            node = repository.resolve(root, path, shown=True)
            assert b"".join(repository.read(node)) == b"hello"
        for path in (b"/d/a", b"/d/z", b"/d/f00000x", rb"/d/f\xfe", b"/d/f\0"):
            with pytest.raises(PathNotFound):
                repository.resolve(root, path, shown=True)
        with pytest.raises(PathNotFound):
            repository.resolve(root, rb"/d/f\xff")


def test_a_name_is_looked_up_once(builder: Builder) -> None:
    tree, others = builder.tree(*many(100)), [builder.tree(*many(101 + n)) for n in range(3)]
    files = CountingFiles(builder.files)
    with Repository.open(files, PASSWORD, limits=SMALL) as repository:
        first = repository.resolve(tree, b"f00077")
        for other in others:  # so many that the first one is open no more
            repository.resolve(other, b"f00077")
        files.reads.clear()
        assert repository.resolve(tree, b"f00077") is first
        assert files.reads == []


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("place", [3, 200, -3])
def test_not_one_node_of_an_altered_directory_is_seen(version: int, place: int) -> None:
    builder = Builder(version)
    pack, (tree,) = builder.pack(compact(many(500)), kind="tree")
    size = len(builder.files.files[FileKind.PACK, pack]) - len(b"header is not read")
    builder.change(FileKind.PACK, pack, place if place > 0 else size + place)
    with opened(builder) as repository, pytest.raises(Damaged, match="is not authentic"):
        next(repository.parts(tree))


def test_a_second_copy_stands_in_for_a_damaged_one(builder: Builder) -> None:
    pack, (tree,) = builder.pack(compact(many(500)), kind="tree")
    builder.change(FileKind.PACK, pack, 100)
    builder.pack(b"something else", compact(many(500)), kind="tree")
    with opened(builder) as repository:
        assert len(read(repository, tree)) == 500


@pytest.mark.parametrize("told", [1, -1])
def test_a_directory_of_another_size_than_the_index_says_is_damage(builder: Builder, told: int) -> None:
    text = compact(many(500))
    pack, (tree,) = builder.pack(text, kind="tree", indexed=False)
    length = len(builder.files.files[FileKind.PACK, pack]) - len(b"header is not read")
    entry = {"id": tree, "type": "tree", "offset": 0, "length": length, "uncompressed_length": len(text) + told}
    builder.document(FileKind.INDEX, {"packs": [{"id": pack, "blobs": [entry]}]})
    with opened(builder) as repository, pytest.raises(Damaged, match="another content than its id says"):
        read(repository, tree)


def test_nothing_is_left_on_the_disk_and_nobody_else_can_look(builder: Builder, tmp_path: Path) -> None:
    tree, scratch = builder.tree(*many(500)), tmp_path / "work" / "scratch"
    with opened(builder, scratch) as repository:
        assert len(read(repository, tree)) == 500
        assert list(scratch.iterdir()) == []
        assert scratch.stat().st_mode & 0o777 == 0o700


def test_a_worker_without_a_place_for_scratch_files_says_so(builder: Builder, tmp_path: Path) -> None:
    tree = builder.tree(*many(500))
    (tmp_path / "file").touch()
    with opened(builder, tmp_path / "file" / "scratch") as repository, pytest.raises(NoScratch):
        read(repository, tree)


def walked(
    builder: Builder, root: str, known: Known = lambda _: {}, limits: Limits = SMALL
) -> dict[str, tuple[list[Entry], Totals]]:
    """All directories, read while the walk stands; children before their parents, each once."""
    found: dict[str, tuple[list[Entry], Totals]] = {}
    with opened(builder, limits=limits) as repository:
        for directory in repository.walk_new(root, known):
            entries = list(_entries(directory))
            assert directory.tree_id not in found
            assert len(entries) == directory.size
            for part in [entries] if isinstance(directory, Directory) else directory.parts():
                below = directory.below if isinstance(directory, Directory) else directory.below(part)
                assert below.keys() == {entry.subtree for entry in part if entry.subtree}
                assert all(below[each] == found[each][1] for each in below if each in found)
            found[directory.tree_id] = (entries, directory.totals)
    return found


def _entries(directory: Directory | LargeDirectory) -> Iterator[Entry]:
    if isinstance(directory, Directory):
        yield from directory.entries
    else:
        for part in directory.parts():
            yield from part


def grow(builder: Builder, chance: random.Random, depth: int) -> str:
    """A random tree, some of whose directories are large; its root."""
    nodes = [file_node(f"f{number:03}", [], chance.randrange(1000)) for number in range(chance.choice((1, 3, 40)))]
    if depth:
        count = chance.choice((0, 2, 3))
        subtrees = [grow(builder, chance, depth - 1) for _ in range(count)]
        repeated = chance.choice((1, 1, 12)) if count else 0
        nodes = [dir_node(f"d{n:03}", subtrees[n % count]) for n in range(count * repeated)] + nodes
    return builder.tree(*nodes)


@pytest.mark.parametrize("seed", range(6))
def test_a_walk_tells_the_same_whatever_is_large_kept_or_on_the_disk(seed: int) -> None:
    builder = Builder()
    root = grow(builder, random.Random(seed), 5)
    plain = walked(builder, root, limits=Limits(large_directory_bytes=1 << 30))
    tiny = replace(SMALL, totals_in_memory=5, waiting_bytes=500, trees_together=3, asked_together=4)
    assert walked(builder, root, limits=tiny) == plain


def test_what_is_known_below_a_large_directory_is_not_read(builder: Builder) -> None:
    leaves = [builder.tree(file_node("f", [], number)) for number in range(60)]
    root = builder.tree(*(dir_node(f"d{number:02}", leaf) for number, leaf in enumerate(leaves)))
    known = {leaf: Totals(1, 0, number) for number, leaf in enumerate(leaves) if number != 7}

    def ask(ids: list[str]) -> Mapping[str, Totals]:
        return {each: known[each] for each in ids if each in known}

    found = walked(builder, root, ask)
    assert list(found) == [leaves[7], root]
    assert found[root][1] == Totals(files=60, dirs=60, bytes=sum(range(60)))


def test_a_large_directory_with_a_child_that_is_missing_ends_the_walk(builder: Builder) -> None:
    root = builder.tree(*(dir_node(f"d{number:02}", "ab" * 32) for number in range(60)))
    with pytest.raises(BlobMissing):
        walked(builder, root)


def test_a_walk_that_is_left_gives_all_its_files_back(builder: Builder) -> None:
    leaf = builder.tree(*many(50))
    root = builder.tree(*(dir_node(f"d{number:02}", leaf) for number in range(60)))
    before = open_files()
    with opened(builder, limits=replace(SMALL, totals_in_memory=0)) as repository:
        steps = repository.walk_new(root, lambda _: {})
        assert next(steps).tree_id == leaf
        assert open_files() > before
        steps.close()  # type: ignore[attr-defined]
        assert open_files() == before


def test_a_large_directory_cannot_be_read_once_the_walk_went_on(builder: Builder) -> None:
    with opened(builder) as repository:
        (directory,) = repository.walk_new(builder.tree(*many(50)), lambda _: {})
        assert isinstance(directory, LargeDirectory)
        with pytest.raises(ValueError, match="closed"):
            list(directory.parts())


def test_totals_beyond_what_anybody_can_count_stop_there(builder: Builder) -> None:
    tree = builder.tree(file_node("f", [], 1 << 40))
    for _ in range(50):
        tree = builder.tree(dir_node("a", tree), dir_node("b", tree))
    assert walked(builder, tree)[tree][1] == Totals(1 << 50, (1 << 51) - 2, (1 << 63) - 1)


def test_many_threads_look_into_one_large_directory(builder: Builder) -> None:
    tree = builder.tree(*many(300))
    with opened(builder) as repository, ThreadPoolExecutor(8) as pool:
        sizes = pool.map(lambda n: repository.resolve(tree, f"f{n:05}".encode()).size, range(0, 300, 10))
        assert list(sizes) == list(range(0, 300, 10))
