"""Writes files of a restore point to a destination, then reads them back and compares them. Blocks."""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from functools import cached_property, partial
from threading import Lock

from contracts.paths import shown
from contracts.task_types.restore import OverwritePolicy
from integrations.sdk.errors import Cancelled
from integrations.sdk.locations import UnreadablePath
from integrations.sdk.ports.destination import NotWritten, OpenDestination, RestoredNode, Write
from msgspec.structs import replace
from restic_reader import Found, Node, Repository
from restic_reader.errors import BlobMissing, Damaged, ReaderError

from connector.engine.port import OnProgress
from connector.engine.problems import Problems
from connector.restore.chosen_nodes import ChosenNode, ChosenNodes
from connector.restore.content_comparison import is_blob, is_content
from connector.restore.figures import Figures, Teller
from connector.restore.linked_files import LinkedFiles
from connector.restore.looked_up_nodes import LookedUp, looked_up
from connector.restore.writers import Writers

SMALL_BYTES = 1 << 20
"""Files up to this size are read whole and written beside others; each writer has a few MiB of them in memory."""
_LOST = (Damaged, BlobMissing)
_NOTHING, _WRITTEN, _UNCHANGED = range(3)
OnPath = Callable[[str, str], None]
"""Told what became of a path: `ok`, `error`, `kept` or `unchanged`. Any thread calls it."""


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
    on_path: OnPath = lambda *_: None
    figures: Figures = field(default_factory=Figures)
    _states: bytearray = field(default_factory=bytearray)
    """What became of each node, by its number: a byte, as there may be many millions."""
    _lock: Lock = field(default_factory=Lock)
    _linked: LinkedFiles = field(default_factory=LinkedFiles)

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
        with Writers(self.destination.writers) as writers:
            # One generator for all tries: what it gave already is not looked up at the destination again.
            self._write_all(self._wanted(), writers)
            writers.settle()
            self.destination.finish()
            self._note_lacking()

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
        with Writers(self.destination.writers) as readers:
            for chosen in self._walk():
                state = self._states[chosen.number] if chosen.number < len(self._states) else _NOTHING
                node = chosen.found.node
                if state != _NOTHING and node.type == "file":
                    readers.do(
                        partial(self._verify_file, chosen, is_new=state == _WRITTEN), size_bytes=min(node.size, 1 << 20)
                    )
            readers.settle()
        self._teller.tell_all()

    def looked_up(self) -> Iterator[LookedUp]:
        """Everything that was chosen, directories too, with what is in its place; for a dry run."""
        nodes = (each for each in self._walk(tells_damage=True) if not each.is_above)
        yield from looked_up(nodes, self.destination, self.overwrite, is_empty=self._is_empty)

    def note(self, path: bytes, reason: str, *, code: str = "") -> None:
        """Take note of a problem with a path. From any thread."""
        with self._lock:
            self.problems.add(UnreadablePath(f"/{shown(path)}", reason, code))
        self.on_path(f"/{shown(path)}", "error")

    @cached_property
    def _teller(self) -> Teller:
        return Teller(self.figures, self.on_progress)

    def _write_all(self, wanted: Iterator[ChosenNode], writers: Writers) -> None:
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
            except _LOST:
                if not taken:
                    raise
                self._write_singly(taken, writers)

    def _write_singly(self, taken: deque[ChosenNode], writers: Writers) -> None:
        while taken:
            chosen = taken.popleft()
            try:
                self._write_node(chosen, self._read(chosen.found.node), writers)
            except _LOST as error:
                self._note_lost(chosen.found.path, error)
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
        self._check_cancelled()
        node = chosen.found.node
        if node.type == "dir":
            self._make_directory(chosen)
        elif chosen.is_linked:
            self._write_file(chosen, self._read(node))
        elif writers.count > 1 and node.size <= SMALL_BYTES and node.links <= 1:
            # Another thread may not read the pieces: they end when the next file is asked for.
            self._write_beside(chosen, tuple(pieces), writers)
        else:
            # In this thread where other names may follow, which are to find it. What came before it comes first.
            writers.begin()
            self._write_file(chosen, pieces)

    def _read(self, node: Node) -> Iterator[bytes]:
        """The content of a file, read when it is asked for."""
        if node.type == "file":
            yield from self.repository.read(node)

    def _make_directory(self, chosen: ChosenNode) -> None:
        # A directory that only leads to the selection was not chosen, so what is there keeps its mode and owner.
        keeps = chosen.is_above or self.overwrite == "never"
        restored = RestoredNode(
            path=chosen.found.path, node=chosen.found.node, is_empty=self._is_empty(chosen.found.node)
        )
        try:
            self.destination.make_directory(restored, keep_attributes=keeps)
        except NotWritten as error:
            self.note(chosen.found.path, error.reason)
        self._note_lacking()

    def _write_beside(self, chosen: ChosenNode, content: tuple[bytes, ...], writers: Writers) -> None:
        try:
            write = self.destination.writing(_restored(chosen))
        except NotWritten as error:
            self.note(chosen.found.path, error.reason)
            return
        size = sum(map(len, content))
        writers.do(partial(self._write_small, chosen, write, content, size=size), size_bytes=size)

    def _write_small(self, chosen: ChosenNode, write: Write, content: tuple[bytes, ...], *, size: int) -> None:
        self._check_cancelled()
        try:
            write(iter(content))
        except NotWritten as error:
            self.note(chosen.found.path, error.reason)
            return
        with self._lock:
            self.figures.written_bytes += size
            self.figures.written += 1
            self._set(chosen, _WRITTEN)
        self._tell_path(chosen, "ok")
        self._teller.tell()

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
            self.note(chosen.found.path, error.reason)
            return
        with self._lock:
            self.figures.written += 1
            self.figures.linked_bytes += max(0, chosen.found.node.size - counted.bytes) if chosen.is_linked else 0
            self._set(chosen, _WRITTEN)
        self._tell_path(chosen, "ok")
        self._teller.tell()

    def _verify_file(self, chosen: ChosenNode, *, is_new: bool) -> None:
        node, path = chosen.found.node, chosen.found.path
        self._check_cancelled()
        try:
            pieces = self._compared(self.destination.read(_restored(chosen)))
            if node.content and len(node.content) == 1:
                is_same = is_blob(pieces, node.content[0])
            else:
                is_same = is_content(pieces, self.repository.blob_lengths(node))
        except NotWritten as error:
            self.note(path, f"cannot be read back: {error.reason}")
        except _LOST as error:
            self._note_lost(path, error)
        else:
            if is_same:
                with self._lock:
                    self.figures.verified += 1
            elif is_new:
                self.note(path, "what was written and read back is not what the restore point has")
            else:
                self.note(path, "was left as it is for its size and time, but its content is another")
        self._teller.tell()

    def _wanted(self) -> Iterator[ChosenNode]:
        """The nodes that the policy lets through."""
        if self.overwrite == "always":
            yield from self._walk(tells_damage=True)
            return
        for each in looked_up(self._walk(tells_damage=True), self.destination, self.overwrite):
            self._count(each)
            if each.decision == "write":
                yield each.chosen

    def _count(self, each: LookedUp) -> None:
        with self._lock:
            self.figures.unchanged += each.decision == "unchanged"
            self.figures.kept += each.decision == "keep"
            if each.decision == "unchanged":
                self._set(each.chosen, _UNCHANGED)
        if each.decision != "write":
            self._tell_path(each.chosen, "kept" if each.decision == "keep" else "unchanged")

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
            self._teller.tell()

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
        """Call it with the lock."""
        if chosen.number >= len(self._states):
            self._states.extend(bytes(chosen.number + 1 - len(self._states)))
        self._states[chosen.number] = state

    def _note_lacking(self) -> None:
        for path, words in self.destination.lacking():
            self.note(path, words)

    def _note_lost(self, path: bytes, error: ReaderError) -> None:
        self.note(path, error.detail.rstrip("."), code=error.code)

    def _tell_path(self, chosen: ChosenNode, status: str) -> None:
        self.on_path(f"/{shown(chosen.found.path)}", status)


def _restored(chosen: ChosenNode) -> RestoredNode:
    return RestoredNode(path=chosen.found.path, node=chosen.found.node)
