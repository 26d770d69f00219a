"""What is shown while something is fetched, built or started: steps and reporters, as plain lines or not at all."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol, TextIO

REMIND_SECONDS = 10.0


class Step(Protocol):
    """One piece of work that is under way."""

    def say(self, detail: str) -> None:
        """Show what is being done just now."""

    def remind(self, detail: str) -> None:
        """Show what takes unusually long."""

    def advance(self, done: int, total: int) -> None:
        """Show that `done` of `total` parts are finished."""


class Reporter(Protocol):
    """Shows steps while they run."""

    def step(self, title: str) -> AbstractContextManager[Step]:
        """Show `title` as running until the block ends."""


class PlainStep:
    """A step without a screen: its details stay unsaid, but for those that take long."""

    def __init__(self, title: str = "", stream: TextIO | None = None) -> None:
        self._title = title
        self._stream = stream

    def say(self, detail: str) -> None:
        """Say nothing: lines for every detail would bury the titles."""

    def remind(self, detail: str) -> None:
        """Print a line."""
        if self._stream:
            print(f"{self._title}: {detail}", file=self._stream, flush=True)

    def advance(self, done: int, total: int) -> None:
        """Say nothing, for the same reason."""


class Reminder:
    """Shows in a step what is waited for: at once, and again every ten seconds."""

    def __init__(self, step: Step, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._step = step
        self._clock = clock
        self._began = clock()
        self._next = self._began + REMIND_SECONDS
        self._shown = ""

    def waiting_for(self, names: Sequence[str]) -> None:
        """These are not ready yet."""
        detail, now = f"waiting for {', '.join(names)}", self._clock()
        if detail != self._shown:
            self._step.say(detail)
            self._shown = detail
        if now >= self._next:
            self._step.remind(f"{detail} ({now - self._began:.0f} s)")
            self._next = now + REMIND_SECONDS


class PlainReporter:
    """One line when a step starts and one when it ends."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """Print the title now and again with the time taken."""
        started = time.monotonic()
        print(f"{title} ...", file=self._stream, flush=True)
        yield PlainStep(title, self._stream)
        print(f"{title}: done in {time.monotonic() - started:.1f} s", file=self._stream, flush=True)


class SilentReporter:
    """Shows nothing."""

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:  # noqa: ARG002
        """Run the block."""
        yield PlainStep()
