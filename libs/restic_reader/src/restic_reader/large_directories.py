"""Directories too large for memory, read in parts.

restic keeps a directory in one blob, whose JSON is one line without a table of contents: of five million files it has
some 1.7 GB. It is cut where one node ends and the next begins, and what lies between two cuts is decoded.
"""

import re
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterator
from operator import attrgetter
from typing import Any, TypeVar

import msgspec

from restic_reader.errors import Damaged
from restic_reader.index import Location
from restic_reader.limits import Limits
from restic_reader.sealed_documents import UNDECODABLE
from restic_reader.spill_file import SpilledBlob
from restic_reader.structs import Child, Entry, Name, Node

N = TypeVar("N", Name, Child, Entry, Node)
Decode = Callable[[bytes], list[Any]]
_NEAR_BYTES = 16 << 10
_TRIES = 8
_NODES = b'{"nodes":['
_HEAD = re.compile(rb'\s*\{\s*"nodes"\s*:\s*\[')
_NODE_ENDS = re.compile(rb'\}\s*,\s*(?=\{\s*"name"\s*:\s*"(?:[^"\\]|\\.)*"\s*,\s*"type"\s*:)')
_OBJECT_ENDS = re.compile(rb"\}\s*,\s*(?=\{)")
_name = attrgetter("name")


def is_large(location: Location, limits: Limits) -> bool:
    """Whether the directory that lies there is not to be loaded whole."""
    return location.plain_length > limits.large_directory_bytes


class LargeTree:
    """A directory, verified, to be read as often as needed; `close` gives its disk space back at once."""

    def __init__(self, tree_id: str, blob: SpilledBlob, limits: Limits) -> None:
        self.tree_id = tree_id
        self._limits = limits
        self.close = blob.close
        self._blob = blob

    def parts(self, kind: type[N]) -> Iterator[list[N]]:
        """The nodes in the order of the bytes of their names, as `kind`, some thousand at a time.

        Raises `Damaged` where it does not hold what a directory should, or not in that order: what is sorted here has
        to be sorted in memory.
        """
        for part, _ in self._parts(kind):
            yield part

    def find(self, name: bytes, *, shown: bool) -> Node | None:
        """The node with a name; with `shown`, else the first that is not UTF-8 and appears so."""
        appearing, is_shown = None, shown and b"\\x" in name
        for names, text in self._parts(Name):
            slot = bisect_left(names, name, key=_name)
            is_passed = slot < len(names)
            if is_passed and names[slot].name == name:
                return _node(text, slot)
            if is_shown:
                # Only if no part has the very name: so all of them are searched, whatever was found so far.
                appearing = appearing or _first_appearing_as(name, names, text)
            # The names are sorted, so no later part has it.
            elif is_passed:
                return None
        return appearing

    def _parts(self, kind: type[N]) -> Iterator[tuple[list[N], bytes]]:
        last = None
        for nodes, text in self._split(_decoders[kind].decode):
            names = [node.name for node in nodes]
            if any(names[i] >= names[i + 1] for i in range(len(names) - 1)) or (last is not None and last >= names[0]):
                raise Damaged("tree", self.tree_id, why="it is too large to be sorted, and its entries are not")
            last = names[-1]
            yield nodes, text

    def _split(self, decode: Decode) -> Iterator[tuple[list[Any], bytes]]:
        """The nodes in parts that are not empty, each with its text, a JSON array. Raises `Damaged`."""
        read, part_bytes = self._blob.open().read, self._limits.directory_part_bytes
        text = read(part_bytes)
        head = _HEAD.match(text)
        if head is None:
            raise _damaged(self.tree_id)
        text = text[head.end() :]
        # As much again as is left, so that a node of many parts is not tried once for each of them.
        while more := read(max(part_bytes, len(text))):
            text += more
            found = _cut(text, decode)
            if found is not None:
                nodes, part, text = found
                yield nodes, part
            elif len(text) > self._limits.node_bytes:
                raise _damaged(self.tree_id)
        yield from _rest(text, decode, self.tree_id)


def _cut(text: bytes, decode: Decode) -> tuple[list[Any], bytes, bytes] | None:
    """The nodes up to the last place where a cut is right, their text, and the text that follows."""
    for end, begin in _places(text):
        part = b"[" + text[:end] + b"]"
        try:
            # Only decoding tells whether a cut is right: a list that ends in the middle of a node is no list.
            return decode(part), part, text[begin:]
        except UNDECODABLE:
            continue
    return None


def _places(text: bytes) -> Iterator[tuple[int, int]]:
    """Where a node may end and the next begin, the likeliest first."""
    # Two attributes of a node are parted by the same signs as two nodes, so the pattern with a node's fields is first.
    near = max(0, len(text) - _NEAR_BYTES)
    for pattern, start in ((_NODE_ENDS, near), (_NODE_ENDS, 0), (_OBJECT_ENDS, 0)):
        found = ((match.start() + 1, match.end()) for match in pattern.finditer(text, start))
        yield from reversed(deque(found, maxlen=_TRIES))


def _rest(text: bytes, decode: Decode, tree_id: str) -> Iterator[tuple[list[Any], bytes]]:
    try:
        part = bytes(_raw.decode(_NODES + text).nodes)
        nodes = decode(part)
    except UNDECODABLE as error:
        raise _damaged(tree_id) from error
    if nodes:
        yield nodes, part


class _Raw(msgspec.Struct):
    nodes: msgspec.Raw


_raw = msgspec.json.Decoder(_Raw)


_decoders: dict[type[Name], msgspec.json.Decoder[Any]] = {
    Name: msgspec.json.Decoder(list[Name]),
    Child: msgspec.json.Decoder(list[Child]),
    Entry: msgspec.json.Decoder(list[Entry]),
    Node: msgspec.json.Decoder(list[Node]),
}


def _node(text: bytes, place: int) -> Node:
    found: Node = _decoders[Node].decode(text)[place]
    return found


def _first_appearing_as(name: bytes, names: list[Name], text: bytes) -> Node | None:
    # The quoted name is at hand without decoding, and most names have no such escape in it.
    alike = (at for at, each in enumerate(names) if "\\x" in each.quoted_name and each.shown_name.encode() == name)
    place = next(alike, None)
    return None if place is None else _node(text, place)


def _damaged(tree_id: str) -> Damaged:
    return Damaged("tree", tree_id, why="it does not hold the document it should")
