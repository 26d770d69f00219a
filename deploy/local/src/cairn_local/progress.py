"""What provisioning shows: bars on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol, TextIO


class Step(Protocol):
    """One piece of work that is under way."""

    def say(self, detail: str) -> None:
        """Show what is being done just now."""

    def advance(self, done: int, total: int) -> None:
        """Show that `done` of `total` parts are finished."""


class Reporter(Protocol):
    """Shows steps while they run."""

    def step(self, title: str) -> AbstractContextManager[Step]:
        """Show `title` as running until the block ends."""


class PlainStep:
    """A step without a screen: its details stay unsaid."""

    def say(self, detail: str) -> None:
        """Say nothing: lines for every detail would bury the titles."""

    def advance(self, done: int, total: int) -> None:
        """Say nothing, for the same reason."""


class PlainReporter:
    """One line when a step starts and one when it ends."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """Print the title now and again with the time taken."""
        started = time.monotonic()
        print(f"{title} ...", file=self._stream, flush=True)
        yield PlainStep()
        print(f"{title}: done in {time.monotonic() - started:.1f} s", file=self._stream, flush=True)


class SilentReporter:
    """Shows nothing."""

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:  # noqa: ARG002
        """Run the block."""
        yield PlainStep()


def open_reporter(stream: TextIO | None = None) -> Reporter:
    """Bars when `stream` (default: standard error) is a terminal, plain lines when it is not."""
    stream = stream or sys.stderr
    if not stream.isatty():
        return PlainReporter(stream)
    from cairn_local.progress_bars import BarReporter

    return BarReporter(stream)
