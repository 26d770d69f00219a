import os

import pytest
from connector.repository.crypto import OVERHEAD
from connector.repository.errors import Damaged
from connector.repository.index import BlobIndex, Location, Segment
from connector.repository.structs import IndexBlob, IndexFile, IndexPack


def segment(*packs: tuple[str, list[IndexBlob]]) -> Segment:
    return Segment(IndexFile([IndexPack(name, blobs) for name, blobs in packs]))


def random_id() -> str:
    return os.urandom(32).hex()


def test_every_blob_is_found_where_it_lies() -> None:
    packs = [(random_id(), [IndexBlob(random_id(), "data", 100 * i, 90) for i in range(50)]) for _ in range(20)]
    index = BlobIndex({str(i): segment(*packs[i : i + 5]) for i in range(0, 20, 5)}, overhead=OVERHEAD)
    assert len(index) == 1000
    for pack, blobs in packs:
        for blob in blobs:
            expected = Location(pack, blob.offset, 90, 58, False, False)
            assert list(index.locations(bytes.fromhex(blob.id))) == [expected]


def test_ids_that_share_a_beginning_are_told_apart() -> None:
    ids = [f"{1:08x}{i:056x}" for i in range(100)]
    index = BlobIndex(
        {"a": segment((random_id(), [IndexBlob(i, "data", n, 40) for n, i in enumerate(ids)]))}, overhead=32
    )
    assert [next(index.locations(bytes.fromhex(i))).offset for i in ids] == list(range(100))
    assert list(index.locations(bytes.fromhex(f"{1:08x}{100:056x}"))) == []


def test_all_copies_of_a_blob_are_told() -> None:
    blob, one, other = random_id(), random_id(), random_id()
    index = BlobIndex(
        {
            "a": segment((one, [IndexBlob(blob, "tree", 7, 50, 99)])),
            "b": segment((other, [IndexBlob(blob, "tree", 0, 131)])),
        },
        overhead=32,
    )
    found = sorted(index.locations(bytes.fromhex(blob)), key=lambda location: location.offset)
    assert found == [Location(other, 0, 131, 99, False, True), Location(one, 7, 50, 99, True, True)]


def test_a_large_index_of_many_files_finds_every_blob() -> None:
    ids = [[os.urandom(32) for _ in range(size)] for size in (50_000, 1, 30_000, 0, 999)]
    segments = {
        str(number): segment((random_id(), [IndexBlob(each.hex(), "data", n, 40) for n, each in enumerate(part)]))
        for number, part in enumerate(ids)
    }
    index = BlobIndex(segments, overhead=OVERHEAD)
    assert len(index) == 81_000
    for part in ids:
        assert [next(index.locations(each)).offset for each in part] == list(range(len(part)))


def test_an_empty_index_knows_nothing() -> None:
    index = BlobIndex({"empty": segment(), "none": Segment(IndexFile(None))}, overhead=32)
    assert (len(index), list(index.locations(os.urandom(32)))) == (0, [])


@pytest.mark.parametrize("blob", [IndexBlob("ab", "data", 0, 40), IndexBlob("x" * 64, "data", 0, 40)])
def test_ids_that_are_none_are_refused(blob: IndexBlob) -> None:
    with pytest.raises(ValueError, match=r"SHA-256|hexadecimal"):
        segment((random_id(), [blob]))


@pytest.mark.parametrize("offset", [-1, 1 << 32])
def test_offsets_that_no_pack_has_are_refused(offset: int) -> None:
    with pytest.raises(OverflowError):
        segment((random_id(), [IndexBlob(random_id(), "data", offset, 40)]))


def test_damage_has_a_stable_code_and_words() -> None:
    error = Damaged("pack", "ab12", why="it is shorter than the index says")
    assert error.code == "repository_damaged"
    assert error.detail == "The pack ab12 is damaged: it is shorter than the index says."
