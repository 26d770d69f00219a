"""What a walk hands out: a directory whole, or in parts where it is too large for memory."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from restic_reader.directory_totals import Totals
from restic_reader.structs import Entry


class Directory(NamedTuple):
    """One directory, named by the hash of its content; entries in the order of the bytes of their names."""

    tree_id: str
    entries: list[Entry]
    totals: Totals
    below: Mapping[str, Totals] = {}
    """The totals of the directories among its entries."""

    @property
    def size(self) -> int:
        """How many entries it has."""
        return len(self.entries)


class LargeDirectory(NamedTuple):
    """A directory too large for memory; it can be read until the walk goes on."""

    tree_id: str
    size: int
    totals: Totals
    parts: Callable[[], Iterator[list[Entry]]]
    """Begins to read its entries, some thousand at a time, in the order of the bytes of their names."""
    below: Callable[[Sequence[Entry]], Mapping[str, Totals]]
    """The totals of the directories among these entries of it."""


Walked: TypeAlias = Directory | LargeDirectory
