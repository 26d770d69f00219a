"""The supervisor's loop: keep the processes of the plan running until a signal stops it."""

import os
import select
import signal
import time
from dataclasses import dataclass, field

from cairn_local.logs import ROTATE_BYTES, rotate_logs
from cairn_local.paths import StateDir
from cairn_local.process_plan import load_plan
from cairn_local.supervisor.process_record import Record, Running, find_process, save_record, start_time
from cairn_local.supervisor.supervised_process import SupervisedProcess, say

BUSY_SECONDS = 0.05
IDLE_SECONDS = 1.0


@dataclass
class Signals:
    """What signals asked for, and a pipe that wakes the loop when one arrives."""

    wakeup: int
    stop: bool = False
    reload: bool = field(default=True)

    def wait(self, seconds: float) -> None:
        """Return when a signal (also: a child ended) arrives, or after `seconds`."""
        if select.select([self.wakeup], [], [], seconds)[0]:
            os.read(self.wakeup, 4096)


def listen() -> Signals:
    """Take over SIGTERM, SIGINT (stop), SIGHUP (read the plan again) and SIGCHLD (look now)."""
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    os.set_blocking(writer, False)
    signals = Signals(reader)

    def stop(*_arguments: object) -> None:
        signals.stop = True

    def reload(*_arguments: object) -> None:
        signals.reload = True

    handlers = {signal.SIGTERM: stop, signal.SIGINT: stop, signal.SIGHUP: reload}
    for number, handler in handlers.items():
        signal.signal(number, handler)
    signal.signal(signal.SIGCHLD, lambda *_arguments: None)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    # Whoever started us held them back while doing so, and we inherited that.
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    return signals


class Supervisor:
    """Owns the processes of one state folder."""

    def __init__(
        self,
        state: StateDir,
        *,
        caller: Running | None,
        log_limit_bytes: int = ROTATE_BYTES,
        log_look_seconds: float = IDLE_SECONDS,
    ) -> None:
        self._state = state
        self._caller = caller
        self._log_limit_bytes = log_limit_bytes
        self._log_look_seconds = log_look_seconds
        self._children: dict[str, SupervisedProcess] = {}
        self._self = Running(os.getpid(), start_time(os.getpid()))
        self._unsaved = False
        self._next_look_at_logs = 0.0

    def run(self, signals: Signals) -> None:
        """Run until SIGTERM or SIGINT, or until the caller (where there is one) has gone; then stop everything."""
        save_record(self._state.processes, self._record())
        try:
            while not signals.stop and (self._caller is None or find_process(self._caller)):
                if signals.reload:
                    signals.reload = False
                    self._read_plan()
                signals.wait(BUSY_SECONDS if self._tend() else IDLE_SECONDS)
                self._bound_logs()
        finally:
            # Whatever went wrong: a process left behind would run on without supervision.
            while self._wind_down():
                signals.wait(BUSY_SECONDS)
            self._state.processes.unlink(missing_ok=True)

    def _read_plan(self) -> None:
        """Add what is new and replace what changed; what left the plan goes on until everything is stopped."""
        for spec in load_plan(self._state.plan):
            child = self._children.setdefault(spec.name, SupervisedProcess(spec, self._state.log(spec.name)))
            if child.spec != spec:
                child.replace(spec)

    def _tend(self) -> bool:
        """Look after every child once; True while some are not ready or not running."""
        awaited = {name for child in self._children.values() for name in child.spec.starts_after}
        changed = [child.look(awaited=name in awaited) for name, child in self._children.items()]
        self._start_due()
        if any(changed) or self._unsaved:
            self._save()
        return not all(child.ready for child in self._children.values())

    def _start_due(self) -> None:
        """Start each child that is due and whose predecessors are ready."""
        for child in self._children.values():
            if child.due and all(self._children[name].ready for name in child.spec.starts_after):
                child.start()
                # After each start: whoever comes after a killed supervisor finds its processes by the record.
                self._save()

    def _wind_down(self) -> bool:
        """Stop whatever no running process depends on; True while something still runs."""
        for child in self._children.values():
            child.look(awaited=False)
        alive = [child for child in self._children.values() if child.alive]
        needed = {name for child in alive for name in child.spec.after}
        for child in alive:
            if child.spec.name not in needed:
                child.stop()
        return bool(alive)

    def _bound_logs(self) -> None:
        """Cut logs that are too large."""
        # Not at every turn: while something starts, the loop turns twenty times a second.
        if time.monotonic() < self._next_look_at_logs:
            return
        self._next_look_at_logs = time.monotonic() + self._log_look_seconds
        try:
            rotate_logs(self._state, limit_bytes=self._log_limit_bytes)
        except OSError as error:
            say(f"the logs could not be put aside: {error.strerror}")

    def _save(self) -> None:
        """Write the record. On a full disk or without the folder it is tried again at the next turn."""
        try:
            save_record(self._state.processes, self._record())
        except OSError as error:
            if not self._unsaved:
                say(f"the record could not be written: {error.strerror}")
            self._unsaved = True
        else:
            self._unsaved = False

    def _record(self) -> Record:
        running = {child.spec.name: child.running for child in self._children.values() if child.running}
        return Record(self._self, running)
