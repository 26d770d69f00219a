"""HTTP connections that are kept, one for each thread and place.

This is plain `http.client` and not a library that logs what it asks for: addresses and headers may be secrets.
"""

import threading
from collections.abc import Callable, Mapping
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Generic, TypeVar

P = TypeVar("P")


class KeptConnections(Generic[P]):
    """Asks places, whatever names one; `connect` prepares a connection to a place and reaches nothing yet."""

    def __init__(self, connect: Callable[[P], HTTPConnection]) -> None:
        self._connect = connect
        self._local = threading.local()

    def get(self, place: P, target: str, headers: Mapping[str, str]) -> tuple[HTTPResponse, bytes]:
        """The answer and its body. Raises `OSError` or `HTTPException`."""
        kept = self._connection(place)
        try:
            return _ask(kept, target, headers)
        except (ConnectionError, HTTPException):  # a kept connection may have been closed meanwhile
            kept.close()
            return _ask(kept, target, headers)

    def forget(self) -> None:
        """Keep none of them any longer."""
        self._local = threading.local()

    def _connection(self, place: P) -> HTTPConnection:
        connections: dict[P, HTTPConnection] = self._local.__dict__.setdefault("connections", {})
        if place not in connections:
            connections[place] = self._connect(place)
        return connections[place]


def _ask(connection: HTTPConnection, target: str, headers: Mapping[str, str]) -> tuple[HTTPResponse, bytes]:
    try:
        connection.request("GET", target, headers=dict(headers))
        response = connection.getresponse()
        return response, response.read()
    # Half an answer may be left in the connection, and would be taken for the answer to the next request.
    except BaseException:
        connection.close()
        raise
