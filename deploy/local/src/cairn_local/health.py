"""Asking a server whether it is ready, in the few bytes of its protocol that this takes.

The supervisor uses it too, so it loads no client library.
"""

import socket
import struct
from collections.abc import Callable, Mapping
from pathlib import Path

from cairn_local.process_plan import Check
from cairn_local.scram import log_in

TIMEOUT_SECONDS = 2.0
_REQUEST_ID = 7
_GROUP = b"cairn"
_METADATA, _FIND_COORDINATOR, _SASL_HANDSHAKE, _SASL_AUTHENTICATE = 3, 10, 17, 36
_LARGEST_ANSWER = 1024 * 1024


def is_healthy(check: Check) -> bool:
    """Whether the server answers as it should within two seconds."""
    try:
        return _CHECKS[check.kind](check)
    except (OSError, struct.error, IndexError, KeyError, ValueError):
        return False


def is_socket(address: str) -> bool:
    """Whether an address is the path of a Unix socket."""
    return address.startswith("/")


def parse_address(address: str) -> tuple[str, int]:
    """Host and port of `host:port`."""
    host, _, port = address.rpartition(":")
    return host, int(port)


def _connect(address: str) -> socket.socket:
    if not is_socket(address):
        return socket.create_connection(parse_address(address), timeout=TIMEOUT_SECONDS)
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(TIMEOUT_SECONDS)
    try:
        connection.connect(address)
    except OSError:
        connection.close()
        raise
    return connection


def _http(check: Check) -> bool:
    request = f"GET /health/ready HTTP/1.1\r\nHost: {check.address}\r\nConnection: close\r\n\r\n"
    with _connect(check.address) as connection:
        connection.sendall(request.encode())
        answer = b""
        # To the end: a server whose answer is not read logs a broken connection.
        while part := connection.recv(65536):
            answer = (answer + part)[:32]
    return answer.split(b" ")[1] == b"200"


def _kafka(check: Check) -> bool:
    """Metadata for no topics: answered with the brokers that may be used. Then who looks after a group.

    A new server makes the topic of its groups when it is first asked for one, and until that is there nobody can join.
    """
    with _connect(check.address) as connection:
        if check.password_file and not _kafka_lets_in(connection, check):
            return False
        brokers = _call_kafka(connection, _METADATA, 1, struct.pack(">i", 0))
        if struct.unpack_from(">i", brokers)[0] <= 0:
            return False
        group = _call_kafka(connection, _FIND_COORDINATOR, 0, struct.pack(">h", len(_GROUP)) + _GROUP)
    return bool(struct.unpack_from(">h", group)[0] == 0)


def _kafka_lets_in(connection: socket.socket, check: Check) -> bool:
    def authenticate(message: bytes) -> bytes:
        request = struct.pack(">i", len(message)) + message
        error, length = struct.unpack_from(">hh", answer := _call_kafka(connection, _SASL_AUTHENTICATE, 0, request))
        if error:
            raise ConnectionError("refused")
        return answer[8 + max(length, 0) :]

    mechanism = b"SCRAM-SHA-512"
    offer = _call_kafka(connection, _SASL_HANDSHAKE, 1, struct.pack(">h", len(mechanism)) + mechanism)
    password = Path(check.password_file).read_text().strip()
    accepted = struct.unpack_from(">h", offer)[0] == 0
    return accepted and log_in(authenticate, username=check.username, password=password)


def _call_kafka(connection: socket.socket, kind: int, version: int, body: bytes) -> bytes:
    request = struct.pack(">hhih", kind, version, _REQUEST_ID, -1) + body
    connection.sendall(struct.pack(">i", len(request)) + request)
    size, request_id = struct.unpack(">ii", _receive(connection, 8))
    if request_id != _REQUEST_ID or not 4 <= size <= _LARGEST_ANSWER:
        raise ConnectionError("not the answer")
    return _receive(connection, size - 4)


def _mongodb(check: Check) -> bool:
    """OP_MSG with `{ping: 1, $db: "admin"}`."""
    body = b"\x10ping\0" + struct.pack("<i", 1) + b"\x02$db\0" + struct.pack("<i", 6) + b"admin\0"
    document = struct.pack("<i", len(body) + 5) + body + b"\0"
    message = struct.pack("<i", 0) + b"\0" + document
    with _connect(check.address) as connection:
        connection.sendall(struct.pack("<iiii", len(message) + 16, _REQUEST_ID, 0, 2013) + message)
        (size,) = struct.unpack("<i", _receive(connection, 4))
        answer = _receive(connection, size - 4)
    return b"\x01ok\0" + struct.pack("<d", 1.0) in answer


def _postgres(check: Check) -> bool:
    """A start-up packet, answered with `R` once connections are let in."""
    body = struct.pack(">i", 196608) + b"user\0cairn\0database\0ferretdb\0\0"
    with _connect(check.address) as connection:
        connection.sendall(struct.pack(">i", len(body) + 4) + body)
        admitted = connection.recv(1024)[:1] == b"R"
        # A farewell, without which the server logs a broken connection.
        connection.sendall(b"X" + struct.pack(">i", 4))
        return admitted


def _tcp(check: Check) -> bool:
    with _connect(check.address):
        return True


def _receive(connection: socket.socket, size: int) -> bytes:
    received = b""
    while len(received) < size:
        part = connection.recv(size - len(received))
        if not part:
            raise ConnectionError("closed early")
        received += part
    return received


_CHECKS: Mapping[str, Callable[[Check], bool]] = {
    "http": _http,
    "kafka": _kafka,
    "mongodb": _mongodb,
    "postgres": _postgres,
    "tcp": _tcp,
}
