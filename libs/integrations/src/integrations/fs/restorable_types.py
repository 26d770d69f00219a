"""What a directory of this machine can be given back."""

from restic_reader import Node

from integrations.sdk.node_types import type_in_words
from integrations.sdk.ports.destination import NotWritten

_DEVICES = frozenset({"dev", "chardev"})
_TYPES = frozenset({"file", "dir", "symlink", "fifo"}) | _DEVICES
_CAP_MKNOD = 1 << 27
"""Source: linux/capability.h."""


def require_restorable(node: Node) -> None:
    """Raise `NotWritten` for what no file system can be given, or not by this process."""
    if node.type not in _TYPES:
        raise NotWritten(f"{type_in_words(node)} cannot be restored")
    # A character device without a number stands for a removed file of an overlay, and anybody may make it.
    is_whiteout = node.type == "chardev" and not node.device
    if node.type in _DEVICES and not is_whiteout and not _may_make_devices():
        raise NotWritten(f"{type_in_words(node)} can be made only where the worker runs as root with CAP_MKNOD")


def _may_make_devices() -> bool:
    with open("/proc/thread-self/status", encoding="ascii") as status:  # noqa: PTH123
        found = next((line.split()[1] for line in status if line.startswith("CapEff:")), "0")
    return bool(int(found, 16) & _CAP_MKNOD)
