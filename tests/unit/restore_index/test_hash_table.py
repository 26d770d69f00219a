"""A table of values by hashes, small enough for millions."""

import hashlib
import random
import sys
import tracemalloc

import pytest
from restore_index.domain.hash_table import HashTable


def hashed(number: int) -> bytes:
    return hashlib.sha256(str(number).encode()).digest()


def test_what_was_put_is_found_and_nothing_else() -> None:
    table = HashTable(8)
    for number in range(5000):
        table.put(hashed(number), number.to_bytes(8))
    assert len(table) == 5000
    assert all(table.get(hashed(number)) == number.to_bytes(8) for number in range(5000))
    assert table.get(hashed(5000)) is None
    assert dict(table.records()) == {hashed(number): number.to_bytes(8) for number in range(5000)}


def test_what_is_there_stays() -> None:
    table = HashTable(1)
    table.put(hashed(1), b"a")
    table.put(hashed(1), b"b")
    assert (len(table), table.get(hashed(1))) == (1, b"a")


def test_records_side_by_side_are_kept_like_single_ones() -> None:
    table = HashTable(8)
    table.put(hashed(7), b"earlier!")
    table.put_all(b"".join(hashed(number) + number.to_bytes(8) for number in range(3000)))
    assert len(table) == 3000
    assert table.get(hashed(7)) == b"earlier!"
    assert table.get(hashed(2999)) == (2999).to_bytes(8)
    with pytest.raises(ValueError, match="another size"):
        table.put_all(bytes(41))


@pytest.mark.parametrize("odd", [b"", b"abc", bytes(31), bytes(33), bytes(64)])
def test_what_is_no_hash_is_not_found_and_not_taken(odd: bytes) -> None:
    table = HashTable(1)
    table.put(bytes(32), b"\0")
    assert table.get(odd) is None
    with pytest.raises(ValueError, match="another size"):
        table.put(odd, b"\0")


def test_a_hash_that_appears_across_two_records_is_not_one_of_them() -> None:
    table, chance = HashTable(8), random.Random(1)
    records = [(bytes(4) + chance.randbytes(28), bytes(8)) for _ in range(30)]
    for digest, value in records:
        table.put(digest, value)
    row = b"".join(digest + value for digest, value in records)
    across = row[32:64]
    assert across[:4] == bytes(4)
    assert table.get(across) is None
    table.put(across, b"\1" * 8)
    assert table.get(across) == b"\1" * 8


def test_a_record_takes_little_more_than_its_bytes() -> None:
    table, chance = HashTable(24), random.Random(2)
    tracemalloc.start()
    try:
        for _ in range(20_000):
            table.put(chance.randbytes(32), bytes(24))
        used, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert used / 20_000 < 62


def test_no_record_waits_until_all_others_were_dealt_out_anew() -> None:
    table, chance = HashTable(24), random.Random(3)
    steps = [0]
    sys.setprofile(lambda *_: steps.append(steps.pop() + 1))
    try:
        for _ in range(20_000):
            steps.append(0)
            table.put(chance.randbytes(32), bytes(24))
    finally:
        sys.setprofile(None)
    assert max(steps) < 1000


def test_what_was_put_is_found_at_any_size() -> None:
    table, put = HashTable(2), dict[bytes, bytes]()
    for number in range(700):
        put[hashed(number)] = number.to_bytes(2)
        table.put(hashed(number), number.to_bytes(2))
        assert dict(table.records()) == put
        assert all(table.get(digest) == value for digest, value in put.items())
