"""Child processes that take their secrets from the environment, can be stopped, and die with this process."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

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
    """A running child, leader of a process group of its own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.pid = process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative: the signal that ended it."""
        return self._process.returncode

    async def pump(self, *, on_output: OnLine, on_error: OnLine) -> None:
        """Hand on the lines of standard output and standard error until both end. What a callback raises ends it."""
        assert self._process.stdout is not None and self._process.stderr is not None  # noqa: S101, PT018
        tasks = [
            asyncio.create_task(_read_lines(self._process.stdout, on_output)),
            asyncio.create_task(_read_lines(self._process.stderr, on_error)),
        ]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()

    async def wait(self) -> int:
        """Its exit code, once it has ended."""
        return await self._process.wait()

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
        # Also when we are cancelled: a child that nobody waits for stays in the process table.
        return await asyncio.shield(self.wait())

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.pid, number)


@asynccontextmanager
async def open_child(command: ChildCommand) -> AsyncIterator[Child]:
    """Start a child; it is killed when the context is left while it runs.

    The thread that runs the event loop must outlive it: the kernel ties the child to the thread that started it.
    Raises `OSError` when `directory` is not there. A missing program ends with `child_entry.NOT_STARTED`.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-S", child_entry.__file__, str(os.getpid()), str(command.nice)),
        *command.arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=command.directory,
        env=_environment(command.environment),
        start_new_session=True,
        pass_fds=command.descriptors,
    )
    child = Child(process)
    try:
        yield child
    finally:
        await child.kill()


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
