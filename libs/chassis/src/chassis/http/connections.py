"""Connections of the HTTP server: what clients may keep it waiting for, and what they are told when it is too much.

uvicorn reads heads of any size, waits for the rest of a request for ever, goes on reading a body after the answer, and
says in plain text what is wrong with a request that is no HTTP.
"""

import asyncio
import resource
import time
from asyncio import TimerHandle
from collections import Counter
from http import HTTPStatus
from typing import Any, Literal, cast

from contracts.messages.outcomes import Problem
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from chassis.http.server import CLOSE, FIXED_HEADERS, HINTS, problem_response

URL_BYTES = 32 * 1024
HEAD_BYTES = 64 * 1024
"""Of the request line and all headers; an address of this process's own making is the longest part of them."""
HEAD_SECONDS = 10.0
BODY_SECONDS = 30.0
"""From the end of the head to the end of the body; the largest body that is read is a small one."""
GRACE_SECONDS = 0.2
"""A process that stood still finds its timers run out before it has read what came meanwhile."""
LINGER_SECONDS = 2.0
LINGER_BYTES = 4 * 1024 * 1024
"""How long, and how much, is read of what nobody wants: a connection closed at once takes the answer with it."""
MOST_FILES = 16_384
Phase = Literal["idle", "head", "body", "answer"]
_SECONDS: dict[Phase, float] = {"idle": HEAD_SECONDS, "head": HEAD_SECONDS, "body": BODY_SECONDS}
_PROBLEMS = {
    400: Problem(code="request_malformed", detail="This is no HTTP request that can be read."),
    408: Problem(code="request_timeout", detail="The rest of the request did not come in time."),
    414: Problem(code="address_too_long", detail=f"The address of a request must not exceed {URL_BYTES} bytes."),
    431: Problem(code="headers_too_large", detail=f"The headers of a request must not exceed {HEAD_BYTES} bytes."),
    503: Problem(code="connections_exhausted", kind="unavailable", detail="Too many connections are open; try again."),
}


def most_connections() -> int:
    """How many connections a process keeps: half of the files that it may open, after asking for more of them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return max(wanted if soft == resource.RLIM_INFINITY else max(soft, wanted), 128) // 2


class _Refused(Exception):
    """The head of a request is not what it may be; raised through the parser."""


class _Transport:
    """A transport whose `close` leaves the client the time to read the last answer."""

    def __init__(self, transport: asyncio.Transport, connection: "Connection") -> None:
        self._transport = transport
        self._connection = connection
        self.write = transport.write

    def close(self) -> None:
        self._connection.end()

    def is_closing(self) -> bool:
        return self._connection.lingers or self._transport.is_closing()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class Connection(HttpToolsProtocol):
    """uvicorn's protocol with bounds. `most` connections are kept: of the address that has most of them the one that
    waited longest for its client makes room for a new one."""

    most = 4096

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
        if len(self.connections) > self.most and not self._make_room():
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
            if self._lingered_bytes > LINGER_BYTES:
                self._raw.close()
            return
        begun = self._begun
        super().data_received(data)
        if self._in_head and begun == self._begun:
            self._unparsed_bytes += len(data)
            if self._unparsed_bytes > 2 * HEAD_BYTES:
                self._refuse(431)
        self._watch()

    def on_message_begin(self) -> None:
        """A request begins."""
        self._in_head, self._refusal = True, 400
        self._head_bytes = self._unparsed_bytes = 0
        self._begun += 1
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """A piece of the address."""
        super().on_url(url)
        if len(self.url) > URL_BYTES:
            self._refusal = 414
            raise _Refused

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or a trailer."""
        self._head_bytes += len(name) + len(value)
        if self._head_bytes > HEAD_BYTES:
            self._refusal = 431
            raise _Refused
        if self._in_head:
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
        self.flow.resume_reading()
        self._timer = self.loop.call_later(LINGER_SECONDS, self._raw.close)

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
        if self._timer is None and phase in _SECONDS:
            self._timer = self.loop.call_later(_SECONDS[phase], self._look_again)

    def _look_again(self) -> None:
        self._timer = self.loop.call_later(GRACE_SECONDS, self._give_up)

    def _give_up(self) -> None:
        self._timer, phase = None, self.phase
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
        if self.pipeline or (own.response_started if own else not self._is_answered):
            self._raw.close()
            return
        if own is not None:
            own.disconnected = True
            own.message_event.set()
        self._raw.write(_answer(status))
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


def _answer(status: int) -> bytes:
    response = problem_response(_PROBLEMS[status], instance="/", status=status)
    hints = [(n.lower().encode(), v.encode()) for n, v in HINTS.get(status, {}).items()]
    headers = [*response.raw_headers, *FIXED_HEADERS, *hints, CLOSE]
    head = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}".encode(), *(b"%b: %b" % header for header in headers)]
    return b"\r\n".join([*head, b"", bytes(response.body)])
