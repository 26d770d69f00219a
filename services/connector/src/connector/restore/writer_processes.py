"""The processes that write files for a restore."""

import os
import pickle
import select
import signal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import partial
from types import TracebackType
from typing import Generic, Self, TypeVar

import msgspec
from contracts.errors import TemporaryError

from connector.engine.processes import ProcessMeter
from connector.restore import writer_process
from connector.restore.writer_messages import Answer, Batch, MessageCut, Setup, Written, receive, send

T = TypeVar("T")
_BATCHES = 3
"""What one process has at a time: one in the works, the others waiting."""
_encoder, _answers = msgspec.msgpack.Encoder(), msgspec.msgpack.Decoder(Answer)


class WriterDied(TemporaryError):
    """A process that writes files ended by itself."""

    def __init__(self) -> None:
        super().__init__("writer_died", "A process that writes files ended while it was needed.")


@dataclass(eq=False)
class _Writer(Generic[T]):
    """One of the processes."""

    channel: socket.socket
    busy: deque[T] = field(default_factory=deque)
    """What it has to do, in the order in which it does it."""
    last_directory: int = -1
    """The descriptor of the directory that it was last given files for."""
    is_counted: bool = False


class WriterProcesses(Generic[T]):
    """Gives batches to processes, and says what became of them; each with something of type T that it belongs to.

    Used by one thread. When it is closed, whatever became of the restore, none of them writes any more.
    """

    def __init__(self, count: int, *, meter: ProcessMeter | None = None) -> None:
        """`count`: how many there are once they are started; `meter`: counts what they use."""
        self._count, self._meter = count, meter
        self._counting = ExitStack()
        self._first: subprocess.Popen[bytes] | None = None
        self._writers: list[_Writer[T]] = []
        self._arrived: deque[tuple[T, list[Written]]] = deque()

    def start(self, setup: Setup) -> None:
        """Start them. They are ready some tenths of a second later; what they are given before waits for that."""
        if not self._count:
            return
        with ExitStack() as stack:
            pairs = [socket.socketpair() for _ in range(self._count)]
            self._writers = [_Writer(ours) for ours, _ in pairs]
            theirs = [stack.enter_context(each).fileno() for _, each in pairs]
            self._first = subprocess.Popen(
                [sys.executable, "-I", "-m", writer_process.__name__, *map(str, theirs)],
                stdin=subprocess.DEVNULL,
                pass_fds=theirs,
                env={},
                process_group=0,
            )
        message = pickle.dumps(setup)
        try:
            for each in self._writers:
                send(each.channel, message)
        except MessageCut:
            raise WriterDied from None

    @property
    def are_running(self) -> bool:
        """Whether there are any."""
        return self._first is not None

    @property
    def has_work(self) -> bool:
        """Whether anything is being written."""
        return bool(self._arrived) or any(each.busy for each in self._writers)

    @property
    def has_room(self) -> bool:
        """Whether one can be given another batch."""
        return any(len(each.busy) < _BATCHES for each in self._writers)

    def write(self, batch: Batch, descriptors: Sequence[int], *, belongs_to: T) -> None:
        """Let a process write files. Raises `WriterDied`."""
        chosen = self._with_room_for(descriptors[0])
        chosen.last_directory = descriptors[-1]
        chosen.busy.append(belongs_to)
        try:
            send(chosen.channel, _encoder.encode(batch), descriptors, on_readable=partial(self._take, chosen))
        except MessageCut:
            raise WriterDied from None

    def _with_room_for(self, directory: int) -> _Writer[T]:
        """The one that writes in this directory already, as two would wait for each other, or the idlest."""
        near = (each for each in self._writers if each.last_directory == directory and len(each.busy) < _BATCHES)
        return next(near, min(self._writers, key=lambda each: len(each.busy)))

    def ended(self, *, seconds: float) -> Iterator[tuple[T, list[Written]]]:
        """The batches that are done, once one is, or none after so many seconds. Raises `WriterDied`."""
        if not self._arrived:
            self._wait(seconds)
        while self._arrived:
            yield self._arrived.popleft()

    def _wait(self, seconds: float) -> None:
        poll, busy = select.poll(), {each.channel.fileno(): each for each in self._writers if each.busy}
        for descriptor in busy:
            poll.register(descriptor, select.POLLIN)
        for descriptor, _ in poll.poll(1000 * seconds):
            try:
                self._take(busy[descriptor])
            except MessageCut:
                raise WriterDied from None

    def _take(self, writer: _Writer[T]) -> None:
        """Take the next answer of a process."""
        message, _ = receive(writer.channel)
        answer = _answers.decode(message)
        self._count_in(writer, answer.process_id)
        self._arrived.append((writer.busy.popleft(), answer.written))

    def close(self) -> None:
        """Let them end after the file that each is writing, and wait for that."""
        self._counting.close()
        if self._first is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._first.pid, signal.SIGTERM)
        for each in self._writers:
            each.channel.close()
        if self._first is not None:
            self._first.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None
    ) -> None:
        self.close()

    def _count_in(self, writer: _Writer[T], process_id: int) -> None:
        if self._meter is not None and not writer.is_counted:
            writer.is_counted = True
            self._counting.enter_context(self._meter.counting(process_id))
