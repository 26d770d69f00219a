"""Which pages of a segment have a match, and which directories have one somewhere below."""

from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from restore_index.domain.search.matcher import Matcher
from restore_index.domain.search.segment_map import MappedSegment
from restore_index.domain.segment_columns import Columns


@dataclass
class MatchMarks:
    """Directories with a match in them or below, and by segment the pages with a match or with such a directory."""

    directories: bytearray
    pages: dict[int, bytearray] = field(default_factory=dict)

    @property
    def size_bytes(self) -> int:
        """What they take."""
        return len(self.directories) + sum(map(len, self.pages.values()))

    def add(self, mapped: MappedSegment, pages: bytearray) -> None:
        """Add the pages of a segment that have a match; segments in order, as what is above a directory comes later."""
        marked, directories = self.directories, mapped.directories
        page = pages.find(1)
        while page >= 0:
            marked[directories[page]] = 1
            page = pages.find(1, page + 1)
        # Children come before their parents, so one pass marks all the way up.
        for page, below in zip(mapped.child_pages, mapped.child_directories, strict=True):
            if marked[below]:
                pages[page] = marked[directories[page]] = 1
        self.pages[mapped.number] = pages


def scan(mapped: MappedSegment, text: bytes, columns: Columns | None, matcher: Matcher) -> bytearray:
    """For each page of a segment whether there is a match in it. `columns` are needed if the matcher asks for them."""
    found = bytearray(len(mapped.directories))
    # Then each name has a NUL on both sides, and literals may contain either.
    text = b"\0" + text
    for page in _candidates(mapped.texts, text, matcher):
        if matcher.is_literal or matcher.any_matches(split(text, mapped.texts, page, 1), columns, mapped.entries[page]):
            found[page] = 1
    return found


def split(joined: bytes, ends: "array[int]", page: int, shift: int = 0) -> list[bytes]:
    """The names of one page."""
    names = joined[ends[page] + shift : ends[page + 1] + shift].split(b"\0")
    names.pop()
    return names


def _candidates(ends: "array[int]", text: bytes, matcher: Matcher) -> Iterator[int]:
    """The pages with what a match must have, once each. The text has a NUL before it."""
    find, end, shift = _finder(text, matcher), ends[-1], 0 if matcher.literal[0] == 0 else 1
    place = find(0)
    while place >= 0 and place - shift < end:
        page = bisect_right(ends, place - shift) - 1
        yield page
        place = find(ends[page + 1])


def _finder(text: bytes, matcher: Matcher) -> Callable[[int], int]:
    """Finds the next place from one on, -1 when there is none."""
    # A literal is found far quicker than a regular expression: as soon as there is one it is used.
    if matcher.pattern is None or len(matcher.literal) > 1:
        literal = matcher.literal
        return lambda start: text.find(literal, start)
    pattern = matcher.pattern

    def find(start: int) -> int:
        found = pattern.search(text, start)
        return found.start() - 1 if found else -1

    return find
