"""Which files of a restore point are other names of files that were met before."""

from restic_reader import Node

_Key = tuple[int, int, str, tuple[str, ...]]


class LinkedFiles:
    """Counts the names that are still to come of each file that has several."""

    def __init__(self) -> None:
        self._left: dict[_Key, int] = {}

    def is_known(self, node: Node) -> bool:
        """Whether a file was met under another name, and so may be there already when this one is written."""
        if node.links <= 1 or node.type != "file":
            return False
        key = (node.device_id, node.inode, node.mtime, node.content or ())
        left = self._left.pop(key, None)
        remaining = node.links - 1 if left is None else left - 1
        if remaining:
            self._left[key] = remaining
        return left is not None
