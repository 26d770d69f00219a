"""One supervised process."""

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path

from cairn_local.paths import PRIVATE_FILE
from cairn_local.process_plan import ProcessSpec
from cairn_local.supervisor.process_record import Running, start_time
from cairn_local.supervisor.readiness import is_serving

STABLE_SECONDS = 10.0
FIRST_PAUSE_SECONDS = 0.25
LONGEST_PAUSE_SECONDS = 5.0


def restart_pause(failures: int) -> float:
    """Seconds to wait before starting again after so many failures in a row: none, then growing."""
    return 0.0 if failures <= 1 else min(FIRST_PAUSE_SECONDS * 2 ** (failures - 2), LONGEST_PAUSE_SECONDS)


def say(what: str) -> None:
    """Write a line into the supervisor's own log. On a full disk it goes unsaid."""
    with contextlib.suppress(OSError):
        print(f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {what}", flush=True)


class SupervisedProcess:
    """Starts, watches, restarts and stops one process. Its output goes straight into its log file."""

    def __init__(self, spec: ProcessSpec, log: Path) -> None:
        self.spec = spec
        self.ready = False
        self.running: Running | None = None
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._failures = 0
        self._began = 0.0
        self._not_before = 0.0
        self._kill_at: float | None = None

    @property
    def alive(self) -> bool:
        """Whether the process was running at the last look."""
        return self._process is not None

    @property
    def due(self) -> bool:
        """Whether it stands still and may be started now."""
        return self._process is None and time.monotonic() >= self._not_before

    def start(self) -> None:
        """Start it in a session of its own, so that a signal to its group reaches all that it started."""
        self._began = time.monotonic()
        try:
            self._process = self._spawn()
        except OSError as error:
            self._say(f"could not be started: {error.filename or self.spec.argv[0]}: {error.strerror}")
            self._ended()
            return
        restarts = self.running.restarts + 1 if self.running else 0
        self.running = Running(self._process.pid, start_time(self._process.pid), restarts)
        self._say("started")

    def _spawn(self) -> "subprocess.Popen[bytes]":
        log = os.open(self._log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, PRIVATE_FILE)
        try:
            for path in self.spec.stale:
                Path(path).unlink(missing_ok=True)
            return subprocess.Popen(
                self.spec.argv,
                env=self.spec.env,
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        except OSError as error:
            with contextlib.suppress(OSError):
                os.write(log, f"{self.spec.argv[0]} could not be started: {error.strerror}\n".encode())
            raise
        finally:
            os.close(log)

    def look(self, *, awaited: bool) -> bool:
        """See whether it ended, or became ready; True when something changed.

        Only a child that is `awaited` by others is asked for its health: the rest counts as ready once it runs.
        """
        if self._process is None:
            return False
        if self._process.poll() is not None:
            # What it left in its group would hold its port, and the successor could not start.
            self._kill_group()
            self._say(f"ended with {self._process.returncode}")
            self._ended()
            return True
        if self._kill_at is not None:
            self.stop()
            return False
        if not self.ready and (not awaited or is_serving(self.spec, self.running)):
            self.ready = True
            return True
        return False

    def stop(self) -> None:
        """Ask it to stop; later calls kill it once its grace is over."""
        if self._process is None:
            return
        if self._kill_at is None:
            self._kill_at = time.monotonic() + self.spec.grace_seconds
            self._process.send_signal(signal.Signals[self.spec.stop_signal])
        elif time.monotonic() >= self._kill_at:
            self._kill_group()

    def replace(self, spec: ProcessSpec) -> None:
        """Run by `spec` from now on."""
        self.spec = spec
        self.stop()

    def _ended(self) -> None:
        self.ready, self._process = False, None
        asked_for = self._kill_at is not None
        stable = time.monotonic() - self._began >= STABLE_SECONDS
        # A process that ran for a while before it ended did not fail at its start: the pause begins anew.
        self._failures = 0 if asked_for else 1 if stable else self._failures + 1
        self._kill_at = None
        self._not_before = time.monotonic() + restart_pause(self._failures)

    def _say(self, what: str) -> None:
        say(f"{self.spec.name} ({self._process.pid if self._process else '-'}) {what}")

    def _kill_group(self) -> None:
        """End the process and what it left behind: an orphan must not go on beside its successor."""
        if self._process is None:
            return
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        except PermissionError:
            # macOS says this for a group in which only zombies are left.
            return
