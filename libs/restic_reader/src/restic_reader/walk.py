"""Walks a tree for an index that has seen parts of it before, in bounded memory whatever its shape."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import msgspec

from restic_reader.blob_runs import Wanted, runs
from restic_reader.blobs import Blobs, binary_id
from restic_reader.directory_totals import DirectoryTotals, Totals, plus, sum_of
from restic_reader.errors import Damaged
from restic_reader.large_directories import LargeTree, is_large
from restic_reader.limits import Limits
from restic_reader.node_checks import check_subtrees
from restic_reader.scratch import IdQueue
from restic_reader.sealed_documents import UNDECODABLE
from restic_reader.structs import Child, Entry, Listing
from restic_reader.walked_directories import Directory, LargeDirectory, Walked

_CHUNK_BYTES = 8 << 20
_RUN_BYTES = 2 << 20
_RUN_GAP = 128 << 10

_listing = msgspec.json.Decoder(Listing)
Known = Callable[[list[str]], Mapping[str, Totals]]


@dataclass(frozen=True, kw_only=True)
class WalkMeans:
    """What walks of one repository work with."""

    blobs: Blobs
    pool: Executor
    scratch: Path | None
    limits: Limits


def walk_new(means: WalkMeans, root: str, known: Known) -> Iterator[Walked]:
    """Every directory below `root` (and itself) that is not known: each once, children before their parents.

    `known` is asked which of up to 4,096 tree ids are known already and answers with their totals; what lies below a
    known directory is not read. Trees are read in chunks of up to 512 of one depth, so that neighbours in a pack
    share one read. In memory are one chunk, 8 MiB of directories whose children are being walked (others are read
    again), the ids of up to 32,768 directories of each depth, and the totals of a million; more lie in `scratch`.
    """
    with DirectoryTotals(means.scratch, in_memory=means.limits.totals_in_memory) as totals:
        yield from _Walk(means, totals, known).run(root)


@dataclass
class _LargeLevel:
    """A large directory while its children are being walked: what is directly in it, and the ids of its children."""

    tree: LargeTree
    own: Totals
    subtrees: IdQueue

    def close(self) -> None:
        self.subtrees.close()
        self.tree.close()


@dataclass
class _Level:
    """Directories of one depth: those still to be read, and those read whose children are being walked."""

    pending: IdQueue
    waiting: list[tuple[Wanted, list[Entry] | None]] = field(default_factory=list)
    waiting_bytes: int = 0
    large: _LargeLevel | None = None

    def wait(self, wanted: Wanted, entries: list[Entry]) -> None:
        self.waiting.append((wanted, entries))
        self.waiting_bytes += wanted.location.plain_length

    def drop_entries(self) -> int:
        """Drop what was read, to be read a second time; how many bytes that were."""
        self.waiting = [(wanted, None) for wanted, _ in self.waiting]
        freed, self.waiting_bytes = self.waiting_bytes, 0
        return freed

    def close(self) -> None:
        self.pending.close()
        if self.large is not None:
            self.large.close()


class _Walk:
    """One walk; what it opened is closed when it ends, however it ends."""

    def __init__(self, means: WalkMeans, totals: DirectoryTotals, known: Known) -> None:
        self._means = means
        self._limits = means.limits
        self._totals = totals
        self._known = known
        self._levels: list[_Level] = []
        self._waiting_bytes = 0
        self._dropped_levels = 0

    def run(self, root: str) -> Iterator[Walked]:
        try:
            self._descend([root])
            while self._levels:
                yield from self._step(self._levels[-1])
        finally:
            for level in self._levels:
                level.close()

    def _step(self, level: _Level) -> Iterator[Walked]:
        if level.large is not None:
            yield from self._go_on(level, level.large)
            return
        yield from self._finished(level)
        chunk = self._next_chunk(level.pending)
        if not chunk:
            self._levels.pop().close()
        elif is_large(chunk[0].location, self._limits):
            level.large = self._scan_large(chunk[0].blob_id)
        else:
            read = _load(self._means, chunk)
            self._descend(entry.subtree for _, entries in read for entry in entries)
            yield from self._ready(level, read)

    def _descend(self, tree_ids: Iterable[str | None]) -> None:
        """Of these directories, walk next those that were neither met before nor are known."""
        # Each once: a tree that is there a thousand times is asked for and read one time.
        new = [each for each in dict.fromkeys(tree_ids) if each is not None and each not in self._totals]
        for start in range(0, len(new), self._limits.asked_together):
            self._totals.take(self._known(new[start : start + self._limits.asked_together]))
        if below := [each for each in new if each not in self._totals]:
            self._levels.append(_Level(IdQueue(self._means.scratch)))
            self._levels[-1].pending.add(map(binary_id, below))

    def _next_chunk(self, pending: IdQueue) -> list[Wanted]:
        """What is read next; a large directory by itself."""
        chunk: list[Wanted] = []
        size = 0
        while not chunk and (taken := pending.take(self._limits.trees_together)):
            for number, tree_id in enumerate(map(bytes.hex, taken)):
                if tree_id in self._totals:
                    continue
                wanted = Wanted(tree_id, self._means.blobs.locate(tree_id))
                if chunk and (size >= _CHUNK_BYTES or self._is_large(wanted) or self._is_large(chunk[0])):
                    pending.put_back(len(taken) - number)
                    break
                chunk.append(wanted)
                size += wanted.location.plain_length
        return chunk

    def _ready(self, level: _Level, read: list[tuple[Wanted, list[Entry]]]) -> Iterator[Walked]:
        """Those below which all is known by now; the others wait."""
        for wanted, entries in read:
            if directory := self._finish(wanted.blob_id, entries):
                yield directory
            else:
                level.wait(wanted, entries)
        self._waiting_bytes += level.waiting_bytes
        while self._waiting_bytes > self._limits.waiting_bytes:
            # The outermost first: they are needed last.
            self._waiting_bytes -= self._levels[self._dropped_levels].drop_entries()
            self._dropped_levels += 1

    def _finished(self, level: _Level) -> Iterator[Walked]:
        """Those that waited, now that all below them is known; they are read again where they had to be dropped."""
        dropped = [wanted for wanted, entries in level.waiting if entries is None]
        kept = [(wanted, entries) for wanted, entries in level.waiting if entries is not None]
        self._waiting_bytes -= level.waiting_bytes
        self._dropped_levels = min(self._dropped_levels, len(self._levels) - 1)
        level.waiting, level.waiting_bytes = [], 0
        for wanted, entries in kept or _load(self._means, dropped):
            if wanted.blob_id not in self._totals and (directory := self._finish(wanted.blob_id, entries)):
                yield directory

    def _finish(self, tree_id: str, entries: list[Entry]) -> Directory | None:
        """The directory, unless something below it is not known yet."""
        subtrees = {entry.subtree for entry in entries if entry.subtree is not None}
        below = self._totals.of(subtrees)
        if len(below) < len(subtrees):
            return None
        totals = sum_of(entries, below)
        self._totals.take({tree_id: totals})
        return Directory(tree_id, entries, totals, below)

    def _is_large(self, wanted: Wanted) -> bool:
        return is_large(wanted.location, self._limits)

    def _scan_large(self, tree_id: str) -> _LargeLevel:
        """Read a large directory once, for its own totals and its children."""
        tree = LargeTree(tree_id, self._means.blobs.spill(tree_id, scratch=self._means.scratch), self._limits)
        large = _LargeLevel(tree, Totals(0, 0, 0), IdQueue(self._means.scratch))
        for children in tree.parts(Child):
            check_subtrees(tree_id, children)
            large.own = plus(large.own, [sum_of(children, {})])
            large.subtrees.add(binary_id(child.subtree) for child in children if child.subtree is not None)
        return large

    def _go_on(self, level: _Level, large: _LargeLevel) -> Iterator[Walked]:
        """Walk the next of a large directory's children; once there are none left, it is its own turn."""
        if batch := large.subtrees.take(self._limits.asked_together):
            self._descend(map(bytes.hex, batch))
            return
        large.subtrees.rewind()
        totals = large.own
        while batch := large.subtrees.take(self._limits.asked_together):
            below = self._totals.of(map(bytes.hex, batch))
            totals = plus(totals, [below[each.hex()] for each in batch])
        self._totals.take({large.tree.tree_id: totals})
        size = large.own.files + large.own.dirs
        yield LargeDirectory(large.tree.tree_id, size, totals, partial(large.tree.parts, Entry), self._below)
        level.large = None
        large.close()

    def _below(self, entries: Sequence[Entry]) -> Mapping[str, Totals]:
        return self._totals.of({entry.subtree for entry in entries if entry.subtree is not None})


def _load(means: WalkMeans, chunk: list[Wanted]) -> list[tuple[Wanted, list[Entry]]]:
    """The entries of each directory, in the order they lie in the packs."""
    # By pack and offset, so that neighbours are read together.
    in_place = sorted(chunk, key=lambda wanted: wanted.location[:2])
    together = list(runs(in_place, max_bytes=_RUN_BYTES, max_gap=_RUN_GAP))
    load = means.blobs.load_run
    # A single read is made here: handing it to another thread costs more than it saves.
    loaded = map(load, together) if len(together) == 1 else means.pool.map(load, together)
    return [
        (wanted, _entries(wanted.blob_id, content))
        for run, contents in zip(together, loaded, strict=True)
        for wanted, content in zip(run, contents, strict=True)
    ]


def _entries(tree_id: str, content: bytes) -> list[Entry]:
    try:
        entries = _listing.decode(content).nodes or []
    except UNDECODABLE as error:
        raise Damaged("tree", tree_id, why="it does not hold the document it should") from error
    check_subtrees(tree_id, entries)
    return entries
