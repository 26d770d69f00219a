"""What real processes use: seen while they run, kept once they have ended."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest
from connector.engine.processes import ProcessMeter, Reading, counted, metering, own_process_counted

from tests.support.unprivileged import as_another_user

_WRITE_AND_WAIT = "import sys; sys.stdout.write('x' * 300_000); sys.stdout.flush(); sys.stdin.read(1)"
_PARENT = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {_WRITE_AND_WAIT!r}])"


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    yield from running(_WRITE_AND_WAIT)


@pytest.fixture
def family() -> Iterator[subprocess.Popen[bytes]]:
    yield from running(_PARENT)


def running(program: str) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        yield process
        process.kill()


def take_output(process: subprocess.Popen[bytes]) -> None:
    assert process.stdout is not None
    assert len(process.stdout.read(300_000)) == 300_000


def end(process: subprocess.Popen[bytes]) -> None:
    process.communicate(b".")


def test_without_a_process_nothing_is_known() -> None:
    assert ProcessMeter().read() == Reading()


def test_what_a_process_wrote_is_kept_when_it_has_ended(child: subprocess.Popen[bytes]) -> None:
    meter = ProcessMeter()
    with meter.counting(child.pid):
        take_output(child)
        seen = meter.read()
        end(child)
    assert (seen.written_bytes or 0) >= 300_000
    assert (seen.memory_bytes or 0) > 0
    left = meter.read()
    assert left.memory_bytes is None
    assert (left.written_bytes or 0) >= 300_000
    assert (left.cpu_seconds or 0) >= (seen.cpu_seconds or 0)


# No Python: other users may not be allowed to run ours.
_WRITE_AND_END = ("/bin/sh", "-c", "read go; exec dd if=/dev/zero bs=60000 count=1 2>/dev/null")


def bytes_seen_at_the_end() -> str:
    """What is known of a child that nobody looked at before it had ended."""
    meter = ProcessMeter()
    with subprocess.Popen(_WRITE_AND_END, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd="/") as child:
        with meter.counting(child.pid):
            assert child.stdin is not None
            child.stdin.write(b"\n")
            child.stdin.close()
            os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        return str(meter.read().written_bytes)


def test_what_a_process_did_last_counts_however_late_it_is_looked_at() -> None:
    assert int(bytes_seen_at_the_end()) >= 60_000


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_workers_that_are_not_root_see_it_as_well() -> None:
    assert int(as_another_user(bytes_seen_at_the_end)) >= 60_000


def test_what_its_children_use_counts(family: subprocess.Popen[bytes]) -> None:
    meter = ProcessMeter()
    with meter.counting(family.pid):
        take_output(family)
        alone = psutil.Process(family.pid).io_counters().write_chars
        assert (meter.read().written_bytes or 0) >= alone + 300_000
        end(family)


def test_of_this_process_only_what_it_uses_meanwhile_counts(child: subprocess.Popen[bytes]) -> None:
    meter = ProcessMeter()
    with meter.counting(os.getpid()):
        take_output(child)
        seen = meter.read()
    # What its child used is another job's.
    assert 300_000 <= (seen.read_bytes or 0) < psutil.Process().io_counters().read_chars


def test_a_process_that_is_gone_already_does_no_harm(child: subprocess.Popen[bytes]) -> None:
    meter = ProcessMeter()
    end(child)
    with meter.counting(child.pid):
        assert meter.read() == Reading()


def test_bytes_that_the_system_does_not_tell_are_unknown(
    child: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: psutil.Process) -> None:
        raise psutil.AccessDenied

    monkeypatch.setattr(psutil.Process, "io_counters", refuse)
    monkeypatch.setattr("connector.engine.processes._IoFile.of", lambda _: None)
    meter = ProcessMeter()
    with meter.counting(child.pid):
        seen = meter.read()
    assert (seen.read_bytes, seen.written_bytes) == (None, None)
    assert seen.memory_bytes


async def test_processes_count_for_the_job_whose_task_starts_them(child: subprocess.Popen[bytes]) -> None:
    mine, other = ProcessMeter(), ProcessMeter()

    async def work(meter: ProcessMeter, started: asyncio.Event, go_on: asyncio.Event) -> None:
        with metering(meter):
            await asyncio.create_task(inner(meter is mine, started, go_on))

    async def inner(starts: bool, started: asyncio.Event, go_on: asyncio.Event) -> None:
        if starts:
            with counted(child.pid):
                started.set()
                await go_on.wait()

    started, go_on = asyncio.Event(), asyncio.Event()
    tasks = [asyncio.create_task(work(meter, started, go_on)) for meter in (mine, other)]
    await started.wait()
    assert mine.read().memory_bytes
    assert other.read() == Reading()
    go_on.set()
    await asyncio.gather(*tasks)


def test_without_a_job_the_process_works_all_the_same() -> None:
    with own_process_counted(), metering(meter := ProcessMeter()):
        assert meter.read() == Reading()
