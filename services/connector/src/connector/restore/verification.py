"""Reads back what a restore wrote, and compares it with the restore point. Blocks."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial

from contracts.task_types.restore import OverwritePolicy
from integrations.sdk.ports.destination import NotWritten, OpenDestination
from restic_reader import Repository

from connector.restore.chosen_nodes import ChosenNode
from connector.restore.content_comparison import is_blob, is_content
from connector.restore.outcomes import Outcomes
from connector.restore.writers import Writers
from connector.restore.writing import LOST


@dataclass(frozen=True, kw_only=True)
class Verification:
    """The reading half of a restore."""

    repository: Repository
    destination: OpenDestination
    outcomes: Outcomes
    overwrite: OverwritePolicy

    def verify_all(self, nodes: Iterable[ChosenNode]) -> None:
        """Compare the files that were written, and those that were there with the same size and time."""
        with Writers(self.destination.writers) as readers:
            for chosen in nodes if self.outcomes.begin_comparing() else ():
                state, node = self.outcomes.state_of(chosen), chosen.found.node
                if state in ("written", "unchanged") and node.type == "file":
                    verify = partial(self._verify, chosen, is_new=state == "written")
                    readers.do(verify, size_bytes=min(node.size, 1 << 20))
            readers.settle()
        self.outcomes.teller.tell_all()

    def _verify(self, chosen: ChosenNode, *, is_new: bool) -> None:
        path = chosen.found.path
        self.outcomes.check_cancelled()
        try:
            is_same = self._is_same(chosen)
        except NotWritten as error:
            if is_new or not self._leaves_others:
                self.outcomes.note(path, f"cannot be read back: {error.reason}")
            else:
                self.outcomes.left_another(chosen)
        except LOST as error:
            self.outcomes.note_lost(path, error)
        else:
            if is_same:
                self.outcomes.verified()
            elif is_new:
                self.outcomes.note(path, "what was written and read back is not what the restore point has")
            elif self._leaves_others:
                self.outcomes.left_another(chosen)
            else:
                self.outcomes.note(path, "was left as it is for its size and time, but its content is another")
        self.outcomes.teller.tell()

    @property
    def _leaves_others(self) -> bool:
        """Whether what is there should stay, whatever it is."""
        return self.overwrite == "never"

    def _is_same(self, chosen: ChosenNode) -> bool:
        node, pieces = chosen.found.node, self._compared(self.destination.read(chosen.restored))
        if node.content and len(node.content) == 1:
            return is_blob(pieces, node.content[0])
        return is_content(pieces, self.repository.blob_lengths(node))

    def _compared(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            self.outcomes.check_cancelled()
            yield piece
            self.outcomes.add_bytes(verified=len(piece))
            self.outcomes.teller.tell()
