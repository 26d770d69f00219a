"""Changes as the API shows them, and the cursor of a comparison."""

import base64
import hashlib
from collections.abc import Sequence
from typing import Any, NamedTuple

from contracts.errors import Invalid
from contracts.paths import shown

from restore_index.domain.changes import Change, PathNames
from restore_index.domain.directory_listing import show_time
from restore_index.domain.entries import FullEntry
from restore_index.domain.paths import show_path


def show_change(base: Sequence[bytes], at: PathNames, change: Change) -> dict[str, Any]:
    """A row for a person: paths begin at the root of the restore point."""
    entry = change.new or change.old
    row: dict[str, Any] = {"change": change.kind, "path": show_path([*base, *at]), "type": entry.type if entry else ""}
    if change.kind == "moved":
        row["from"] = show_path([*base, *change.origin])
    if change.kind in ("changed", "moved"):
        row["changed"] = list(change.what)
    if change.old is not None:
        row["old"] = show_state(change.old)
    if change.new is not None:
        row["new"] = show_state(change.new)
    return row


def show_state(entry: FullEntry) -> dict[str, Any]:
    """What an entry was or is, beside its name and type."""
    form = {
        "size": entry.size,
        "mtime": show_time(entry.mtime_ns),
        "mode": entry.mode & 0o7777,
        "uid": entry.uid,
        "gid": entry.gid,
        "user": entry.user,
        "group": entry.group,
    }
    if entry.type == "symlink":
        form["link_target"] = shown(entry.link_target or b"")
    return form


class ChangePosition(NamedTuple):
    """How far a comparison was answered: `rows` rows of a path, and everything before it."""

    names: PathNames
    rows: int


START = ChangePosition((), 0)
ALL_ROWS = 2


def cursor_mark(*facts: str) -> bytes:
    """Bytes that distinguish the cursors of one question from those of others."""
    return hashlib.sha256("\0".join(facts).encode()).digest()[:8]


def write_position(mark: bytes, place: ChangePosition) -> str:
    """Where to go on, as an opaque text."""
    # With the mark, since the same path means something else in another comparison.
    packed = mark + bytes([place.rows]) + b"/".join(place.names)
    return base64.urlsafe_b64encode(packed).rstrip(b"=").decode()


def read_position(mark: bytes, cursor: str | None) -> ChangePosition:
    """Where a cursor points to; the beginning without one.

    Raises `Invalid` (`cursor_invalid`) for a text that is no cursor, or one of another comparison.
    """
    if not cursor:
        return START
    try:
        packed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True)
    except ValueError:
        raise invalid_cursor() from None
    if len(packed) < 10 or packed[:8] != mark or packed[8] > ALL_ROWS:
        raise invalid_cursor()
    return ChangePosition(tuple(packed[9:].split(b"/")), packed[8])


def invalid_cursor() -> Invalid:
    """What is said of a cursor that is none, or belongs to another question."""
    return Invalid("cursor_invalid", "The cursor does not belong to this question.")
