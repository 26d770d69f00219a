"""Processes that tests start end with these tests, however these end."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.support.processes import is_running
from tests.support.waiting import eventually

TESTS = """
import os, sys
from pathlib import Path
from tests.support.processes import running_module
with running_module("http.server", "--bind", "127.0.0.1", "0", environment=os.environ, log=Path(sys.argv[1])) as server:
    print(server.process.pid, flush=True)
    server.process.wait()
"""


def test_a_module_is_gone_when_the_tests_that_started_it_are_killed(tmp_path: Path) -> None:
    root, log = Path(__file__).parents[3], tmp_path / "log"
    with subprocess.Popen([sys.executable, "-c", TESTS, log], cwd=root, stdout=subprocess.PIPE) as tests:
        try:
            assert tests.stdout is not None
            server = int(tests.stdout.readline())
            eventually(lambda: b"child_entry" not in Path(f"/proc/{server}/cmdline").read_bytes())
            assert is_running(server)
        finally:
            tests.kill()
    try:
        eventually(lambda: not is_running(server))
    finally:
        if is_running(server):
            os.kill(server, signal.SIGKILL)
