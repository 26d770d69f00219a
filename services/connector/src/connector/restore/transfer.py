"""Writes files of a restore point to a destination, then reads them back and compares them. Blocks."""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from threading import Lock

from contracts.paths import shown
from contracts.task_types.restore import OverwritePolicy
from integrations.sdk.errors import Cancelled
from integrations.sdk.locations import UnreadablePath
from integrations.sdk.ports.destination import NotWritten, OpenDestination, RestoredNode
from restic_reader import Found, Node, Repository
from restic_reader.errors import BlobMissing, Damaged, ReaderError

from connector.engine.port import OnProgress, Progress
from connector.engine.problems import Problems
from connector.restore.chosen_nodes import ChosenNode, ChosenNodes
from connector.restore.content_comparison import is_content
from connector.restore.overwrite import Decision, decide
from connector.restore.writers import Writers

SMALL_BYTES = 1 << 20
"""Files up to this size are read whole and written beside others; each writer has one in memory."""
_LOOKS_TOGETHER = 64
_LOST = (Damaged, BlobMissing)
_NOTHING, _WRITTEN, _UNCHANGED = range(3)


@dataclass
class Figures:
    """What a restore did."""

    files: int = 0
    bytes: int = 0
    written: int = 0
    written_bytes: int = 0
    unchanged: int = 0
    kept: int = 0
    verified: int = 0
    verified_bytes: int = 0


@dataclass
class _Counted:
    """What was counted of one file."""

    bytes: int = 0


