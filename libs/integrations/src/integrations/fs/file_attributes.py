"""Owner, mode, times and extended attributes of what is restored, as far as this process may give them."""

import os
import stat
from collections.abc import Callable

from restic_reader import Node

_TAKES_OVER = stat.S_ISUID | stat.S_ISGID
_FOR_EVERYBODY = "user."


class Attributes:
    """Gives attributes of a restore point's nodes."""

    def __init__(self, *, is_root: bool) -> None:
        self._is_root = is_root

    def give(self, opened: int, node: Node) -> str:
        """All attributes of a file or a directory by its descriptor; what it must do without, in words, if anything."""
        mode = self._owned_mode(node, lambda: os.fchown(opened, node.uid, node.gid))
        lacking = self._extended(opened, node)
        # After the owner, whose change clears setuid, and the attributes, which a read-only mode would refuse.
        os.fchmod(opened, mode)
        os.utime(opened, ns=_times(node))
        return lacking

    def give_to_link(self, name: bytes, directory: int, node: Node) -> None:
        """The owner and the times of a link itself."""
        self._owned_mode(node, lambda: os.chown(name, node.uid, node.gid, dir_fd=directory, follow_symlinks=False))
        os.utime(name, ns=_times(node), dir_fd=directory, follow_symlinks=False)

    def give_to_special(self, opened: int, node: Node) -> str:
        """The attributes of a pipe or a device; an `O_PATH` descriptor takes them by its name in `/proc` only."""
        path = f"/proc/self/fd/{opened}"
        mode = self._owned_mode(node, lambda: os.chown(path, node.uid, node.gid))
        os.chmod(path, mode)  # noqa: PTH101 - there is no such call for a descriptor that is only a place.
        os.utime(path, ns=_times(node))
        return ""

    def _owned_mode(self, node: Node, own: Callable[[], None]) -> int:
        """Give the owner; the mode without the bits that lend rights, where that is somebody else."""
        mode = stat.S_IMODE(node.st_mode)
        if self._is_root:
            own()
            return mode
        return mode if (node.uid, node.gid) == (os.geteuid(), os.getegid()) else mode & ~_TAKES_OVER

    def _extended(self, opened: int, node: Node) -> str:
        lacking = []
        for each in node.extended_attributes or ():
            try:
                os.setxattr(opened, each.name, each.value or b"")
            except OSError as error:
                # Other namespaces are the system's, where ordinary users may not write.
                if self._is_root or each.name.startswith(_FOR_EVERYBODY):
                    lacking.append(f"{each.name}: {(error.strerror or '').lower()}")
        return f"restored without its extended attributes ({'; '.join(lacking)})" if lacking else ""


def _times(node: Node) -> tuple[int, int]:
    accessed = node.atime_ns
    return (node.mtime_ns if accessed is None else accessed, node.mtime_ns)
