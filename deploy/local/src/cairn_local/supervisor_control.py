"""Starting, watching and stopping the supervisor of a state folder."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import psutil

from cairn_local.environment import MARKER, base_environment
from cairn_local.errors import LocalError
from cairn_local.logs import last_lines
from cairn_local.paths import PRIVATE_FILE, StateDir
from cairn_local.process_plan import ProcessSpec, save_plan
from cairn_local.step_reporters import PlainStep, Reminder, Step
from cairn_local.supervisor.process_record import Record, find_process, load_record
from cairn_local.supervisor.readiness import is_serving

SUPERVISOR = "supervisor"
SUPERVISOR_MODULE = "cairn_local.supervisor"
POLL_SECONDS = 0.05
START_SECONDS = 120.0
STOP_SECONDS = 60.0
LEFTOVER_SECONDS = 20.0
EARLY_EXITS_ALLOWED = 2
LOG_LINES = 15


def is_running(state: StateDir) -> bool:
    """Whether a supervisor looks after this state folder."""
    return find_process(load_record(state.processes).supervisor) is not None


def supervise(state: StateDir, specs: Sequence[ProcessSpec], *, tied_to_caller: bool = False) -> None:
    """Have `specs` running: start a supervisor, or tell the running one what is new or changed.

    Tied to its caller, the supervisor stops everything when the calling process ends.
    """
    save_plan(state.plan, specs)
    supervisor = find_process(load_record(state.processes).supervisor)
    if supervisor:
        # The plan is on disk before the signal: a supervisor that reads at once finds the new one.
        supervisor.send_signal(signal.SIGHUP)
        return
    # -P: no module is taken from the folder that happens to be the current one.
    argv = [sys.executable, "-P", "-m", SUPERVISOR_MODULE, str(state.root)]
    with _interrupts_held():
        _start_supervisor(state, [*argv, str(os.getpid())] if tied_to_caller else argv)


def wait_until_healthy(
    state: StateDir, specs: Sequence[ProcessSpec], *, seconds: float = START_SECONDS, step: Step | None = None
) -> None:
    """Return once every process itself answers. LocalError with log lines when one keeps ending, or time is up.

    `step` shows which processes are waited for, and again when that takes long.
    """
    deadline, reminder = time.monotonic() + seconds, Reminder(step or PlainStep())
    waiting = list(specs)
    restarts_before = _restarts(state)
    while waiting := _not_serving(state, waiting):
        if not is_running(state):
            raise LocalError("The supervisor has ended.", hint=_log_tail(state, SUPERVISOR))
        restarts = _restarts(state)
        for spec in waiting:
            if restarts.get(spec.name, 0) - restarts_before.get(spec.name, 0) > EARLY_EXITS_ALLOWED:
                raise LocalError(f"{spec.name} ends as soon as it is started.", hint=_log_tail(state, spec.name))
        reminder.waiting_for([spec.name for spec in waiting])
        if time.monotonic() > deadline:
            names = ", ".join(spec.name for spec in waiting)
            raise LocalError(f"Not ready after {seconds:.0f} s: {names}.", hint=_log_tail(state, waiting[0].name))
        time.sleep(POLL_SECONDS)


def stop(state: StateDir) -> bool:
    """Stop everything, in reverse order, and end what a killed supervisor left behind. False when nothing ran."""
    record = load_record(state.processes)
    supervisor = find_process(record.supervisor)
    if supervisor:
        supervisor.terminate()
        _wait_or_kill([supervisor], seconds=STOP_SECONDS)
    return end_leftovers(state, record) or supervisor is not None


def end_leftovers(state: StateDir, record: Record) -> bool:
    """End what of this state folder still runs, whatever the record says. False when nothing did."""
    # First of all a supervisor that nothing tells of any more: it would start again what is ended below.
    forgotten = [process for process in _marked(state) if SUPERVISOR_MODULE in _command_line(process)]
    for process in forgotten:
        _signal(process, signal.SIGTERM)
    _wait_or_kill(forgotten, seconds=STOP_SECONDS)
    recorded = [found for running in record.processes.values() if (found := find_process(running))]
    leftovers = {process.pid: process for process in (*recorded, *_marked(state))}
    for process in leftovers.values():
        # SIGINT: PostgreSQL waits for its clients on SIGTERM; the others take both alike.
        _signal(process, signal.SIGINT)
    _wait_or_kill(list(leftovers.values()), seconds=LEFTOVER_SECONDS)
    state.processes.unlink(missing_ok=True)
    return bool(forgotten or leftovers)


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Deliver Ctrl-C and the like afterwards: a supervisor that is not in the record yet would not be stopped."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start_supervisor(state: StateDir, argv: Sequence[str]) -> None:
    log = os.open(state.log(SUPERVISOR), os.O_WRONLY | os.O_APPEND | os.O_CREAT, PRIVATE_FILE)
    try:
        supervisor = subprocess.Popen(
            argv,
            cwd="/",
            env=base_environment(state),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    finally:
        os.close(log)
    while not is_running(state):
        if supervisor.poll() is not None:
            raise LocalError("The supervisor could not be started.", hint=_log_tail(state, SUPERVISOR))
        time.sleep(POLL_SECONDS)


def _not_serving(state: StateDir, specs: Sequence[ProcessSpec]) -> list[ProcessSpec]:
    processes = load_record(state.processes).processes
    return [spec for spec in specs if not is_serving(spec, processes.get(spec.name))]


def _restarts(state: StateDir) -> dict[str, int]:
    return {name: running.restarts for name, running in load_record(state.processes).processes.items()}


def _marked(state: StateDir) -> list[psutil.Process]:
    """Processes that carry our mark: also those started in the moment before their supervisor was killed."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARKER) == str(state.root):
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


def _command_line(process: psutil.Process) -> list[str]:
    try:
        return list(process.cmdline())
    except psutil.Error:
        return []


def _wait_or_kill(processes: list[psutil.Process], *, seconds: float) -> None:
    for process in _wait(processes, seconds=seconds):
        _signal(process, signal.SIGKILL)
    _wait(processes, seconds=seconds)


def _wait(processes: list[psutil.Process], *, seconds: float) -> list[psutil.Process]:
    """Those that are still alive after `seconds`. One that waits for its parent to notice its end is not."""
    deadline = time.monotonic() + seconds
    while (alive := [process for process in processes if _is_alive(process)]) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    return alive


def _is_alive(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return


def _log_tail(state: StateDir, name: str) -> str:
    path = state.log(name)
    return "\n  ".join([f"The end of {path}:", *last_lines(path, LOG_LINES)])
