"""Writes nodes of a restore point to a destination. Blocks."""

from collections import deque
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial

from contracts.task_types.restore import OverwritePolicy
from integrations.sdk.ports.destination import NotWritten, OpenDestination, RestoredNode, Write
from msgspec.structs import replace
from restic_reader import Found, Node, Repository
from restic_reader.errors import BlobMissing, Damaged

from connector.restore.chosen_nodes import ChosenNode
from connector.restore.linked_files import LinkedFiles
from connector.restore.looked_up_nodes import IsEmpty
from connector.restore.outcomes import Outcomes
from connector.restore.writers import Writers

SMALL_BYTES = 1 << 20
"""Files up to this size are read whole and written beside others; each writer has a few MiB of them in memory."""
LOST = (Damaged, BlobMissing)
"""Errors that concern what is read, and not the whole repository."""


@dataclass
class _Counted:
    """What was counted of one file."""

    bytes: int = 0


@dataclass(frozen=True, kw_only=True)
class Writing:
    """The writing half of a restore. Call `write_all` once."""

    repository: Repository
    destination: OpenDestination
    overwrite: OverwritePolicy
    outcomes: Outcomes
    is_empty: IsEmpty
    _linked: LinkedFiles = field(default_factory=LinkedFiles)

    def write_all(self, wanted: Iterator[ChosenNode], writers: Writers) -> None:
        """Read in one go, as neighbours share their packs. Where a blob is lost, one by one until that file is met."""
        taken: deque[ChosenNode] = deque()
        again: deque[ChosenNode] = deque()
        is_done = False
        while not is_done:
            again.extendleft(reversed(taken))
            taken.clear()
            try:
                nodes = self._noted(again, wanted, taken)
                with closing(self.repository.read_all(nodes, is_measured=False)) as files:
                    for file in files:
                        self._write_node(taken[0], file.pieces, writers)
                        taken.popleft()
                is_done = True
            except LOST:
                if not taken:
                    raise
                self._write_singly(taken, writers)

    def write_one(self, chosen: ChosenNode, writers: Writers) -> None:
        """Read and write one by itself, in the order of the restore point; what is lost goes to the problems."""
        if self._linked.is_known(chosen.found.node):
            chosen = chosen._replace(is_linked=True)
        try:
            self._write_node(chosen, self._read(chosen.found.node), writers)
        except LOST as error:
            self.outcomes.note_lost(chosen.found.path, error)

    def write_held(self, chosen: ChosenNode, write: Write) -> None:
        """The same of a file for which its place is held."""
        try:
            self._write_file(chosen, self._read(chosen.found.node), write)
        except LOST as error:
            self.outcomes.note_lost(chosen.found.path, error)

    def _write_singly(self, taken: deque[ChosenNode], writers: Writers) -> None:
        while taken:
            chosen = taken.popleft()
            try:
                self._write_node(chosen, self._read(chosen.found.node), writers)
            except LOST as error:
                self.outcomes.note_lost(chosen.found.path, error)
                return

    def _noted(
        self, again: deque[ChosenNode], wanted: Iterator[ChosenNode], taken: deque[ChosenNode]
    ) -> Iterator[Found]:
        """What was taken before in vain, then what is wanted; noted as taken first: nothing read ahead gets lost."""
        while chosen := again.popleft() if again else next(wanted, None):
            node = chosen.found.node
            if self._linked.is_known(node):
                # Under its other name it was read already: once more only where the destination asks for it.
                taken.append(chosen._replace(is_linked=True))
                yield chosen.found._replace(node=replace(node, content=()))
            else:
                taken.append(chosen)
                yield chosen.found

    def _write_node(self, chosen: ChosenNode, pieces: Iterator[bytes], writers: Writers) -> None:
        self.outcomes.check_cancelled()
        node = chosen.found.node
        if node.type == "dir":
            self._make_directory(chosen)
        elif chosen.is_linked:
            self._write_file(chosen, self._read(node), partial(self.destination.write, chosen.restored))
        elif writers.count > 1 and node.size <= SMALL_BYTES and not node.may_have_other_names:
            # Another thread may not read the pieces: they end when the next file is asked for.
            self._write_beside(chosen, tuple(pieces), writers)
        else:
            # In this thread where other names may follow, which are to find it. What came before it comes first.
            writers.begin()
            self._write_file(chosen, pieces, partial(self.destination.write, chosen.restored))

    def _read(self, node: Node) -> Iterator[bytes]:
        """The content of a file, read when it is asked for."""
        if node.type == "file":
            yield from self.repository.read(node)

    def _make_directory(self, chosen: ChosenNode) -> None:
        # A directory that only leads to the selection was not chosen, so what is there keeps its mode and owner.
        keeps = chosen.is_above or self.overwrite == "never"
        restored = RestoredNode(
            path=chosen.found.path, node=chosen.found.node, is_empty=self.is_empty(chosen.found.node)
        )
        try:
            is_new = self.destination.make_directory(restored, keep_attributes=keeps)
            self.outcomes.made_directory(chosen, is_new=is_new)
        except NotWritten as error:
            self.outcomes.note(chosen.found.path, error.reason)
        self.outcomes.note_lacking(self.destination)

    def _write_beside(self, chosen: ChosenNode, content: tuple[bytes, ...], writers: Writers) -> None:
        try:
            write = self.destination.writing(chosen.restored)
        except NotWritten as error:
            self.outcomes.note(chosen.found.path, error.reason)
            return
        size = sum(map(len, content))
        writers.do(partial(self._write_small, chosen, write, content, size=size), size_bytes=size)

    def _write_small(self, chosen: ChosenNode, write: Write, content: tuple[bytes, ...], *, size: int) -> None:
        self.outcomes.check_cancelled()
        try:
            was_there = write(iter(content))
        except NotWritten as error:
            self._note(chosen, error)
            return
        self.outcomes.wrote(chosen, was_there=was_there, size=size)

    def _write_file(self, chosen: ChosenNode, pieces: Iterator[bytes], write: Write) -> None:
        counted = _Counted()
        try:
            was_there = write(self._watched(pieces, counted))
        except BaseException as error:
            # Nothing of it was written in the end; it may be read again, to the place where it breaks off.
            self.outcomes.add_bytes(written=-counted.bytes)
            if not isinstance(error, NotWritten):
                raise
            self._note(chosen, error)
            return
        unread = max(0, chosen.found.node.size - counted.bytes) if chosen.is_linked else 0
        self.outcomes.wrote(chosen, was_there=was_there, unread=unread)

    def _note(self, chosen: ChosenNode, error: NotWritten) -> None:
        if error.has_replaced:
            self.outcomes.replaced_something()
        self.outcomes.note(chosen.found.path, error.reason)

    def _watched(self, pieces: Iterator[bytes], counted: _Counted) -> Iterator[bytes]:
        for piece in pieces:
            self.outcomes.check_cancelled()
            yield piece
            counted.bytes += len(piece)
            self.outcomes.add_bytes(written=len(piece))
            self.outcomes.teller.tell()
