"""Processes of Cairn under test: started, killed, never left behind."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from chassis.subprocesses import child_entry


@dataclass
class Running:
    """A process and what it has written so far."""

    process: "subprocess.Popen[bytes]"
    log: Path

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        self.process.kill()
        self.process.wait(10)

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)

    async def ended(self, deadline_seconds: float = 20) -> int:
        """The exit code (negative: the signal), once it ended by itself."""
        return await asyncio.to_thread(self.process.wait, deadline_seconds)

    def output(self) -> str:
        """Standard output and error."""
        return self.log.read_text(errors="replace")


@contextmanager
def running_module(module: str, *arguments: str, environment: Mapping[str, str], log: Path) -> Iterator[Running]:
    """`python -m module`, in the root of the checkout; killed at the end if it still runs, or when these tests are."""
    root = Path(__file__).parents[2]
    # In the process that it starts in: its id and its signals are those of the module.
    ends_with_us = [sys.executable, "-I", "-S", child_entry.__file__, str(os.getpid()), "0"]
    with log.open("ab") as output:
        process = subprocess.Popen(
            [*ends_with_us, sys.executable, "-m", module, *arguments],
            cwd=root,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    running = Running(process, log)
    try:
        yield running
    finally:
        if process.poll() is None:
            running.kill()


def is_running(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return status.rpartition(") ")[2][0] != "Z"
