"""A cache of what never changes: it forgets what was not used for longest, bounded in bytes."""

from collections import OrderedDict
from typing import Generic, TypeVar

T = TypeVar("T")


class ByteBoundedCache(Generic[T]):
    """Values with a size each; the sizes never add up to more than `limit_bytes`. For one event loop."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._used = 0
        self._values: OrderedDict[str, tuple[T, int]] = OrderedDict()

    def get(self, key: str) -> T | None:
        """The value, or None when it is not (or no longer) here."""
        found = self._values.get(key)
        if found is None:
            return None
        self._values.move_to_end(key)
        return found[0]

    def put(self, key: str, value: T, *, size_bytes: int) -> None:
        """Keep a value, unless it alone is larger than the limit."""
        if size_bytes > self._limit:
            return
        self._used += size_bytes - self._values.pop(key, (None, 0))[1]
        self._values[key] = (value, size_bytes)
        while self._used > self._limit:
            self._used -= self._values.popitem(last=False)[1][1]
