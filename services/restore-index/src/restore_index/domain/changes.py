"""What differs between two directories, between two forms of an entry, and how that is shown."""

import base64
import hashlib
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from contracts.errors import Invalid
from contracts.paths import shown

from restore_index.domain.directory_listing import show_time
from restore_index.domain.entries import FullEntry, page_with, read_row, unpack_rows
from restore_index.domain.paths import show_path

Kind = Literal["added", "removed", "changed", "moved"]
KINDS: tuple[Kind, ...] = ("added", "removed", "changed", "moved")
PathNames = tuple[bytes, ...]


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

    def take(self, packed: bytes) -> None:
        """Take in the next page."""
        self.packed, self.page = packed, self.page + 1

    def rows(self, packed: bytes) -> dict[bytes, None]:
        """What was kept and the rows of a page, in order."""
        return dict.fromkeys([*self.kept, *(unpack_rows(packed) if packed else ())])

    def split(self, rows: list[bytes], until: bytes | None) -> dict[bytes, FullEntry]:
        """Those of some rows whose names come before `until`, by name; the others are kept."""
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
        return (b"", b"") if packed[0] == packed[1] else packed


def _name(row: bytes) -> bytes:
    return read_row(row).name


def changed_fields(old: FullEntry, new: FullEntry, *, same_store: bool) -> list[str]:
    """What differs between two forms of one entry; of what is no more what it was, only that.

    Contents are told apart within a store. Between stores, and where a worker did not tell, a file whose size is the
    same counts as having the same content. What is below a directory does not count, nor do times of change and access.
    """
    if old.type != new.type:
        return ["type"]
    told = old.type == "file" and same_store and _tells(old) and _tells(new)
    grew = old.type == "file" and old.size != new.size
    differs = {
        "content": old.content != new.content if told else grew,
        "size": grew,
        "mtime": old.mtime_ns != new.mtime_ns,
        "mode": (old.mode ^ new.mode) & 0o7777 != 0,
        "owner": (old.uid, old.gid, old.user, old.group) != (new.uid, new.gid, new.user, new.group),
        "link_target": old.link_target != new.link_target,
        "attributes": (old.attributes or ()) != (new.attributes or ()),
    }
    return [name for name, differ in differs.items() if differ]


def _tells(entry: FullEntry) -> bool:
    return entry.content is not None or entry.size == 0


class Change(NamedTuple):
    """One row: what became of an entry. `what` names what differs, `origin` is where a moved one was."""

    kind: Kind
    old: FullEntry | None
    new: FullEntry | None
    what: Sequence[str] = ()
    origin: PathNames = ()


class MovedEntry(NamedTuple):
    """Where something was, and its row there."""

    origin: PathNames
    row: bytes


@dataclass(frozen=True)
class Moves:
    """What was moved: by where it is, as it was; and the places that it left."""

    arrived: dict[PathNames, MovedEntry] = field(default_factory=dict)
    left: frozenset[PathNames] = frozenset()


NO_MOVES = Moves()


def changes_at(at: PathNames, pair: EntryPair, moves: Moves, *, same_store: bool) -> list[Change]:
    """The rows of one name, in their order: what left comes before what arrived."""
    old, new = pair.old, pair.new
    if old is not None and new is not None and not pair.one_sided:
        what = changed_fields(old, new, same_store=same_store)
        return [Change("changed", old, new, what)] if what else []
    rows = []
    if old is not None and at not in moves.left:
        rows.append(Change("removed", old, None))
    if new is not None:
        moved = moves.arrived.get(at)
        if moved:
            was = read_row(moved.row)
            rows.append(Change("moved", was, new, changed_fields(was, new, same_store=same_store), moved.origin))
        else:
            rows.append(Change("added", None, new))
    return rows


class SubtreePair(NamedTuple):
    """The directories to be compared next: of what is no directory, or is not looked into, None."""

    old: bytes | None
    new: bytes | None


def subtrees_to_compare(at: PathNames, pair: EntryPair, moves: Moves) -> SubtreePair | None:
    """Which directories a name leads to; None when nothing below it can differ, or it was moved as a whole."""
    old = subtree_of(pair.old) if at not in moves.left else None
    new = subtree_of(pair.new) if at not in moves.arrived else None
    return None if old == new else SubtreePair(old, new)


def subtree_of(entry: FullEntry | None) -> bytes | None:
    """The directory that an entry is, if it is one that could be read."""
    return entry.subtree if entry is not None and entry.type == "dir" else None


@dataclass
class Summary:
    """How many rows of each kind there are, and the bytes of their files."""

    counts: dict[Kind, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    bytes: dict[Kind, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))

    def add(self, kind: Kind, size: int) -> None:
        """Count a row."""
        self.counts[kind] += 1
        self.bytes[kind] += size

    def count(self, change: Change) -> None:
        """Count a change. What a moved directory holds counts with it; of changed files those with other content."""
        entry = change.new or change.old
        counts = change.kind == "moved" or (entry is not None and entry.type == "file")
        if change.kind == "changed" and "content" not in change.what:
            counts = False
        self.add(change.kind, entry.size if entry and counts else 0)

    def show(self) -> dict[str, dict[str, int]]:
        """As it is answered."""
        return {kind: {"count": self.counts[kind], "bytes": self.bytes[kind]} for kind in KINDS}


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
    """How far a comparison was told: `rows` rows of a path, and everything before it."""

    names: PathNames
    rows: int


START = ChangePosition((), 0)
ALL_ROWS = 2


def cursor_mark(*facts: str) -> bytes:
    """What tells the cursors of one comparison from those of others."""
    return hashlib.sha256("\0".join(facts).encode()).digest()[:8]


def write_position(mark: bytes, place: ChangePosition) -> str:
    """Where to go on, as an opaque text."""
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
