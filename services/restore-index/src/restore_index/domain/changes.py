"""What became of the entries at a path, and which fields of an entry differ."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from restore_index.domain.directory_merge import EntryPair
from restore_index.domain.entries import FullEntry, read_row

Kind = Literal["added", "removed", "changed", "moved"]
KINDS: tuple[Kind, ...] = ("added", "removed", "changed", "moved")
PathNames = tuple[bytes, ...]


def changed_fields(old: FullEntry, new: FullEntry, *, same_store: bool) -> list[str]:
    """What differs between two forms of one entry; of what is no more what it was, only that.

    Contents are compared within a store. Between stores, and where a content id is missing, a file whose size is the
    same counts as having the same content. What is below a directory does not count, nor do times of change and access.
    """
    if old.type != new.type:
        return ["type"]
    resized = old.type == "file" and old.size != new.size
    differs = {
        "content": old.content != new.content if same_store and _have_content_ids(old, new) else resized,
        "size": resized,
        "mtime": old.mtime_ns != new.mtime_ns,
        # Permissions only: the type, which is in the other bits, is compared by itself.
        "mode": (old.mode ^ new.mode) & 0o7777 != 0,
        "owner": (old.uid, old.gid, old.user, old.group) != (new.uid, new.gid, new.user, new.group),
        "link_target": old.link_target != new.link_target,
        # None is what older workers sent; it means the same as no attributes.
        "attributes": (old.attributes or ()) != (new.attributes or ()),
    }
    return [name for name, differ in differs.items() if differ]


def _have_content_ids(old: FullEntry, new: FullEntry) -> bool:
    """Whether the contents of two files can be compared. Older workers sent no ids; an empty file needs none."""
    return old.type == "file" and all(entry.content is not None or entry.size == 0 for entry in (old, new))


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
        """Count a change: with the size of a moved directory, and of a changed file only if its content differs."""
        entry = change.new or change.old
        counts = change.kind == "moved" or (entry is not None and entry.type == "file")
        if change.kind == "changed" and "content" not in change.what:
            counts = False
        self.add(change.kind, entry.size if entry and counts else 0)

    def show(self) -> dict[str, dict[str, int]]:
        """As it is answered."""
        return {kind: {"count": self.counts[kind], "bytes": self.bytes[kind]} for kind in KINDS}
