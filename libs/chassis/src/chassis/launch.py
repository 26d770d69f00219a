"""Becomes a program that the kernel kills when its parent dies. Run as a script: it imports nothing of ours.

A `preexec_fn` would do the same between fork and exec, where a process with threads can hang.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1
PARENT_GONE = 125
NOT_STARTED = 127


def main() -> int:
    """Arguments: id of the parent, niceness to add, program and its arguments."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    parent, nice, *command = sys.argv[1:]
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
    if os.getppid() != int(parent):
        return PARENT_GONE
    os.nice(int(nice))
    try:
        os.execvp(command[0], command)  # noqa: S606
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {error.strerror}\n")
    return NOT_STARTED


if __name__ == "__main__":
    sys.exit(main())
