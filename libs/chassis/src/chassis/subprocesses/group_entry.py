"""Runs a program and ends with it: whatever the program started is killed when this process gets SIGTERM, which the
kernel also sends when its parent dies. Run as a script: it imports nothing of ours.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
PARENT_GONE, NOT_STARTED, KILLED = 125, 126, 137


def main() -> int:
    """Arguments: id of the parent, program and its arguments. Returns the program's exit code, as shells tell it."""
    parent, *command = sys.argv[1:]
    libc = ctypes.CDLL(None)
    # Processes that lose their parent become children of this one, so that none of them can get out of its sight.
    libc.prctl(_PR_SET_CHILD_SUBREAPER, 1)
    signal.signal(signal.SIGTERM, _end)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    # A parent that died before the call above took effect sends no signal any more.
    if os.getppid() != int(parent):
        return PARENT_GONE
    code = _run(command)
    # What it left in its group ends with it; what has a session of its own was meant to stay.
    _kill(pid for pid, group in _descendants() if group == os.getpgrp())
    return code


def _run(command: list[str]) -> int:
    program = os.fork()
    if program == 0:
        _become(command)
    while True:
        ended, status = os.wait()
        if ended == program:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


def _become(command: list[str]) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    try:
        os.execve(command[0], command, _environment())  # noqa: S606 - no shell is wanted
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {error.strerror}\n")
        sys.stderr.flush()
    os._exit(NOT_STARTED)


def _environment() -> dict[bytes, bytes]:
    """What this process was given: Python adds a locale of its own where there is none (PEP 538)."""
    with open("/proc/self/environ", "rb") as given:  # noqa: PTH123 - pathlib takes long to load
        pairs = (each.partition(b"=") for each in given.read().split(b"\0") if b"=" in each)
        return {name: value for name, _, value in pairs}


def _end(*_: object) -> None:
    # Again and again: a program may start another one while its children are looked for.
    while found := [pid for pid, _ in _descendants()]:
        _kill(iter(found))
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
    os._exit(KILLED)


def _kill(processes: Iterator[int]) -> None:
    for pid in processes:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _descendants() -> list[tuple[int, int]]:
    """Process ids and groups of all that was started, directly or not, and has not ended."""
    children: dict[int, list[tuple[int, int]]] = {}
    for name in os.listdir("/proc"):  # noqa: PTH208
        if name.isdecimal():
            with suppress(OSError), open(f"/proc/{name}/stat", errors="replace") as facts:  # noqa: PTH123
                # After the program's name, which may hold anything, in brackets.
                state, parent, group, *_ = facts.read().rpartition(")")[2].split()
                children.setdefault(int(parent), []).append((int(name), int(group) if state != "Z" else -1))
    found, left = [], [os.getpid()]
    while left:
        below = children.get(left.pop(), [])
        found += [(pid, group) for pid, group in below if group >= 0]
        left += [pid for pid, _ in below]
    return found


if __name__ == "__main__":
    sys.exit(main())
