"""Paths in restore points that Cairn did not make are those of their trees, whatever paths their snapshots name."""

import pytest
from contracts.errors import NotFound
from contracts.messages.restore_index import RestorePoint
from restore_index.domain.search.conditions import read_conditions
from restore_index.usecases.browse import show_entry
from restore_index.usecases.compare import Comparisons
from restore_index.usecases.search import Question, search_point

from tests.unit.restore_index.memory_index import MemoryIndex
from tests.unit.restore_index.trees import ORG, Tree, a_point, new_store

TREE = Tree({b"srv": {b"a": {b"x": 1}, b"b": {b"y": 2}}, b"data": {b"x": 3}})


async def look(index: MemoryIndex, point: RestorePoint, path: bytes) -> list[str]:
    """Where each way to ask finds something."""
    found = []
    for ask in (_listed, _entry, _searched, _compared):
        try:
            found.append(await ask(index, point, path))
        except NotFound:
            found.append("nothing")
    return found


async def _listed(index: MemoryIndex, point: RestorePoint, path: bytes) -> str:
    return (await index.browse(point, path)).path


async def _entry(index: MemoryIndex, point: RestorePoint, path: bytes) -> str:
    return str((await show_entry(index.store, ORG, point.snapshot_id, path=path))["path"])


async def _searched(index: MemoryIndex, point: RestorePoint, path: bytes) -> str:
    question = Question(read_conditions(types=["file"]), path, 10, None)
    [item] = (await search_point(index.store, ORG, point.snapshot_id, question)).items
    return str(item["path"]).rpartition("/")[0]


async def _compared(index: MemoryIndex, point: RestorePoint, path: bytes) -> str:
    other = a_point(point.store_id, Tree({}), source_id=None)
    await index.hold(other, Tree({}))
    pair = other.snapshot_id, point.snapshot_id
    rows = await Comparisons(index.store).list_changes(ORG, pair, path=path, limit=10, cursor=None)
    return str(rows.items[0]["path"]).rpartition("/")[0]


@pytest.mark.parametrize(
    ("paths", "path", "found"),
    [
        (("/srv/a", "/srv/b"), b"/srv/a", "/srv/a"),
        (("/srv/a", "/srv/b"), b"/srv/a/srv/b", "nothing"),
        (("/srv/a",), b"/srv/a/data", "nothing"),
        (("/home/me/data",), b"/data", "/data"),
        (("/home/me/data",), b"/home/me/data/data", "nothing"),
        ((), b"/srv/b", "/srv/b"),
    ],
)
async def test_a_path_leads_where_the_tree_has_it_or_nowhere(
    index: MemoryIndex, paths: tuple[str, ...], path: bytes, found: str
) -> None:
    point = a_point(new_store(), TREE, source_id=None, paths=paths)
    await index.hold(point, TREE)
    assert await look(index, point, path) == [found] * 4


async def test_the_root_of_a_source_may_come_first_where_cairn_made_it(index: MemoryIndex) -> None:
    point = a_point(new_store(), TREE, paths=("/home/me",))
    await index.hold(point, TREE)
    assert await look(index, point, b"/home/me/data") == ["/data"] * 4
