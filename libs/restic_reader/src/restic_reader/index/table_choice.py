"""Which tables to search, and which of them to put together. Decisions only: nothing here is read or written."""

from collections.abc import Collection, Iterable

from restic_reader.index.blob_index import Part
from restic_reader.index.table import Table

_RATIO = 4


def chosen_parts(tables: Iterable[Table], listed: Collection[str]) -> list[Part]:
    """Parts of these tables that together tell of each index file at most once, and of none that is not listed."""
    parts: list[Part] = []
    left = set(listed)
    # Of tables of one size by the name, so that all processes keep the same ones.
    for table in sorted(tables, key=lambda table: (-len(table), table.name)):
        if files := left.intersection(table.names.files):
            parts.append(Part(table, frozenset(files)))
            left -= files
    return parts


def covered(parts: Iterable[Part]) -> frozenset[str]:
    """The index files that these parts tell of."""
    return frozenset[str]().union(*(part.files for part in parts))


def parts_to_merge(parts: Collection[Part]) -> list[Part]:
    """What should become one table: what mostly holds dead blobs, else what is of about equal size.

    What is left differs in size by a factor of four at least, so that parts stay few and a blob is seldom rewritten.
    """
    if wasteful := [part for part in parts if len(part.table) > 2 * len(part)]:
        return wasteful
    pile: list[Part] = []
    for part in sorted(parts, key=len):
        if _RATIO * (1 + sum(map(len, pile))) < len(part):
            if len(pile) > 1:
                return pile
            pile = []
        pile.append(part)
    return pile if len(pile) > 1 else []
