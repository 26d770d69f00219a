"""How a store differs from what the restore index has of it, and when the two are compared."""

import zlib
from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import NamedTuple


class PointState(StrEnum):
    """How the restore index has a restore point."""

    BROWSABLE = "browsable"
    AWAITED = "awaited"
    DAMAGED = "damaged"


class Difference(NamedTuple):
    """How a store differs from what the restore index has of it; snapshot ids, in no certain order."""

    added: frozenset[str]
    removed: frozenset[str]
    unbrowsable: frozenset[str]
    """Those that the index knows of and cannot open."""
    known: frozenset[str]
    """Those that the index knows and can open."""
    damaged: frozenset[str] = frozenset()
    """Those of `unbrowsable` that could not be listed before."""

    @property
    def there(self) -> frozenset[str]:
        """All that the store has."""
        return self.added | self.unbrowsable | self.known

    def to_list(self, *, rebuild: bool) -> frozenset[str]:
        """What the index needs listings of."""
        return self.added | self.unbrowsable | (self.known if rebuild else frozenset())


def difference(indexed: Mapping[str, PointState], stored: Collection[str]) -> Difference:
    """Compare what the index had (and whether that could be browsed) with what the store has since then."""
    # `indexed` was read before `stored`: a restore point that it has and `stored` lacks is gone, and not just too new.
    there = frozenset(stored)
    known = frozenset(snapshot_id for snapshot_id, state in indexed.items() if state is PointState.BROWSABLE)
    damaged = frozenset(snapshot_id for snapshot_id, state in indexed.items() if state is PointState.DAMAGED)
    return Difference(
        added=there - indexed.keys(),
        removed=frozenset(indexed) - there,
        unbrowsable=(frozenset(indexed) & there) - known,
        known=known & there,
        damaged=damaged & there,
    )


DAY_SECONDS = 86_400.0


def refresh_work_id(store_id: str, now: float, *, every_seconds: float) -> str:
    """The id of the work that compares a store in the current slot of its schedule."""
    # Any number of workers computes the same id, and work is added once for each id: they need no agreement.
    return f"refresh:{store_id}:{every_seconds:g}:{_slot_number(store_id, now, every_seconds)}"


def is_thorough_slot(store_id: str, now: float, *, every_seconds: float) -> bool:
    """Whether the comparison of this slot looks for what the store has lost: one a day, or all where they are rarer."""
    # Not every time, because it costs a listing of all packs of the store (decision 0023).
    slots_a_day = max(round(DAY_SECONDS / every_seconds), 1)
    return _slot_number(store_id, now, every_seconds) % slots_a_day == 0


def _slot_number(store_id: str, now: float, every_seconds: float) -> int:
    # Each store has its own shift, so that the comparisons of all stores do not begin at the same moment.
    shift = zlib.crc32(store_id.encode("utf-8", "backslashreplace")) % max(int(every_seconds), 1)
    return int((now + shift) // every_seconds)
