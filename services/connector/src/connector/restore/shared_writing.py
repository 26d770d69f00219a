"""Writes the small files of a restore in several processes, and everything else in this one. Blocks."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

from integrations.sdk.errors import DestinationFull, DestinationRefused
from integrations.sdk.ports.destination import NotWritten
from integrations.sdk.ports.shared_destination import Place, SharedDestination
from restic_reader import Node, Repository, SealedBlob

from connector.restore.chosen_nodes import ChosenNode
from connector.restore.writer_messages import DESCRIPTORS, Batch, FileToWrite, StoredBlob, Written
from connector.restore.writer_processes import WriterProcesses
from connector.restore.writers import Writers
from connector.restore.writing import Writing

_BYTES, _FILES = 4 << 20, 256
"""So much makes a batch, or so many files."""
_FILE_BYTES = 8 << 20
"""Larger files are written by this process, where Python does little for so much content."""
_WAIT_SECONDS = 0.2


class Sent(NamedTuple):
    """The files of a batch, and what ends the use of their directories."""

    chosen: list[ChosenNode]
    releases: list[Callable[[], None]]
    compares: bool


@dataclass(eq=False)
class _Gathered:
    """A batch while it is gathered."""

    chosen: list[ChosenNode] = field(default_factory=list)
    releases: list[Callable[[], None]] = field(default_factory=list)
    files: list[FileToWrite] = field(default_factory=list)
    places: dict[Place, int] = field(default_factory=dict)
    bytes: int = 0

    @property
    def is_full(self) -> bool:
        return self.bytes >= _BYTES or len(self.files) >= _FILES or len(self.places) >= DESCRIPTORS

    def add(self, chosen: ChosenNode, blobs: list[SealedBlob], place: Place, release: Callable[[], None]) -> None:
        directory = self.places.setdefault(place, len(self.places))
        name = chosen.found.path.rpartition(b"/")[2]
        stored = [StoredBlob(blob.wanted.location, blob.sealed) for blob in blobs]
        self.files.append(FileToWrite(directory, name, chosen.found.node, stored))
        self.chosen.append(chosen)
        self.releases.append(release)
        self.bytes += sum(blob.wanted.location.length for blob in blobs)


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
        """Write everything; raises as `Writing.write_all` does, and `WriterDied`."""
        is_read = self.repository.local_files is None
        with closing(self.repository.all_sealed(self._asked(wanted), is_read=is_read)) as read:
            for chosen, blobs in read:
                self._write(chosen, blobs)
        self._send()
        while self.processes.has_work:
            self._collect(seconds=_WAIT_SECONDS)

    def _asked(self, wanted: Iterator[ChosenNode]) -> Iterator[tuple[ChosenNode, Sequence[str]]]:
        for chosen in wanted:
            node = chosen.found.node
            yield chosen, (node.content or ()) if _is_shared(node) else ()

    def _write(self, chosen: ChosenNode, blobs: list[SealedBlob] | None) -> None:
        outcomes, node = self.alone.outcomes, chosen.found.node
        outcomes.check_cancelled()
        if self.early and not chosen.is_above:
            # Those above are there by now.
            self.destination.prepare(self.early)
            self.early = ()
        if not _is_shared(node) or blobs is None or not _is_as_large(node, blobs):
            self.alone.write_one(chosen, self._no_threads)
            return
        try:
            place, release = self.destination.held(chosen.restored)
        except NotWritten as error:
            outcomes.note(chosen.found.path, error.reason)
            return
        self._gathered.add(chosen, blobs, place, release)
        if self._gathered.is_full:
            self._send()

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
        self.processes.write(batch, descriptors, belongs_to=Sent(gathered.chosen, gathered.releases, compares))

    def _collect(self, *, seconds: float) -> None:
        """Take note of what has become of batches, once one is done or after so many seconds."""
        outcomes = self.alone.outcomes
        for sent, written in self.processes.ended(seconds=seconds):
            for release in sent.releases:
                release()
            for chosen, became in zip(sent.chosen, written, strict=True):
                self._note(chosen, became, is_compared=sent.compares)
        outcomes.teller.tell()
        outcomes.check_cancelled()

    def _note(self, chosen: ChosenNode, became: Written, *, is_compared: bool) -> None:
        outcomes = self.alone.outcomes
        if became.outcome == "written":
            outcomes.wrote(chosen, was_there=became.was_there, size=chosen.found.node.size, is_compared=is_compared)
        elif became.outcome == "not_written":
            outcomes.note(chosen.found.path, became.reason)
        elif became.outcome == "unreadable":
            self.alone.write_one(chosen, self._no_threads)
        elif became.outcome == "destination_full":
            raise DestinationFull(became.reason)
        elif became.outcome == "destination_refused":
            raise DestinationRefused(became.reason)


def _is_shared(node: Node) -> bool:
    """Whether any process may write it: where a file may have other names, one has to know them all."""
    return node.type == "file" and node.size <= _FILE_BYTES and not node.may_have_other_names


def _is_as_large(node: Node, blobs: Sequence[SealedBlob]) -> bool:
    """Whether its content has the size that it says, so that it fits into the memory of a process."""
    return node.size == sum(blob.wanted.location.plain_length for blob in blobs)
