"""A cache bounded in bytes, for many threads: cachetools keeps the order, a lock keeps threads apart."""

import threading
from typing import Generic, TypeVar

from cachetools import LRUCache

T = TypeVar("T")


class ByteCache(Generic[T]):
    """Values with a size each; the sizes never add up to more than `limit_bytes`. Safe to use from any thread."""

    def __init__(self, limit_bytes: int) -> None:
        self._lock = threading.Lock()
        self._values: LRUCache[str, tuple[T, int]] = LRUCache(limit_bytes, getsizeof=lambda sized: sized[1])

    def get(self, key: str) -> T | None:
        """The value, or None when it is not (or no longer) here."""
        with self._lock:
            found = self._values.get(key)
        return found[0] if found is not None else None

    def put(self, key: str, value: T, *, size_bytes: int) -> None:
        """Keeps a value, unless it alone is larger than the limit."""
        # cachetools raises `ValueError` for what can never fit.
        if size_bytes <= self._values.maxsize:
            with self._lock:
                self._values[key] = (value, size_bytes)
