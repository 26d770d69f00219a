"""All that lies below a directory, in the order in which a backup has put it into its packs."""

from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Executor, Future
from itertools import chain
from typing import NamedTuple

from restic_reader.node_checks import check_subtrees, subtree_of
from restic_reader.structs import Node
from restic_reader.valid_names import is_name, nameless

_TREES_AHEAD = 4

Parts = Callable[[str], Iterator[list[Node]]]
"""The nodes of a directory by its id, of a large one some at a time."""


class Found(NamedTuple):
    """A node and where it is: names joined by slashes, without one in front."""

    path: bytes
    node: Node


def descend(parts: Parts, top: Found, *, pool: Executor) -> Generator[Found, None, None]:
    """`top` and, when it is a directory, everything below it: depth first, a directory before what is in it.

    With an empty path `top` itself is left out. A few directories of each depth are read ahead; memory is bounded by
    one part of each directory on the way down. Raises as `parts` does, and `Damaged` for a name that no file can have,
    or a directory that does not tell what is in it.
    """
    if top.path:
        yield top
    levels: list[_Level] = []
    below = _below(top)
    try:
        if below:
            levels.append(_Level(below, parts(below), path=top.path, parts=parts, pool=pool))
        while levels:
            found = next(levels[-1], None)
            if found is None:
                levels.pop()
                continue
            yield found
            if below := _below(found):
                levels.append(_Level(below, levels[-1].next_tree(), path=found.path, parts=parts, pool=pool))
    finally:
        for level in levels:
            level.cancel()


class _Level(Iterator[Found]):
    """What is left of one directory, and its next subdirectories while they are being read."""

    def __init__(self, tree_id: str, left: Iterator[list[Node]], *, path: bytes, parts: Parts, pool: Executor) -> None:
        self._tree_id = tree_id
        self._left = left
        self._before = path + b"/" if path else b""
        self._read, self._pool = parts, pool
        self._nodes: Iterator[Node] = iter(())
        self._coming: Iterator[str] = iter(())
        self._reading: deque[Future[Iterator[list[Node]]]] = deque()

    def __next__(self) -> Found:
        while (node := next(self._nodes, None)) is None:
            part = next(self._left)
            self._nodes = iter(part)
            self._coming = iter([node.subtree for node in part if node.type == "dir" and node.subtree])
        name = node.name
        if not is_name(name):
            raise nameless(self._tree_id)
        if node.type == "dir":
            check_subtrees(self._tree_id, (node,))
        return Found(self._before + name, node)

    def next_tree(self) -> Iterator[list[Node]]:
        """The nodes of the subdirectory that was met last; those that follow are read meanwhile."""
        while len(self._reading) <= _TREES_AHEAD and (subtree := next(self._coming, None)):
            self._reading.append(self._pool.submit(_begun, self._read(subtree)))
        # The one that was met last: directories are asked for, and met, in the order of the nodes.
        return self._reading.popleft().result()

    def cancel(self) -> None:
        """Leave unread what nobody has begun to read."""
        for future in self._reading:
            future.cancel()


def _below(found: Found) -> str | None:
    return subtree_of(found.node) if found.node.type == "dir" else None


def _begun(parts: Iterator[list[Node]]) -> Iterator[list[Node]]:
    """The same parts, the first of them read."""
    # Asking for the first part is what reads the directory; the iterator alone would read nothing ahead.
    first = next(parts, None)
    return iter(()) if first is None else chain((first,), parts)
