import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from cairn_local.environment import base_environment
from cairn_local.paths import StateDir
from cairn_local.process_plan import Check, ProcessSpec, save_plan
from cairn_local.supervisor.process_record import find_process, load_record
from cairn_local.supervisor.supervised_process import SupervisedProcess
from cairn_local.supervisor.supervisor import Signals, Supervisor

from tests.support.waiting import eventually

SLEEP = (sys.executable, "-c", "import time; time.sleep(600)")


@pytest.fixture
def state(tmp_path: Path) -> StateDir:
    return StateDir(tmp_path / "state").create()


def spec(state: StateDir, *argv: str) -> ProcessSpec:
    return ProcessSpec("sleeper", argv or SLEEP, base_environment(state), Check("tcp", "127.0.0.1:1"), "127.0.0.1:1")


class Turns(Signals):
    """Does one thing at each turn of the loop, and lets it stop after the last."""

    def __init__(self, *turns: object) -> None:
        super().__init__(wakeup=-1)
        self._turns = list(turns)

    def wait(self, seconds: float) -> None:
        turn = self._turns.pop(0) if self._turns else None
        self.stop = not self._turns
        if callable(turn):
            turn()
        os.sched_yield()


def test_record_that_cannot_be_written_is_written_later(state: StateDir) -> None:
    save_plan(state.plan, [])
    seen: list[psutil.Process | None] = []

    def start_while_the_record_cannot_be_replaced() -> None:
        state.processes.unlink()
        (state.processes / "in the way").mkdir(parents=True)
        save_plan(state.plan, [spec(state)])
        signals.reload = True

    def make_room() -> None:
        assert state.log("sleeper").exists()
        shutil.rmtree(state.processes)

    def look() -> None:
        seen.append(find_process(load_record(state.processes).processes.get("sleeper")))

    signals = Turns(start_while_the_record_cannot_be_replaced, make_room, look, None)
    Supervisor(state, caller=None).run(signals)
    assert seen[0] is not None
    assert not seen[0].is_running()


WRITE_WHEN_EMPTY = """
import os, sys, time
while True:
    if os.path.getsize(sys.argv[1]) == 0:
        print("x" * 3000, flush=True)
    time.sleep(0.001)
"""


def test_log_of_a_running_process_is_bounded(state: StateDir) -> None:
    log = state.log("sleeper")
    save_plan(state.plan, [spec(state, sys.executable, "-c", WRITE_WHEN_EMPTY, str(log))])

    def written() -> None:
        eventually(lambda: log.exists() and log.stat().st_size == 3001)

    bounded = Supervisor(state, caller=None, log_limit_bytes=2000, log_look_seconds=0.0)
    bounded.run(Turns(None, *[written] * 5, None))
    aside = [path for path in state.logs.glob("sleeper.log.*") if path.stat().st_size == 2000]
    assert sorted(path.name for path in aside) == ["sleeper.log.1", "sleeper.log.2"]


def test_process_that_waits_itself_is_started_beside_its_server_and_ends_before_it(state: StateDir) -> None:
    server = replace(spec(state), name="server")
    client = replace(spec(state), name="client", after=("server",), beside=("server",))
    waiting = replace(spec(state), name="waiting", after=("server",))
    save_plan(state.plan, [server, client, waiting])
    Supervisor(state, caller=None).run(Turns(None, None, None))
    assert {path.stem for path in state.logs.glob("*.log")} == {"server", "client"}


def test_children_end_with_a_supervisor_that_fails(state: StateDir) -> None:
    save_plan(state.plan, [spec(state)])
    seen: list[psutil.Process | None] = []

    def fail() -> None:
        seen.append(find_process(load_record(state.processes).processes["sleeper"]))
        raise RuntimeError("unforeseen")

    with pytest.raises(RuntimeError, match="unforeseen"):
        Supervisor(state, caller=None).run(Turns(None, fail, None))
    assert seen[0] is not None
    assert not seen[0].is_running()


def test_child_without_a_place_for_its_log_is_tried_again(state: StateDir) -> None:
    child = SupervisedProcess(spec(state), state.log("sleeper"))
    shutil.rmtree(state.logs)
    child.start()
    assert not child.alive
    assert child.due
    state.create()
    child.start()
    try:
        assert child.alive
    finally:
        child.stop()
        eventually(lambda: child.look(awaited=False) and not child.alive)


def test_program_that_is_not_there_is_told(state: StateDir, capsys: pytest.CaptureFixture[str]) -> None:
    SupervisedProcess(spec(state, "/absent"), state.log("sleeper")).start()
    assert "/absent could not be started: No such file" in state.log("sleeper").read_text()
    assert "could not be started: /absent: No such file" in capsys.readouterr().out
