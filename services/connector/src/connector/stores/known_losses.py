"""Losses of stores that were examined: a pack that stays lost is no reason to read everything each time."""

from collections.abc import Collection

from contracts.values import AppId


class KnownLosses:
    """In memory: which restore points were read since packs are in doubt, for each store. A restart forgets it."""

    # Not in the database: after a restart each affected store is read through once more, which does no harm.
    def __init__(self) -> None:
        self._looked_into: dict[AppId, tuple[frozenset[bytes], frozenset[str]]] = {}

    def not_read_since(self, store_id: AppId, doubtful: frozenset[bytes], points: Collection[str]) -> frozenset[str]:
        """Those of some restore points that were not read since the last of these packs came in doubt."""
        known, read = self._looked_into.get(store_id, (frozenset(), frozenset()))
        return frozenset(points) - read if doubtful <= known else frozenset(points)

    def note(self, store_id: AppId, doubtful: frozenset[bytes], read: Collection[str]) -> None:
        """These restore points were read since exactly these packs are in doubt."""
        self._looked_into[store_id] = (doubtful, frozenset(read))

    def forget(self, store_id: AppId) -> None:
        """No pack of this store is in doubt."""
        self._looked_into.pop(store_id, None)
