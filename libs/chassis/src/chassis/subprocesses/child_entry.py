"""Becomes a program that the kernel kills when its parent dies. Run as a script: it imports nothing of ours.

A `preexec_fn` would do the same between fork and exec, where a process with threads can hang.
"""

import ctypes
import os
import sys

_SIGINT, _SIGKILL, _SIG_DFL = 2, 9, None
"""Numbers of Linux, as below: the module `signal` takes a third of the time until the program begins."""
_PR_SET_PDEATHSIG = 1
PARENT_GONE = 125
NOT_STARTED = 127


def main() -> int:
    """Arguments: id of the parent, niceness to add, program and its arguments."""
    libc = ctypes.CDLL(None)
    libc.signal(_SIGINT, _SIG_DFL)
    parent, nice, *command = sys.argv[1:]
    libc.prctl(_PR_SET_PDEATHSIG, _SIGKILL)
    # A parent that died before the call above took effect sends no signal any more.
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
