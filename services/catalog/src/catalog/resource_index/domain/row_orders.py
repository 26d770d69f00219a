"""The orders in which rows are listed. Each is made when it is first asked for, and kept up from then on."""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from typing import Any

Key = Callable[[int], Any]


class RowOrders:
    """Slots of rows, sorted by several keys; of rows with equal keys, by their ids."""

    def __init__(self, ids: list[str], keys: Mapping[str, Key]) -> None:
        self._ids = ids
        self._keys = keys
        self._orders: dict[str, list[int]] = {}

    def by(self, name: str, slots: Callable[[], Iterable[int]]) -> list[int]:
        """The order of a name; `slots`: those of all rows, asked for when the order is to be made. Not to be changed.

        Raises `KeyError` for a name that has no key.
        """
        if name not in self._orders:
            ordered = sorted(slots(), key=self._ids.__getitem__)
            # Sorting twice, by plain texts, takes half as long as once by pairs of them.
            ordered.sort(key=self._keys[name])
            self._orders[name] = ordered
        return self._orders[name]

    def add(self, slot: int) -> None:
        """A row has come, or has come back with other keys."""
        for name, order in self._orders.items():
            order.insert(self._place(name, order, slot), slot)

    def discard(self, slot: int) -> None:
        """A row goes; its keys are what they were when it came."""
        for name, order in self._orders.items():
            del order[self._place(name, order, slot)]

    def drop(self, *names: str) -> None:
        """Forget orders, all if none is named: the keys of many rows change."""
        for name in names or tuple(self._orders):
            self._orders.pop(name, None)

    def _place(self, name: str, order: list[int], slot: int) -> int:
        key, ids = self._keys[name], self._ids
        return bisect_left(order, (key(slot), ids[slot]), key=lambda each: (key(each), ids[each]))
