"""What a selection of paths means in a restore point."""

from collections.abc import Sequence
from typing import NamedTuple

from chassis.paths import shown, split_path, without_prefix
from contracts.restore_index import RestorePoint

from connector.repository import Found, Node, Repository
from connector.repository.errors import NotADirectory, PathNotFound

_GO_DIRECTORY = 1 << 31


class Chosen(NamedTuple):
    """A node and the names that lead to it from the root of its restore point; none for the root itself."""

    names: tuple[bytes, ...]
    node: Node


def choose(repository: Repository, point: RestorePoint, paths: Sequence[bytes]) -> list[Chosen]:
    """What the paths mean, sorted; what lies in another part of the selection is left out, and nothing comes twice.

    Raises `path_invalid`, and `PathNotFound` for the first path that leads nowhere.
    """
    found = sorted((_find(repository, point, path) for path in dict.fromkeys(paths)), key=lambda chosen: chosen.names)
    kept: list[Chosen] = []
    for chosen in found:
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


def _common_parent(selection: Sequence[Chosen]) -> tuple[bytes, ...]:
    first, last = selection[0].names[:-1], selection[-1].names[:-1]
    depth = next((n for n, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))
    return first[:depth]


def _find(repository: Repository, point: RestorePoint, path: bytes) -> Chosen:
    """What is at a path; as for single files it may begin with the place where the files were on their source."""
    names = split_path(path)
    try:
        return _walk(repository, point.tree_id, names, path)
    except PathNotFound:
        rest = without_prefix(names, point.paths[0]) if point.paths else None
        if rest is None:
            raise
        return _walk(repository, point.tree_id, rest, path)


def _walk(repository: Repository, tree_id: str, names: Sequence[bytes], path: bytes) -> Chosen:
    node = Node(quoted_name="", type="dir", mode=_GO_DIRECTORY | 0o755, subtree=tree_id)
    walked: list[bytes] = []
    for name in names:
        if not node.subtree:
            raise PathNotFound(path)
        try:
            node = repository.resolve(node.subtree, b"/" + name, shown=True)
        except (PathNotFound, NotADirectory):
            raise PathNotFound(path) from None
        walked.append(node.name)
    return Chosen(tuple(walked), node)
