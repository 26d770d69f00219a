"""What became of the nodes of a restore, counted and told."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from threading import Lock
from typing import Literal

from contracts.paths import shown
from integrations.sdk.errors import Cancelled
from integrations.sdk.locations import UnreadablePath
from integrations.sdk.ports.destination import OpenDestination
from restic_reader.errors import ReaderError

from connector.engine.port import OnProgress
from connector.engine.problems import Problems
from connector.restore.chosen_nodes import ChosenNode
from connector.restore.figures import Figures, Teller

OnPath = Callable[[str, str], None]
"""Told what became of a path: `ok`, `error`, `kept` or `unchanged`. Any thread calls it."""
State = Literal["nothing", "written", "unchanged", "compared"]
_STATES: tuple[State, ...] = ("nothing", "written", "unchanged", "compared")
_WRITTEN, _COMPARED = _STATES.index("written"), _STATES.index("compared")


@dataclass(kw_only=True)
class Outcomes:
    """Keeps what became of each node. Call it from any thread."""

    figures: Figures
    problems: Problems
    is_cancelled: Callable[[], bool]
    on_progress: OnProgress
    on_path: OnPath
    require_still_there: Callable[[], None]
    """Called when something is lost, which is damage only as long as the restore point is there."""
    _lost: int = field(default=0, init=False)
    _states: bytearray = field(default_factory=bytearray)
    """What became of each node, by its number: a byte, as there may be many millions."""
    _uncompared: int = field(default=0, init=False)
    """How many files were written, or left as they are, and not compared."""
    _has_replaced: bool = field(default=False, init=False)
    _lock: Lock = field(default_factory=Lock)

    def check_cancelled(self) -> None:
        """Raise `Cancelled` where the restore should stop."""
        if self.is_cancelled():
            raise Cancelled

    def state_of(self, chosen: ChosenNode) -> State:
        """What became of a node; `nothing` as long as nothing did."""
        return _STATES[self._states[chosen.number]] if chosen.number < len(self._states) else "nothing"

    def made_directory(self, chosen: ChosenNode, *, is_new: bool) -> None:
        """A directory is there. One that only leads to what was chosen does not count."""
        with self._lock:
            self.figures.created += is_new and not chosen.is_above
            self.figures.kept_directories += not is_new and not chosen.is_above

    def wrote(
        self, chosen: ChosenNode, *, was_there: bool, size: int = 0, unread: int = 0, is_compared: bool = False
    ) -> None:
        """A file was written, maybe in the place of something.

        `size`: bytes not told before; `unread`: bytes that were there under another name; `is_compared`: it was read
        back before it got its name, and is what it should be.
        """
        with self._lock:
            self.figures.replaced += was_there
            self.figures.created += not was_there
            self._has_replaced |= was_there
            self.figures.written_bytes += size
            self.figures.written += 1
            self.figures.linked_bytes += unread
            if is_compared:
                self.figures.verified += 1
                self.figures.verified_bytes += size
            self._set(chosen, "compared" if is_compared else "written")
        self._tell_path(chosen, "ok")
        self.teller.tell()

    def left(self, chosen: ChosenNode, *, is_alike: bool) -> None:
        """What is in the place of a file stays: with the same size and time, or as another one."""
        with self._lock:
            self.figures.unchanged += is_alike
            self.figures.kept += not is_alike
            if is_alike:
                self._set(chosen, "unchanged")
        self._tell_path(chosen, "unchanged" if is_alike else "kept")

    def left_another(self, chosen: ChosenNode) -> None:
        """What stayed as a file with the same size and time turned out to be another one, which was to stay as well."""
        with self._lock:
            self.figures.unchanged -= 1
            self.figures.kept += 1
        self._tell_path(chosen, "kept")

    @property
    def compares_at_once(self) -> bool:
        """Whether it is worth while to compare a file before it gets its name.

        Once something was replaced, that may have been a file of this restore, where the destination takes two names
        for one. Then everything is compared when all is written.
        """
        return not self._has_replaced

    def replaced_something(self) -> None:
        """What was in the place of a path is gone, or may be."""
        self._has_replaced = True

    def begin_comparing(self) -> bool:
        """All is written; whether anything is left to be compared."""
        with self._lock:
            if not self.compares_at_once and self.figures.verified:
                self._uncompared += self.figures.verified
                self.figures.verified = self.figures.verified_bytes = 0
                self._states = self._states.replace(bytes([_COMPARED]), bytes([_WRITTEN]))
            return bool(self._uncompared)

    def add_bytes(self, *, written: int = 0, verified: int = 0) -> None:
        """So many bytes more were written, fewer where they are negative, or compared."""
        with self._lock:
            self.figures.written_bytes += written
            self.figures.verified_bytes += verified

    def verified(self) -> None:
        """A file was read back and is what it should be."""
        with self._lock:
            self.figures.verified += 1

    def note(self, path: bytes, reason: str, *, code: str = "") -> None:
        """Take note of a problem with a path."""
        with self._lock:
            self.problems.add(UnreadablePath(f"/{shown(path)}", reason, code))
        self.on_path(f"/{shown(path)}", "error")

    def note_lost(self, path: bytes, error: ReaderError) -> None:
        """Take note of what the repository has lost. Raises `PointDeleted`."""
        self._lost += 1
        if self._lost.bit_count() == 1:  # A look costs a listing: with the 1st, 2nd, 4th, 8th and so on it is worth it.
            self.require_still_there()
        self.note(path, error.detail.rstrip("."), code=error.code)

    def note_lacking(self, destination: OpenDestination) -> None:
        """Take note of what directories had to do without."""
        for path, words in destination.lacking():
            self.note(path, words)

    @cached_property
    def teller(self) -> Teller:
        """Tells of progress."""
        return Teller(self.figures, self.on_progress)

    def _set(self, chosen: ChosenNode, state: State) -> None:
        """Call it with the lock."""
        if chosen.number >= len(self._states):
            self._states.extend(bytes(chosen.number + 1 - len(self._states)))
        self._uncompared += state != "compared"
        self._states[chosen.number] = _STATES.index(state)

    def _tell_path(self, chosen: ChosenNode, status: str) -> None:
        self.on_path(f"/{shown(chosen.found.path)}", status)
