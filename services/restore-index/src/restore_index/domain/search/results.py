"""What is answered to a search, and where the next page begins."""

import base64
import zlib
from collections.abc import Sequence
from typing import Any, NamedTuple

from contracts.errors import Invalid
from contracts.values import to_text

from restore_index.domain.directory_listing import show_entry
from restore_index.domain.restore_points import Point
from restore_index.domain.search.traversal import Match

POINTS_SHOWN = 20
_DIGEST_BYTES = 8
_PATH_BYTES_MOST = 1 << 20


class Hits(NamedTuple):
    """Some of what was found."""

    items: list[dict[str, Any]]
    next_cursor: str | None


class HitsAcrossPoints(NamedTuple):
    """Some of what was found in many restore points, and those of them that could not be searched."""

    items: list[dict[str, Any]]
    next_cursor: str | None
    left_out: list[dict[str, Any]]
    left_out_total: int


def write_cursor(digest: bytes, path: Sequence[bytes]) -> str:
    """Where to go on: behind this path, as an opaque text that belongs to one question."""
    # Compressed, as a path may have thousands of bytes and a cursor travels in a URL.
    return base64.urlsafe_b64encode(digest + zlib.compress(b"\0".join(path))).rstrip(b"=").decode()


def read_cursor(digest: bytes, cursor: str | None) -> list[bytes]:
    """The path behind which to go on; nothing at the beginning.

    Raises `Invalid` (`cursor_invalid`) for a text that is no cursor, or one of another question.
    """
    if not cursor:
        return []
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True)
        packed = zlib.decompressobj()
        # Bounded: a forged cursor could expand to any size.
        path = packed.decompress(raw[_DIGEST_BYTES:], _PATH_BYTES_MOST)
    except (ValueError, zlib.error):
        raise _invalid_cursor() from None
    if raw[:_DIGEST_BYTES] != digest or not packed.eof or not path:
        raise _invalid_cursor()
    return path.split(b"\0")


def show_match(found: Match) -> dict[str, Any]:
    """What was found in one restore point, as a directory shows it."""
    return show_entry(found.path[:-1], found.newest.entry())


class HitFormatter:
    """Shows in which restore points something was found; `points` has those of each bit, bit 0 first."""

    def __init__(self, points: Sequence[Sequence[Point]]) -> None:
        ranked = sorted(
            ((point, 1 << bit) for bit, several in enumerate(points) for point in several),
            key=lambda each: (each[0].restore_point.time, each[0].restore_point.snapshot_id),
            reverse=True,
        )
        self._ranked = [(show_point(point), bit) for point, bit in ranked]
        self._shown: dict[int, dict[str, Any]] = {}

    def show(self, found: Match) -> dict[str, Any]:
        """What was found, as it is in the newest restore point that has it, and those that have it, newest first."""
        # Hits of one page are mostly in the same restore points: their list is made once.
        if found.points not in self._shown:
            having = [shown for shown, bit in self._ranked if bit & found.points]
            self._shown[found.points] = {"restore_points": having[:POINTS_SHOWN], "restore_points_total": len(having)}
        return {**show_match(found), **self._shown[found.points]}


def show_point(point: Point) -> dict[str, Any]:
    """A restore point in which something was found."""
    restore_point = point.restore_point
    return {
        "snapshot_id": restore_point.snapshot_id,
        "creation_time": to_text(restore_point.time),
        "store_id": restore_point.store_id,
        "source_id": restore_point.source_id,
    }


def _invalid_cursor() -> Invalid:
    return Invalid("cursor_invalid", "The cursor does not belong to this search.")
