"""The cache of directories: bounded, and forgetting the right ones."""

from restore_index.store.cache import ByteBoundedCache


def test_what_was_not_used_for_longest_is_forgotten_first() -> None:
    cache: ByteBoundedCache[int] = ByteBoundedCache(10)
    for number, name in enumerate("abc"):
        cache.put(name, number, size_bytes=4)
        cache.get("a")
    assert [cache.get(name) for name in "abc"] == [0, None, 2]


def test_a_value_put_again_counts_once() -> None:
    cache: ByteBoundedCache[int] = ByteBoundedCache(10)
    for number in range(5):
        cache.put("a", number, size_bytes=5)
    cache.put("b", 9, size_bytes=5)
    assert (cache.get("a"), cache.get("b")) == (4, 9)


def test_what_is_larger_than_the_cache_is_not_kept_and_drives_nothing_out() -> None:
    cache: ByteBoundedCache[int] = ByteBoundedCache(10)
    cache.put("a", 1, size_bytes=10)
    cache.put("b", 2, size_bytes=11)
    assert (cache.get("a"), cache.get("b")) == (1, None)
