"""Whether a file of a restore point is written where something is already."""

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
    if existing.is_like(node):
        return "unchanged"
    if policy == "never" or (policy == "if_newer" and node.mtime_ns <= existing.modified_ns):
        return "keep"
    return "write"
