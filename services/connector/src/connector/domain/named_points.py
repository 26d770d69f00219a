"""Which restore points of a store are meant by ids that people write, in whole or by their first digits.

One rule for all types of tasks: first digits mean the one restore point whose id begins so, and nothing where there are
several.
"""

import re
from bisect import bisect_left
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from contracts.errors import NotFound

_NAMED_MAX = 5
_WHOLE = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class NamedPoints:
    """What became of ids that somebody wrote, in their order."""

    found: tuple[str, ...] = ()
    """Whole ids, each once."""
    missing: tuple[str, ...] = ()
    """What no restore point's id begins with, as it was written."""
    ambiguous: tuple[str, ...] = ()
    """What the ids of several begin with, as it was written."""


class NamedPointsNotFound(NotFound):
    """Restore points that were named are not in the store, or nobody can tell which ones are meant."""

    def __init__(self, store: str, named: NamedPoints) -> None:
        lacking = f"has no restore point {_listed(named.missing)}" if named.missing else ""
        several = f"has several that begin with {_listed(named.ambiguous)}: write out more" if named.ambiguous else ""
        told = " and ".join(filter(None, (lacking, several)))
        super().__init__("snapshot_not_found", f"The store {store!r} {told}.")


def is_whole_id(written: str) -> bool:
    """Whether this is all of an id, so that no other one begins with it."""
    return _WHOLE.fullmatch(written) is not None


def find_named(named: Iterable[str], there: Collection[str]) -> NamedPoints:
    """Look up what was written among the ids of all restore points of a store."""
    found, missing, ambiguous = list[str](), list[str](), list[str]()
    # Sorted, as a thousand ids may be looked up among many thousand. Two that begin alike are enough to be told apart.
    in_order = sorted(there)
    for written in named:
        begin = written.lower()
        at = bisect_left(in_order, begin)
        matching = [each for each in in_order[at : at + 2] if each.startswith(begin)]
        if len(matching) == 1:
            found += matching
        else:
            (ambiguous if matching else missing).append(written)
    return NamedPoints(tuple(dict.fromkeys(found)), tuple(missing), tuple(ambiguous))


def require_named(named: Iterable[str], there: Collection[str], *, store: str) -> tuple[str, ...]:
    """The whole ids of what was written. Raises `NamedPointsNotFound`, which tells all that are not there."""
    told = find_named(named, there)
    if told.missing or told.ambiguous:
        raise NamedPointsNotFound(store, told)
    return told.found


def _listed(written: tuple[str, ...]) -> str:
    more = f" and {len(written) - _NAMED_MAX} more" if len(written) > _NAMED_MAX else ""
    return ", ".join(written[:_NAMED_MAX]) + more
