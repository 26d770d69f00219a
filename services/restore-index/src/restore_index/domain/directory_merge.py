"""Two directories side by side, page by page: the names at which they differ."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from restore_index.domain.entries import FullEntry, page_with, read_row, unpack_rows


class EntryPair(NamedTuple):
    """One name in two directories, and what has it there."""

    name: bytes
    old: FullEntry | None
    new: FullEntry | None

    @property
    def one_sided(self) -> bool:
        """Whether something is gone here, or is new, or both, rather than changed."""
        return self.old is None or self.new is None or self.old.type != self.new.type


@dataclass
class MergeSide:
    """One of two directories that are compared, read page by page."""

    pages: int
    first_names: Sequence[bytes]
    page: int = 0
    """The page to be read next."""
    packed: bytes = b""
    kept: list[bytes] = field(default_factory=list)
    """Rows of earlier pages whose names the other side has not reached."""

    @property
    def until(self) -> bytes | None:
        """All names before this one have been read; None: all names have."""
        if self.page >= self.pages:
            return None
        return self.first_names[self.page] if self.first_names else b""

    def add_page(self, packed: bytes) -> None:
        """Take in the next page."""
        self.packed, self.page = packed, self.page + 1

    def rows(self, packed: bytes) -> dict[bytes, None]:
        """What was kept and the rows of a page, in order."""
        # Rows are compared while still packed: nearly all of them are equal, and unpacking is what takes time.
        return dict.fromkeys([*self.kept, *(unpack_rows(packed) if packed else ())])

    def split(self, rows: list[bytes], until: bytes | None) -> dict[bytes, FullEntry]:
        """Those of some rows whose names come before `until`, by name; the others are kept."""
        # What the other side has not reached may still turn out to be equal there.
        end = len(rows) if until is None else bisect_left(rows, until, key=_name)
        self.kept = rows[end:]
        return {entry.name: entry for entry in map(read_row, rows[:end])}


class DirectoryMerge:
    """Two directories side by side, in the order of their names, without the entries that are equal in both.

    Holds a page of each and what is between the two, whatever their sizes.
    """

    def __init__(self, old: MergeSide, new: MergeSide, *, start: bytes = b"") -> None:
        self.sides = (old, new)
        self._start = start
        for side in self.sides:
            side.page = page_with(side.first_names, start)

    @property
    def until(self) -> bytes | None:
        """All names before this one have been read on both sides; None: all names have."""
        return min((side.until for side in self.sides if side.until is not None), default=None)

    def sides_to_read(self) -> list[MergeSide]:
        """The sides of which the next page is needed; none at the end."""
        until = self.until
        return [side for side in self.sides if until is not None and side.until == until]

    def pairs(self) -> list[EntryPair]:
        """What differs among the names that both sides have reached since the last call."""
        old, new = (side.rows(packed) for side, packed in zip(self.sides, self._fresh(), strict=True))
        common = old.keys() & new.keys()
        olds, news = (
            side.split([row for row in rows if row not in common], self.until)
            for side, rows in zip(self.sides, (old, new), strict=True)
        )
        names = sorted(name for name in olds.keys() | news.keys() if name >= self._start)
        return [EntryPair(name, olds.get(name), news.get(name)) for name in names]

    def _fresh(self) -> Sequence[bytes]:
        """The pages taken in since the last call, unless they are equal."""
        packed = [side.packed for side in self.sides]
        for side in self.sides:
            side.packed = b""
        # In a large directory of which one file changed nearly all pages are equal: they are not even unpacked.
        return (b"", b"") if packed[0] == packed[1] else packed


def _name(row: bytes) -> bytes:
    return read_row(row).name
