"""Runs programs of others: with a time limit, an environment of their own, and the end of their output kept."""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from chassis.subprocesses import group_entry

_CHUNK_BYTES = 1 << 16
_STOP_SECONDS = 2.0
_DRAIN_SECONDS = 0.5

Ending = Literal["exited", "timeout", "canceled"]


@dataclass(frozen=True, kw_only=True)
class Program:
    """What to run. Its environment is `environment` and nothing else, its standard input is empty."""

    arguments: Sequence[str]
    """The first one is the path of the program."""
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    directory: Path = Path("/")
    timeout_seconds: float
    tail_bytes: int = 8 << 10
    """How much of its output is kept, standard output and standard error together."""


@dataclass(frozen=True)
class Ended:
    """How a program ended."""

    how: Ending
    """`timeout` and `canceled`: it was killed with all that it had started."""
    exit_code: int
    """128 and more: the signal that ended it; `group_entry.NOT_STARTED` also where it could not be started."""
    tail: bytes
    """The end of its output."""
    left_out_bytes: int
    """How much output was before that."""


async def run_program(program: Program, *, cancel: asyncio.Event) -> Ended:
    """Run a program to its end, its time limit, or until `cancel` is set.

    It dies, with all that it started, also with the task that runs this and with this process. What it leaves in its
    process group when it ends is killed then. Raises `OSError` where no process can be started. The thread that runs
    the event loop must outlive it.
    """
    reading, writing = os.pipe()
    try:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", group_entry.__file__, str(os.getpid())),
            *program.arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=writing,
            stderr=writing,
            cwd=program.directory,
            env=dict(program.environment),
            start_new_session=True,
        )
    except BaseException:
        os.close(reading)
        raise
    finally:
        os.close(writing)
    output = _Tail(program.tail_bytes)
    collecting = asyncio.create_task(output.collect(reading))
    try:
        how = await _ending(process, cancel, seconds=program.timeout_seconds)
        # What has a session of its own may go on, and keep the pipe open.
        await asyncio.wait([collecting], timeout=_DRAIN_SECONDS)
    finally:
        collecting.cancel()
        await asyncio.shield(_stop(process))
        await asyncio.wait([collecting])
    return Ended(how, process.returncode or 0, bytes(output.tail), output.count - len(output.tail))


async def _ending(process: asyncio.subprocess.Process, cancel: asyncio.Event, *, seconds: float) -> Ending:
    ending, canceled = asyncio.create_task(process.wait()), asyncio.create_task(cancel.wait())
    try:
        done, _ = await asyncio.wait((ending, canceled), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        ending.cancel()
        canceled.cancel()
    if ending in done:
        return "exited"
    await _stop(process)
    return "canceled" if canceled in done else "timeout"


async def _stop(process: asyncio.subprocess.Process) -> None:
    """Have it killed with all that it started, and wait for that."""
    if process.returncode is not None:
        return
    with suppress(ProcessLookupError):
        process.terminate()
    with suppress(TimeoutError):
        async with asyncio.timeout(_STOP_SECONDS):
            await process.wait()
            return
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()


class _Tail:
    """Reads a pipe to its end and keeps the last bytes."""

    def __init__(self, size: int) -> None:
        self._size = size
        self.tail = bytearray()
        self.count = 0

    async def collect(self, descriptor: int) -> None:
        """Read until nobody writes any more."""
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        pipe = os.fdopen(descriptor, "rb", buffering=0)
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, pipe)
        try:
            while chunk := await reader.read(_CHUNK_BYTES):
                self.count += len(chunk)
                self.tail += chunk
                del self.tail[: -self._size]
        finally:
            transport.close()
