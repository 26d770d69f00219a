"""How far a restore is."""

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

from connector.engine.port import OnProgress, Progress

_TOLD_SECONDS = 0.25


@dataclass
class Figures:
    """What a restore did."""

    passes: int = 2
    """How often each byte counts for the progress: a restore writes it and reads it back."""
    files: int = 0
    bytes: int = 0
    created: int = 0
    """Files and directories that were not there."""
    replaced: int = 0
    written: int = 0
    written_bytes: int = 0
    linked_bytes: int = 0
    """Of files that were there under another name already."""
    unchanged: int = 0
    kept: int = 0
    kept_directories: int = 0
    verified: int = 0
    verified_bytes: int = 0

    @property
    def progress(self) -> Progress:
        """How far it is."""
        done = self.written_bytes + self.linked_bytes + self.verified_bytes
        return Progress(
            fraction=min(1.0, done / (self.passes * self.bytes or 1)),
            files_done=self.written + self.unchanged + self.kept,
            files_total=self.files,
            bytes_done=self.written_bytes,
            bytes_total=self.bytes,
        )


@dataclass
class Teller:
    """Tells of progress now and then: there may be thousands of files a second."""

    figures: Figures
    on_progress: OnProgress
    clock: Callable[[], float] = monotonic
    _next: float = 0.0

    def tell(self) -> None:
        """Tell it unless that was done just now. From any thread."""
        now = self.clock()
        if now < self._next:
            return
        self._next = now + _TOLD_SECONDS
        self.on_progress(self.figures.progress)

    def tell_all(self) -> None:
        """Tell it in any case."""
        self.on_progress(self.figures.progress)
