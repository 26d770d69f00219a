"""Directories in memory: what counts as known, whatever is repeated, lost, or cut off in the middle."""

import pytest
from chassis.persistence.mongo import Document
from contracts.errors import Conflict
from contracts.values import AppId, OrganizationId
from restore_index.domain.entries import Below, unpack
from restore_index.domain.name_segments import read_frame
from restore_index.store import Directories, KnownTrees, MemoryDocuments, NameSegments

from tests.unit.restore_index.memory_index import no_candidates
from tests.unit.restore_index.trees import ORG, Tree, new_store


class Killed(Exception):
    """The process ends here."""


class Dying(MemoryDocuments):
    """Documents of a process that is killed after so many inserts."""

    left = 10**9

    async def insert_new(self, document: Document) -> bool:
        if Dying.left <= 0:
            raise Killed
        Dying.left -= 1
        return await super().insert_new(document)


class StoredDirectories:
    """Documents that survive, and an index that can be started again."""

    def __init__(self, *, kept_in_memory: int = 1000) -> None:
        self.documents, self.batches, self.segments = Dying(), Dying(), Dying()
        self.kept = kept_in_memory
        self.start()

    def start(self) -> Directories:
        Dying.left = 10**9
        known = KnownTrees(self.batches, kept_in_memory=self.kept, candidates=no_candidates())
        self.names = NameSegments(self.segments)
        self.directories = Directories(self.documents, known, self.names, cache_bytes=1 << 20)
        return self.directories


TREE = Tree({b"a": {b"b": {b"c": 1}, b"d": {b"e": 2}}, b"f": {bytes([65 + i]): i for i in range(9)}}, page_entries=4)
IDS = list({page.tree_id for page in TREE.pages})


@pytest.fixture(params=[1000, 0], ids=["in memory", "too many for memory"])
def index(request: pytest.FixtureRequest) -> StoredDirectories:
    return StoredDirectories(kept_in_memory=request.param)


async def test_what_is_listed_is_known_with_its_totals(index: StoredDirectories) -> None:
    store = new_store()
    await index.directories.add(ORG, store, TREE.pages)
    for directories in (index.directories, index.start()):
        known = await directories.known(ORG, store, [*IDS, "ff" * 32, "no id"])
        assert known.keys() == set(IDS)
        assert known[TREE.tree_id] == Below(**dict(TREE.totals))


async def test_stores_and_organizations_are_apart(index: StoredDirectories) -> None:
    store = new_store()
    await index.directories.add(ORG, store, TREE.pages)
    for org, other in ((ORG, new_store()), (OrganizationId("other"), store)):
        assert await index.directories.known(org, other, IDS) == {}
        assert await index.directories.get(org, other, TREE.tree_id) is None


async def test_another_organization_cannot_write_into_a_store() -> None:
    index, store = StoredDirectories(), new_store()
    await index.directories.add(ORG, store, TREE.pages)
    more = Tree({b"new": 1}).pages
    with pytest.raises(Conflict, match="store_foreign"):
        await index.directories.add(OrganizationId("other"), store, more)


async def test_a_second_time_changes_nothing(index: StoredDirectories) -> None:
    store = new_store()
    await index.directories.add(ORG, store, TREE.pages)
    before = [dict(kept) for kept in (index.documents.kept, index.batches.kept, index.segments.kept)]
    await index.start().add(ORG, store, TREE.pages)
    assert [index.documents.kept, index.batches.kept, index.segments.kept] == before


async def test_a_directory_in_pages_is_known_when_all_of_them_are_there(index: StoredDirectories) -> None:
    store, pages = new_store(), Tree({f"{i:02}".encode(): 1 for i in range(10)}, page_entries=4).pages
    for number, page in enumerate(pages):
        assert await index.directories.known(ORG, store, [page.tree_id]) == {}, number
        await index.directories.add(ORG, store, [page])
    directory = await index.directories.get(ORG, store, pages[0].tree_id)
    assert directory is not None
    assert (directory.total, directory.pages, directory.first_names) == (10, 3, (b"00", b"04", b"08"))
    packed = [await index.directories.packed(ORG, store, directory, page=n) for n in range(4)]
    names = [[e.name for e in unpack(page)] if page else [] for page in packed]
    assert names == [[b"00", b"01", b"02", b"03"], [b"04", b"05", b"06", b"07"], [b"08", b"09"], []]


async def test_the_pages_that_need_not_be_sent_again_are_counted_up_to_a_gap(index: StoredDirectories) -> None:
    store, pages = new_store(), Tree({f"{i:02}".encode(): 1 for i in range(20)}, page_entries=4).pages
    tree_id = pages[0].tree_id

    async def arrived(store: AppId = store, *, pages: int = 5, first: int = 0, org: OrganizationId = ORG) -> int:
        return await index.directories.arrived(org, store, tree_id, pages=pages, first=first)

    assert await arrived() == 0
    await index.directories.add(ORG, store, [*pages[:2], pages[3]])
    assert (await arrived(), await arrived(first=1), await arrived(first=3)) == (2, 2, 4)
    assert (await arrived(pages=4), await arrived(new_store()), await arrived(org=OrganizationId("other"))) == (0, 0, 0)
    await index.directories.add(ORG, store, [pages[2]])
    assert await arrived() == 4
    await index.directories.add(ORG, store, [pages[4]])
    assert await arrived() == 5


