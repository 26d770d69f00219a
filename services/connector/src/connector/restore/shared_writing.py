"""Writes the small files of a restore in several processes, and everything else in this one. Blocks."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

from integrations.sdk.errors import DestinationFull, DestinationRefused
from integrations.sdk.ports.destination import NotWritten
from integrations.sdk.ports.shared_destination import HeldPlace, Place, SharedDestination
from restic_reader import Asked, Node, Repository, SealedBlob

from connector.restore.chosen_nodes import ChosenNode
from connector.restore.writer_messages import Batch, FileToWrite, StoredBlob, Written
from connector.restore.writer_processes import WriterDied, WriterProcesses
from connector.restore.writers import Writers
from connector.restore.writing import Writing

_BYTES, _FILES = 4 << 20, 256
"""So much makes a batch, or so many files."""
_FILE_BYTES = 8 << 20
"""Larger files are written by this process, where Python does little for so much content."""
_WAIT_SECONDS = 0.2


class Sent(NamedTuple):
    """The files of a batch, and their places."""

    chosen: list[ChosenNode]
    held: list[HeldPlace]
    compares: bool


@dataclass(eq=False)
class _Gathered:
    """A batch while it is gathered."""

    chosen: list[ChosenNode] = field(default_factory=list)
    held: list[HeldPlace] = field(default_factory=list)
    files: list[FileToWrite] = field(default_factory=list)
    places: dict[Place, int] = field(default_factory=dict)
    bytes: int = 0

    def add(self, chosen: ChosenNode, blobs: list[SealedBlob], held: HeldPlace) -> None:
        node, directory = chosen.found.node, self.places.setdefault(held.place, len(self.places))
        stored = [StoredBlob(blob.wanted.location, blob.sealed) for blob in blobs]
        self.files.append(FileToWrite(directory, chosen.found.path.rpartition(b"/")[2], node, stored))
        self.chosen.append(chosen)
        self.held.append(held)
        self.bytes += node.size
        if node.extended_attributes:
            self.bytes += sum(len(each.value or b"") for each in node.extended_attributes)


@dataclass(kw_only=True)
class SharedWriting:
    """The writing half of a restore whose destination several processes can write to. Call `write_all` once."""

    repository: Repository
    destination: SharedDestination
    processes: WriterProcesses[Sent]
    alone: Writing
    """Writes what is left to this process."""
    early: Sequence[bytes]
    """Directories that may be made before anything is written in them."""
    _gathered: _Gathered = field(default_factory=_Gathered, init=False)
    _no_threads: Writers = field(default_factory=partial(Writers, 1), init=False)

    def write_all(self, wanted: Iterator[ChosenNode]) -> None:
        """Write everything; raises as `Writing.write_all` does, and `WriterDied`.

        What was written before it ended early counts as written.
        """
        is_read = self.repository.local_files is None
        try:
            with closing(self.repository.all_sealed(self._asked(wanted), is_read=is_read)) as read:
                for chosen, blobs in read:
                    self._write(chosen, blobs)
            self._send()
            while self.processes.has_work:
                self._collect(seconds=_WAIT_SECONDS)
        except BaseException:
            for sent, written in self.processes.stop():
                for chosen, became in zip(sent.chosen, written, strict=True):
                    self._note_done(chosen, became, is_compared=sent.compares)
            raise

    def _asked(self, wanted: Iterator[ChosenNode]) -> Iterator[Asked[ChosenNode]]:
        for chosen in wanted:
            node = chosen.found.node
            # What is left to this process is not read for others: nothing has this size.
            yield Asked(chosen, node.content or (), node.size) if _is_shared(node) else Asked(chosen, (), -1)

    def _write(self, chosen: ChosenNode, blobs: list[SealedBlob] | None) -> None:
        self.alone.outcomes.check_cancelled()
        if self.early and not chosen.is_above:
            # Those above are there by now.
            self.destination.prepare(self._unless_cancelled(self.early))
            self.early = ()
        if blobs is None:
            self.alone.write_one(chosen, self._no_threads)
            return
        try:
            held = self.destination.held(chosen.restored)
        except NotWritten as error:
            self.alone.outcomes.note(chosen.found.path, error.reason)
            return
        gathered = self._gathered
        gathered.add(chosen, blobs, held)
        directories = len(gathered.places)
        if gathered.bytes >= _BYTES or len(gathered.files) >= _FILES or directories >= self.processes.most_directories:
            self._send()

    def _unless_cancelled(self, paths: Sequence[bytes]) -> Iterator[bytes]:
        for path in paths:
            self.alone.outcomes.check_cancelled()
            yield path

    def _send(self) -> None:
        """Hand over what was gathered; waits while all processes have enough to do."""
        gathered, self._gathered = self._gathered, _Gathered()
        if not gathered.files:
            return
        self._collect(seconds=0)
        while not self.processes.has_room:
            self._collect(seconds=_WAIT_SECONDS)
        compares = self.alone.outcomes.compares_at_once
        batch = Batch([each.inherits for each in gathered.places], compares, gathered.files)
        descriptors = [each.descriptor for each in gathered.places]
        sent, check = Sent(gathered.chosen, gathered.held, compares), self.alone.outcomes.check_cancelled
        self.processes.write(batch, descriptors, belongs_to=sent, check=check)

    def _collect(self, *, seconds: float) -> None:
        """Take note of what has become of batches, once one is done or after so many seconds."""
        for sent, written in self.processes.ended(seconds=seconds):
            for chosen, held, became in zip(sent.chosen, sent.held, written, strict=True):
                if became.outcome == "unreadable":
                    # While its directory is held: it has not got its attributes yet.
                    self.alone.write_held(chosen, held.write)
                else:
                    held.release()
                    self._note(chosen, became, is_compared=sent.compares)
        self.alone.outcomes.check_cancelled()

    def _note(self, chosen: ChosenNode, became: Written, *, is_compared: bool) -> None:
        if became.outcome == "left":
            raise WriterDied  # Somebody else told it to end.
        if became.outcome == "destination_full":
            raise DestinationFull(became.reason)
        if became.outcome == "destination_refused":
            raise DestinationRefused(became.reason)
        self._note_done(chosen, became, is_compared=is_compared)

    def _note_done(self, chosen: ChosenNode, became: Written, *, is_compared: bool) -> None:
        outcomes = self.alone.outcomes
        if became.was_there or not became.is_sure:
            outcomes.replaced_something()
        if became.outcome == "written":
            size = chosen.found.node.size
            outcomes.wrote(chosen, was_there=became.was_there, size=size, is_compared=is_compared)
        elif became.outcome == "not_written":
            outcomes.note(chosen.found.path, became.reason)


def _is_shared(node: Node) -> bool:
    """Whether any process may write it: where a file may have other names, one has to know them all."""
    if node.type != "file" or node.size > _FILE_BYTES or node.may_have_other_names:
        return False
    # Other numbers cannot be told to a process.
    return not (node.inode | node.device_id | node.device) >> 64
