"""What a restore would change, told without writing anything. Blocks."""

import stat
from collections.abc import Callable
from dataclasses import dataclass

from contracts.paths import shown
from contracts.task_types.restore import LISTED_CHANGES, RestoreChange
from integrations.sdk.ports.destination import NotWritten

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
    unchanged: int = 0
    """Files that are there with the same size and time."""
    kept_files: int = 0
    kept_directories: int = 0
    changes: tuple[RestoreChange, ...] = ()

    @property
    def kept(self) -> int:
        """Files and directories that are there and would stay."""
        return self.unchanged + self.kept_files + self.kept_directories

    def look(self, transfer: Transfer) -> None:
        """Look at everything that was chosen; what could not be written goes to the problems of the transfer."""
        for each in transfer.looked_up():
            if reason := each.refused or self._refusal(transfer, each) or _obstacle(each):
                transfer.note(each.chosen.found.path, reason)
            else:
                self._take(each)
        self._end(are_given_attributes=transfer.overwrite != "never")

    def _refusal(self, transfer: Transfer, each: LookedUp) -> str:
        """Why the destination cannot keep it, where it would be written."""
        is_directory = each.chosen.found.node.type == "dir"
        stays = transfer.overwrite == "never" if is_directory else each.decision != "write"
        if stays and each.existing is not None:
            return ""
        try:
            transfer.destination.require_keepable(each.chosen.restored)
        except NotWritten as error:
            return error.reason
        return ""

    def _take(self, each: LookedUp) -> None:
        node = each.chosen.found.node
        if each.existing is None:
            self.created += 1
            self._list(RestoreChange(path=_path(each), change="created", bytes=node.size))
        elif node.type == "dir":
            self.kept_directories += 1
        elif each.decision != "write":
            self.unchanged += each.decision == "unchanged"
            self.kept_files += each.decision == "keep"
        else:
            self.replaced += 1
            self._list(RestoreChange(path=_path(each), change="replaced", bytes=node.size))

    def _list(self, change: RestoreChange) -> None:
        if len(self.changes) < LISTED_CHANGES:
            self.changes = (*self.changes, change)
        if self.created + self.replaced <= _LOGGED_CHANGES:
            self.on_line(f"Would be {change.change}: {change.path}")

    def _end(self, *, are_given_attributes: bool) -> None:
        more = self.created + self.replaced - _LOGGED_CHANGES
        if more > 0:
            self.on_line(f"{more} more would be created or replaced.")
        if self.unchanged and are_given_attributes:
            # Whether they differ is looked at when they are given.
            what = "owner, mode and extended attributes of the restore point where theirs differ"
            self.on_line(f"{self.unchanged} are there with the same size and time and would be given {what}.")


def _path(each: LookedUp) -> str:
    return keepable(f"/{shown(each.chosen.found.path)}")


def _obstacle(each: LookedUp) -> str:
    if each.existing is None:
        return ""
    is_directory = stat.S_ISDIR(each.existing.kind)
    if each.chosen.found.node.type == "dir":
        return "" if is_directory else _SOMETHING_ELSE
    return _A_DIRECTORY if is_directory and each.decision == "write" else ""
