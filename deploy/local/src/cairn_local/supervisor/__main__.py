"""`python -m cairn_local.supervisor STATE_DIR [CALLER_PID]`: started by `cairn up`, not by hand."""

import fcntl
import os
import sys
from pathlib import Path

from cairn_local.paths import StateDir
from cairn_local.supervisor.process_record import Running, start_time
from cairn_local.supervisor.supervisor import Supervisor, listen


def main(arguments: list[str]) -> int:
    """Supervise until stopped; 1 when another supervisor has this state folder."""
    # Sockets and logs are made by many programs with modes of their own.
    os.umask(0o077)
    state = StateDir(Path(arguments[0]))
    caller = Running(int(arguments[1]), start_time(int(arguments[1]))) if len(arguments) > 1 else None
    with (state.run / "supervisor.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("another supervisor is running")
            return 1
        Supervisor(state, caller=caller).run(listen())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
