"""Which names files can have: no path leads to any other, so a directory that holds one counts as damaged."""

from collections.abc import Sequence

from restic_reader.errors import Damaged

_NO_NAMES = frozenset({b"", b".", b".."})


def is_name(name: bytes) -> bool:
    """Whether a file can have it."""
    return name not in _NO_NAMES and b"/" not in name and b"\0" not in name


def check_names(tree_id: str, names: Sequence[bytes]) -> None:
    """Raises `Damaged` where one of these names in a directory is none that a file can have, or is there twice."""
    # All names in one text: a search in it is faster than one in each name, and every directory is checked.
    different, joined = set(names), b"\0".join(names)
    if names and (not _NO_NAMES.isdisjoint(different) or b"/" in joined or joined.count(b"\0") != len(names) - 1):
        raise nameless(tree_id)
    if len(different) != len(names):
        raise Damaged("tree", tree_id, why="it holds a name twice")


def nameless(tree_id: str) -> Damaged:
    """It holds what cannot be the name of a file."""
    return Damaged("tree", tree_id, why="it holds a name that no file can have")
