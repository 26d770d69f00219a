"""A TCP proxy in front of a server, which can break an answer off, and go away."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_CHUNK_BYTES = 1 << 16


class Proxy:
    """Hands on requests and answers as they come, but for what is asked of it."""

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self.port: int = self._listener.getsockname()[1]
        self.cuts: set[bytes] = set()
        """The answer to the next request that begins like one of these breaks off; it is then taken out."""
        self.closes_at = b""
        """With the first request that begins like this the proxy goes away for good; empty: it stays."""

    def serve(self) -> None:
        """Take connections until it is closed."""
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._server_port))
                with self._lock:
                    self._open |= {client, server}
                is_cut = threading.Event()
                for hand_on in (self._hand_requests_on, self._hand_answers_on):
                    threading.Thread(target=hand_on, args=(client, server, is_cut), daemon=True).start()

    def close(self) -> None:
        """Refuse connections from now on, and end those that are open."""
        # A thread that waits in `accept` holds the port open until it is woken.
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for each in self._open:
                _end(each)

    def _hand_requests_on(self, client: socket.socket, server: socket.socket, is_cut: threading.Event) -> None:
        with suppress(OSError):
            while request := client.recv(_CHUNK_BYTES):
                if self.closes_at and request.startswith(self.closes_at):
                    self.close()
                    return
                if cut := next((each for each in self.cuts if request.startswith(each)), None):
                    self.cuts.discard(cut)
                    is_cut.set()
                server.sendall(request)
        _end(server)

    def _hand_answers_on(self, client: socket.socket, server: socket.socket, is_cut: threading.Event) -> None:
        with suppress(OSError):
            while answer := server.recv(_CHUNK_BYTES):
                if is_cut.is_set():
                    # After its headers: a client quietly asks again where not even those came.
                    head, end, _ = answer.partition(b"\r\n\r\n")
                    client.sendall(head + end)
                    break
                client.sendall(answer)
        _end(client)
        _end(server)


def _end(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()


@contextmanager
def open_proxy(server_port: int) -> Iterator[Proxy]:
    """A proxy that runs until the context is left."""
    proxy = Proxy(server_port)
    thread = threading.Thread(target=proxy.serve, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.close()
        thread.join(10)
