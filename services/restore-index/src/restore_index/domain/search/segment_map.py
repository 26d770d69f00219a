"""A map of one store's name segments: where each directory lies in them, and what is below what.

A record is one page of a directory in a segment; records are numbered through all segments. Directories are numbered,
too, in the order in which they first appeared. There are no objects for directories, so that millions fit.
"""

import sys
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from restore_index.domain.hash_table import HashTable
from restore_index.domain.segment_frame import Frame

NONE: Final = 0xFFFFFFFF
REACHED_KEPT = 32
_NUMBER_BYTES = 4
_DIRECTORY_BYTES = 32 + _NUMBER_BYTES + 5 + 4 + 1
"""Of one directory: its id and number in the table with what that needs beside, its record, whether it is whole."""


@dataclass(frozen=True)
class MappedSegment:
    """One segment: `frame`'s arrays, the first record's number, and directories of pages and of children by number."""

    number: int
    first_record: int
    directories: "array[int]"
    files: "array[int]"
    entries: "array[int]"
    names: "array[int]"
    texts: "array[int]"
    child_pages: "array[int]"
    child_entries: "array[int]"
    child_directories: "array[int]"
    mark: bytes
    """Of the segment as it was when this was read."""

    @property
    def size_bytes(self) -> int:
        """What its arrays take."""
        return sum(len(values) * values.itemsize for values in vars(self).values() if isinstance(values, array))

    def children(self, page: int) -> Iterator[tuple[int, int]]:
        """The directories right below a page: the place of the entry in the page, and their number."""
        start, end = bisect_left(self.child_pages, page), bisect_right(self.child_pages, page)
        return zip(self.child_entries[start:end], self.child_directories[start:end], strict=True)


class SegmentMap:
    """The directories of one store, and a serial that distinguishes it from other readings of that store.

    It grows by segments; what was there stays as it is, so it may be walked meanwhile.
    """

    def __init__(self, serial: int = 0) -> None:
        self.serial: Final = serial
        self.mapped_segments: list[MappedSegment] = []
        self.records = 0
        self._starts: list[int] = []
        self._numbers = HashTable(_NUMBER_BYTES)
        self._record = array("I")
        self._pages: dict[int, array[int]] = {}
        self._whole = bytearray()
        self._parts_bytes = 0
        self._reached_segments: dict[frozenset[int], list[int]] = {}

    def __len__(self) -> int:
        """How many directories there are."""
        return len(self._whole)

    @property
    def size_bytes(self) -> int:
        """About how much memory it takes."""
        pages = sum(len(records) * _NUMBER_BYTES for records in self._pages.values())
        return self._parts_bytes + len(self) * _DIRECTORY_BYTES + pages

    def add(self, frame: Frame, mark: bytes) -> None:
        """Add the next segment."""
        directories, child_directories = array("I"), array("I")
        child, children = 0, len(frame.child_pages)
        for page in range(len(frame)):
            number, whole = self._number_of(frame.tree(page)), True
            # Children come before their parents, so it is known by now whether what is below is whole.
            while child < children and frame.child_pages[child] == page:
                below = self._number_of(frame.child(child))
                child_directories.append(below)
                whole = whole and bool(self._whole[below])
                child += 1
            directories.append(number)
            if not self._whole[number]:
                self._note_page(number, self.records + page, frame.pages[page], frame.of[page], whole=whole)
        arrays = (frame.files, frame.entries, frame.names, frame.texts, frame.child_pages, frame.child_entries)
        mapped = MappedSegment(len(self.mapped_segments), self.records, directories, *arrays, child_directories, mark)
        self._starts.append(self.records)
        self.records += len(frame)
        self._parts_bytes += mapped.size_bytes
        self.mapped_segments.append(mapped)

    def root(self, tree_id: str) -> int | None:
        """The number of a directory that is there with all that is below it."""
        found = self._numbers.get(bytes.fromhex(tree_id))
        number = None if found is None else int.from_bytes(found, sys.byteorder)
        return number if number is not None and self._whole[number] else None

    def records_of(self, directory: int) -> Sequence[int]:
        """The records of a whole directory's pages, in order."""
        return self._pages.get(directory) or (self._record[directory],)

    def files_below(self, directory: int) -> int:
        """How many files are in a whole directory and below it."""
        mapped, page = self.locate(self.records_of(directory)[0])
        return mapped.files[page]

    def locate(self, record: int) -> tuple[MappedSegment, int]:
        """The segment a record is in, and the number of the page there."""
        mapped = self.mapped_segments[bisect_right(self._starts, record) - 1]
        return mapped, record - mapped.first_record

    def reached_segments(self, roots: Sequence[int]) -> list[int]:
        """The segments in which directories of these restore points are: nothing else need be looked at."""
        key = frozenset(roots)
        found = self._reached_segments.get(key)
        if found is None:
            found = self._reachable(roots)
            if len(self._reached_segments) >= REACHED_KEPT:
                # Pages of one search ask for the same roots again; which others are forgotten hardly matters.
                self._reached_segments.clear()
            self._reached_segments[key] = found
        return found

    def _reachable(self, roots: Sequence[int]) -> list[int]:
        # Backwards, as parents come behind their children: one pass is enough.
        mapped_segments, found = self.mapped_segments[::-1], []
        seen = bytearray(len(self))
        for root in roots:
            seen[root] = 1
        for mapped in mapped_segments:
            directories = mapped.directories
            for page, below in zip(reversed(mapped.child_pages), reversed(mapped.child_directories), strict=True):
                if seen[directories[page]]:
                    seen[below] = 1
            if any(map(seen.__getitem__, directories)):
                found.append(mapped.number)
        return found[::-1]

    def _number_of(self, tree: bytes) -> int:
        found = self._numbers.get(tree)
        if found is not None:
            return int.from_bytes(found, sys.byteorder)
        number = len(self._whole)
        self._numbers.put(tree, number.to_bytes(_NUMBER_BYTES, sys.byteorder))
        self._whole.append(0)
        self._record.append(NONE)
        return number

    def _note_page(self, number: int, record: int, page: int, of: int, *, whole: bool) -> None:
        """Record a page of a directory that is not whole yet; of equal pages the last one counts until it is."""
        if of == 1:
            self._pages.pop(number, None)
            self._record[number], self._whole[number] = record, whole
            return
        pages = self._pages.get(number)
        if pages is None or len(pages) != of:
            pages = self._pages[number] = array("I", [NONE]) * of
        if page < of:
            pages[page] = record if whole else NONE
            self._whole[number] = NONE not in pages
