"""Decides which names fulfil the conditions of a search."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import astuple

from restore_index.domain.search.conditions import Conditions
from restore_index.domain.search.globs import NameGlob, PathGlob, name_glob, path_glob
from restore_index.domain.segment_columns import TYPES, Columns


class Matcher:
    """Conditions, ready to be held against names and columns.

    `literal` is in the text of every name that matches, with the NUL before it and after it, and `pattern`, if any,
    too. `is_literal` tells whether every name with the literal in it matches.
    """

    def __init__(self, conditions: Conditions) -> None:
        self._conditions = conditions
        self.path: PathGlob | None = path_glob(conditions.glob) if "/" in conditions.glob else None
        self._glob = self._name_glob(conditions.glob)
        part, endings = conditions.part, conditions.endings
        literals = [*(self._glob.literals if self._glob else ()), part, *_only_ending(endings)]
        # The longest text is the rarest: the fewest pages have to be looked at more closely.
        self.literal: bytes = max(filter(None, literals), key=len, default=b"\0")
        self.pattern = re.compile(b"(?:" + b"|".join(map(re.escape, endings)) + b")\0") if len(endings) > 1 else None
        self.asks_columns = any(value not in (None, ()) for value in astuple(conditions)[3:])
        self.is_literal = not (self.asks_columns or self._glob or self.pattern) and bool(part) != bool(endings)
        self._types = frozenset(TYPES.index(name) for name in conditions.types)

    def _name_glob(self, pattern: str) -> NameGlob | None:
        if self.path:
            return self.path.name
        return name_glob(pattern) if pattern else None

    def matching_places(self, names: Sequence[bytes], columns: Columns | None, start: int) -> list[int]:
        """The places of those names that match, of a page; its entries begin in the columns at `start`."""
        places, glob = self._without_glob(names, columns, start), self._glob
        return [i for i in places if glob.matches(names[i].decode())] if glob else list(places)

    def any_matches(self, names: Sequence[bytes], columns: Columns | None, start: int) -> bool:
        """Whether one of these names matches, see `matching_places`."""
        places, glob = self._without_glob(names, columns, start), self._glob
        return any(glob.matches(names[i].decode()) for i in places) if glob else bool(places)

    def _without_glob(self, names: Sequence[bytes], columns: Columns | None, start: int) -> Sequence[int]:
        """The places that fulfil all conditions but the pattern, which takes longest and is tried last."""
        places: Sequence[int] = range(len(names))
        if columns is not None and self.asks_columns:
            places = self._by_columns(columns, start, len(names))
        part, endings = self._conditions.part, self._conditions.endings
        if part:
            places = [i for i in places if part in names[i]]
        if endings:
            places = [i for i in places if names[i].endswith(endings)]
        return places

    def _by_columns(self, columns: Columns, start: int, count: int) -> Sequence[int]:
        asked, types = self._conditions, columns.types
        places: Sequence[int] = range(count)
        if asked.types:
            places = [i for i in places if types[start + i] in self._types]
        places = _within(places, columns.sizes, start, least=asked.size_least, most=asked.size_most)
        # A time before which something has to be is not included; times are whole milliseconds.
        latest = None if asked.mtime_before is None else asked.mtime_before - 1
        return _within(places, columns.mtimes, start, least=asked.mtime_first, most=latest)


def _only_ending(endings: Sequence[bytes]) -> Iterable[bytes]:
    """The ending of all names, if only one is asked for, with the NUL behind it."""
    return (endings[0] + b"\0",) if len(endings) == 1 else ()


def _within(
    places: Sequence[int], values: Sequence[int], start: int, *, least: int | None, most: int | None
) -> Sequence[int]:
    """Those places whose values, which begin at `start`, lie within bounds that are included."""
    if least is not None:
        places = [i for i in places if values[start + i] >= least]
    if most is not None:
        places = [i for i in places if values[start + i] <= most]
    return places
