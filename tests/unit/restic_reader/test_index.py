import os
import random

import pytest
from restic_reader import IndexLimits
from restic_reader.crypto import OVERHEAD
from restic_reader.errors import Damaged
from restic_reader.index.blob_index import BlobIndex, Location, Part
from restic_reader.index.table import Table
from restic_reader.index.table_builder import TableBuilder, Uneven
from restic_reader.index.table_choice import chosen_parts, covered, parts_to_merge
from restic_reader.structs import IndexBlob, IndexPack

Packs = list[IndexPack]
SMALL_RUNS = IndexLimits(run_records=100)


def random_id() -> str:
    return os.urandom(32).hex()


def some_packs(packs: int, blobs: int) -> Packs:
    return [
        IndexPack(random_id(), [IndexBlob(random_id(), "data", 100 * i, 90) for i in range(blobs)])
        for _ in range(packs)
    ]


def table(limits: IndexLimits = IndexLimits(), **files: Packs) -> Table:  # noqa: B008
    """A table made from index files; each is called by the hash-like form of its name here."""
    with TableBuilder(None, limits) as builder:
        for name, packs in files.items():
            builder.add_file(file_name(name), [packs])
        return builder.held()


def file_name(short: str) -> str:
    return short.encode().hex().rjust(64, "0")


def index(*tables: Table) -> BlobIndex:
    return BlobIndex(Part(each, frozenset(each.names.files)) for each in tables)


def found(searched: BlobIndex, blob_id: str) -> list[Location]:
    return list(searched.locations(bytes.fromhex(blob_id)))


def test_every_blob_is_found_where_it_lies() -> None:
    files = {f"f{number}": some_packs(5, 50) for number in range(4)}
    searched = index(table(**files))
    assert len(searched) == 1000
    for packs in files.values():
        for pack in packs:
            for blob in pack.blobs or ():
                assert found(searched, blob.id) == [Location(pack.id, blob.offset, 90, 58, False, False)]


@pytest.mark.parametrize("shared", [8, 16, 62])
def test_ids_that_share_a_beginning_are_told_apart(shared: int) -> None:
    ids = ["7" * shared + f"{i:0{64 - shared}x}" for i in range(200)]
    searched = index(table(a=[IndexPack(random_id(), [IndexBlob(i, "data", n, 40) for n, i in enumerate(ids)])]))
    assert [found(searched, i)[0].offset for i in ids] == list(range(200))
    assert found(searched, "7" * shared + f"{200:0{64 - shared}x}") == []


def test_an_id_that_lies_across_two_fields_is_not_taken_for_one() -> None:
    blob, pack = "00" * 28 + "01020304", random_id()
    inside = IndexBlob("ff" * 32, "data", 0x05060708, 0x01020304)
    searched = index(table(a=[IndexPack(pack, [IndexBlob(blob, "data", 0, 40), inside])]))
    record = b"".join(searched.parts[0].table.pieces())
    assert record.count(bytes(20)) >= 1
    for start in range(1, len(record) - 32):
        if start % 48:
            assert found(searched, record[start : start + 32].hex()) == []


def test_all_copies_of_a_blob_are_told_also_more_than_a_block_of_them() -> None:
    blob, packs = random_id(), [random_id() for _ in range(300)]
    copies = [IndexPack(pack, [IndexBlob(blob, "tree", n, 50, 99)]) for n, pack in enumerate(packs)]
    searched = index(
        table(a=copies, b=some_packs(3, 50)), table(c=[IndexPack(packs[0], [IndexBlob(blob, "tree", 7, 131)])])
    )
    assert sorted(location.offset for location in found(searched, blob)) == sorted([*range(300), 7])
    assert Location(packs[0], 7, 131, 99, False, True) in found(searched, blob)
    assert Location(packs[3], 3, 50, 99, True, True) in found(searched, blob)


def test_runs_that_were_put_aside_come_together_in_order() -> None:
    packs = some_packs(40, 50)
    built = table(SMALL_RUNS, a=packs[:7], b=packs[7:30], c=[], d=packs[30:])
    records = b"".join(built.pieces())
    ids = [records[at : at + 32].hex() for at in range(0, len(records), 48)]
    assert ids == sorted(blob.id for pack in packs for blob in pack.blobs or ())
    assert all(found(index(built), blob.id)[0].pack == pack.id for pack in packs for blob in pack.blobs or ())


@pytest.mark.parametrize("blobs", [1, 99, 100, 101, 199, 200, 201])
def test_runs_of_any_size_come_together_in_order(blobs: int) -> None:
    packs = some_packs(1, blobs)
    records = b"".join(table(SMALL_RUNS, a=packs).pieces())
    ids = [records[at : at + 32].hex() for at in range(0, len(records), 48)]
    assert ids == sorted(blob.id for pack in packs for blob in pack.blobs or ())


def test_ids_that_are_no_hashes_do_not_take_memory_without_end() -> None:
    blobs = [IndexBlob(f"{i:064x}", "data", 0, 40) for i in range(1000)]
    with pytest.raises(Uneven):
        table(IndexLimits(run_records=100, slice_records=200), a=[IndexPack(random_id(), blobs)])


def test_an_empty_index_knows_nothing() -> None:
    for searched in (BlobIndex(), index(table()), index(table(a=[], b=[IndexPack(random_id(), None)]))):
        assert (len(searched), found(searched, random_id())) == (0, [])


