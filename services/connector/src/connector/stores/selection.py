"""What a selection of paths means in a restore point."""

import contextlib
from collections import defaultdict
from collections.abc import Iterator, Sequence, Set
from itertools import chain
from typing import NamedTuple

from contracts.messages.restore_index import RestorePoint
from contracts.paths import shown, split_path, without_prefix
from restic_reader import Found, Node, Repository, subtree_of
from restic_reader.errors import PathNotFound

_GO_DIRECTORY = 1 << 31
_FEW = 8
Names = tuple[bytes, ...]


class Chosen(NamedTuple):
    """A node and the names that lead to it from the root of its restore point; none for the root itself."""

    names: Names
    node: Node


def choose(repository: Repository, point: RestorePoint, paths: Sequence[bytes]) -> list[Chosen]:
    """What the paths mean, sorted; what lies in another part of the selection is left out, and nothing comes twice.

    As for single files, a path may begin with the root of their source. Raises `path_invalid`,
    and `PathNotFound` for the first path that leads nowhere.
    """
    kept: list[Chosen] = []
    for chosen in sorted(_find(repository, point, paths), key=lambda chosen: chosen.names):
        if not kept or chosen.names[: len(kept[-1].names)] != kept[-1].names:
            kept.append(chosen)
    return kept


def tops_of(selection: Sequence[Chosen]) -> list[Found]:
    """The selection under its names in an archive: relative to the directory that all of it lies in."""
    depth = len(_common_parent(selection))
    return [Found(b"/".join(chosen.names[depth:]), chosen.node) for chosen in selection]


def archive_name(selection: Sequence[Chosen], snapshot_id: str) -> str:
    """What an archive is called: as the only thing in it, or as the directory that all of it lies in."""
    names = selection[0].names if len(selection) == 1 else _common_parent(selection)
    return shown(names[-1]) if names else f"restore-point-{snapshot_id[:8]}"


def _common_parent(selection: Sequence[Chosen]) -> Names:
    first, last = selection[0].names[:-1], selection[-1].names[:-1]
    depth = next((n for n, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))
    return first[:depth]


def _find(repository: Repository, point: RestorePoint, paths: Sequence[bytes]) -> list[Chosen]:
    asked = {path: tuple(split_path(path)) for path in dict.fromkeys(paths)}
    found = _reached(repository, point.tree_id, set(asked.values()))
    shorter = {path: _within_source(names, point) for path, names in asked.items() if names not in found}
    found |= _reached(repository, point.tree_id, {names for names in shorter.values() if names is not None})
    chosen = []
    for path, names in (asked | shorter).items():
        if names is None or names not in found:
            raise PathNotFound(path)
        chosen.append(found[names])
    return chosen


def _within_source(names: Sequence[bytes], point: RestorePoint) -> Names | None:
    rest = without_prefix(names, point.source_root)
    return None if rest is None else tuple(rest)


def _reached(repository: Repository, tree_id: str, wanted: Set[Names]) -> dict[Names, Chosen]:
    """Where names lead, for those that lead somewhere. Each directory on the way is looked through once."""
    root = Node(quoted_name="", type="dir", mode=_GO_DIRECTORY | 0o755, subtree=tree_id)
    level: dict[Names, Chosen] = {(): Chosen((), root)}
    reached, depth = dict(level), 0
    while level:
        below: dict[Names, Chosen] = {}
        for names, sought in _by_parent(wanted, depth).items():
            if above := level.get(names):
                for name, node in _children(repository, above.node, sought):
                    below[*names, name] = Chosen((*above.names, node.name), node)
        reached |= below
        level, depth = below, depth + 1
    return {names: reached[names] for names in wanted if names in reached}


def _by_parent(wanted: Set[Names], depth: int) -> dict[Names, set[bytes]]:
    sought: defaultdict[Names, set[bytes]] = defaultdict(set)
    for names in wanted:
        if len(names) > depth:
            sought[names[:depth]].add(names[depth])
    return sought


def _children(repository: Repository, node: Node, sought: Set[bytes]) -> Iterator[tuple[bytes, Node]]:
    """The nodes of a directory that are called so, or else appear so."""
    if node.type != "dir":
        return
    subtree = subtree_of(node)
    # A look-up by name stops early in a directory, but for many names one pass over it is cheaper.
    if len(sought) > _FEW:
        yield from _looked_through(repository.parts(subtree), sought)
        return
    for name in sought:
        with contextlib.suppress(PathNotFound):
            yield name, repository.resolve(subtree, b"/" + name, shown=True)


def _looked_through(parts: Iterator[list[Node]], sought: Set[bytes]) -> Iterator[tuple[bytes, Node]]:
    called: dict[bytes, Node] = {}
    appearing: dict[bytes, Node] = {}
    for node in chain.from_iterable(parts):
        name = node.name
        if name in sought:
            called[name] = node
        if "\\" in node.quoted_name and (looks := node.shown_name.encode()) in sought:
            appearing.setdefault(looks, node)
    # Two names may be shown alike, since bytes that are not UTF-8 are escaped: the one that is called so counts.
    yield from {**appearing, **called}.items()
