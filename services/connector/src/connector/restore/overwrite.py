"""Whether a file of a restore point is written where something is already."""

import stat
from typing import Literal

from contracts.task_types.restore import OverwritePolicy
from integrations.sdk.ports.destination import ExistingFile
from restic_reader import Node

Decision = Literal["write", "unchanged", "keep"]


def decide(policy: OverwritePolicy, node: Node, existing: ExistingFile | None) -> Decision:
    """`unchanged`: what is there has the size and the time of what would be written, as a link its target, too; `keep`:
    it is another one.
    """
    if existing is None or policy == "always":
        return "write"
    is_alike = (existing.kind, existing.link_target) == (stat.S_IFMT(node.st_mode), node.link_target)
    if is_alike and (existing.size_bytes, existing.modified_ns) == (_size(node), node.mtime_ns):
        return "unchanged"
    if policy == "never" or (policy == "if_newer" and node.mtime_ns <= existing.modified_ns):
        return "keep"
    return "write"


def _size(node: Node) -> int | None:
    return node.size if node.type == "file" else None
