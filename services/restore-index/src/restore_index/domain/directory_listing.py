"""A directory's entries as they are shown, page by page."""

import base64
import hashlib
import struct
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from contracts.errors import Invalid
from contracts.paths import shown
from contracts.values import to_text

from restore_index.domain.entries import Below, FullEntry
from restore_index.domain.paths import show_path
from restore_index.domain.sort_order import Order

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_MS = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // timedelta(milliseconds=1)
_YEAR_0_MS = 366 * 86_400_000
_CALENDAR = timedelta(days=146_097)
"""After 400 years the calendar begins anew."""
_LAST_MS = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // timedelta(milliseconds=1)
_CURSOR = struct.Struct(">8sII")


class ListPosition(NamedTuple):
    """How far a directory was read: a page and a number in it. Backwards, both are counted from the end.

    In an order other than by name the page is 0, and the number one in that order.
    """

    page: int
    entry: int


START = ListPosition(0, 0)


class ListPage(NamedTuple):
    """Some entries of a directory, and where and what it is."""

    path: str
    breadcrumbs: list[dict[str, str]]
    total: int
    totals: Below
    items: list[dict[str, Any]]
    next_cursor: str | None


def write_cursor(tree_id: str, order: Order, place: ListPosition) -> str:
    """Where to go on, as an opaque text. A directory never changes, so it stays right forever."""
    return base64.urlsafe_b64encode(_CURSOR.pack(_mark(tree_id, order), *place)).rstrip(b"=").decode()


def read_cursor(tree_id: str, order: Order, cursor: str | None) -> ListPosition:
    """Where a cursor points to; the start without one.

    Raises `Invalid` (`cursor_invalid`) for a text that is no cursor, or one of another directory or order.
    """
    if not cursor:
        return START
    try:
        mark, *place = _CURSOR.unpack(base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True))
    except (ValueError, struct.error):
        raise _invalid_cursor() from None
    if mark != _mark(tree_id, order):
        raise _invalid_cursor()
    return ListPosition(*place)


def _invalid_cursor() -> Invalid:
    return Invalid("cursor_invalid", "The cursor does not belong to this directory in this order.")


def _mark(tree_id: str, order: Order) -> bytes:
    return hashlib.blake2b(f"{tree_id}/{order.sort}/{order.direction}".encode(), digest_size=8).digest()


def show_breadcrumbs(names: Sequence[bytes]) -> list[dict[str, str]]:
    """The way to a path from the root, as names and paths."""
    way = [{"name": shown(name), "path": show_path(names[:depth])} for depth, name in enumerate(names, start=1)]
    return [{"name": "/", "path": "/"}, *way]


def show_entry(parent: Sequence[bytes], entry: FullEntry) -> dict[str, Any]:
    """An entry for a person and for the next question.

    `size` in bytes, of a directory the sum of what is below it; `mtime` RFC 3339 with milliseconds; `mode` the
    permission bits as an integer (0o7777 at most); `link_target` only of symbolic links, `files` (below it) only of
    directories.
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
    if entry.type == "dir":
        item["files"] = entry.files
    return item


def show_time(ns: int) -> str:
    """Nanoseconds since 1970 as RFC 3339 with milliseconds, which has the years 0000 to 9999.

    What is outside of them becomes their nearest end.
    """
    milliseconds = min(max(ns // 1_000_000, _FIRST_MS - _YEAR_0_MS), _LAST_MS)
    moment = timedelta(milliseconds=milliseconds)
    if milliseconds < _FIRST_MS:  # the standard library has no year 0
        return f"0000{to_text(_EPOCH + (moment + _CALENDAR))[4:]}"
    return to_text(_EPOCH + moment)
