"""What a restore would change, told without writing anything. Blocks."""

import stat
from collections.abc import Callable
from dataclasses import dataclass

from contracts.paths import shown
from contracts.task_types.restore import LISTED_CHANGES, RestoreChange

from connector.domain.texts import keepable
from connector.restore.looked_up_nodes import LookedUp
from connector.restore.transfer import Transfer

_LOGGED_CHANGES = 1000
_A_DIRECTORY, _SOMETHING_ELSE = "a directory is in its place", "something else is in the place of a directory"


@dataclass
class Preview:
    """Counts what would change; the first changes are kept, and more of them logged."""

    on_line: Callable[[str], None]
    created: int = 0
    replaced: int = 0
    kept: int = 0
    changes: tuple[RestoreChange, ...] = ()

    def look(self, transfer: Transfer) -> None:
        """Look at everything that was chosen; what could not be written goes to the problems of the transfer."""
        for each in transfer.looked_up():
            if reason := each.refused or _obstacle(each):
                transfer.note(each.chosen.found.path, reason)
            else:
                self._take(each)
        self._end()

    def _take(self, each: LookedUp) -> None:
        node = each.chosen.found.node
        if each.existing is None:
            self.created += 1
            self._list(RestoreChange(path=_path(each), change="created", bytes=node.size))
        elif node.type == "dir" or each.decision != "write":
            self.kept += 1
        else:
            self.replaced += 1
            self._list(RestoreChange(path=_path(each), change="replaced", bytes=node.size))

    def _list(self, change: RestoreChange) -> None:
        if len(self.changes) < LISTED_CHANGES:
            self.changes = (*self.changes, change)
        if self.created + self.replaced <= _LOGGED_CHANGES:
            self.on_line(f"Would be {change.change}: {change.path}")

    def _end(self) -> None:
        more = self.created + self.replaced - _LOGGED_CHANGES
        if more > 0:
            self.on_line(f"{more} more would be created or replaced.")


def _path(each: LookedUp) -> str:
    return keepable(f"/{shown(each.chosen.found.path)}")


def _obstacle(each: LookedUp) -> str:
    if each.existing is None:
        return ""
    is_directory = stat.S_ISDIR(each.existing.kind)
    if each.chosen.found.node.type == "dir":
        return "" if is_directory else _SOMETHING_ELSE
    return _A_DIRECTORY if is_directory and each.decision == "write" else ""
