"""The latest events of one organization, kept once for all who listen; each of them has a place in it."""

import asyncio
from dataclasses import dataclass, field

from gateway.areas.stream.positions import Positions

MOST_EVENTS = 512
MOST_BYTES = 1024 * 1024
_SLACK = 64
"""How many events more are kept before the oldest are dropped, which is done at once for many."""


@dataclass(slots=True)
class Happening:
    """One event, ready to be sent to all who may have it."""

    kind: str
    about: frozenset[str]
    text: bytes
    """Its lines, without the id and the empty line at the end."""
    replaces: str = ""
    """What it is the latest word on: an earlier one with the same need not be sent any more."""


@dataclass(slots=True)
class Entry:
    """An event in a channel, with where it was read and the id of what was read by then."""

    happening: Happening
    topic: int
    partition: int
    offset: int
    id: bytes
    is_stale: bool = False


class Overrun(Exception):
    """What comes next for a listener is not kept any more: it reads too slowly."""


@dataclass
class Channel:
    """Events in the order they were read, the latest `most_events` and `most_bytes` of them.

    `start`: from there on all events are here.
    """

    start: Positions
    most_events: int = MOST_EVENTS
    most_bytes: int = MOST_BYTES
    listening: set[asyncio.Event] = field(default_factory=set)
    _entries: list[Entry] = field(default_factory=list, init=False)
    _first: int = field(default=0, init=False)
    _bytes: int = field(default=0, init=False)
    _latest: dict[str, Entry] = field(default_factory=dict, init=False)

    @property
    def next_number(self) -> int:
        """The number that the next event will get."""
        return self._first + len(self._entries)

    @property
    def first_number(self) -> int:
        """The number of the oldest event that is here."""
        return self._first

    def add(self, entry: Entry) -> None:
        """Keep an event and wake who listens."""
        self._entries.append(entry)
        self._bytes += len(entry.happening.text)
        self._replace(entry)
        self._drop_oldest()
        for news in self.listening:
            news.set()

    def since(self, number: int) -> list[Entry]:
        """All events from a number on, without those that a later one replaces. Raises `Overrun`."""
        if number < self._first:
            raise Overrun
        return [entry for entry in self._entries[number - self._first :] if not entry.is_stale]

    def _replace(self, entry: Entry) -> None:
        if replaced := entry.happening.replaces:
            if (before := self._latest.get(replaced)) is not None:
                before.is_stale = True
            self._latest[replaced] = entry

    def _drop_oldest(self) -> None:
        if len(self._entries) <= self.most_events + _SLACK and self._bytes <= self.most_bytes:
            return
        dropped = 0
        while dropped < len(self._entries) - 1 and (
            len(self._entries) - dropped > self.most_events or self._bytes > self.most_bytes
        ):
            self._forget(self._entries[dropped])
            dropped += 1
        del self._entries[:dropped]
        self._first += dropped

    def _forget(self, entry: Entry) -> None:
        self._bytes -= len(entry.happening.text)
        self.start.move(entry.topic, entry.partition, entry.offset + 1)
        replaced = entry.happening.replaces
        if replaced and self._latest.get(replaced) is entry:
            del self._latest[replaced]
