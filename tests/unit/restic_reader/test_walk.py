import random
from collections.abc import Mapping

import pytest
from restic_reader import Directory, FileKind, Repository, Totals
from restic_reader.errors import Damaged

from tests.unit.restic_reader.builder import PASSWORD, Builder, CountingFiles, dir_node, file_node


class Memory:
    """Remembers directories as an index would, and counts how often it is asked."""

    def __init__(self) -> None:
        self.totals: dict[str, Totals] = {}
        self.asked: list[list[str]] = []

    def known(self, ids: list[str]) -> Mapping[str, Totals]:
        self.asked.append(ids)
        return {each: self.totals[each] for each in ids if each in self.totals}

    def take(self, directories: list[Directory]) -> list[str]:
        self.totals.update({each.tree_id: each.totals for each in directories})
        return [each.tree_id for each in directories]


def walked(builder: Builder, root: str, memory: Memory) -> list[Directory]:
    with Repository.open(builder.files, PASSWORD) as repository:
        return list(repository.walk_new(root, memory.known))


def grow(builder: Builder, chance: random.Random, depth: int) -> str:
    """A random tree; its root."""
    nodes = [file_node(f"f{number}", [], chance.randrange(1000)) for number in range(chance.randrange(5))]
    if depth:
        nodes += [dir_node(f"d{number}", grow(builder, chance, depth - 1)) for number in range(chance.randrange(5))]
    return builder.tree(*nodes)


def by_hand(repository: Repository, root: str) -> Totals:
    nodes = repository.tree(root)
    below = [by_hand(repository, node.subtree) for node in nodes if node.subtree]
    dirs = [node for node in nodes if node.type == "dir"]
    return Totals(
        len(nodes) - len(dirs) + sum(each.files for each in below),
        len(dirs) + sum(each.dirs for each in below),
        sum(node.size for node in nodes) + sum(each.bytes for each in below),
    )


@pytest.mark.parametrize("seed", range(5))
def test_each_directory_comes_once_children_first_with_its_totals(seed: int) -> None:
    builder, chance = Builder(), random.Random(seed)
    root = grow(builder, chance, 5)
    seen: set[str] = set()
    with Repository.open(builder.files, PASSWORD) as repository:
        for directory in repository.walk_new(root, lambda ids: {}):
            assert directory.tree_id not in seen
            assert {entry.subtree for entry in directory.entries if entry.subtree} <= seen
            assert directory.totals == by_hand(repository, directory.tree_id)
            seen.add(directory.tree_id)
    assert root in seen


def test_a_known_root_costs_one_question_and_no_read() -> None:
    builder, memory = Builder(), Memory()
    root = grow(builder, random.Random(1), 4)
    memory.take(walked(builder, root, memory))
    memory.asked.clear()
    files = CountingFiles(builder.files)
    with Repository.open(files, PASSWORD) as repository:
        assert list(repository.walk_new(root, memory.known)) == []
    assert (memory.asked, files.reads) == ([[root]], [])


def test_only_what_changed_is_walked_again() -> None:
    builder, memory = Builder(), Memory()
    same = grow(builder, random.Random(2), 4)
    old = builder.tree(dir_node("a", same), dir_node("b", builder.tree(file_node("f", [], 1))))
    memory.take(walked(builder, old, memory))
    changed = builder.tree(file_node("f", [], 2))
    new = builder.tree(dir_node("a", same), dir_node("b", changed))
    directories = walked(builder, new, memory)
    assert memory.take(directories) == [changed, new]
    assert directories[-1].totals.bytes == memory.totals[old].bytes + 1


def test_equal_directories_are_walked_once() -> None:
    builder = Builder()
    leaf = builder.tree(file_node("f", [], 3))
    middle = builder.tree(dir_node("one", leaf), dir_node("two", leaf))
    root = builder.tree(dir_node("leaf", leaf), dir_node("middle", middle))
    directories = walked(builder, root, Memory())
    assert [each.tree_id for each in directories] == [leaf, middle, root]
    assert directories[-1].totals == Totals(files=3, dirs=4, bytes=9)


def test_questions_and_reads_are_put_together() -> None:
    builder, memory = Builder(), Memory()
    leaves = builder.trees([file_node(f"f{number}", [], 1)] for number in range(2000))
    middles = builder.trees([dir_node("leaf", leaf)] for leaf in leaves)
    root = builder.tree(*(dir_node(f"d{number}", middle) for number, middle in enumerate(middles)))
    files = CountingFiles(builder.files)
    with Repository.open(files, PASSWORD) as repository:
        assert len(list(repository.walk_new(root, memory.known))) == 4001
    assert len(memory.asked) < 10
    assert len(files.reads) < 30


def test_a_very_deep_tree_is_walked() -> None:
    builder = Builder()
    tree = builder.tree()
    for _ in range(1500):
        tree = builder.tree(dir_node("d", tree))
    assert walked(builder, tree, Memory())[-1].totals == Totals(0, 1500, 0)


def test_a_damaged_directory_ends_the_walk() -> None:
    builder = Builder()
    pack, (bad,) = builder.pack(b'{"nodes":[{"name":"x","type":"file"}]}', kind="tree")
    root = builder.tree(dir_node("bad", bad))
    builder.change(FileKind.PACK, pack, 20)
    with pytest.raises(Damaged):
        walked(builder, root, Memory())


def test_a_tree_that_holds_no_directory_is_damage() -> None:
    builder = Builder()
    _, (tree,) = builder.pack(b'{"nodes": 3}', kind="tree")
    with pytest.raises(Damaged) as caught:
        walked(builder, tree, Memory())
    assert (caught.value.what, caught.value.name) == ("tree", tree)
