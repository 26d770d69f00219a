"""Which of the things that are gone are somewhere else now: decided from what was found on either side."""

import heapq
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from itertools import count

import msgspec

from restore_index.domain.changes import Change, Kind, MovedEntry, Moves, PathNames, Summary, changed_fields, subtree_of
from restore_index.domain.directory_merge import EntryPair
from restore_index.domain.entries import FullEntry


# eq=False: two entries with equal fields are still two, in different places.
class OneSidedEntry(msgspec.Struct, gc=False, eq=False):
    """Something that only one side has, and what is known of it by now; or a directory of both that leads to such."""

    parent: "OneSidedEntry | None"
    name: bytes = b""
    one_sided: bool = False
    gone: bool = False
    """Whether the old side has it, not the new one."""
    row: bytes = b""
    key: bytes | None = None
    """What it has in common with whatever it may be on the other side; None of what is not looked for there."""
    subtree: bytes | None = None
    files: int = 0
    size: int = 0
    counterpart: "OneSidedEntry | None" = None
    contains_moved: bool = False

    @property
    def names(self) -> PathNames:
        """Its path."""
        inside_out, at = [], self
        while at.parent is not None:
            inside_out.append(at.name)
            at = at.parent
        return tuple(reversed(inside_out))

    @property
    def ancestors(self) -> Iterator["OneSidedEntry"]:
        """What it is in and the other side has not, from the inside out."""
        at = self.parent
        while at is not None and at.one_sided:
            yield at
            at = at.parent

    @property
    def settled(self) -> bool:
        """Whether it was moved, alone or with something that it is in."""
        return self.counterpart is not None or any(at.counterpart is not None for at in self.ancestors)


def _found(parent: OneSidedEntry, entry: FullEntry, *, gone: bool, same_store: bool) -> OneSidedEntry:
    return OneSidedEntry(
        parent,
        entry.name,
        one_sided=True,
        gone=gone,
        row=msgspec.msgpack.encode(entry) if gone else b"",
        key=_key(entry, same_store=same_store),
        subtree=subtree_of(entry),
        files=entry.files or 0,
        size=entry.size if entry.type in ("file", "dir") else 0,
    )


def _key(entry: FullEntry, *, same_store: bool) -> bytes | None:
    """Equal for equal directories, and for files of one store with equal content; None of what is empty."""
    if entry.type == "dir":
        return entry.subtree if entry.files != 0 else None
    if entry.type == "file" and same_store and entry.size and entry.content is not None:
        return entry.content + entry.size.to_bytes(16, "big", signed=True)
    return None


class MoveDetector:
    """What only one side has: which directories are worth opening, and in the end what was moved.

    A directory is opened when nothing on the other side is the same, larger ones first: what another may have come out
    of, or gone into, is looked into before that one is.
    """

    def __init__(self, *, same_store: bool) -> None:
        self.found: list[OneSidedEntry] = []
        self._summary = Summary()
        self._same_store = same_store
        self._keys: tuple[set[bytes], set[bytes]] = (set(), set())
        self._closed: list[tuple[int, int, bool, int, OneSidedEntry]] = []
        self._order = count()
        self._waiting: list[OneSidedEntry] = []

    def note(self, parent: OneSidedEntry, pair: EntryPair) -> None:
        """Record a name that differs. Parents come before what is in them."""
        old, new = pair.old, pair.new
        if old is not None and new is not None and not pair.one_sided:
            what = changed_fields(old, new, same_store=self._same_store)
            if what:
                self._summary.count(Change("changed", old, new, what))
            return
        for entry in (old, new):
            if entry is not None:
                self._add(_found(parent, entry, gone=entry is old, same_store=self._same_store))

    def _add(self, found: OneSidedEntry) -> None:
        self.found.append(found)
        if found.key is not None:
            self._keys[found.gone].add(found.key)
        if found.subtree is not None:
            self._close(found)

    def _close(self, found: OneSidedEntry) -> None:
        # The counter decides between equals, so that entries themselves are never compared.
        heapq.heappush(self._closed, (-found.files, -found.size, found.gone, next(self._order), found))

    def next(self) -> OneSidedEntry | None:
        """The directory to be opened next; None when there is none for now, and it is time to decide."""
        while self._closed:
            found = heapq.heappop(self._closed)[-1]
            if found.key is None or found.key not in self._keys[not found.gone]:
                return found
            self._waiting.append(found)
        return None

    def peek(self, most: int) -> list[OneSidedEntry]:
        """Directories that are likely to be next."""
        return [item[-1] for item in self._closed[:most]]

    def match_moves(self) -> bool:
        """Say what was moved. False when directories must be opened first: all that were like them were taken."""
        for found in self.found:
            # Matched anew each time: what was opened since may change which match is the best.
            found.counterpart, found.contains_moved = None, False
        # Directories first: what moved as a whole is one row, not one for each file in it.
        for directories in (True, False):
            self._match(directories=directories)
        alone = [found for found in self._waiting if not found.settled]
        self._waiting = [found for found in self._waiting if found.settled]
        for found in alone:
            found.key = None
            self._close(found)
        return not alone

    def _match(self, *, directories: bool) -> None:
        found = [each for each in self.found if each.key is not None and bool(each.subtree) is directories]
        gone = [each for each in found if each.gone]
        arrivals = _Arrivals(each for each in found if not each.gone)
        # What kept its name is the likelier match: only what is left over is matched by content alone.
        for same_name in (True, False):
            for each in gone:
                arrivals.match(each, same_name=same_name)

    def moves(self) -> Moves:
        """What was moved, as decided."""
        pairs = [(found, found.counterpart) for found in self.found if found.counterpart is not None and not found.gone]
        arrived = {found.names: MovedEntry(counterpart.names, counterpart.row) for found, counterpart in pairs}
        return Moves(arrived, frozenset(moved.origin for moved in arrived.values()))

    def summary(self) -> Summary:
        """All rows there are, counted, once everything is decided."""
        kinds: tuple[Kind, Kind] = ("added", "removed")
        for found in self.found:
            if not found.settled:
                self._summary.add(kinds[found.gone], 0 if found.subtree else found.size)
            elif found.counterpart is not None and not found.gone:
                self._summary.add("moved", found.size)
        return self._summary


class _Arrivals:
    """What is new, to be matched with what is gone."""

    def __init__(self, found: Iterable[OneSidedEntry]) -> None:
        self._named: dict[tuple[bytes, bytes], deque[OneSidedEntry]] = defaultdict(deque)
        self._all: dict[bytes, deque[OneSidedEntry]] = defaultdict(deque)
        for arrival in found:
            if arrival.key is not None:
                self._named[arrival.key, arrival.name].append(arrival)
                self._all[arrival.key].append(arrival)

    def match(self, gone: OneSidedEntry, *, same_name: bool) -> None:
        """Pair it with the first that is the same, unless it is settled; `same_name`: with one of that name only."""
        if gone.settled or gone.contains_moved:
            return
        key = gone.key or b""
        arrivals = self._named.get((key, gone.name)) if same_name else self._all.get(key)
        while arrivals:
            arrival = arrivals.popleft()
            if not arrival.settled and not arrival.contains_moved:
                _pair(gone, arrival)
                return


def _pair(gone: OneSidedEntry, new: OneSidedEntry) -> None:
    gone.counterpart, new.counterpart = new, gone
    for found in (gone, new):
        for at in found.ancestors:
            if at.contains_moved:
                break
            at.contains_moved = True
