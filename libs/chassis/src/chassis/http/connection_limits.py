"""How much a client may use of the HTTP server, and the answer to one that exceeds it."""

import resource
from dataclasses import dataclass
from http import HTTPStatus

from contracts.messages.outcomes import Problem

from chassis.http.problem_responses import CLOSE, FIXED_HEADERS, HINTS, problem_response

_MOST_FILES = 16_384


@dataclass(frozen=True)
class ConnectionLimits:
    """How much one client may use, and how many connections there may be at once."""

    connections: int = 4096
    url_bytes: int = 32 * 1024
    # Of the request line and all headers. An address that this process made itself is the longest part of them.
    head_bytes: int = 64 * 1024
    head_seconds: float = 10.0
    # From the end of the head to the end of the body. The largest body that is read is a small one.
    body_seconds: float = 30.0
    # A process that stood still finds its timers run out before it has read what came meanwhile.
    grace_seconds: float = 0.2
    # Input that is not wanted is still read for a while: a connection closed at once may lose the last answer.
    linger_seconds: float = 2.0
    linger_bytes: int = 4 * 1024 * 1024


def most_connections() -> int:
    """How many connections a process keeps: half of the files that it may open, after asking for more of them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, _MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return max(wanted if soft == resource.RLIM_INFINITY else max(soft, wanted), 128) // 2


def raw_answer(status: int, limits: ConnectionLimits) -> bytes:
    """The whole answer to a client that exceeds a limit: the framework is not reached, so it is written by hand."""
    response = problem_response(_problem(status, limits), instance="/", status=status)
    hints = [(n.lower().encode(), v.encode()) for n, v in HINTS.get(status, {}).items()]
    headers = [*response.raw_headers, *FIXED_HEADERS, *hints, CLOSE]
    head = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}".encode(), *(b"%b: %b" % header for header in headers)]
    return b"\r\n".join([*head, b"", bytes(response.body)])


def _problem(status: int, limits: ConnectionLimits) -> Problem:
    return {
        400: Problem(code="request_malformed", detail="This is no HTTP request that can be read."),
        408: Problem(code="request_timeout", detail="The rest of the request did not come in time."),
        414: Problem(
            code="address_too_long", detail=f"The address of a request must not exceed {limits.url_bytes} bytes."
        ),
        431: Problem(
            code="headers_too_large", detail=f"The headers of a request must not exceed {limits.head_bytes} bytes."
        ),
        503: Problem(
            code="connections_exhausted", kind="unavailable", detail="Too many connections are open; try again."
        ),
    }[status]
