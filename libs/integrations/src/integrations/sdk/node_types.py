"""What restic calls what a restore point has, in words."""

from restic_reader import Node

_WORDS = {
    "file": "a file",
    "dir": "a directory",
    "symlink": "a symbolic link",
    "fifo": "a pipe",
    "dev": "a block device",
    "chardev": "a character device",
    "socket": "a socket",
}


def type_in_words(node: Node) -> str:
    """What a node is, as people say it."""
    return _WORDS.get(node.type, f"something of the type {node.type!r}")
