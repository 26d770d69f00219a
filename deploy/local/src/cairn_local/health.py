"""Asking a server whether it is ready, in the few bytes of its protocol that this takes.

The supervisor uses it too, so it loads no client library.
"""

import socket
import struct
from collections.abc import Callable, Mapping

from cairn_local.processes import Check

TIMEOUT_SECONDS = 2.0
_REQUEST_ID = 7


def is_healthy(check: Check) -> bool:
    """Whether the server answers as it should within two seconds."""
    try:
        return _CHECKS[check.kind](check.address)
    except (OSError, struct.error, IndexError):
        return False


def parse_address(address: str) -> tuple[str, int]:
    """Host and port of `host:port`."""
    host, _, port = address.rpartition(":")
    return host, int(port)


def _connect(address: str) -> socket.socket:
    return socket.create_connection(parse_address(address), timeout=TIMEOUT_SECONDS)


def _http(address: str) -> bool:
    request = f"GET /health/ready HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    with _connect(address) as connection:
        connection.sendall(request.encode())
        answer = b""
        # To the end: a server whose answer is not read logs a broken connection.
        while part := connection.recv(65536):
            answer = (answer + part)[:32]
    return answer.split(b" ")[1] == b"200"


def _kafka(address: str) -> bool:
    """Metadata, version 1, for no topics: answered with the brokers that may be used."""
    request = struct.pack(">hhih", 3, 1, _REQUEST_ID, -1) + struct.pack(">i", 0)
    with _connect(address) as connection:
        connection.sendall(struct.pack(">i", len(request)) + request)
        _size, request_id, brokers = struct.unpack(">iii", _receive(connection, 12))
    return bool(request_id == _REQUEST_ID and brokers > 0)


def _mongodb(address: str) -> bool:
    """OP_MSG with `{ping: 1, $db: "admin"}`."""
    body = b"\x10ping\0" + struct.pack("<i", 1) + b"\x02$db\0" + struct.pack("<i", 6) + b"admin\0"
    document = struct.pack("<i", len(body) + 5) + body + b"\0"
    message = struct.pack("<i", 0) + b"\0" + document
    with _connect(address) as connection:
        connection.sendall(struct.pack("<iiii", len(message) + 16, _REQUEST_ID, 0, 2013) + message)
        (size,) = struct.unpack("<i", _receive(connection, 4))
        answer = _receive(connection, size - 4)
    return b"\x01ok\0" + struct.pack("<d", 1.0) in answer


def _postgres(path: str) -> bool:
    """A start-up packet, answered with `R` once connections are let in."""
    body = struct.pack(">i", 196608) + b"user\0cairn\0database\0ferretdb\0\0"
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(TIMEOUT_SECONDS)
        connection.connect(path)
        connection.sendall(struct.pack(">i", len(body) + 4) + body)
        admitted = connection.recv(1024)[:1] == b"R"
        # A farewell, without which the server logs a broken connection.
        connection.sendall(b"X" + struct.pack(">i", 4))
        return admitted


def _tcp(address: str) -> bool:
    with _connect(address):
        return True


def _receive(connection: socket.socket, size: int) -> bytes:
    received = b""
    while len(received) < size:
        part = connection.recv(size - len(received))
        if not part:
            raise ConnectionError("closed early")
        received += part
    return received


_CHECKS: Mapping[str, Callable[[str], bool]] = {
    "http": _http,
    "kafka": _kafka,
    "mongodb": _mongodb,
    "postgres": _postgres,
    "tcp": _tcp,
}
