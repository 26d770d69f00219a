"""Directories by the ids of their trees, and what lies at a path: decoded once, and kept while there is room."""

from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from threading import Lock

import msgspec

from restic_reader.blobs import Blobs
from restic_reader.byte_cache import ByteCache
from restic_reader.errors import Damaged, NotADirectory, PathNotFound
from restic_reader.large_directories import LargeTree, is_large
from restic_reader.limits import Limits
from restic_reader.node_checks import subtree_of
from restic_reader.sealed_documents import UNDECODABLE
from restic_reader.structs import Node, Tree

_GO_DIRECTORY = 1 << 31
# Measured: what a directory takes once it is decoded, by its JSON, and what one node takes at most.
_DECODED_RATIO = 3
_NODE_BYTES = 2000
_CONTENT_ID_BYTES = 130
_LARGE_TREES_OPEN = 2

_tree = msgspec.json.Decoder(Tree)


class Directories:
    """The directories of one repository. Safe to use from any thread."""

    def __init__(self, blobs: Blobs, *, cache_bytes: int, scratch: Path | None, limits: Limits) -> None:
        self._blobs = blobs
        self._scratch = scratch
        self._limits = limits
        self._kept: ByteCache[list[Node]] = ByteCache(cache_bytes)
        self._large: OrderedDict[str, LargeTree] = OrderedDict()
        self._opening_large = Lock()

    def nodes(self, tree_id: str) -> list[Node]:
        """See `Repository.tree`."""
        nodes = self._kept.get(tree_id)
        if nodes is None:
            # Kept as nodes alone: with its JSON, which is not read again, a directory would take room twice.
            data = self._blobs.load(tree_id, keep=False)
            try:
                nodes = _tree.decode(data).nodes or []
            except UNDECODABLE as error:
                raise Damaged("tree", tree_id, why="it does not hold the document it should") from error
            self._kept.put(tree_id, nodes, size_bytes=_DECODED_RATIO * len(data))
        return nodes

    def parts(self, tree_id: str) -> Iterator[list[Node]]:
        """See `Repository.parts`."""
        if self._is_large(tree_id):
            yield from self._large_tree(tree_id).parts(Node)
        else:
            yield self.nodes(tree_id)

    def resolve(self, root: str, path: bytes, *, shown: bool) -> Node:
        """See `Repository.resolve`."""
        node = Node(quoted_name="", type="dir", mode=_GO_DIRECTORY | 0o755, subtree=root)
        walked = b""
        for name in filter(None, path.split(b"/")):
            if node.type != "dir":
                raise NotADirectory(walked, type_=node.type)
            child = self._child(subtree_of(node), name, shown=shown)
            if child is None:
                raise PathNotFound(path)
            node, walked = child, walked + b"/" + name
        return node

    def close(self) -> None:
        """Give the room of large directories back; one that is still being read keeps it until it was."""
        self._large.clear()

    def _child(self, tree_id: str, name: bytes, *, shown: bool) -> Node | None:
        if not self._is_large(tree_id):
            return _named(self.nodes(tree_id), name, shown=shown)
        # Found nodes are kept one by one: to find one, half of a large directory is decoded on the average.
        key = f"{tree_id}/{name.hex()}/{shown}"
        if found := self._kept.get(key):
            return found[0]
        node = self._large_tree(tree_id).find(name, shown=shown)
        if node is not None:
            self._kept.put(key, [node], size_bytes=_NODE_BYTES + _CONTENT_ID_BYTES * len(node.content or ()))
        return node

    def _is_large(self, tree_id: str) -> bool:
        return self._kept.get(tree_id) is None and is_large(self._blobs.locate(tree_id), self._limits)

    def _large_tree(self, tree_id: str) -> LargeTree:
        """One of the few that are kept at hand."""
        # Under the lock: two callers that open the same directory would copy its blob to the disk twice.
        with self._opening_large:
            tree = self._large.pop(tree_id, None)
            if tree is None:
                tree = LargeTree(tree_id, self._blobs.spill(tree_id, scratch=self._scratch), self._limits)
            self._large[tree_id] = tree
            # Each takes room on the disk. One that is still being read is closed when its reader lets go of it.
            while len(self._large) > _LARGE_TREES_OPEN:
                self._large.popitem(last=False)
        return tree


def _named(nodes: list[Node], name: bytes, *, shown: bool) -> Node | None:
    slot = bisect_left(nodes, name, key=lambda node: node.name)
    if slot < len(nodes) and nodes[slot].name == name:
        return nodes[slot]
    # Another program may have sorted the directory otherwise: then bisection misses what is there.
    exact = next((node for node in nodes if node.name == name), None)
    if exact is not None or not shown:
        return exact
    return next((node for node in nodes if node.shown_name.encode() == name), None)
