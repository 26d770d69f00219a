"""How long a request may take: one deadline, set where it arrives and passed on to every process that is asked.

No process waits past it for a part that does not answer. Only while all parts answer may a request that needs longer
go on, up to `RequestLimits.longest`. An answer that has begun has no deadline any more; then its silence is bounded.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from contracts.envelope import Envelope
from contracts.messages.base import Message

HEADER = "cairn-remaining-ms"
LATE = "not_answered_in_time"
"""The code of a request that was cut off."""
READS = frozenset({"GET", "HEAD", "OPTIONS"})
_NEVER = float("inf")


@dataclass(frozen=True)
class RequestLimits:
    """How long requests may take, in seconds."""

    read: float = 8.5
    write: float = 11.0
    # Only while all parts of the process answer.
    longest: float = 30.0
    # What is left at the end for saying what became of the request, and for keeping its command.
    answer: float = 1.25
    # How long before its end a request's parts are looked at.
    look: float = 2.0


LIMITS = RequestLimits()


class Deadline:
    """The end of one request, in seconds of the loop's clock.

    `accepted` is its last command, which was carried out; `parts_done` counts those before it that changed something.
    `open_command` is one that went out, or may have, and of which nothing was heard. `was_cut` tells whether the
    request was cut off.
    """

    def __init__(self, seconds: float, limits: RequestLimits = LIMITS) -> None:
        self.accepted: Envelope[Message] | None = None
        self.parts_done = 0
        self.open_command: Envelope[Message] | None = None
        self._seconds = seconds
        self._limits = limits
        self._began = self._end = _NEVER
        self._was_cut = False
        self._cut: asyncio.Timeout | None = None
        self._waits: dict[asyncio.Timeout, float] = {}

    @property
    def end(self) -> float:
        """When the request is cut off."""
        return self._end

    @property
    def last_wait(self) -> float:
        """Until when others are waited for."""
        return self._end - self._limits.answer

    @property
    def was_cut(self) -> bool:
        """Whether the request was, or is just being, cut off."""
        return self._was_cut or (self._cut is not None and self._cut.expired())

    def begin(self) -> None:
        """Count from now on."""
        self._began = asyncio.get_running_loop().time()
        self._move(self._began + self._seconds)

    def extend(self) -> None:
        """Let the request go on: the parts that it waits for are alive."""
        self._move(self._began + self._limits.longest)

    def lift(self) -> None:
        """The answer has begun, or the request is over."""
        self._move(_NEVER)

    @asynccontextmanager
    async def cutting(self) -> AsyncIterator[None]:
        """Raise `TimeoutError` at the end, whatever is waited for then."""
        async with asyncio.timeout_at(_moment(self._end)) as cut:
            self._cut = cut
            try:
                yield
            finally:
                self._was_cut, self._cut = cut.expired(), None
                self.lift()

    @asynccontextmanager
    async def waiting(self, until: float) -> AsyncIterator[None]:
        """Raise `TimeoutError` at a moment, or at `last_wait` if that comes first."""
        async with asyncio.timeout_at(_moment(min(until, self.last_wait))) as wait:
            self._waits[wait] = until
            try:
                yield
            finally:
                del self._waits[wait]

    def _move(self, end: float) -> None:
        self._end = end
        if self._cut is not None and not self._cut.expired():
            self._cut.reschedule(_moment(end))
        for wait, until in self._waits.items():
            if not wait.expired():
                wait.reschedule(_moment(min(until, self.last_wait)))


def _moment(end: float) -> float | None:
    return None if end == _NEVER else end


_current: ContextVar[Deadline | None] = ContextVar("deadline", default=None)


def current_deadline() -> Deadline | None:
    """The deadline of the request that is being answered; None for work that nobody waits for."""
    return _current.get()


@contextmanager
def under(deadline: Deadline | None) -> Iterator[None]:
    """Have a deadline for the length of the block; None for work that goes on when its request is over."""
    token = _current.set(deadline)
    try:
        yield
    finally:
        _current.reset(token)


@asynccontextmanager
async def at_most(seconds: float) -> AsyncIterator[None]:
    """Raise `TimeoutError` after some seconds, sooner when the request's deadline is near."""
    until, deadline = asyncio.get_running_loop().time() + seconds, _current.get()
    async with deadline.waiting(until) if deadline is not None else asyncio.timeout_at(until):
        yield


def deadline_of(method: str, headers: Mapping[str, str], limits: RequestLimits = LIMITS) -> Deadline:
    """The deadline of a request, not begun. The caller may have less time left than the method gives."""
    seconds = limits.read if method in READS else limits.write
    left = headers.get(HEADER, "")
    if left.isascii() and left.isdigit() and len(left) < 10:
        seconds = min(seconds, int(left) / 1000)
    return Deadline(seconds, limits)


def deadline_headers() -> dict[str, str]:
    """The header that tells another process how much time is left; empty without a deadline."""
    deadline = _current.get()
    if deadline is None or deadline.end == _NEVER:
        return {}
    left = deadline.end - asyncio.get_running_loop().time()
    return {HEADER: str(max(round(left * 1000), 0))}
