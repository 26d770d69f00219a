"""A directory's entries as they are shown, page by page."""

import base64
import struct
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from chassis.errors import Invalid
from chassis.paths import shown
from contracts.values import to_text

from restore_index.domain.entries import Entry
from restore_index.domain.paths import show_path

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_MS = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // timedelta(milliseconds=1)
_LAST_MS = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // timedelta(milliseconds=1)
_CURSOR = struct.Struct(">8sII")


class Place(NamedTuple):
    """An entry of a directory: the number of its page, and its place in the page."""

    page: int
    entry: int


START = Place(0, 0)


class Part(NamedTuple):
    """Some entries of a directory."""

    total: int
    items: list[dict[str, Any]]
    next_cursor: str | None


def write_cursor(tree_id: str, place: Place) -> str:
    """Where to go on, as an opaque text. A directory never changes, so it stays right forever."""
    return base64.urlsafe_b64encode(_CURSOR.pack(_mark(tree_id), *place)).rstrip(b"=").decode()


def read_cursor(tree_id: str, cursor: str | None) -> Place:
    """Where a cursor points to; the start without one.

    Raises `Invalid` (`cursor_invalid`) for a text that is no cursor, or one of another directory.
    """
    if not cursor:
        return START
    try:
        mark, *place = _CURSOR.unpack(base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True))
    except (ValueError, struct.error):
        raise _no_cursor() from None
    if mark != _mark(tree_id):
        raise _no_cursor()
    return Place(*place)


def _no_cursor() -> Invalid:
    return Invalid("cursor_invalid", "The cursor does not belong to this directory.")


def _mark(tree_id: str) -> bytes:
    return bytes.fromhex(tree_id[:16])


def show_entry(parent: Sequence[bytes], entry: Entry) -> dict[str, Any]:
    """An entry for a person and for the next question.

    `size` in bytes, of a directory the sum of what is below it; `mtime` RFC 3339 with milliseconds; `mode` the
    permission bits as an integer (0o7777 at most); `link_target` only of symbolic links.
    """
    item = {
        "name": shown(entry.name),
        "path": show_path([*parent, entry.name]),
        "type": entry.type,
        "size": entry.size,
        "mtime": show_time(entry.mtime_ns),
        "mode": entry.mode & 0o7777,
    }
    if entry.type == "symlink":
        item["link_target"] = shown(entry.link_target or b"")
    return item


def show_time(ns: int) -> str:
    """Nanoseconds since 1970 as RFC 3339 with milliseconds; what is outside the calendar becomes its nearest end."""
    return to_text(_EPOCH + timedelta(milliseconds=min(max(ns // 1_000_000, _FIRST_MS), _LAST_MS)))
