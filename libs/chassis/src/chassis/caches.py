"""A cache that forgets what was not used for longest, bounded in bytes."""

import threading
from collections import OrderedDict
from typing import Generic, TypeVar

T = TypeVar("T")


class ByteBoundedCache(Generic[T]):
    """Values with a size each; the sizes never add up to more than `limit_bytes`. Safe to use from any thread."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._used_bytes = 0
        self._lock = threading.Lock()
        self._values: OrderedDict[str, tuple[T, int]] = OrderedDict()

    def get(self, key: str) -> T | None:
        """The value, or None when it is not (or no longer) here."""
        with self._lock:
            found = self._values.get(key)
            if found is None:
                return None
            self._values.move_to_end(key)
            return found[0]

    def put(self, key: str, value: T, *, size_bytes: int) -> None:
        """Keeps a value, unless it alone is larger than the limit."""
        if size_bytes > self._limit_bytes:
            return
        with self._lock:
            _, replaced = self._values.pop(key, (None, 0))
            self._values[key] = (value, size_bytes)
            self._used_bytes += size_bytes - replaced
            while self._used_bytes > self._limit_bytes:
                _, (_, freed) = self._values.popitem(last=False)
                self._used_bytes -= freed

    @property
    def used_bytes(self) -> int:
        """What the values that are here add up to."""
        return self._used_bytes
