"""In which order the entries of a directory are shown. Made for directories of millions of entries."""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import NamedTuple

from contracts.queries.restore_index import Direction, Sort

from restore_index.domain.entries import SortFields

PAGE_BITS = 12
"""A page holds no more entries than these bits can number: 4,096."""
BUCKET_ENTRIES = 1 << 14
SAMPLES_PER_BUCKET = 16
_LEAST, _MOST = -(2**63), 2**63 - 1


class Order(NamedTuple):
    """By what entries are sorted, and in which direction. Those that are equal come by the bytes of their names."""

    sort: Sort = "name"
    direction: Direction = "asc"


BY_NAME = Order()


class SortKeys:
    """Size or time of each entry of a directory, 12 bytes an entry; of the few that need more than 8 bytes more."""

    def __init__(
        self, order: Order, *, bucket_entries: int = BUCKET_ENTRIES, samples_per_bucket: int = SAMPLES_PER_BUCKET
    ) -> None:
        self._order = order
        self._bucket_entries = bucket_entries
        self._samples_per_bucket = samples_per_bucket
        self._keys = array("q")
        self._places = array("I")
        self._beyond: dict[int, int] = {}

    def add(self, page: int, entries: Sequence[SortFields]) -> None:
        """Take the entries of a page. Pages come in their order."""
        by_size, sign = self._order.sort == "size", -1 if self._order.direction == "desc" else 1
        keys = [sign * (entry.size if by_size else entry.mtime_ns) for entry in entries]
        if keys and (min(keys) < _LEAST or max(keys) > _MOST):
            keys = self._within(keys)
        self._keys.extend(keys)
        self._places.extend(range(page << PAGE_BITS, (page << PAGE_BITS) + len(entries)))

    def sorted(self) -> "array[int]":
        """The place of each entry, in order; `split_position` takes a place apart.

        Entries are dealt into buckets that are sorted one by one: that needs little memory, and nothing that runs
        beside it waits for long. What is often equal has a bucket of its own.
        """
        borders = self._borders()
        buckets = [array("I") for _ in range(2 * len(borders) + 1)]
        for number, key in enumerate(self._keys):
            buckets[bisect_left(borders, key) + bisect_right(borders, key)].append(number)
        order = array("I")
        for index, bucket in enumerate(buckets):
            # Odd ones hold what equals a border, by name already, and may be large.
            numbers: Sequence[int] = bucket if index % 2 else sorted(bucket, key=self._keys.__getitem__)
            # Hardly any directory has such values; without them keys are compared as plain numbers.
            if self._beyond:
                numbers = sorted(numbers, key=self._key)
            for start in range(0, len(numbers), self._bucket_entries):
                order.extend(map(self._places.__getitem__, numbers[start : start + self._bucket_entries]))
        return order

    def _within(self, keys: Sequence[int]) -> list[int]:
        """Keys of 8 bytes; what does not fit is kept aside, and stands as the last that fits."""
        within = [min(max(key, _LEAST), _MOST) for key in keys]
        first = len(self._keys)
        self._beyond |= {first + n: key for n, key in enumerate(keys) if key != within[n]}
        return within

    def _key(self, number: int) -> int:
        return self._beyond.get(number, self._keys[number])

    def _borders(self) -> list[int]:
        # Every so many entries one sample: enough for buckets of about equal size, and little to sort.
        samples = self._samples_per_bucket
        step = max(1, self._bucket_entries // samples)
        return sorted(set(sorted(self._keys[::step])[samples::samples]))


def split_position(place: int) -> tuple[int, int]:
    """The page of an entry, and its number in that page."""
    return place >> PAGE_BITS, place & ((1 << PAGE_BITS) - 1)
