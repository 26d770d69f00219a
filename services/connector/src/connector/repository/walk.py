"""Walking a tree for an index that has seen parts of it before."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor
from typing import NamedTuple

import msgspec

from connector.repository.blobs import Blobs, Wanted, runs
from connector.repository.errors import Damaged
from connector.repository.structs import Entry, Listing

_CHUNK_TREES = 512
_CHUNK_BYTES = 8 << 20
_KNOWN_BATCH = 4096
_RUN_BYTES = 2 << 20
_RUN_GAP = 128 << 10

_listing = msgspec.json.Decoder(Listing)


class Totals(NamedTuple):
    """What lies below a directory, at any depth: directories, everything else, and the bytes of its files."""

    files: int
    dirs: int
    bytes: int


class Directory(NamedTuple):
    """One directory, named by the hash of its content; entries in the order of the bytes of their names."""

    tree_id: str
    entries: list[Entry]
    totals: Totals


Known = Callable[[list[str]], Mapping[str, Totals]]


def walk_new(blobs: Blobs, root: str, *, known: Known, pool: Executor) -> Iterator[Directory]:
    """Every directory below `root` (and itself) that is not known: each once, children before their parents.

    `known` is asked which of up to 4,096 tree ids are known already and answers with their totals; what lies below a
    known directory is not read. Trees are read in chunks of up to 512 of one depth, so that neighbours in a
    pack share one read; memory is bounded by depth times the size of a chunk, plus the totals of each directory met.
    """
    totals = dict(known([root]))
    levels = [_Level([root])]
    while levels:
        level = levels[-1]
        yield from level.finished(totals)
        chunk = level.next_chunk(blobs, totals)
        if not chunk:
            levels.pop()
            continue
        level.loaded = _load(blobs, chunk, pool)
        below = _new_subtrees(level.loaded, totals)
        for start in range(0, len(below), _KNOWN_BATCH):
            totals.update(known(below[start : start + _KNOWN_BATCH]))
        if below:
            levels.append(_Level([tree for tree in below if tree not in totals]))


class _Level:
    """Directories of one depth: those still to be read, and those read whose children are being walked."""

    def __init__(self, pending: list[str]) -> None:
        self.pending = pending[::-1]
        self.loaded: list[tuple[str, list[Entry]]] = []

    def next_chunk(self, blobs: Blobs, done: Mapping[str, Totals]) -> list[Wanted]:
        chunk: list[Wanted] = []
        size = 0
        while self.pending and len(chunk) < _CHUNK_TREES and size < _CHUNK_BYTES:
            tree_id = self.pending.pop()
            if tree_id not in done:
                chunk.append(Wanted(tree_id, blobs.locate(tree_id)))
                size += chunk[-1].location.plain_length
        return chunk

    def finished(self, totals: dict[str, Totals]) -> Iterator[Directory]:
        loaded, self.loaded = self.loaded, []
        for tree_id, entries in loaded:
            if tree_id not in totals:
                totals[tree_id] = _sum(entries, totals)
                yield Directory(tree_id, entries, totals[tree_id])


def _load(blobs: Blobs, chunk: list[Wanted], pool: Executor) -> list[tuple[str, list[Entry]]]:
    """The entries of each directory, in the order they lie in the packs."""
    in_place = sorted(chunk, key=lambda wanted: wanted.location[:2])
    together = list(runs(in_place, max_bytes=_RUN_BYTES, max_gap=_RUN_GAP))
    loaded = map(blobs.load_run, together) if len(together) == 1 else pool.map(blobs.load_run, together)
    return [
        (wanted.blob_id, _entries(wanted.blob_id, content))
        for run, contents in zip(together, loaded, strict=True)
        for wanted, content in zip(run, contents, strict=True)
    ]


def _entries(tree_id: str, content: bytes) -> list[Entry]:
    try:
        return _listing.decode(content).nodes or []
    except msgspec.MsgspecError as error:
        raise Damaged("tree", tree_id, why="it does not hold the document it should") from error


def _new_subtrees(loaded: list[tuple[str, list[Entry]]], done: Mapping[str, Totals]) -> list[str]:
    """The subdirectories of these directories that were not met before, each once."""
    found = dict.fromkeys(entry.subtree for _, entries in loaded for entry in entries)
    return [tree_id for tree_id in found if tree_id is not None and tree_id not in done]


def _sum(entries: list[Entry], totals: Mapping[str, Totals]) -> Totals:
    below = [totals[entry.subtree] for entry in entries if entry.subtree is not None]
    dirs = sum(entry.type == "dir" for entry in entries)
    return Totals(
        files=len(entries) - dirs + sum(child.files for child in below),
        dirs=dirs + sum(child.dirs for child in below),
        bytes=sum(entry.size for entry in entries if entry.type == "file") + sum(child.bytes for child in below),
    )
