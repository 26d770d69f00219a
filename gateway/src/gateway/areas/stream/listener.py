"""One listener: where it is, what it wants to hear, and the pieces of its answer."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing
from dataclasses import dataclass, field

from contracts.errors import CairnError

from gateway.areas.stream.channel import Channel, Entry, Happening, Overrun
from gateway.areas.stream.events import notice
from gateway.areas.stream.feed import Feed
from gateway.areas.stream.positions import EventIds, Positions
from gateway.areas.stream.steps import in_steps

RETRY_MS = 2000
TOO_SLOW = "This client reads too slowly. Connect again with the id of the last event that was read."
STOPPING = "This process stops. Connect again with the id of the last event that was read."
Past = Callable[[Channel, Positions], AsyncGenerator[Happening | None, None]]
"""One event after the other of those that the channel has no more; moves the positions before each."""


@dataclass(frozen=True)
class Wanted:
    """What a listener chose to hear; nothing chosen: everything."""

    kinds: frozenset[str] = frozenset()
    ids: frozenset[str] = frozenset()

    def admits(self, happening: Happening) -> bool:
        """Whether an event is of a kind that is wanted, and about one of the things. Notices are for everybody."""
        if happening.kind in ("gap", "end"):
            return True
        if self.kinds and happening.kind not in self.kinds:
            return False
        return not self.ids or not self.ids.isdisjoint(happening.about)


@dataclass(frozen=True)
class Rhythm:
    """How often a listener hears that the stream lives, and how often its rights are looked at; in seconds.

    `look`: how long whoever waits for earlier events does not see anything else, such as the end of the process.
    """

    heartbeat: float = 15.0
    rights: float = 10.0
    look: float = 0.5


class Ended(Exception):
    """The stream ends, and the listener is told why."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail


@dataclass(eq=False)
class Listener:
    """Makes the pieces of one answer. Without `resumed`, it hears what comes from now on.

    `news` wakes it: an event, the client's leaving (`is_gone`), or the end of the process (`is_stopping`).
    """

    feed: Feed
    channel: Channel
    ids: EventIds
    wanted: Wanted
    rhythm: Rhythm
    past: Past
    still_allowed: Callable[[], Awaitable[object]]
    resumed: Positions | None = None
    news: asyncio.Event = field(default_factory=asyncio.Event)
    is_gone: bool = False
    is_stopping: bool = False

    def __post_init__(self) -> None:
        """Take its place in the channel: from here on it misses nothing."""
        self._position = self.resumed.copy() if self.resumed else self.feed.positions.copy()
        self._number = self.channel.next_number
        self._sent = self._checked = time.monotonic()
        self.channel.listening.add(self.news)

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """The answer, as it is to be sent."""
        yield f"retry: {RETRY_MS}\n".encode() + self._id(self._position)
        try:
            if self.resumed is not None:
                async with aclosing(self._caught_up()) as caught_up:
                    async for piece in caught_up:
                        yield piece
                if self.is_gone:
                    # Perhaps before it caught up: what the channel has comes after what it did not hear.
                    return
                if piece := b"".join(self._at_seam()):
                    yield piece
            async for piece in self._following():
                yield piece
        except Overrun:
            yield _told(notice("end", "too_slow", TOO_SLOW))
        except (Ended, CairnError) as end:
            yield _told(notice("end", end.code, end.detail))

    async def _caught_up(self) -> AsyncGenerator[bytes, None]:
        """What was sent before the channel begins; at the end, the channel has all that follows."""
        while not self._is_at_channel and not self.is_gone:
            past = in_steps(self.past(self.channel, self._position), seconds=self.rhythm.look)
            async with aclosing(past):
                async for happening in past:
                    # Before anything is awaited: a past that gave nothing yet goes on, and moves over what comes next.
                    piece = self._piece_of(happening)
                    await self._look_up()
                    if piece:
                        yield piece
                    if self.is_gone:
                        return

    def _piece_of(self, happening: Happening | None) -> bytes:
        if happening is not None and self.wanted.admits(happening):
            return happening.text + self._id(self._position)
        return self._heartbeat(self._position) if self._is_due else b""

    @property
    def _is_at_channel(self) -> bool:
        return self._position.covers(self.channel.start) and self.feed.positions.covers(self._position)

    def _at_seam(self) -> Iterator[bytes]:
        """What the channel has and the client has not heard yet. Without a pause after `_is_at_channel` was true."""
        entries, self._number = self.channel.since(self.channel.first_number), self.channel.next_number
        for entry in entries:
            if entry.offset < (self._position.at(entry.topic, entry.partition) or 0):
                continue
            self._position.move(entry.topic, entry.partition, entry.offset + 1)
            if self.wanted.admits(entry.happening):
                # Its own id may be behind what this client has read of another partition.
                yield entry.happening.text + self._id(self._position)

    async def _following(self) -> AsyncIterator[bytes]:
        while not self.is_gone:
            self.news.clear()
            await self._look_up()
            entries, self._number = self.channel.since(self._number), self.channel.next_number
            if piece := b"".join(_with_id(entry) for entry in entries if self.wanted.admits(entry.happening)):
                self._sent = time.monotonic()
                yield piece
            # All that was read by now was heard, so that a client comes back to here although nothing was for it.
            elif self._is_due:
                yield self._heartbeat(self.feed.positions)
            else:
                await self._wait()

    async def _look_up(self) -> None:
        """Raise what ends the stream."""
        if self.is_stopping:
            raise Ended("server_stopping", STOPPING)
        if time.monotonic() - self._checked >= self.rhythm.rights:
            self._checked = time.monotonic()
            await self.still_allowed()

    async def _wait(self) -> None:
        until = min(self._sent + self.rhythm.heartbeat, self._checked + self.rhythm.rights)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(until - time.monotonic(), 0)):
                await self.news.wait()

    @property
    def _is_due(self) -> bool:
        return time.monotonic() - self._sent >= self.rhythm.heartbeat

    def _heartbeat(self, position: Positions) -> bytes:
        self._sent = time.monotonic()
        return b": still here\n" + self._id(position)

    def _id(self, position: Positions) -> bytes:
        return f"id: {self.ids.write(position)}\n\n".encode()


def _with_id(entry: Entry) -> bytes:
    return entry.happening.text + entry.id


def _told(happening: Happening) -> bytes:
    return happening.text + b"\n"
