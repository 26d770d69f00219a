"""Connections of the HTTP server, with limits on how long clients may keep it waiting and how much they may send.

uvicorn reads heads of any size, waits for the rest of a request for ever, goes on reading a body after the answer, and
says in plain text what is wrong with a request that is no HTTP.
"""

import asyncio
import time
from asyncio import TimerHandle
from collections import Counter
from typing import Any, Literal, cast

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from chassis.http.connection_limits import ConnectionLimits, raw_answer

Phase = Literal["idle", "head", "body", "answer"]
WRITES = "cairn.writes"
"""The ASGI extension by which an answer limits what is kept of it for a slow client, and drops the connection."""


class Writes:
    """What an answer may do about a client that reads slowly."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport

    def keep(self, high_bytes: int) -> None:
        """Have sending wait while more than so much is not taken by the client's connection yet."""
        self._transport.set_write_buffer_limits(high=high_bytes)

    def drop(self) -> None:
        """Close the connection at once; what was not taken yet is lost."""
        self._transport.abort()


class _Refused(Exception):
    """The head of a request is not what it may be; raised through the parser."""


class _Transport:
    """A transport whose `close` leaves the client the time to read the last answer."""

    def __init__(self, transport: asyncio.Transport, connection: "Connection") -> None:
        self._transport = transport
        self._connection = connection
        # Not through `__getattr__`: it is called for every piece of an answer.
        self.write = transport.write

    def close(self) -> None:
        self._connection.end()

    def is_closing(self) -> bool:
        return self._connection.lingers or self._transport.is_closing()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class Connection(HttpToolsProtocol):
    """uvicorn's protocol with bounds.

    Where too many connections are open, one makes room for a new one: of the address that has most of them the one that
    has waited longest for its client.
    """

    def __init__(self, *arguments: Any, limits: ConnectionLimits, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._limits = limits
        self._seconds: dict[Phase, float] = {
            "idle": limits.head_seconds,
            "head": limits.head_seconds,
            "body": limits.body_seconds,
        }

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin; the first request has to come soon."""
        super().connection_made(transport)
        self._raw = transport
        self.transport = cast("asyncio.Transport", _Transport(transport, self))
        self.flow = FlowControl(self.transport)
        self.lingers = False
        self._in_head, self._whole = False, True
        self._begun = self._head_bytes = self._unparsed_bytes = self._lingered_bytes = 0
        self._refusal = 400
        self._timer: TimerHandle | None = None
        self._timed: tuple[int, Phase] | None = None
        self.waits_since = time.monotonic()
        if len(self.connections) > self._limits.connections and not self._make_room():
            self._refuse(503)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read a piece of what the client sends, or throw it away when nothing more is wanted."""
        if self._is_ending:
            self._lingered_bytes += len(data)
            if self._lingered_bytes > self._limits.linger_bytes:
                self._raw.close()
            return
        begun = self._begun
        super().data_received(data)
        # The parser hands out a header once it is whole: one that never ends is bounded by the bytes that came.
        if self._in_head and begun == self._begun:
            self._unparsed_bytes += len(data)
            if self._unparsed_bytes > 2 * self._limits.head_bytes:
                self._refuse(431)
        self._watch()

    def on_message_begin(self) -> None:
        """A request begins."""
        self._in_head, self._refusal = True, 400
        self._head_bytes = self._unparsed_bytes = 0
        self._begun += 1
        super().on_message_begin()
        self.scope["extensions"] = cast("dict[str, dict[object, object]]", {WRITES: Writes(self._raw)})

    def on_url(self, url: bytes) -> None:
        """A piece of the address."""
        super().on_url(url)
        if len(self.url) > self._limits.url_bytes:
            self._refusal = 414
            raise _Refused

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or a trailer."""
        self._head_bytes += len(name) + len(value)
        if self._head_bytes > self._limits.head_bytes:
            self._refusal = 431
            raise _Refused
        if self._in_head:
            # uvicorn would add a trailer to the headers of the request that is being answered.
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is whole: answering begins."""
        super().on_headers_complete()
        self._in_head, self._whole = False, False

    def on_message_complete(self) -> None:
        """The request is whole."""
        self._whole = True
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's words
        """Answer a request that cannot be read."""
        self._refuse(self._refusal)

    def on_response_complete(self) -> None:
        """An answer is out; the next request, if it is here, is next."""
        super().on_response_complete()
        if self.phase == "idle":
            # uvicorn's own timer runs, until something comes.
            self._stop_timer()
            self._timed, self.waits_since = (self._begun, "idle"), time.monotonic()
        else:
            self._watch()

    def end(self) -> None:
        """Close the connection; while the client still sends, in a moment only."""
        if self._is_ending:
            return
        if self._whole and not self._in_head:
            self._raw.close()
            return
        self.lingers = True
        self._stop_timer()
        if self._raw.can_write_eof():
            self._raw.write_eof()
        # Reading may be paused, and only what is read can be thrown away.
        self.flow.resume_reading()
        self._timer = self.loop.call_later(self._limits.linger_seconds, self._raw.close)

    @property
    def phase(self) -> Phase:
        """What the connection waits for."""
        if self.pipeline:
            return "answer"
        if self._in_head:
            return "head" if self._is_answered else "answer"
        if not self._whole:
            return "body"
        return "idle" if self._is_answered else "answer"

    @property
    def _is_ending(self) -> bool:
        return self.lingers or self._raw.is_closing()

    @property
    def _is_answered(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _watch(self) -> None:
        """Have a timer that fits what is waited for now."""
        if self._is_ending:
            return
        phase = self.phase
        if self._timed != (self._begun, phase):
            self._stop_timer()
            self._timed, self.waits_since = (self._begun, phase), time.monotonic()
        if self._timer is None and phase in self._seconds:
            self._timer = self.loop.call_later(self._seconds[phase], self._look_again)

    def _look_again(self) -> None:
        self._timer = self.loop.call_later(self._limits.grace_seconds, self._give_up)

    def _give_up(self) -> None:
        self._timer, phase = None, self.phase
        # While reading is paused, the client waits for the application and not the other way round.
        if phase == "answer" or self.flow.read_paused:
            self._watch()
        elif phase == "idle" or (phase == "body" and self.cycle.response_started):
            self.end()
        else:
            self._refuse(408)

    def _refuse(self, status: int) -> None:
        """Answer in place of the application, where nothing else was or will be answered, and close."""
        if self._is_ending:
            return
        own = self.cycle if not self._whole and not self._in_head else None
        # An answer is under way: what is written now would be taken for a part of it.
        if self.pipeline or (own.response_started if own else not self._is_answered):
            self._raw.close()
            return
        if own is not None:
            # As uvicorn does when a client leaves: the application stops waiting for the rest of the body.
            own.disconnected = True
            own.message_event.set()
        # Before `end`, which lingers only where a request is not whole: closed at once, the answer might be lost.
        self._raw.write(raw_answer(status, self._limits))
        self._in_head = True
        self.end()

    def _make_room(self) -> bool:
        others = cast("set[Connection]", self.connections - {self})
        counted = Counter(other.address for other in others)
        waiting = [o for o in others if o.phase != "answer" and not o._is_ending]
        if waiting:
            most = max(waiting, key=lambda o: (counted[o.address], -o.waits_since))
            most._raw.close()
        return bool(waiting)

    @property
    def address(self) -> str:
        """Of the client."""
        return self.client[0] if self.client else ""

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
