"""Child processes that take their secrets from the environment, can be stopped, and die with this process."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Thread

from chassis.subprocesses import child_entry
from chassis.telemetry.tracing import current_trace

_INHERITED = ("PATH", "HOME", "USER", "TMPDIR", "LANG", "LC_ALL", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR")
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
_LISTENS_POLL_SECONDS = 0.01
_CHUNK_BYTES = 1 << 16
_LINE_BYTES_MAX = 16 << 20

OnLine = Callable[[bytes], None]


@dataclass(frozen=True, kw_only=True)
class ChildCommand:
    """What to run. The arguments can be seen by everybody on the machine: secrets go into `environment`."""

    arguments: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Beside the few variables every child inherits, and `TRACEPARENT`."""
    directory: Path | None = None
    nice: int = 0
    descriptors: Sequence[int] = ()
    """Open files that it has too, by the same numbers."""


class Child:
    """A running child, leader of a process group of its own. One that has ended stays in the process table until its
    context is left, so that what it used can still be read."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process
        self._ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._streams: list[asyncio.StreamReader] = []
        self._transports: list[asyncio.BaseTransport] = []
        self.pid = process.pid
        Thread(target=_await_end, args=(self.pid, self._ended), name=f"end of {self.pid}", daemon=True).start()

    async def open(self) -> None:
        """Begin to read what it says."""
        for pipe in (self._process.stdout, self._process.stderr):
            reader = asyncio.StreamReader()
            connecting = asyncio.get_running_loop().connect_read_pipe(
                partial(asyncio.StreamReaderProtocol, reader), pipe
            )
            self._transports.append((await connecting)[0])
            self._streams.append(reader)

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative: the signal that ended it."""
        return self._ended.result() if self._ended.done() else None

    async def pump(self, *, on_output: OnLine, on_error: OnLine) -> None:
        """Hand on the lines of standard output and standard error until both end. What a callback raises ends it."""
        output, errors = self._streams
        tasks = [
            asyncio.create_task(_read_lines(output, on_output)),
            asyncio.create_task(_read_lines(errors, on_error)),
        ]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()

    async def wait(self) -> int:
        """Its exit code, once it has ended."""
        return await asyncio.shield(self._ended)

    async def stop(self, *, grace_seconds: float = 10) -> int:
        """Interrupt it, so that it can clean up; kill it when it takes longer than that. Returns its exit code."""
        with suppress(TimeoutError):
            async with asyncio.timeout(grace_seconds):
                # It inherits that from us, until `launch` runs in it: an interrupt before that would be lost.
                while self.exit_code is None and _ignores_interrupts(self.pid):  # noqa: ASYNC110
                    await asyncio.sleep(_LISTENS_POLL_SECONDS)
                self._signal(signal.SIGINT)
                return await self.wait()
        return await self.kill()

    async def kill(self) -> int:
        """Kill it and whatever it started. Returns its exit code."""
        self._signal(signal.SIGKILL)
        return await self.wait()

    async def close(self) -> None:
        """Kill it, if it runs, and let it go."""
        try:
            await self.kill()
        finally:
            # Also when we are cancelled: a child that nobody waits for stays in the process table.
            self._ended.add_done_callback(self._let_go)

    def _let_go(self, _: object = None) -> None:
        self._process.wait()
        for transport in self._transports:
            transport.close()

    def _signal(self, number: signal.Signals) -> None:
        # Once it was let go, its number may be another one's.
        if self._process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, number)


@asynccontextmanager
async def open_child(command: ChildCommand) -> AsyncIterator[Child]:
    """Start a child; it is killed when the context is left while it runs.

    The thread that runs the event loop must outlive it: the kernel ties the child to the thread that started it.
    Raises `OSError` when `directory` is not there. A missing program ends with `child_entry.NOT_STARTED`.
    """
    # Not by asyncio, which lets a child go at once when it has ended.
    process = subprocess.Popen(  # noqa: ASYNC220 - takes as long as asyncio's, which begins a process in the same way
        [sys.executable, "-I", "-S", child_entry.__file__, str(os.getpid()), str(command.nice), *command.arguments],
        bufsize=0,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=command.directory,
        env=_environment(command.environment),
        start_new_session=True,
        pass_fds=command.descriptors,
    )
    child = _child_of(process)
    try:
        await child.open()
        yield child
    finally:
        await child.close()


def _child_of(process: "subprocess.Popen[bytes]") -> Child:
    """The child, watched from now on. One that cannot be, for want of a thread, is killed: nobody would end it."""
    try:
        return Child(process)
    except BaseException:
        with process:  # Closes its pipes, and waits for it.
            os.killpg(process.pid, signal.SIGKILL)
        raise


def _await_end(process_id: int, ended: "asyncio.Future[int]") -> None:
    """Tell how a process ended, and leave it in the process table. Blocks until then."""
    told = os.waitid(os.P_PID, process_id, os.WEXITED | os.WNOWAIT)
    assert told is not None  # noqa: S101 - it is None only where nobody waits
    code = told.si_status if told.si_code == os.CLD_EXITED else -told.si_status
    with suppress(RuntimeError):  # The loop was closed meanwhile.
        ended.get_loop().call_soon_threadsafe(ended.set_result, code)


def _environment(added: Mapping[str, str]) -> dict[str, str]:
    inherited = {name: os.environ[name] for name in (*_INHERITED, *_PROXIES) if name in os.environ}
    traced = {name.upper(): value for name, value in current_trace().model_dump().items() if value}
    return {**inherited, **traced, **added}


def _ignores_interrupts(pid: int) -> bool:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_bytes().splitlines():
            if line.startswith(b"SigIgn:"):
                return bool(int(line.split()[1], 16) >> (signal.SIGINT - 1) & 1)
    return False


async def _read_lines(stream: asyncio.StreamReader, on_line: OnLine) -> None:
    rest = b""
    while chunk := await stream.read(_CHUNK_BYTES):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            on_line(line)
        # A program that never ends its line must not fill our memory.
        rest = rest[-_LINE_BYTES_MAX:]
    if rest:
        on_line(rest)
