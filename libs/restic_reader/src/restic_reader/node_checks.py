"""Checks that nodes name what they hold: a directory its tree, a file its blobs. Neither may just be missing."""

from collections.abc import Sequence

from restic_reader.errors import Damaged, printable
from restic_reader.storage import is_storage_name
from restic_reader.structs import Child, Entry


def check_subtrees(tree_id: str, nodes: Sequence[Entry | Child]) -> None:
    """Raises `Damaged` where one of these nodes of a directory is a directory that does not tell what is in it."""
    for node in nodes:
        if node.type == "dir" and not is_storage_name(node.subtree or ""):
            why = f"it does not tell what is in its directory {printable(node.name)}"
            raise Damaged("tree", tree_id, why=why)


def subtree_of(node: Entry) -> str:
    """The tree of a directory. Raises `Damaged` where it does not tell of one."""
    if not is_storage_name(node.subtree or ""):
        raise Damaged("directory", printable(node.name), why="its entry does not tell what is in it")
    return node.subtree or ""


def content_of(node: Entry) -> tuple[str, ...]:
    """The blobs that a file is made of, in order. Raises `Damaged` where it has a size but tells of none."""
    if node.content is None and node.size:
        raise Damaged("file", printable(node.name), why="its entry does not tell where its content is")
    return node.content or ()
