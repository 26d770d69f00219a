"""Restores nodes of a restore point to a destination, by an overwrite policy, and compares them. Blocks."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property, partial

from contracts.task_types.restore import OverwritePolicy
from integrations.sdk.job_log import OnLog
from integrations.sdk.ports.destination import NotWritten, OpenDestination
from integrations.sdk.ports.shared_destination import SharedDestination
from restic_reader import Node, Repository, StoredPacks
from restic_reader.errors import ReaderError

from connector.engine.port import OnProgress
from connector.engine.problems import Problems
from connector.restore.chosen_nodes import ChosenNode, ChosenNodes
from connector.restore.figures import Figures
from connector.restore.looked_up_nodes import LookedUp, looked_up
from connector.restore.outcomes import OnPath, Outcomes
from connector.restore.shared_writing import Sent, SharedWriting
from connector.restore.verification import Verification
from connector.restore.writer_messages import Setup
from connector.restore.writer_processes import WriterProcesses
from connector.restore.writers import Writers
from connector.restore.writing import LOST, Writing
from connector.stores.open_stores import require_still_there

WORTH_FILES = 2_000
"""To start processes takes as long as to write some thousand small files."""
_EARLY_DIRECTORIES = 20_000
"""Of more, the first are made early: bounds what is kept of them."""


@dataclass(frozen=True, kw_only=True)
class Transfer:
    """One restore, from a repository to a destination. Call `plan`, `write`, then `verify`."""

    repository: Repository
    snapshot_id: str
    nodes: ChosenNodes
    destination: OpenDestination
    overwrite: OverwritePolicy
    problems: Problems
    is_cancelled: Callable[[], bool]
    on_progress: OnProgress
    on_path: OnPath = lambda *_: None
    on_log: OnLog = lambda *_: None
    figures: Figures = field(default_factory=Figures)
    processes: WriterProcesses[Sent] = field(default_factory=partial(WriterProcesses, 0))
    """Started where they are worth it, and closed by whoever made them, before the destination."""
    worth_files: int = WORTH_FILES
    _directories: list[bytes] = field(default_factory=list, init=False)

    def plan(self) -> None:
        """Count what there is to write, for the progress. Raises `Cancelled` or `SelectionBroken`.

        Starts the processes meanwhile, where it is worth while.
        """
        is_worth_it = False
        for chosen in self._walk():
            self._count(chosen.found.node)
            if chosen.found.node.type == "dir" and not chosen.is_above and len(self._directories) < _EARLY_DIRECTORIES:
                self._directories.append(chosen.found.path)
            if not is_worth_it and self.figures.files >= self.worth_files:
                is_worth_it = True
                self._start_processes()

    def _start_processes(self) -> None:
        if isinstance(self.destination, SharedDestination):
            keys, files = self.repository.keys, self.repository.local_files
            with suppress(OSError):  # Told once they are needed.
                self.processes.start(Setup(keys, files, self.destination.file_writer()))

    def _are_processes_ready(self) -> bool:
        is_ready = self.processes.are_ready()
        if not is_ready and self.figures.files >= self.worth_files and self.processes.count:
            self.on_log("warning", "No processes can be started that write files: the worker writes alone, slower.")
        return is_ready

    def write(self) -> None:
        """Write everything that the policy lets through; what cannot be read or written goes to the problems.

        Raises `Cancelled`, `SelectionBroken`, `PointDeleted`, what is wrong with the whole destination, or that the
        store does not answer.
        """
        writing = Writing(
            repository=self.repository,
            destination=self.destination,
            overwrite=self.overwrite,
            outcomes=self._outcomes,
            is_empty=self._is_empty,
        )
        if isinstance(self.destination, SharedDestination) and self._are_processes_ready():
            shared = SharedWriting(
                repository=self.repository,
                destination=self.destination,
                processes=self.processes,
                alone=writing,
                # Where directories stay as they are, one that a killed attempt made early would stay private.
                early=() if self.overwrite == "never" else self._directories,
            )
            shared.write_all(self._wanted())
            self.destination.finish()
            self._outcomes.note_lacking(self.destination)
            return
        with Writers(self.destination.writers) as writers:
            # One generator for all tries: what it gave already is not looked up at the destination again.
            writing.write_all(self._wanted(), writers)
            writers.settle()
            self.destination.finish()
            self._outcomes.note_lacking(self.destination)

    def measure(self, packs: StoredPacks) -> None:
        """Look whether the repository holds all that the files are made of, unread; faults are as in `write`.

        Counts what there is, too: it needs no plan.
        """
        for chosen in self._walk(tells_damage=True):
            self._count(chosen.found.node)
            if chosen.found.node.type == "file":
                try:
                    packs.require(chosen.found.node)
                except LOST as error:
                    self._outcomes.note_lost(chosen.found.path, error)

    def verify(self) -> None:
        """Read back all files that were written, and those that were there with the same size and time."""
        verification = Verification(
            repository=self.repository,
            destination=self.destination,
            outcomes=self._outcomes,
            overwrite=self.overwrite,
        )
        verification.verify_all(self._walk())

    def looked_up(self) -> Iterator[LookedUp]:
        """Everything that was chosen, directories too, with what is in its place; for a dry run."""
        nodes = (each for each in self._walk(tells_damage=True) if not each.is_above)
        yield from looked_up(nodes, self.destination, self.overwrite, is_empty=self._is_empty)

    def note(self, path: bytes, reason: str) -> None:
        """Take note of a problem with a path. From any thread."""
        self._outcomes.note(path, reason)

    def _count(self, node: Node) -> None:
        if node.type != "dir":
            self.figures.files += 1
            self.figures.bytes += node.size

    @cached_property
    def _outcomes(self) -> Outcomes:
        return Outcomes(
            figures=self.figures,
            problems=self.problems,
            is_cancelled=self.is_cancelled,
            on_progress=self.on_progress,
            on_path=self.on_path,
            require_still_there=partial(require_still_there, self.repository, self.snapshot_id),
        )

    def _wanted(self) -> Iterator[ChosenNode]:
        """The nodes that the policy lets through."""
        if self.overwrite == "always":
            yield from self._walk(tells_damage=True)
            return
        for each in looked_up(self._walk(tells_damage=True), self.destination, self.overwrite):
            lacking = self._give_attributes(each)
            if each.decision == "write" or lacking is None:
                # Where it could not even be looked at, writing names what is wrong.
                is_known = not each.refused and each.chosen.found.node.type != "dir"
                yield each.chosen._replace(is_there=each.existing is not None if is_known else None)
                continue
            self._outcomes.left(each.chosen, is_alike=each.decision == "unchanged")
            if lacking:
                self._outcomes.note(each.chosen.found.path, lacking)

    def _give_attributes(self, each: LookedUp) -> str | None:
        """Of a file that has its content already: what it must do without, in words; None where it must be written."""
        if each.decision != "unchanged" or self.overwrite == "never":
            return ""
        try:
            return "" if self.destination.give_attributes(each.chosen.restored) else None
        except NotWritten as error:
            return error.reason

    def _walk(self, *, tells_damage: bool = False) -> Iterator[ChosenNode]:
        for chosen in self.nodes.walk(self._outcomes.note_lost if tells_damage else lambda *_: None):
            self._outcomes.check_cancelled()
            # A long look at what is there, or a count, must not seem to be stuck.
            self._outcomes.teller.tell()
            yield chosen

    def _is_empty(self, node: Node) -> bool:
        try:
            return node.subtree is None or not any(self.repository.parts(node.subtree))
        except ReaderError:
            return False
