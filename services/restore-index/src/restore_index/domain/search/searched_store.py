"""One store that is searched, and the columns of its segments that were unpacked last."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar, cast

from cachetools import LRUCache

from restore_index.domain.name_segments import Segment, read_columns, read_links, read_names, read_text
from restore_index.domain.search.scan import MatchMarks
from restore_index.domain.search.segment_map import MappedSegment, SegmentMap
from restore_index.domain.segment_columns import Columns

UNPACKED_KEPT = 16
T = TypeVar("T")


class UnpackedColumns:
    """Columns of segments, the last few of them kept."""

    def __init__(self, fetch: Callable[[MappedSegment], Segment]) -> None:
        self._fetch = fetch
        self._kept: LRUCache[tuple[object, int], object] = LRUCache(UNPACKED_KEPT)

    def names(self, mapped: MappedSegment) -> bytes:
        """The names as they are."""
        return self._read(mapped, read_names)

    def text(self, mapped: MappedSegment) -> bytes:
        """The names folded."""
        return self._read(mapped, read_text)

    def columns(self, mapped: MappedSegment) -> Columns:
        """Types, modes, sizes and times."""
        return self._read(mapped, read_columns)

    def links(self, mapped: MappedSegment) -> list[bytes]:
        """Targets of symbolic links."""
        return self._read(mapped, read_links)

    def _read(self, mapped: MappedSegment, read: Callable[[Segment], T]) -> T:
        key = (read, mapped.number)
        found = self._kept.get(key)
        if found is None:
            found = self._kept[key] = read(self._fetch(mapped))
        return cast("T", found)


@dataclass(frozen=True, eq=False)
class SearchedStore:
    """One store that is searched: its segment map, where matches are, and how to read its segments."""

    segment_map: SegmentMap
    marks: MatchMarks
    columns_cache: UnpackedColumns
