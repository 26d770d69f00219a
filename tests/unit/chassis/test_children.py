"""Child processes, tried on small ones."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from chassis.subprocesses.child_entry import NOT_STARTED
from chassis.subprocesses.children import ChildCommand, open_child

from tests.support.processes import is_running
from tests.support.waiting import eventually, eventually_async


async def run(script: str, **options: object) -> tuple[int, list[bytes], list[bytes]]:
    output: list[bytes] = []
    errors: list[bytes] = []
    command = ChildCommand(arguments=[sys.executable, "-c", script], **options)  # type: ignore[arg-type]
    async with open_child(command) as child:
        await child.pump(on_output=output.append, on_error=errors.append)
        return await child.wait(), output, errors


async def test_both_streams_come_line_by_line() -> None:
    script = "import sys; print('one\\n\\ntwo', end=''); sys.stderr.write('three\\n'); sys.exit(3)"

    assert await run(script) == (3, [b"one", b"", b"two"], [b"three"])


async def test_lines_may_be_long() -> None:
    _, output, _ = await run("print('x' * 3_000_000); print('y')")

    assert [len(line) for line in output] == [3_000_000, 1]


async def test_it_sees_only_what_it_should(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CAIRN_CANARY", "inherited")

    _, output, _ = await run(
        "import os; print(os.environ.get('CAIRN_CANARY'), os.environ['GIVEN'], os.getcwd())",
        environment={"GIVEN": "given"},
        directory=tmp_path,
    )

    assert output == [f"None given {tmp_path}".encode()]


async def test_a_missing_program_is_named() -> None:
    errors: list[bytes] = []
    command = ChildCommand(arguments=["/nonexistent/program"])

    async with open_child(command) as child:
        await child.pump(on_output=errors.append, on_error=errors.append)
        assert await child.wait() == NOT_STARTED
    assert errors == [b"/nonexistent/program: No such file or directory"]


async def test_stopping_lets_it_tidy_up(tmp_path: Path) -> None:
    lines: list[bytes] = []
    is_ready = asyncio.Event()
    script = (
        "import os, signal, time\n"
        "def tidy(*_): os.write(1, b'tidy\\n'); os._exit(130)\n"
        "signal.signal(signal.SIGINT, tidy); print('ready', flush=True); time.sleep(60)"
    )
    command = ChildCommand(arguments=[sys.executable, "-c", script])

    def take(line: bytes) -> None:
        lines.append(line)
        is_ready.set()

    async with open_child(command) as child:
        pumping = asyncio.create_task(child.pump(on_output=take, on_error=take))
        await is_ready.wait()
        assert await child.stop() == 130
        await pumping
    assert lines == [b"ready", b"tidy"]


async def test_who_does_not_listen_is_killed() -> None:
    is_deaf = asyncio.Event()
    script = "import signal, time; signal.signal(2, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
    command = ChildCommand(arguments=[sys.executable, "-c", script])

    async with open_child(command) as child:
        pumping = asyncio.create_task(child.pump(on_output=lambda _: is_deaf.set(), on_error=lambda _: None))
        await is_deaf.wait()
        assert await child.stop(grace_seconds=0.2) == -signal.SIGKILL
        await pumping


async def test_it_can_be_stopped_at_once_by_a_process_that_ignores_interrupts() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        async with open_child(ChildCommand(arguments=["sleep", "60"])) as child:
            assert await child.stop(grace_seconds=20) == -signal.SIGINT
    finally:
        signal.signal(signal.SIGINT, before)


async def test_one_that_has_ended_can_be_looked_at_until_its_context_is_left() -> None:
    async with open_child(ChildCommand(arguments=["true"])) as child:
        assert await child.wait() == 0
        assert Path(f"/proc/{child.pid}/stat").read_text().rpartition(") ")[2][0] == "Z"

    await eventually_async(lambda: not Path(f"/proc/{child.pid}").exists())


async def test_it_ends_with_its_context_and_so_does_what_it_started() -> None:
    script = "import subprocess, time; print(subprocess.Popen(['sleep', '60']).pid, flush=True); time.sleep(60)"
    started: list[int] = []
    async with open_child(ChildCommand(arguments=[sys.executable, "-c", script])) as child:
        pump = asyncio.create_task(
            child.pump(on_output=lambda line: started.append(int(line)), on_error=lambda _: None)
        )
        await eventually_async(lambda: started)

    await pump
    await eventually_async(lambda: not is_running(started[0]))


async def test_one_that_cannot_be_watched_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[subprocess.Popen[bytes]] = []

    class Noted(subprocess.Popen[bytes]):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            begun.append(self)

    def refuse(_: Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(subprocess, "Popen", Noted)
    monkeypatch.setattr(Thread, "start", refuse)
    with pytest.raises(RuntimeError, match="new thread"):
        async with open_child(ChildCommand(arguments=["sleep", "60"])):
            raise AssertionError("nobody would notice its end")

    [process] = begun
    assert process.returncode == -signal.SIGKILL
    assert process.stdout is not None
    assert process.stdout.closed


def test_it_dies_with_its_parent() -> None:
    script = (
        "import asyncio\n"
        "from chassis.subprocesses.children import ChildCommand, open_child\n"
        "async def main():\n"
        "    async with open_child(ChildCommand(arguments=['sleep', '60'])) as child:\n"
        "        print(child.pid, flush=True); await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    eventually(lambda: Path(f"/proc/{child}/comm").read_text() == "sleep\n")

    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()

    eventually(lambda: not is_running(child))
