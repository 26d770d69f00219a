import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest
from chassis.subprocesses.bounded_programs import Ended, Program, run_program
from chassis.subprocesses.group_entry import NOT_STARTED

from tests.support.waiting import eventually_async

SH = "/bin/sh"


async def run(script: str, *, cancel: asyncio.Event | None = None, seconds: float = 30, tail: int = 100) -> Ended:
    program = Program(
        arguments=(SH, "-c", script), environment={"ONLY": "this"}, timeout_seconds=seconds, tail_bytes=tail
    )
    return await run_program(program, cancel=cancel or asyncio.Event())


def is_gone(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


async def all_gone(pids: Sequence[int]) -> None:
    await eventually_async(lambda: all(map(is_gone, pids)), 10)


async def pids_in(path: Path, count: int) -> list[int]:
    def written() -> bool:
        return path.exists() and len(path.read_text().split()) == count

    await eventually_async(written, 10)
    return [int(each) for each in path.read_text().split()]


async def test_a_program_gets_its_environment_alone_and_both_outputs_are_kept_in_order() -> None:
    ended = await run("echo one; echo two >&2; read line || echo closed; pwd; env | grep -vE '^(PWD|_|SHLVL)='; exit 3")
    assert ended == Ended("exited", 3, b"one\ntwo\nclosed\n/\nONLY=this\n", 0)


async def test_of_much_output_the_end_is_kept() -> None:
    ended = await run("i=0; while [ $i -lt 300 ]; do echo 0123456789; i=$((i+1)); done; printf end", tail=8)
    assert (ended.tail, ended.left_out_bytes) == (b"6789\nend", 3295)


async def test_what_cannot_be_started_says_why(tmp_path: Path) -> None:
    (no_program := tmp_path / "odd").write_bytes(b"\0\0\0\0")
    no_program.chmod(0o700)
    program = Program(arguments=(str(no_program),), timeout_seconds=30)
    ended = await run_program(program, cancel=asyncio.Event())
    assert (ended.exit_code, ended.tail) == (NOT_STARTED, f"{no_program}: Exec format error\n".encode())


# A child in the group, one with a session of its own, and one that lost its parent.
FAMILY = "sleep 60 & echo $! > {0}; setsid sleep 60 & echo $! >> {0}; (setsid sleep 60 & echo $! >> {0}); sleep 60"


@pytest.mark.parametrize("how", ["timeout", "canceled"])
async def test_all_that_a_program_started_is_killed_with_it(tmp_path: Path, how: str) -> None:
    cancel = asyncio.Event()
    # The shell that stands in is busy before it has written down its children only on a very slow machine.
    running = asyncio.create_task(
        run(FAMILY.format(tmp_path / "pids"), cancel=cancel, seconds=2 if how == "timeout" else 60)
    )
    pids = await pids_in(tmp_path / "pids", 3)
    if how == "canceled":
        cancel.set()
    assert (await running).how == how
    await all_gone(pids)


async def test_it_dies_with_the_task_that_runs_it(tmp_path: Path) -> None:
    running = asyncio.create_task(run(FAMILY.format(tmp_path / "pids"), seconds=60))
    pids = await pids_in(tmp_path / "pids", 3)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await all_gone(pids)


async def test_what_it_leaves_in_its_group_ends_with_it_and_a_session_of_its_own_goes_on(tmp_path: Path) -> None:
    left = tmp_path / "pids"
    on_its_own_now = f"setsid sh -c 'echo $$ >> {left}; exec sleep 60' &"
    ended = await run(
        f"sleep 60 & echo $! > {left}; {on_its_own_now} until [ $(wc -l < {left}) = 2 ]; do sleep 0.01; done"
    )
    assert ended.exit_code == 0
    in_group, on_its_own = await pids_in(left, 2)
    try:
        await all_gone([in_group])
        assert not is_gone(on_its_own)
    finally:
        os.kill(on_its_own, signal.SIGKILL)


async def test_all_of_it_dies_with_this_process_however_that_ends(tmp_path: Path) -> None:
    code = (
        "import asyncio, sys\n"
        "from chassis.subprocesses.bounded_programs import Program, run_program\n"
        "program = Program(arguments=('/bin/sh', '-c', sys.argv[1]), environment={}, timeout_seconds=60)\n"
        "asyncio.run(run_program(program, cancel=asyncio.Event()))\n"
    )
    worker = subprocess.Popen([sys.executable, "-c", code, FAMILY.format(tmp_path / "pids")])
    pids = await pids_in(tmp_path / "pids", 3)
    worker.kill()
    worker.wait()
    await all_gone(pids)
