"""Nodes of a restore point with what the policy makes of them, by what the destination has in their places."""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from typing import NamedTuple

from contracts.task_types.restore import OverwritePolicy
from integrations.sdk.ports.destination import ExistingFile, NotWritten, OpenDestination, RestoredNode
from restic_reader import Node

from connector.restore.chosen_nodes import ChosenNode
from connector.restore.overwrite import Decision, decide
from connector.restore.writers import Writers

_LOOKS_TOGETHER = 64
IsEmpty = Callable[[Node], bool]


class LookedUp(NamedTuple):
    """A node and what becomes of it."""

    chosen: ChosenNode
    decision: Decision
    existing: ExistingFile | None = None
    """What is in its place; None for nothing, and for a directory."""
    refused: str = ""
    """Why it cannot be written at all, if so."""


def looked_up(
    nodes: Iterator[ChosenNode],
    destination: OpenDestination,
    overwrite: OverwritePolicy,
    *,
    is_empty: IsEmpty | None = None,
) -> Iterator[LookedUp]:
    """The same nodes in the same order, looked up at the destination some at a time.

    Directories are written, and looked up only with `is_empty`, which tells whether one has nothing in it.
    """
    with Writers(destination.writers) as looks:
        while together := list(islice(nodes, _LOOKS_TOGETHER)):
            found: dict[int, LookedUp] = {}
            for chosen in together:
                node = chosen.found.node
                empty = node.type == "dir" and is_empty is not None and is_empty(node)
                if node.type != "dir" or is_empty is not None:
                    restored = RestoredNode(path=chosen.found.path, node=node, is_empty=empty)
                    looks.do(partial(_look, chosen, restored, destination, overwrite, found=found), size_bytes=0)
            looks.settle()
            yield from (found.get(each.number) or LookedUp(each, "write") for each in together)


def _look(
    chosen: ChosenNode,
    restored: RestoredNode,
    destination: OpenDestination,
    overwrite: OverwritePolicy,
    *,
    found: dict[int, LookedUp],
) -> None:
    node = restored.node
    try:
        existing = destination.existing(restored)
    except NotWritten as error:
        # Writing names what is wrong.
        found[chosen.number] = LookedUp(chosen, "write", refused=error.reason)
        return
    found[chosen.number] = LookedUp(chosen, decide(overwrite, node, existing), existing)
