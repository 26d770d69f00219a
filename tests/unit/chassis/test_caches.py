"""A cache that is bounded in bytes and forgets the right ones."""

from chassis.caches import ByteBoundedCache


def test_what_was_used_last_stays() -> None:
    cache: ByteBoundedCache[str] = ByteBoundedCache(10)
    for key in "abc":
        cache.put(key, key.upper(), size_bytes=4)
        cache.get("a")
    assert [cache.get(key) for key in "abc"] == ["A", None, "C"]
    assert cache.used_bytes == 8


def test_a_value_put_twice_counts_once() -> None:
    cache: ByteBoundedCache[int] = ByteBoundedCache(10)
    cache.put("a", 1, size_bytes=6)
    cache.put("a", 2, size_bytes=8)
    assert (cache.get("a"), cache.used_bytes) == (2, 8)


def test_a_value_larger_than_the_cache_is_not_kept() -> None:
    cache: ByteBoundedCache[int] = ByteBoundedCache(10)
    cache.put("small", 1, size_bytes=10)
    cache.put("large", 2, size_bytes=11)
    assert (cache.get("small"), cache.get("large")) == (1, None)
