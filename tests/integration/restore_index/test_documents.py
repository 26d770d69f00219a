"""Documents that are written once, in memory and in MongoDB: the same promises."""

from collections.abc import AsyncIterator

import msgspec
import pytest
from chassis.persistence.mongo import Document, open_database
from restore_index.domain.entries import Below, unpack
from restore_index.store import Directories, KnownTrees, MemoryDocuments, NameSegments
from restore_index.store.documents import Documents, MongoDocuments

from tests.support.environment import Corner
from tests.unit.restore_index.memory_index import no_candidates
from tests.unit.restore_index.trees import ORG, Tree, new_store


@pytest.fixture(params=["memory", "mongodb"])
async def documents(request: pytest.FixtureRequest, fresh_corner: Corner) -> AsyncIterator[Documents]:
    if request.param == "memory":
        yield MemoryDocuments()
        return
    async with open_database(fresh_corner.settings(), "restore-index") as database:
        yield MongoDocuments(database["documents"])


def document(number: int, **facts: object) -> Document:
    return {"_id": f"d/{number}", "blob": bytes([number]) * 10, **facts}


async def test_documents_come_back_as_they_were(documents: Documents) -> None:
    await documents.insert([document(n) for n in range(244)])
    found = await documents.get("d/7")
    assert found is not None
    assert bytes(found["blob"]) == b"\x07" * 10
    for nothing in ("d/999", "", "\0", "d/7\0"):
        assert await documents.get(nothing) is None


async def test_a_large_field_can_be_left_where_it_is(documents: Documents) -> None:
    await documents.insert_new(document(1, told="something"))
    assert await documents.get("d/1", without="blob") == {"_id": "d/1", "told": "something"}
    assert await documents.get("d/2", without="blob") is None


async def test_what_is_there_stays_and_the_rest_is_added(documents: Documents) -> None:
    await documents.insert([document(n, told="first") for n in (2, 5, 8)])
    await documents.insert([document(n, told="second") for n in range(10)])
    told = [(await documents.get(f"d/{n}") or {})["told"] for n in range(10)]
    assert told == ["first" if n in (2, 5, 8) else "second" for n in range(10)]


async def test_one_of_two_inserts_wins(documents: Documents) -> None:
    assert await documents.insert_new(document(1, told="first"))
    assert not await documents.insert_new(document(1, told="second"))
    assert (await documents.get("d/1") or {})["told"] == "first"


async def test_what_is_put_stands_in_place_of_what_was_and_what_is_deleted_is_gone(documents: Documents) -> None:
    await documents.insert([document(1, told="first")])
    for _ in range(2):
        await documents.put([document(number, told="second") for number in range(40)])
    assert [(await documents.get(f"d/{n}") or {})["told"] for n in (1, 2)] == ["second", "second"]
    for _ in range(2):
        await documents.delete([f"d/{number}" for number in range(39)])
    assert [bool(await documents.get(f"d/{n}")) for n in (0, 38, 39)] == [False, False, True]


@pytest.mark.parametrize("kept_in_memory", [0, 1000])
async def test_totals_of_any_size_can_be_told(documents: Documents, kept_in_memory: int) -> None:
    tree, store = Tree({b"disk.img": 3 << 40}), new_store()
    known = KnownTrees(documents, kept_in_memory=kept_in_memory, candidates=no_candidates())
    index = Directories(documents, known, NameSegments(MemoryDocuments()), cache_bytes=10_000)
    await index.add(ORG, store, tree.pages)

    found = await index.get(ORG, store, tree.tree_id)

    assert found is not None
    expected = {"files": 1, "directories": 0, "bytes": 3 << 40}
    assert msgspec.json.decode(msgspec.json.encode(found.totals)) == expected
    told = msgspec.json.encode(await index.known(ORG, store, [tree.tree_id]))
    assert msgspec.json.decode(told) == {tree.tree_id: expected}


@pytest.mark.parametrize("kept_in_memory", [0, 1000])
async def test_directories_stand_on_either(documents: Documents, kept_in_memory: int) -> None:
    tree = Tree({b"a": {b"\xff\n": 1}, b"many": {f"{i:03}".encode(): i for i in range(100)}}, page_entries=7)
    store = new_store()
    for _ in range(2):
        known = KnownTrees(documents, kept_in_memory=kept_in_memory, candidates=no_candidates())
        index = Directories(documents, known, NameSegments(MemoryDocuments()), cache_bytes=10_000)
        await index.add(ORG, store, tree.pages[:9])
        await index.add(ORG, store, tree.pages)
        found = await index.known(ORG, store, [page.tree_id for page in tree.pages])
        assert found[tree.tree_id] == Below(files=101, directories=2, bytes=4951)
    many = await index.get(ORG, store, tree.pages[5].tree_id)
    assert many is not None
    pages = [unpack(await index.packed(ORG, store, many, page=n)) for n in range(many.pages)]
    assert [entry.size for page in pages for entry in page] == list(range(100))