async def test_a_directory_with_a_lost_page_is_refused(index: StoredDirectories) -> None:
    store, pages = new_store(), Tree({f"{i:02}".encode(): 1 for i in range(10)}, page_entries=4).pages
    with pytest.raises(Conflict, match="directory_incomplete"):
        await index.directories.add(ORG, store, [pages[0], pages[2]])
    assert await index.directories.known(ORG, store, [pages[0].tree_id]) == {}


async def test_pages_that_were_cut_in_two_ways_make_no_directory(index: StoredDirectories) -> None:
    store, names = new_store(), {f"{i:02}".encode(): 1 for i in range(10)}
    by_four, by_five = Tree(names, page_entries=4).pages, Tree(names, page_entries=5).pages
    await index.directories.add(ORG, store, by_four[:2])
    last = by_five[-1].model_copy(update={"page": 2, "pages": 3})
    with pytest.raises(Conflict, match="its pages hold 13 of 10 entries"):
        await index.directories.add(ORG, store, [last])


async def test_a_directory_is_refused_while_one_below_it_has_not_arrived(index: StoredDirectories) -> None:
    store, (lost, *others) = new_store(), TREE.pages
    with pytest.raises(Conflict, match="directory_incomplete"):
        await index.directories.add(ORG, store, others)
    assert TREE.tree_id not in await index.directories.known(ORG, store, IDS)
    await index.directories.add(ORG, store, [lost])
    await index.directories.add(ORG, store, others)
    assert TREE.tree_id in await index.directories.known(ORG, store, IDS)


@pytest.mark.parametrize("kill_after", range(12))
async def test_nothing_is_known_too_early_when_killed_between_any_two_inserts(kill_after: int) -> None:
    index, store = StoredDirectories(), new_store()
    Dying.left = kill_after
    with pytest.raises(Killed):
        await _add_in_two(index.directories, store)
    await _check_whole(index.start(), store)
    await _add_in_two(index.directories, store)
    assert (await index.directories.known(ORG, store, IDS)).keys() == set(IDS)
    await _check_whole(index.directories, store)


async def _add_in_two(directories: Directories, store: AppId) -> None:
    for pages in (TREE.pages[:3], TREE.pages[3:]):
        await directories.add(ORG, store, pages)


async def _check_whole(directories: Directories, store: AppId) -> None:
    """Whatever is known can be walked to the last leaf."""
    for known in await directories.known(ORG, store, IDS):
        pending = [known]
        while pending:
            directory = await directories.get(ORG, store, pending.pop())
            assert directory is not None
            pages = [unpack(await directories.packed(ORG, store, directory, page=n)) for n in range(directory.pages)]
            entries = [entry for page in pages for entry in page]
            assert len(entries) == directory.total
            pending += [entry.subtree.hex() for entry in entries if entry.subtree]


async def test_two_indexes_of_one_store_learn_from_each_other() -> None:
    index, store = StoredDirectories(), new_store()
    known = KnownTrees(index.batches, kept_in_memory=1000, candidates=no_candidates())
    other = Directories(index.documents, known, NameSegments(index.segments), cache_bytes=0)
    trees = [Tree({str(n).encode(): n}) for n in range(6)]
    for number, tree in enumerate(trees):
        await (index.directories, other)[number % 2].add(ORG, store, tree.pages)
    for directories in (index.directories, other):
        assert len(await directories.known(ORG, store, [t.tree_id for t in trees])) == 6


class Counting(MemoryDocuments):
    """Counts what is read."""

    def __init__(self) -> None:
        super().__init__()
        self.read: list[str] = []

    async def get(self, document_id: str, *, without: str | None = None) -> Document | None:
        self.read.append(document_id)
        return await super().get(document_id, without=without)


async def test_of_a_store_too_large_for_memory_little_is_read_and_more_can_be_added() -> None:
    batches, store, count = Counting(), new_store(), 500
    ids = [f"{number:064x}" for number in range(count)]
    writer = KnownTrees(batches, kept_in_memory=1000, candidates=no_candidates())
    for tree_id in ids:
        await writer.add(ORG, store, {tree_id: Below(1, 0, 1)})
    batches.read.clear()

    reader = KnownTrees(batches, kept_in_memory=100, candidates=no_candidates())
    assert await reader.lookup(ORG, store, ids) is None
    await reader.add(ORG, store, {"f" * 64: Below(1, 0, 1)})

    assert len(set(batches.read)) < 200
    assert f"{store}/{count}" in batches.kept
    assert len(await writer.lookup(ORG, store, [*ids, "f" * 64]) or ()) == count + 1


async def test_of_many_stores_the_least_recently_asked_is_forgotten_and_read_again() -> None:
    index = StoredDirectories(kept_in_memory=10)
    stores = [new_store() for _ in range(5)]
    for store in stores:
        await index.directories.add(ORG, store, TREE.pages)
    for store in stores:
        assert len(await index.directories.known(ORG, store, IDS)) == len(IDS)


async def test_what_is_known_has_its_names_kept_when_killed_between_any_two_inserts() -> None:
    for kill_after in range(12):
        index, store = StoredDirectories(), new_store()
        Dying.left = kill_after
        with pytest.raises(Killed):
            await _add_in_two(index.directories, store)
        directories = index.start()
        assert set(await directories.known(ORG, store, IDS)) <= await _named(index, store)
        await _add_in_two(directories, store)
        assert await _named(index, store) == set(IDS)


async def _named(index: StoredDirectories, store: AppId) -> set[str]:
    frames = [read_frame(segment) async for _, segment in index.names.read(ORG, store)]
    return {frame.tree(n).hex() for frame in frames for n in range(len(frame))}
