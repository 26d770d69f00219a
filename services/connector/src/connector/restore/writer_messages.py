"""What a restore and the processes that write files for it tell each other."""

import select
import socket
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import msgspec
from integrations.sdk.ports.shared_destination import MakeWriter
from restic_reader import Keys, LocalFiles, Location, Node

DESCRIPTORS = 32
"""So many come with a message at most. Linux takes 253; each is one of the files that this process may have open."""
_HEADER_BYTES, _CHECK_MILLISECONDS = 4, 200

Outcome = Literal["written", "not_written", "unreadable", "destination_full", "destination_refused", "left"]
"""`unreadable`: a blob is not there, or not what its id says; `left`: nothing more is to be written."""


class Setup(NamedTuple):
    """What a process is told first, pickled."""

    keys: Keys
    files: LocalFiles | None
    """The store; None where all that it has to do with comes with the files."""
    make_writer: MakeWriter


class StoredBlob(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Where a blob of a file lies, and what is stored there unless the process is to read it."""

    location: Location
    sealed: memoryview | None


class FileToWrite(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A file, and which of the directories that came with the message it goes into."""

    directory: int
    name: bytes
    node: Node
    blobs: list[StoredBlob]
    """Of each blob of the node's content."""


class Batch(msgspec.Struct, frozen=True, array_like=True):
    """Files to be written. The descriptors of their directories come with it."""

    inherits: list[bool]
    """Of each directory, as in `Place`."""
    compares: bool
    """Whether each file is read back and compared before it gets its name."""
    files: list[FileToWrite]


class Written(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What became of one file."""

    outcome: Outcome
    was_there: bool = False
    """Whether something was in its place, which is gone."""
    is_sure: bool = True
    """As in `Put`."""
    reason: str = ""


class Answer(msgspec.Struct, frozen=True, array_like=True):
    """What became of the files of a batch, in their order. The first, without any, says that the process is ready."""

    process_id: int
    written: list[Written]


class MessageCut(Exception):
    """The other side ended."""


class Meanwhile(NamedTuple):
    """What is done while a message waits for the other side to take it."""

    take: Callable[[], None]
    """Takes what arrives: two sides that only send would wait for each other."""
    check: Callable[[], None]
    """Raises where waiting is over."""


def send(
    channel: socket.socket, message: bytes, descriptors: Sequence[int] = (), *, meanwhile: Meanwhile | None = None
) -> None:
    """Send a message; waits while the other side has no time for it. Raises `MessageCut`.

    Where `meanwhile` raises, the message may have been sent in part.
    """
    try:
        _wait(channel, meanwhile)
        socket.send_fds(channel, [len(message).to_bytes(_HEADER_BYTES, "big")], descriptors)
        left = memoryview(message)
        while left:
            _wait(channel, meanwhile)
            left = left[channel.send(left, 0 if meanwhile is None else socket.MSG_DONTWAIT) :]
    except (BrokenPipeError, ConnectionResetError):
        raise MessageCut from None


def _wait(channel: socket.socket, meanwhile: Meanwhile | None) -> None:
    """Wait until something can be sent, unless sending itself may wait."""
    if meanwhile is None:
        return
    poll = select.poll()
    poll.register(channel, select.POLLIN | select.POLLOUT)
    while True:
        events = dict(poll.poll(_CHECK_MILLISECONDS)).get(channel.fileno(), 0)
        if events & select.POLLIN:
            meanwhile.take()
        elif events & select.POLLOUT:
            return
        elif events:
            raise MessageCut
        else:
            meanwhile.check()


def receive(channel: socket.socket) -> tuple[bytearray, list[int]]:
    """A message and the descriptors that came with it. Raises `MessageCut`."""
    try:
        header, descriptors, _, _ = socket.recv_fds(channel, _HEADER_BYTES, DESCRIPTORS)
        message = bytearray(int.from_bytes(header, "big"))
        left = memoryview(message)
        while left and (count := channel.recv_into(left)):
            left = left[count:]
    except ConnectionResetError:
        raise MessageCut from None
    if left or len(header) < _HEADER_BYTES:
        raise MessageCut
    return message, descriptors
