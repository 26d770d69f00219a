"""A cache that is bounded in bytes and forgets the right ones."""

from restore_index.store.byte_cache import ByteCache


def test_what_was_used_last_stays() -> None:
    cache: ByteCache[bytes] = ByteCache(10, getsizeof=len)
    for key in "abc":
        cache[key] = key.encode() * 4
        cache.get("a")
    assert [cache.get(key) for key in "abc"] == [b"aaaa", None, b"cccc"]
    assert cache.currsize == 8


def test_a_value_put_twice_counts_once() -> None:
    cache: ByteCache[bytes] = ByteCache(10, getsizeof=len)
    cache["a"] = b"6bytes"
    cache["a"] = b"8 bytes!"
    assert (cache.get("a"), cache.currsize) == (b"8 bytes!", 8)


def test_a_value_larger_than_the_cache_is_not_kept() -> None:
    cache: ByteCache[bytes] = ByteCache(10, getsizeof=len)
    cache["small"] = bytes(10)
    cache["large"] = bytes(11)
    assert (cache.get("small"), cache.get("large")) == (bytes(10), None)


def test_a_cache_of_no_bytes_keeps_nothing() -> None:
    cache: ByteCache[bytes] = ByteCache(0, getsizeof=len)
    cache["a"] = b"a"
    assert cache.get("a") is None