@pytest.mark.parametrize("blob", [IndexBlob("ab", "data", 0, 40), IndexBlob("x" * 64, "data", 0, 40)])
def test_ids_that_are_none_are_refused(blob: IndexBlob) -> None:
    with pytest.raises(ValueError, match=r"SHA-256|hexadecimal"):
        table(a=[IndexPack(random_id(), [blob])])


def test_ids_that_are_right_only_together_are_refused() -> None:
    blobs = [IndexBlob("a" * 62, "data", 0, 40), IndexBlob("b" * 66, "data", 0, 40)]
    with pytest.raises(ValueError, match="SHA-256"):
        table(a=[IndexPack(random_id(), blobs)])


@pytest.mark.parametrize(
    "numbers", [(-1, 40, 0), (1 << 32, 40, 0), (0, OVERHEAD - 1, 0), (0, 1 << 70, 0), (0, 40, -1), (0, -40, 5)]
)
def test_numbers_that_no_pack_has_are_refused(numbers: tuple[int, int, int]) -> None:
    with pytest.raises((ValueError, OverflowError)):
        table(a=[IndexPack(random_id(), [IndexBlob(random_id(), "data", *numbers)])])


def test_blobs_of_index_files_that_are_gone_are_not_found_any_more() -> None:
    files = {name: some_packs(2, 30) for name in ("a", "b", "c")}
    built = table(**files)
    (part,) = chosen_parts([built], {file_name("a"), file_name("c"), file_name("new")})
    searched = BlobIndex([part])
    assert (len(searched), searched.files) == (120, {file_name("a"), file_name("c")})
    for name, packs in files.items():
        assert bool(found(searched, (packs[0].blobs or [])[0].id)) is (name != "b")


def test_tables_are_put_together_without_what_is_gone() -> None:
    files = {name: some_packs(2, 30) for name in ("a", "b", "c")}
    old, new = table(a=files["a"], b=files["b"]), table(c=files["c"])
    listed = {file_name("a"), file_name("c")}
    with TableBuilder(None) as builder:
        for part in chosen_parts([old, new], listed):
            builder.add_part(part)
        together = builder.held()
    assert (len(together), set(together.names.files), len(together.names.packs)) == (120, listed, 4 * 32)
    assert len(b"".join(together.pieces())) == 120 * 48
    for packs in (files["a"], files["c"]):
        for pack in packs:
            for blob in pack.blobs or ():
                assert [each.pack for each in found(index(together), blob.id)] == [pack.id]


def test_no_index_file_counts_twice() -> None:
    one, two = some_packs(1, 30), some_packs(1, 10)
    parts = chosen_parts([table(a=one), table(a=one, b=two), table(b=two)], {file_name("a"), file_name("b")})
    assert [len(part) for part in parts] == [40]
    assert covered(parts) == {file_name("a"), file_name("b")}


def part_of(size: int, of: int | None = None) -> Part:
    """A part with so many blobs that hold, of so many."""
    files = {"live": some_packs(1, size), "dead": some_packs(1, (of or size) - size)}
    return Part(table(**files), frozenset([file_name("live")]))


@pytest.mark.parametrize(
    ("sizes", "merged"),
    [
        ([], []),
        ([100], []),
        ([100, 10], []),
        ([100, 30], [100, 30]),
        ([400, 10, 9], [10, 9]),
        ([400, 60, 10, 9], [60, 10, 9]),
        ([100, 90, 1], [100, 90]),
        ([1000, 100, 10, 1, 1], [10, 1, 1]),
        ([0, 0, 1], [1, 0, 0]),
    ],
)
def test_tables_of_about_equal_size_are_put_together(sizes: list[int], merged: list[int]) -> None:
    pile = parts_to_merge([part_of(size) for size in sizes])
    assert sorted(map(len, pile), reverse=True) == merged


def test_what_mostly_holds_dead_blobs_is_rewritten() -> None:
    wasteful, fine = part_of(10, of=30), part_of(1000, of=1100)
    assert parts_to_merge([fine, wasteful]) == [wasteful]


def test_many_small_additions_leave_few_tables_and_seldom_move_a_blob() -> None:
    chance, sizes, moved = random.Random(3), [100_000], 0
    for _ in range(2000):
        sizes.append(chance.randrange(1, 100))
        while pile := _pile(sizes):
            moved += sum(pile)
            for size in pile:
                sizes.remove(size)
            sizes.append(sum(pile))
    assert len(sizes) < 10
    assert moved < 10 * sum(sizes)


def _pile(sizes: list[int]) -> list[int]:
    class Sized:
        def __init__(self, size: int) -> None:
            self.size, self.table = size, range(size)

        def __len__(self) -> int:
            return self.size

    return [len(part) for part in parts_to_merge([Sized(size) for size in sizes])]  # type: ignore[misc]


def test_the_largest_part_is_searched_first() -> None:
    searched = index(table(a=some_packs(1, 3)), table(b=some_packs(1, 9)))
    assert [len(part) for part in searched.parts] == [9, 3]


def test_damage_has_a_stable_code_and_words() -> None:
    error = Damaged("pack", "ab12", why="it is shorter than the index says")
    assert error.code == "repository_damaged"
    assert error.detail == "The pack ab12 is damaged: it is shorter than the index says."
