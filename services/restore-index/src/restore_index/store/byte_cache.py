"""A cache bounded in bytes. For one thread, as all that uses it runs on the event loop."""

from contextlib import suppress
from typing import TypeVar

from cachetools import LRUCache

V = TypeVar("V")


class ByteCache(LRUCache[str, V]):
    """Values whose sizes never add up to more than `maxsize`; what alone is larger is not kept."""

    def __setitem__(self, key: str, value: V) -> None:
        """Keep a value, if there can be room for it."""
        with suppress(ValueError):  # What cachetools raises for a value that is larger than the whole cache.
            super().__setitem__(key, value)