@dataclass(frozen=True, kw_only=True)
class Transfer:
    """One restore, from a repository to a destination. Call `write`, then `verify`."""

    repository: Repository
    nodes: ChosenNodes
    destination: OpenDestination
    overwrite: OverwritePolicy
    problems: Problems
    is_cancelled: Callable[[], bool]
    on_progress: OnProgress
    figures: Figures = field(default_factory=Figures)
    _states: bytearray = field(default_factory=bytearray)
    """What became of each node, by its number: a byte, as there may be many millions."""
    _lock: Lock = field(default_factory=Lock)

    def plan(self) -> None:
        """Count what there is to write, for the progress. Raises `Cancelled` or `SelectionBroken`."""
        for chosen in self._walk():
            if chosen.found.node.type != "dir":
                self.figures.files += 1
                self.figures.bytes += chosen.found.node.size

    def write(self) -> None:
        """Write everything that the policy lets through; what cannot be read or written goes to the problems.

        Raises `Cancelled`, `SelectionBroken`, what is wrong with the whole destination, or that the store does not
        answer.
        """
        # One generator for all tries: what it gave already is not looked up at the destination again.
        wanted, writers = self._wanted(), Writers(self.destination.writers)
        try:
            self._write_all(wanted, writers)
            writers.settle()
            self.destination.finish()
            self._note_lacking()
        finally:
            writers.close()

    def measure(self) -> None:
        """Look whether the repository holds all that the files are made of, unread; faults are as in `write`."""
        for chosen in self._walk(tells_damage=True):
            if chosen.found.node.type == "file":
                try:
                    self.repository.blob_lengths(chosen.found.node)
                except _LOST as error:
                    self._note_lost(chosen.found.path, error)

    def verify(self) -> None:
        """Read back all files that were written, and those that were there with the same size and time."""
        writers = Writers(self.destination.writers)
        try:
            for chosen in self._walk():
                state = self._states[chosen.number] if chosen.number < len(self._states) else _NOTHING
                if state != _NOTHING and chosen.found.node.type == "file":
                    writers.do(partial(self._verify_file, chosen, is_new=state == _WRITTEN))
            writers.settle()
        finally:
            writers.close()

    def _write_all(self, wanted: Iterator[ChosenNode], writers: Writers) -> None:
        """Read in one go, as neighbours share their packs. Where a blob is lost, one by one until that file is met."""
        taken: deque[ChosenNode] = deque()
        again: deque[ChosenNode] = deque()
        is_done = False
        while not is_done:
            again.extendleft(reversed(taken))
            taken.clear()
            try:
                with closing(self.repository.read_all(_noted(again, wanted, taken))) as files:
                    for file in files:
                        self._write_node(taken[0], file.pieces, writers)
                        taken.popleft()
                is_done = True
            except _LOST:
                if not taken:
                    raise
                self._write_singly(taken, writers)

    def _write_singly(self, taken: deque[ChosenNode], writers: Writers) -> None:
        while taken:
            chosen = taken.popleft()
            node = chosen.found.node
            try:
                self._write_node(chosen, self.repository.read(node) if node.type == "file" else iter(()), writers)
            except _LOST as error:
                self._note_lost(chosen.found.path, error)
                return

    def _write_node(self, chosen: ChosenNode, pieces: Iterator[bytes], writers: Writers) -> None:
        self._check_cancelled()
        node = chosen.found.node
        if node.type == "dir":
            self._make_directory(chosen)
        elif writers.count > 1 and node.size <= SMALL_BYTES:
            # Another thread may not read the pieces: they end when the next file is asked for.
            content = b"".join(pieces)
            writers.do(partial(self._write_file, chosen, iter((content,) if content else ())))
        else:
            self._write_file(chosen, pieces)

    def _make_directory(self, chosen: ChosenNode) -> None:
        # A directory that only leads to the selection was not chosen, so what is there keeps its mode and owner.
        keeps = chosen.is_above or self.overwrite == "never"
        restored = RestoredNode(
            path=chosen.found.path, node=chosen.found.node, is_empty=self._is_empty(chosen.found.node)
        )
        try:
            self.destination.make_directory(restored, keep_attributes=keeps)
        except NotWritten as error:
            self._note(chosen.found.path, error.reason)
        self._note_lacking()

    def _write_file(self, chosen: ChosenNode, pieces: Iterator[bytes]) -> None:
        counted = _Counted()
        try:
            self.destination.write(_restored(chosen), self._watched(pieces, counted))
        except BaseException as error:
            # Nothing of it was written in the end; it may be read again, to the place where it breaks off.
            with self._lock:
                self.figures.written_bytes -= counted.bytes
            if not isinstance(error, NotWritten):
                raise
            self._note(chosen.found.path, error.reason)
            return
        self._set(chosen, _WRITTEN)
        with self._lock:
            self.figures.written += 1
        self._tell()

    def _verify_file(self, chosen: ChosenNode, *, is_new: bool) -> None:
        node, path = chosen.found.node, chosen.found.path
        try:
            pieces = self._compared(self.destination.read(_restored(chosen)))
            is_same = is_content(pieces, self.repository.blob_lengths(node))
        except NotWritten as error:
            self._note(path, f"cannot be read back: {error.reason}")
        except _LOST as error:
            self._note_lost(path, error)
        else:
            if is_same:
                with self._lock:
                    self.figures.verified += 1
            elif is_new:
                self._note(path, "what was written and read back is not what the restore point has")
            else:
                self._note(path, "was left as it is for its size and time, but its content is another")
        self._tell()

    def _wanted(self) -> Iterator[ChosenNode]:
        """The nodes that the policy lets through; looked up at the destination some at a time."""
        if self.overwrite == "always":
            yield from self._walk(tells_damage=True)
            return
        looks = Writers(self.destination.writers)
        try:
            walk = self._walk(tells_damage=True)
            while together := list(islice(walk, _LOOKS_TOGETHER)):
                decisions: dict[int, Decision] = {}
                for chosen in together:
                    if chosen.found.node.type != "dir":
                        looks.do(partial(self._look, chosen, decisions))
                looks.settle()
                yield from (each for each in together if decisions.get(each.number, "write") == "write")
        finally:
            looks.close()

    def _look(self, chosen: ChosenNode, decisions: dict[int, Decision]) -> None:
        try:
            existing = self.destination.existing(_restored(chosen))
        except NotWritten:
            return  # Writing names what is wrong.
        decision = decide(self.overwrite, chosen.found.node, existing)
        with self._lock:
            decisions[chosen.number] = decision
            self.figures.unchanged += decision == "unchanged"
            self.figures.kept += decision == "keep"
        if decision == "unchanged":
            self._set(chosen, _UNCHANGED)

    def _walk(self, *, tells_damage: bool = False) -> Iterator[ChosenNode]:
        for chosen in self.nodes.walk(self._note_lost if tells_damage else lambda *_: None):
            self._check_cancelled()
            yield chosen

    def _is_empty(self, node: Node) -> bool:
        try:
            return node.subtree is None or not any(self.repository.parts(node.subtree))
        except ReaderError:
            return False

    def _watched(self, pieces: Iterator[bytes], counted: "_Counted") -> Iterator[bytes]:
        for piece in pieces:
            self._check_cancelled()
            yield piece
            counted.bytes += len(piece)
            with self._lock:
                self.figures.written_bytes += len(piece)
            self._tell()

    def _compared(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            self._check_cancelled()
            yield piece
            with self._lock:
                self.figures.verified_bytes += len(piece)

    def _check_cancelled(self) -> None:
        if self.is_cancelled():
            raise Cancelled

    def _set(self, chosen: ChosenNode, state: int) -> None:
        with self._lock:
            if chosen.number >= len(self._states):
                self._states.extend(bytes(chosen.number + 1 - len(self._states)))
            self._states[chosen.number] = state

    def _note_lacking(self) -> None:
        for path, words in self.destination.lacking():
            self._note(path, words)

    def _note_lost(self, path: bytes, error: ReaderError) -> None:
        self._note(path, error.detail.rstrip("."), code=error.code)

    def _note(self, path: bytes, reason: str, *, code: str = "") -> None:
        with self._lock:
            self.problems.add(UnreadablePath(f"/{shown(path)}", reason, code))

    def _tell(self) -> None:
        figures = self.figures
        total = 2 * figures.bytes or 1  # Each byte is written and read back.
        self.on_progress(
            Progress(
                fraction=min(1.0, (figures.written_bytes + figures.verified_bytes) / total),
                files_done=figures.written + figures.unchanged + figures.kept,
                files_total=figures.files,
                bytes_done=figures.written_bytes,
                bytes_total=figures.bytes,
            )
        )


def _restored(chosen: ChosenNode) -> RestoredNode:
    return RestoredNode(path=chosen.found.path, node=chosen.found.node)


def _noted(again: deque[ChosenNode], wanted: Iterator[ChosenNode], taken: deque[ChosenNode]) -> Iterator[Found]:
    """What was taken before in vain, then what is wanted; noted as taken first: nothing read ahead gets lost."""
    while chosen := again.popleft() if again else next(wanted, None):
        taken.append(chosen)
        yield chosen.found
