"""The processes that write files for a restore."""

import os
import pickle
import resource
import select
import signal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import partial
from time import monotonic
from typing import Generic, TypeVar

import msgspec
from contracts.errors import TemporaryError

from connector.engine.processes import ProcessMeter
from connector.restore import writer_process
from connector.restore.writer_messages import (
    DESCRIPTORS,
    Answer,
    Batch,
    Meanwhile,
    MessageCut,
    Setup,
    Written,
    receive,
    send,
)

T = TypeVar("T")
_BATCHES = 3
"""What one process has at a time: one in the works, the others waiting."""
_PATIENCE_SECONDS = 60
_OPEN_SHARE = 4
"""Of the files that this process may have open, so little a part is for directories of batches."""
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
    """The descriptor of the directory that it was last given files for; another directory may have it by now."""


class WriterProcesses(Generic[T]):
    """Gives batches to processes, and says what became of them; each with something of type T that it belongs to.

    Used by one thread. Once it is closed, whatever became of the restore, none of them writes any more.
    """

    def __init__(self, count: int, *, meter: ProcessMeter | None = None) -> None:
        """`count`: how many there are once they are started; `meter`: counts what they use."""
        self.count, self._meter = count, meter
        self.most_directories = _most_directories(count)
        """In how many directories the files of a batch may be: each is a file that this process has open."""
        self._counting = ExitStack()
        self._first: subprocess.Popen[bytes] | None = None
        self._writers: list[_Writer[T]] = []
        self._arrived: deque[tuple[T, list[Written]]] = deque()

    def start(self, setup: Setup) -> None:
        """Start them; see `are_ready`. Raises `OSError` where the system has no room for them."""
        if not self.count:
            return
        with ExitStack() as stack:
            pairs = [socket.socketpair() for _ in range(self.count)]
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
        with suppress(MessageCut):  # What has ended is not ready.
            for each in self._writers:
                send(each.channel, message)

    def are_ready(self) -> bool:
        """Wait, some tenths of a second, until they can write; False where there are none, or they cannot."""
        try:
            for each in self._writers:
                message, _ = receive(each.channel)
                self._count_in(_answers.decode(message).process_id)
        except MessageCut:
            self.close()
        return bool(self._writers)

    @property
    def has_work(self) -> bool:
        """Whether anything is being written."""
        return bool(self._arrived) or any(each.busy for each in self._writers)

    @property
    def has_room(self) -> bool:
        """Whether one can be given another batch."""
        return any(len(each.busy) < _BATCHES for each in self._writers)

    def write(
        self, batch: Batch, descriptors: Sequence[int], *, belongs_to: T, check: Callable[[], None] = lambda: None
    ) -> None:
        """Let a process write files; where that waits, `check` is called now and then. Raises `WriterDied`."""
        chosen = self._with_room_for(descriptors[0])
        chosen.last_directory = descriptors[-1]
        chosen.busy.append(belongs_to)
        meanwhile = Meanwhile(partial(self._take, chosen), check)
        try:
            send(chosen.channel, _encoder.encode(batch), descriptors, meanwhile=meanwhile)
        except MessageCut:
            raise WriterDied from None
        except BaseException:
            # Nothing else can follow on what was sent in part.
            chosen.busy.pop()
            chosen.channel.shutdown(socket.SHUT_WR)
            raise

    def _with_room_for(self, directory: int) -> _Writer[T]:
        """The one that writes in this directory already, as two would wait for each other, unless others have less to
        do.
        """
        idlest = min(self._writers, key=lambda each: len(each.busy))
        most = min(_BATCHES - 1, len(idlest.busy) + 1)
        near = (each for each in self._writers if each.last_directory == directory and len(each.busy) <= most)
        return next(near, idlest)

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
        self._arrived.append((writer.busy.popleft(), _answers.decode(message).written))

    def stop(self) -> Iterator[tuple[T, list[Written]]]:
        """Let them end after the file that each is writing, and wait for that; what became of the batches that ended.

        One that does not end within `_PATIENCE_SECONDS` is killed: it is writing to a place that does not answer.
        """
        self._signal(signal.SIGTERM)
        deadline = monotonic() + _PATIENCE_SECONDS
        for writer in self._writers:
            with suppress(MessageCut):
                while writer.busy:
                    if not _is_readable(writer.channel, seconds=deadline - monotonic()):
                        self._signal(signal.SIGKILL)
                    self._take(writer)
        yield from self._arrived
        self._arrived.clear()

    def close(self) -> None:
        """Stop them, and wait until all have ended."""
        for _ in self.stop():
            pass
        self._counting.close()
        for each in self._writers:
            with suppress(MessageCut, OSError):
                each.channel.shutdown(socket.SHUT_WR)
                while True:
                    receive(each.channel)
            each.channel.close()
        self._writers = []
        if self._first is not None:
            self._first.wait()
            self._first = None

    def _count_in(self, process_id: int) -> None:
        if self._meter is not None:
            self._counting.enter_context(self._meter.counting(process_id, with_children=False))

    def _signal(self, number: signal.Signals) -> None:
        if self._first is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._first.pid, number)


def _is_readable(channel: socket.socket, *, seconds: float) -> bool:
    poll = select.poll()
    poll.register(channel, select.POLLIN)
    return bool(poll.poll(max(0, 1000 * seconds)))


def _most_directories(count: int) -> int:
    may_be_open, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    share = may_be_open // (_OPEN_SHARE * _BATCHES * max(1, count)) if may_be_open > 0 else DESCRIPTORS
    return max(1, min(DESCRIPTORS, share))
